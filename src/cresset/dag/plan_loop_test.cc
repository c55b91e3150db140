#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "cresset/dag/plan.h"
#include "cresset/dag/testing/pipeline_builder.h"
#include "cresset/dag/testing/plan_driver.h"

// Loops: items of every origin, limits, what is collected.
namespace cresset::dag {
namespace {

using model::ParameterType;
using model::State;
using testing::artifact_from_parent;
using testing::artifact_from_task;
using ::testing::ElementsAre;
using testing::from_parent;
using testing::from_task;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::Outcome;
using testing::PipelineBuilder;
using testing::PlanDriver;

using List = Value::List;

model::Artifact artifact(const std::string& uri) {
  model::Artifact out;
  out.name = "art";
  out.uri = uri;
  return out;
}

// loop{ work(x = item) } over `items`, collected into use.
PipelineBuilder looping(const std::string& items, std::int64_t limit = 0) {
  PipelineBuilder builder;
  auto body = builder.group("body");
  body.input("item", ParameterType::kNumberInteger);
  body.add("work", "needs").in("x", from_parent("item"));
  body.gives("outs", {{"work", "out"}});
  body.gives_artifact("arts", {{"work", "art"}});
  builder.root().add("loop", "body").loop(items, limit);
  builder.root()
      .add("use")
      .in("all", from_task("loop", "outs"))
      .in("arts", artifact_from_task("loop", "arts"));
  return builder;
}

// out = 10 * the item, and an artifact that names the path.
PlanDriver::Script ten_times(PlanDriver& run) {
  return [&run](const std::string& path, std::uint32_t) {
    const Value x = run.input(path, "x");
    Outcome out = Outcome::gives(x.is_number() ? 10 * x.as_number() : 0);
    out.outputs.artifacts["art"] = {artifact("file:///" + path)};
    return out;
  };
}

std::vector<std::string> uris(const model::TaskView& task, const std::string& input) {
  std::vector<std::string> out;
  for (const model::Artifact& one : task.inputs.artifacts.at(input)) out.push_back(one.uri);
  return out;
}

TEST(PlanLoop, RunsTheBodyForEachItemAndCollectsInTheirOrder) {
  PlanDriver run(looping("[1, 2, 3]").build());
  run.submit();
  EXPECT_THAT(run.live(), ElementsAre("loop[0]/work", "loop[1]/work", "loop[2]/work"));
  for (const char* path : {"loop[2]/work", "loop[0]/work", "loop[1]/work"}) {
    EXPECT_EQ(run.state("loop"), State::kRunning);
    run.succeed(path, ten_times(run)(path, 1));
  }
  EXPECT_EQ(run.view("loop").kind, model::TaskKind::kLoop);
  EXPECT_EQ(run.view("loop").iterations, 3u);
  EXPECT_EQ(run.view("loop").iterations_done, 3u);
  EXPECT_EQ(run.input("use", "all"), Value(List{10, 20, 30}));
  EXPECT_THAT(uris(run.view("use"), "arts"),
              ElementsAre("file:///loop[0]/work", "file:///loop[1]/work", "file:///loop[2]/work"));
  run.finish();
  EXPECT_EQ(run.state(), State::kSucceeded);
  run.check_replay();
}

TEST(PlanLoop, AnEmptyListGivesEmptyOutputs) {
  PlanDriver run(looping("[]").build());
  run.finish();
  EXPECT_EQ(run.state("loop"), State::kSucceeded);
  EXPECT_EQ(run.input("use", "all"), Value(List{}));
  EXPECT_THAT(run.view("use").inputs.artifacts.at("arts"), IsEmpty());
  EXPECT_THAT(run.paths(), ElementsAre("loop SUCCEEDED", "use SUCCEEDED"));
  run.check_replay();
}

TEST(PlanLoop, ItemsComeFromAListAtRunTimeInEitherForm) {
  for (const Value& items : {Value(List{4, 5}), Value("[4, 5]")}) {
    PipelineBuilder builder = looping("[]");
    builder.step("list").output_parameters["out"].type = ParameterType::kList;
    builder.root().add("list", "list");
    builder.root().add("loop", "body").in("items", from_task("list")).loop_over("items");
    PlanDriver run(builder.build());
    run.submit();
    run.succeed("list", Outcome::gives(items));
    run.finish(ten_times(run));
    EXPECT_EQ(run.input("use", "all"), Value(List{40, 50}));
    run.check_replay();
  }
}

TEST(PlanLoop, ItemsThatAreNoListFailTheLoop) {
  for (const Value& items : {Value(3), Value("abc"), Value::make_struct({{"a", 1}}), Value()}) {
    PipelineBuilder builder = looping("[]");
    builder.root().add("list", "step");
    builder.root().add("loop", "body").in("items", from_task("list")).loop_over("items");
    PlanDriver run(builder.build());
    run.submit();
    run.succeed("list", Outcome::gives(items));
    EXPECT_EQ(run.state("loop"), State::kFailed);
    EXPECT_THAT(run.view("loop").error->message, HasSubstr("loop"));
    EXPECT_EQ(run.state(), State::kFailed);
    run.check_replay();
  }
}

TEST(PlanLoop, AnItemOfTheWrongTypeFailsItsIterationOnly) {
  PlanDriver run(looping(R"([1, "two", "3"])").build());
  run.finish(ten_times(run));
  EXPECT_EQ(run.state("loop[0]/work"), State::kSucceeded);
  EXPECT_EQ(run.input("loop[2]/work", "x"), Value(3)) << "text that spells the type will do";
  EXPECT_EQ(run.state("loop"), State::kFailed);
  EXPECT_THAT(run.view("loop").error->message, HasSubstr("item 1 of the loop"));
  run.check_replay();
}

TEST(PlanLoop, ItemsOfAnyKindAndConstantsWithPlaceholdersExpandedOnce) {
  PipelineBuilder builder;
  builder.step("echo").input_parameters["item"].type = ParameterType::kStruct;
  builder.root().input("name", model::ParameterType::kString);
  builder.root()
      .add("loop", "echo")
      .in("who", from_parent("name"))
      .loop(R"([{"a": "{{$.inputs.parameters['who']}}"}, {"a": [1, null, true]}])");
  model::Bindings inputs;
  inputs.parameters["name"] = "{{$.pipeline_job_name}}";
  PlanDriver run(builder.build(), {}, inputs);
  run.submit();
  EXPECT_EQ(run.input("loop[0]", "item"), Value::make_struct({{"a", "{{$.pipeline_job_name}}"}}));
  EXPECT_EQ(run.input("loop[1]", "item"), Value::make_struct({{"a", List{1, Value(), true}}}));
  run.finish();
  run.check_replay();
}

TEST(PlanLoop, ALoopOverASingleStepShowsItsIterations) {
  PipelineBuilder builder;
  builder.step("one").input_parameters["item"].type = ParameterType::kNumberInteger;
  builder.root().add("each", "one").loop("[5, 6]");
  builder.root().add("use").in("all", from_task("each"));
  PlanDriver run(builder.build());
  run.finish([&run](const std::string& path, std::uint32_t) {
    return Outcome::gives(run.input(path, "item"));
  });
  EXPECT_THAT(run.paths(), ElementsAre("each SUCCEEDED", "each[0] SUCCEEDED", "each[1] SUCCEEDED",
                                       "use SUCCEEDED"));
  EXPECT_EQ(run.view("each[1]").kind, model::TaskKind::kContainer);
  EXPECT_EQ(run.view("each[1]").name, "each");
  EXPECT_EQ(run.input("use", "all"), Value(List{5, 6}));
  run.check_replay();
}

TEST(PlanLoop, NestedLoopsNestParametersAndFlattenArtifacts) {
  PipelineBuilder builder = looping("[]");
  auto outer = builder.group("outer");
  outer.input("item", ParameterType::kList);
  outer.add("inner", "body").in("items", from_parent("item")).loop_over("items");
  outer.gives("outs", {{"inner", "outs"}}, ParameterType::kList);
  outer.gives_artifact("arts", {{"inner", "arts"}});
  builder.root().add("loop", "outer").loop("[[1, 2], [], [3]]");
  PlanDriver run(builder.build());
  run.finish(ten_times(run));
  EXPECT_EQ(run.input("use", "all"), Value(List{List{10, 20}, List{}, List{30}}));
  EXPECT_THAT(uris(run.view("use"), "arts"),
              ElementsAre("file:///loop[0]/inner[0]/work", "file:///loop[0]/inner[1]/work",
                          "file:///loop[2]/inner[0]/work"));
  EXPECT_THAT(run.paths(), ::testing::Contains("loop[1]/inner SUCCEEDED"));
  run.check_replay();
}

TEST(PlanLoop, SkippedIterationsContributeNothing) {
  PipelineBuilder builder = looping("[]");
  auto outer = builder.group("outer");
  outer.input("item", ParameterType::kNumberInteger);
  outer.add("maybe", "body")
      .in("item", from_parent("item"))
      .when("int(inputs.parameter_values['item']) > 1");
  outer.gives("outs", {{"maybe", "outs"}});
  outer.gives_artifact("arts", {{"maybe", "arts"}});
  builder.root().add("loop", "outer").loop("[1, 2, 1, 3]");
  PlanDriver run(builder.build());
  run.finish(ten_times(run));
  EXPECT_EQ(run.state("loop"), State::kSucceeded);
  EXPECT_EQ(run.input("use", "all"), Value(List{20, 30}));
  EXPECT_EQ(uris(run.view("use"), "arts").size(), 2u);
  EXPECT_EQ(run.state("loop[0]/maybe"), State::kSkipped);
  run.check_replay();
}

TEST(PlanLoop, ArtifactIteratorsGiveOneArtifactToEachIteration) {
  PipelineBuilder builder = looping("[1, 2]");
  auto body = builder.group("each-artifact");
  body.input_artifact("item");
  body.add("work").in("a", artifact_from_parent("item"));
  body.gives_artifact("arts", {{"work", "art"}});
  builder.root()
      .add("over", "each-artifact")
      .in("items", artifact_from_task("loop", "arts"))
      .loop_over_artifacts("items");
  PlanDriver run(builder.build());
  run.finish(ten_times(run));
  EXPECT_EQ(run.state(), State::kSucceeded);
  EXPECT_THAT(uris(run.view("over[0]/work"), "a"), ElementsAre("file:///loop[0]/work"));
  EXPECT_THAT(uris(run.view("over[1]/work"), "a"), ElementsAre("file:///loop[1]/work"));
  EXPECT_EQ(run.view("over").outputs.artifacts.at("arts").size(), 2u);
  run.check_replay();
}

TEST(PlanLoop, AFailedIterationFailsTheLoopAndTheOthersFinish) {
  PlanDriver run(looping("[1, 2, 3]").build());
  run.finish([](const std::string& path, std::uint32_t) {
    return path == "loop[1]/work" ? Outcome::fails() : Outcome::gives(1);
  });
  EXPECT_EQ(run.state("loop[2]/work"), State::kSucceeded);
  EXPECT_EQ(run.state("loop"), State::kFailed);
  EXPECT_EQ(run.view("loop").error->message, "loop[1]/work: it broke");
  EXPECT_EQ(run.state("use"), State::kSkipped);
  run.check_replay();
}

// ---- Limits ----

TEST(PlanLoop, NeverExceedsItsLimitAndDoesAll) {
  for (const std::int64_t limit : {1, 2, 3, 7}) {
    PlanDriver run(looping("[1, 2, 3, 4, 5]", limit).build());
    run.finish(ten_times(run));
    EXPECT_EQ(run.most_live(), static_cast<std::size_t>(std::min<std::int64_t>(limit, 5)));
    EXPECT_EQ(run.input("use", "all"), Value(List{10, 20, 30, 40, 50}));
    run.check_replay();
  }
}

TEST(PlanLoop, AnIterationThatWaitsForItsRetryKeepsItsPlace) {
  PipelineBuilder builder;
  builder.step("one").input_parameters["item"].type = ParameterType::kNumberInteger;
  builder.root().add("each", "one").loop("[1, 2, 3]", 1).retries(1, std::chrono::seconds{30});
  PlanDriver run(builder.build());
  run.submit();
  run.fail("each[0]");
  EXPECT_THAT(run.live(), IsEmpty());
  EXPECT_THAT(run.timers(), ElementsAre("each[0] retry +30"));
  run.finish();
  EXPECT_EQ(run.most_live(), 1u);
  EXPECT_THAT(run.started(), ElementsAre("each[0].1", "each[0].2", "each[1].1", "each[2].1"));
  run.check_replay();
}

TEST(PlanLoop, TheLimitHoldsWhenARunIsReopened) {
  PlanDriver run(looping("[1, 2, 3, 4, 5]", 2).build());
  run.finish([](const std::string& path, std::uint32_t) {
    return path == "loop[2]/work" ? Outcome::gives(1) : Outcome::fails();
  });
  EXPECT_EQ(run.state(), State::kFailed);
  run.feed(RetryAsked{});
  EXPECT_THAT(run.live(), ElementsAre("loop[0]/work", "loop[1]/work"));
  EXPECT_EQ(run.view("loop").iterations_done, 1u);
  run.finish(ten_times(run));
  EXPECT_EQ(run.most_live(), 2u);
  EXPECT_EQ(run.state(), State::kSucceeded);
  EXPECT_EQ(run.input("use", "all"), Value(List{10, 20, 1, 40, 50}));
  run.check_replay();
}

TEST(PlanLoop, CancellingAReopenedLoopEndsTheIterationsThatWaitForAPlace) {
  PipelineBuilder builder;
  builder.step("one").input_parameters["item"].type = ParameterType::kNumberInteger;
  builder.root().add("each", "one").loop("[1, 2, 3, 4]", 1);
  PlanDriver run(builder.build());
  run.finish([](const std::string&, std::uint32_t) { return Outcome::fails(); });
  run.feed(RetryAsked{});
  EXPECT_THAT(run.live(), ElementsAre("each[0]"));
  EXPECT_EQ(run.state("each[3]"), State::kPending);
  run.feed(CancelAsked{});
  run.fail("each[0]");
  EXPECT_THAT(run.paths(), ElementsAre("each CANCELED", "each[0] CANCELED", "each[1] CANCELED",
                                       "each[2] CANCELED", "each[3] CANCELED"));
  EXPECT_EQ(run.state(), State::kCanceled);
  run.check_replay();
}

TEST(PlanLoop, AnItemThatWasRefusedIsRefusedAgainWhenTheRunIsReopened) {
  PipelineBuilder builder;
  builder.step("one").input_parameters["item"].type = ParameterType::kNumberInteger;
  builder.root().add("each", "one").loop(R"([1, "two"])");
  PlanDriver run(builder.build());
  run.finish();
  EXPECT_EQ(run.state(), State::kFailed);
  run.feed(RetryAsked{});
  EXPECT_THAT(run.live(), IsEmpty());
  EXPECT_EQ(run.state("each[1]"), State::kFailed);
  EXPECT_THAT(run.view("each[1]").error->message, HasSubstr("item 1"));
  run.check_replay();
}

// A list is handed to each of its own iterations; ten thousand of them must not cost the square.
TEST(PlanLoop, TakesManyIterations) {
  constexpr int kItems = 10'000;
  List items;
  for (int i = 0; i < kItems; ++i) items.emplace_back(i);
  PipelineBuilder builder;
  builder.step("one").input_parameters["item"].type = ParameterType::kNumberInteger;
  builder.root().input("items", ParameterType::kList);
  builder.root().add("each", "one").in("items", from_parent("items")).loop_over("items", 4);
  model::Bindings inputs;
  inputs.parameters["items"] = Value(std::move(items));
  auto plan = Plan::make(builder.build(), inputs, {});
  ASSERT_TRUE(plan);
  std::vector<Effect> effects = (*plan)->step(Submitted{}, testing::kStart).effects;
  int starts = 0;
  while (!effects.empty()) {
    std::vector<Effect> next;
    for (const Effect& effect : effects) {
      const auto* start = std::get_if<StartAttempt>(&effect);
      if (start == nullptr) continue;
      ++starts;
      StepResult result =
          (*plan)->step(AttemptSucceeded{start->task, start->attempt, Outcome::gives(1).outputs},
                        testing::kStart);
      next.insert(next.end(), result.effects.begin(), result.effects.end());
    }
    effects = std::move(next);
  }
  EXPECT_EQ(starts, kItems);
  EXPECT_EQ((*plan)->state(), State::kSucceeded);
}

}  // namespace
}  // namespace cresset::dag
