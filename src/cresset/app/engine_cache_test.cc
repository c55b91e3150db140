#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cresset/app/testing/engine_world.h"

// What runs take from the cache, and how that is explained.
namespace cresset::app {
namespace {

using model::State;
using ::testing::ElementsAre;
using testing::EngineProcess;
using testing::EngineWorld;
using ::testing::HasSubstr;
using testing::kSmallPipeline;
using testing::large_pipeline_over;
using testing::replaced;
using testing::task_of;

TEST(EngineCache, TakesWhatAnotherRunMade) {
  EngineWorld world;
  EngineProcess process(world);
  const model::RunView first = process.run(kSmallPipeline);
  const model::RunView second = process.run(kSmallPipeline);
  EXPECT_EQ(second.state, State::kSucceeded);
  EXPECT_TRUE(task_of(second, "a").cached);
  EXPECT_TRUE(task_of(second, "b").cached);
  EXPECT_EQ(task_of(second, "a").outputs, task_of(first, "a").outputs);
  EXPECT_EQ(world.machine.executions().size(), 2u);
}

TEST(EngineCache, RunsAgainWhenTheRunOfAHitIsRemovedBeforeItIsCommitted) {
  EngineWorld world;
  EngineProcess process(world);
  const model::RunView first = process.run(kSmallPipeline);
  int removed = 0;
  process.store.before_commit = [&](const ports::Commit& commit) {
    if (commit.uses.empty() || removed > 0) return;
    ports::testing::MemoryStore other(world.database);
    EXPECT_TRUE(other.remove_run(first.id));
    ++removed;
  };
  const model::RunView second = process.run(kSmallPipeline);
  EXPECT_EQ(removed, 1);
  EXPECT_EQ(second.state, State::kSucceeded);
  EXPECT_FALSE(task_of(second, "a").cached);
  EXPECT_EQ(world.executions("a"), 2);
}

TEST(EngineCache, ARunWhoseArtifactsWereTakenCannotBeRemoved) {
  EngineWorld world;
  EngineProcess process(world);
  const model::RunView first = process.run(kSmallPipeline);
  const model::RunView second = process.run(kSmallPipeline);
  EXPECT_EQ(process.service.remove(first.id).error().reason, "run.in_use");
  EXPECT_TRUE(process.service.remove(second.id));
  EXPECT_TRUE(process.service.remove(first.id));
}

TEST(EngineCache, TakesNothingWithNoCacheAndStillGives) {
  EngineWorld world;
  EngineProcess process(world);
  RunOptions no_cache;
  no_cache.use_cache = false;
  process.run(kSmallPipeline, no_cache);
  const model::RunView second = process.run(kSmallPipeline, no_cache);
  EXPECT_FALSE(task_of(second, "a").cached);
  EXPECT_TRUE(task_of(process.run(kSmallPipeline), "a").cached);
}

TEST(EngineCache, RunsAgainWhenWhatWasMadeIsGoneOrChanged) {
  for (const bool gone : {true, false}) {
    EngineWorld world;
    EngineProcess process(world);
    const model::RunView first = process.run(kSmallPipeline);
    const std::string path = task_of(first, "a").outputs.artifacts.at("data").at(0).uri.substr(7);
    if (gone) {
      world.files.remove(path);
    } else {
      world.files.write(path, "other bytes");
    }
    const model::RunView second = process.run(kSmallPipeline);
    EXPECT_FALSE(task_of(second, "a").cached);
    EXPECT_THAT(process.notices, ::testing::Contains(HasSubstr("is gone or was changed")));
    EXPECT_TRUE(task_of(second, "b").cached) << "its input has the bytes that it had";
  }
}

TEST(EngineCache, AnotherProgramAnotherCommandAndAnotherEnvAreOtherKeys) {
  EngineWorld world;
  EngineProcess process(world);
  process.run(kSmallPipeline);
  EXPECT_FALSE(task_of(process.run(replaced(kSmallPipeline, "\"42\"", "\"43\"")), "a").cached);
  RunOptions options;
  options.env = {{"SEED", "1"}};
  EXPECT_FALSE(task_of(process.run(kSmallPipeline, options), "a").cached);
  EXPECT_TRUE(task_of(process.run(kSmallPipeline, options), "a").cached);
  world.environments.add_program("run", {"/usr/bin/run", "run 2"});
  EXPECT_FALSE(task_of(process.run(kSmallPipeline), "a").cached);
}

TEST(EngineCache, LooksForAProgramOnceForAllStepsOfAMoment) {
  EngineWorld world;
  const std::string spec = large_pipeline_over(100);
  EngineProcess process(world);
  process.run(spec);
  EXPECT_TRUE(task_of(process.run(spec), "exit-handler-1/loop[99]/item").cached);
  EXPECT_LT(world.environments.searches(), 20);
}

TEST(EngineCache, ExplainsWhyAStepRanOrNot) {
  EngineWorld world;
  EngineProcess process(world);
  const model::RunView first = process.run(kSmallPipeline);
  EXPECT_THAT(process.service.explain(first.id, "a")->verdict,
              HasSubstr("no earlier run of this pipeline"));
  const model::RunView second = process.run(kSmallPipeline);
  const Result<Explanation> hit = process.service.explain(second.id, "a");
  EXPECT_THAT(hit->verdict, HasSubstr("as in run " + first.id.str()));
  EXPECT_EQ(hit->compared_with, first.id);
  EXPECT_EQ(hit->ingredients.size(), process.service.explain(first.id, "a")->ingredients.size());

  const model::RunView other = process.run(replaced(kSmallPipeline, "\"42\"", "\"43\""));
  const Result<Explanation> miss = process.service.explain(other.id, "b");
  EXPECT_THAT(miss->verdict, HasSubstr("input x differs from run"));
  EXPECT_EQ(miss->compared_with, first.id) << "which ran it";
  std::vector<std::string> differing;
  for (const Ingredient& ingredient : miss->ingredients) {
    if (!ingredient.differs) continue;
    differing.push_back(ingredient.name);
    EXPECT_EQ(ingredient.mine, "43");
    EXPECT_EQ(ingredient.other, "42");
  }
  EXPECT_THAT(differing, ElementsAre("input x"));

  // The newest run is farther away.
  const model::RunView changed = process.run(replaced(kSmallPipeline, "\"got ", "\"has "));
  EXPECT_THAT(process.service.explain(changed.id, "b")->verdict,
              HasSubstr("ran: command differs from run " + first.id.str()));

  const Result<Explanation> unknown = process.service.explain(first.id, "c");
  EXPECT_EQ(unknown.error().code, Code::kNotFound);
}

// What a hit depended on is kept with the step that ran, and may go with it.
TEST(EngineCache, ExplainsAHitWhoseSourceWasRemoved) {
  EngineWorld world;
  EngineProcess process(world);
  // A run whose artifacts another has taken is not removed.
  const std::string spec =
      replaced(kSmallPipeline, "comp-make}\n        cachingOptions: {enableCache: true}",
               "comp-make}\n        cachingOptions: {enableCache: false}");
  const model::RunView first = process.run(spec);
  const model::RunView second = process.run(spec);
  ASSERT_TRUE(task_of(second, "b").cached);
  ASSERT_TRUE(process.service.remove(first.id));
  const Result<Explanation> told = process.service.explain(second.id, "b");
  ASSERT_TRUE(told) << told.error().text();
  EXPECT_EQ(told->verdict, "cached: everything it depends on is as in run " + first.id.str() +
                               ", which has been removed since");
  EXPECT_THAT(told->ingredients, ::testing::IsEmpty());
  const model::RunView third = process.run(spec);
  EXPECT_FALSE(task_of(third, "b").cached);
  EXPECT_THAT(process.service.explain(third.id, "b")->verdict, HasSubstr("no earlier run"));
}

// A retry may run a step again that others have taken, with other inputs.
TEST(EngineCache, ExplainsNoHitByWhatItsSourceDidLater) {
  EngineWorld world;
  EngineProcess process(world);
  const model::RunView first = process.run(kSmallPipeline);
  const model::RunView second = process.run(kSmallPipeline);
  const dag::TaskOrdinal a = task_of(first, "a").ordinal;
  ports::Commit commit;
  commit.steps = {process.store.step(first.id, a).value().value()};
  commit.steps[0].key = "another";
  {
    const auto lease = process.store.acquire(first.id).value();
    ASSERT_TRUE(process.store.commit(*lease, commit));
  }
  const Result<Explanation> told = process.service.explain(second.id, "a");
  ASSERT_TRUE(told) << told.error().text();
  EXPECT_THAT(told->verdict, HasSubstr("which has run it again since"));
  EXPECT_THAT(told->ingredients, ::testing::IsEmpty());
}

// Homes of before schema 3 have a record for each hit, and no task in its event.
TEST(EngineCache, ExplainsAHitOfAnOlderHome) {
  EngineWorld world;
  EngineProcess process(world);
  const model::RunView first = process.run(kSmallPipeline);
  const dag::TaskOrdinal a = task_of(first, "a").ordinal;
  const auto record = process.store.step(first.id, a).value().value();
  const model::RunId second = process.create(kSmallPipeline);
  const auto lease = process.store.acquire(second).value();
  const WallTime at = world.clock.wall_now();
  ports::Commit commit;
  commit.events = {{1, at, R"({"event":"submitted"})"},
                   {2, at,
                    fmt::format(R"({{"event":"cache_hit","task":{},"from":"{}","outputs":{}}})", a,
                                first.id.str(), record.outputs)}};
  commit.steps = {record};
  commit.uses = {first.id};
  ASSERT_TRUE(process.store.commit(*lease, commit));
  const Result<Explanation> told = process.service.explain(second, "a");
  ASSERT_TRUE(told) << told.error().text();
  EXPECT_THAT(told->verdict, HasSubstr("as in run " + first.id.str()));
  EXPECT_EQ(told->ingredients.size(), record.parts.as_struct().size());
}

TEST(EngineCache, ExplainsHowAttemptsRanOtherThanAsked) {
  EngineWorld world;
  EngineProcess process(world);
  const model::RunView run =
      process.run(replaced(kSmallPipeline, "exec-make:\n      container:\n",
                           "exec-make:\n      container:\n        resources: {cpuLimit: 1000}\n"));
  const Result<Explanation> told = process.service.explain(run.id, "a");
  ASSERT_TRUE(told) << told.error().text();
  ASSERT_EQ(told->notices.size(), 1u);
  EXPECT_EQ(told->notices[0].attempt, 1u);
  EXPECT_THAT(told->notices[0].text, HasSubstr("asked for 1000000 thousandths of CPU"));
  EXPECT_THAT(process.service.explain(run.id, "b")->notices, ::testing::IsEmpty());
}

}  // namespace
}  // namespace cresset::app
