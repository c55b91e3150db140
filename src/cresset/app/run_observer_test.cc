#include "cresset/app/run_observer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "cresset/app/testing/engine_world.h"

// What those are told who follow a run.
namespace cresset::app {
namespace {

using ::testing::Contains;
using testing::Crash;
using ::testing::ElementsAre;
using testing::EngineProcess;
using testing::EngineWorld;
using ::testing::IsEmpty;
using testing::kLargePipeline;
using testing::kSmallPipeline;
using ::testing::Not;

class Follower final : public RunObserver, public Interrupts {
 public:
  void on_attached(const dag::Plan& plan) override {
    EXPECT_EQ(plan.state(), model::State::kRunning);
    told.emplace_back("attached");
  }
  void on_changes(const dag::Plan&, const std::vector<dag::TaskBrief>& changes) override {
    for (const dag::TaskBrief& brief : changes) {
      std::string text = brief.path + " " + std::string(to_string(brief.state)) + " " +
                         std::to_string(brief.attempt);
      if (brief.setback) text += " after " + brief.setback->reason;
      told.push_back(std::move(text));
    }
  }
  void on_waiting(const dag::Plan& plan, dag::TaskOrdinal task,
                  std::string_view for_what) override {
    waits.push_back(plan.brief(task).path + ": " + std::string(for_what));
  }
  void on_notice(std::string_view) override {}
  void on_tick(const dag::Plan&) override {}
  int level() override { return 0; }

  std::vector<std::string> told;
  std::vector<std::string> waits;
};

TEST(RunObserver, IsToldForWhatEachStepWaits) {
  EngineWorld world;
  EngineProcess process(world);
  Follower follower;
  ASSERT_TRUE(process.service.drive(process.create(kSmallPipeline), follower, follower));
  EXPECT_THAT(follower.waits, ElementsAre("a: 1 CPU", "b: 1 CPU"));
}

TEST(RunObserver, WhoGoesOnWithARunIsToldThatItHadBegun) {
  EngineWorld world;
  model::RunId run;
  {
    EngineProcess process(world);
    run = process.create(kSmallPipeline);
    world.clock.at(world.clock.now() + std::chrono::milliseconds(500), [] { throw Crash{}; });
    Follower first;
    EXPECT_THROW(static_cast<void>(process.service.drive(run, first, first)), Crash);
    EXPECT_THAT(first.told, Not(Contains("attached"))) << "it began then";
  }
  EngineProcess process(world);
  Follower follower;
  ASSERT_TRUE(process.service.drive(run, follower, follower));
  ASSERT_FALSE(follower.told.empty());
  EXPECT_EQ(follower.told.front(), "attached");
  EXPECT_THAT(follower.told, Not(Contains("a RUNNING 1"))) << "it ran all the time";
}

// All that happened between two looks is told one by one, as who drives the run is told.
TEST(RunObserver, WhoFollowsIsToldOfAllThatHappened) {
  EngineWorld world;
  EngineProcess process(world);
  const model::RunId run = process.create(kLargePipeline);
  Follower driver;
  Follower follower;
  bool is_driven = false;
  process.reactor.before_wait([&] {
    if (std::exchange(is_driven, true)) return;
    ASSERT_TRUE(process.service.drive(run, driver, driver));
  });
  ASSERT_TRUE(process.service.follow(run, follower, follower));
  EXPECT_TRUE(is_driven);
  EXPECT_THAT(driver.told, Contains("exit-handler-1/flaky RUNNING 2 after exit status 1"));
  EXPECT_EQ(follower.told, driver.told);
  EXPECT_THAT(follower.waits, IsEmpty()) << "only who drives it knows";
}

// Who would go on with a run that another process ends is told of that end as well.
TEST(RunObserver, WhoFindsTheRunEndedByAnotherIsToldOfAllThatHappened) {
  EngineWorld world;
  EngineProcess process(world);
  const model::RunId run = process.create(kSmallPipeline);
  Result<std::unique_ptr<ports::Lease>> lease = process.store.acquire(run);
  ASSERT_TRUE(lease);
  Follower driver;
  Follower follower;
  process.reactor.before_wait([&] {
    if (*lease == nullptr) return;
    lease->reset();
    ASSERT_TRUE(process.service.drive(run, driver, driver));
  });
  ASSERT_TRUE(process.service.drive(run, follower, follower));
  EXPECT_THAT(driver.told, Contains("b SUCCEEDED 1"));
  EXPECT_EQ(follower.told, driver.told);
}

}  // namespace
}  // namespace cresset::app
