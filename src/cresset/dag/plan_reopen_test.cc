#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "cresset/dag/plan.h"
#include "cresset/dag/testing/pipeline_builder.h"
#include "cresset/dag/testing/plan_driver.h"

// `retry`: a finished run is opened for another generation.
namespace cresset::dag {
namespace {

using model::State;
using std::chrono::seconds;
using ::testing::ElementsAre;
using testing::final_status_of;
using testing::from_parent;
using testing::from_task;
using ::testing::IsEmpty;
using testing::Outcome;
using testing::PipelineBuilder;
using testing::PlanDriver;
using ::testing::UnorderedElementsAre;

PlanDriver::Script failing(std::initializer_list<std::string> paths) {
  return [broken = std::set<std::string>(paths)](const std::string& path, std::uint32_t) {
    return broken.contains(path) ? Outcome::fails() : Outcome::gives(1);
  };
}

TEST(PlanReopen, RunsAgainWhatFailedAndWhatWaitedForItAndKeepsTheRest) {
  PipelineBuilder builder;
  builder.root().add("good");
  builder.root().add("bad", "needs").in("x", from_task("good"));
  builder.root().add("next").after({"bad"});
  PlanDriver run(builder.build());
  run.finish(failing({"bad"}));
  ASSERT_EQ(run.state(), State::kFailed);
  run.pass(seconds{1000});
  run.feed(RetryAsked{});
  EXPECT_EQ(run.state(), State::kRunning);
  EXPECT_FALSE(run.plan().error());
  EXPECT_THAT(run.live(), ElementsAre("bad"));
  EXPECT_EQ(run.state("next"), State::kPending);
  run.finish();
  EXPECT_THAT(run.started(), ElementsAre("good.1", "bad.1", "bad.2", "next.1"));
  EXPECT_EQ(run.view("bad").attempts, 2u) << "attempts are numbered through";
  EXPECT_EQ(run.state(), State::kSucceeded);
  run.check_replay();
}

TEST(PlanReopen, AGenerationMayFailAgain) {
  PipelineBuilder builder;
  builder.root().add("bad").retries(1);
  PlanDriver run(builder.build());
  for (int generation = 0; generation < 3; ++generation) {
    if (generation > 0) run.feed(RetryAsked{});
    run.finish(failing({"bad"}));
    EXPECT_EQ(run.state(), State::kFailed);
  }
  EXPECT_THAT(run.started(), ElementsAre("bad.1", "bad.2", "bad.3", "bad.4", "bad.5", "bad.6"))
      << "each generation has the retries of the policy";
  run.check_replay();
}

TEST(PlanReopen, LeavesARunAloneThatSucceededOrHasNotEnded) {
  PipelineBuilder builder;
  builder.root().add("a");
  PlanDriver run(builder.build());
  EXPECT_THAT(run.feed(RetryAsked{}).effects, IsEmpty());
  run.submit();
  EXPECT_THAT(run.feed(RetryAsked{}).effects, IsEmpty());
  run.finish();
  EXPECT_THAT(run.feed(RetryAsked{}).effects, IsEmpty());
  EXPECT_EQ(run.state(), State::kSucceeded);
  run.check_replay();
}

TEST(PlanReopen, RunsTheExitTaskOfAReopenedBodyAgainAndNoOther) {
  PipelineBuilder builder;
  builder.step("cleanup").input_parameters["status"].type = model::ParameterType::kTaskFinalStatus;
  builder.group("exit-handler-1").add("bad");
  builder.group("exit-handler-1").add("good");
  builder.group("exit-handler-2").add("fine");
  for (const std::string n : {"1", "2"}) {
    builder.root().add("body-" + n, "exit-handler-" + n);
    builder.root()
        .add("cleanup-" + n, "cleanup")
        .after({"body-" + n})
        .always()
        .in("status", final_status_of("body-" + n));
  }
  PlanDriver run(builder.build());
  run.finish(failing({"body-1/bad"}));
  EXPECT_EQ(*run.input("cleanup-1", "status").find("state"), Value("FAILED"));
  run.feed(RetryAsked{});
  EXPECT_THAT(run.live(), ElementsAre("body-1/bad"));
  run.finish();
  EXPECT_EQ(*run.input("cleanup-1", "status").find("state"), Value("SUCCEEDED"));
  EXPECT_EQ(run.view("cleanup-1").attempts, 2u);
  EXPECT_EQ(run.view("cleanup-2").attempts, 1u);
  EXPECT_EQ(run.view("body-1/good").attempts, 1u);
  EXPECT_EQ(run.state(), State::kSucceeded);
  run.check_replay();
}

TEST(PlanReopen, KeepsHowTheAttemptsOfEarlierGenerationsWent) {
  PipelineBuilder builder;
  builder.root().add("bad");
  builder.root().add("after-it").after({"bad"}).always();
  PlanDriver run(builder.build());
  run.finish(failing({"bad"}));
  run.feed(RetryAsked{});
  EXPECT_EQ(run.plan().brief(run.ordinal("bad")).setbacks, 0u) << "another generation's";
  run.finish();
  const auto states = [&run](const std::string& path) {
    std::vector<State> out;
    for (const model::AttemptView& attempt : run.plan().history(run.ordinal(path)))
      out.push_back(attempt.state);
    return out;
  };
  EXPECT_THAT(states("bad"), ElementsAre(State::kFailed, State::kSucceeded));
  EXPECT_THAT(states("after-it"), ElementsAre(State::kSucceeded, State::kSucceeded));
  run.check_replay();
}

TEST(PlanReopen, RunsAgainWhatHadFallenBackToADefault) {
  PipelineBuilder builder;
  builder.root().add("bad");
  builder.root().add("tolerant", "defaults").in("x", from_task("bad")).always();
  PlanDriver run(builder.build());
  run.finish(failing({"bad"}));
  EXPECT_EQ(run.input("tolerant", "x"), Value(7));
  run.feed(RetryAsked{});
  run.finish();
  EXPECT_EQ(run.input("tolerant", "x"), Value(1));
  EXPECT_EQ(run.view("tolerant").attempts, 2u);
  EXPECT_EQ(run.state(), State::kSucceeded);
  run.check_replay();
}

TEST(PlanReopen, ABranchThatWasNotTakenStaysSoAndWhatFollowedItIsKept) {
  PipelineBuilder builder;
  builder.group("then").add("work");
  builder.root()
      .add("maybe", "then")
      .in("n", testing::constant(1))
      .when("inputs.parameter_values['n'] == 2");
  builder.root().add("after-it").after({"maybe"}).always();
  builder.root().add("bad");
  PlanDriver run(builder.build());
  run.finish(failing({"bad"}));
  run.feed(RetryAsked{});
  EXPECT_EQ(run.state("maybe"), State::kSkipped);
  run.finish();
  EXPECT_EQ(run.view("after-it").attempts, 1u) << "a finished step never runs again unasked";
  EXPECT_EQ(run.state(), State::kSucceeded);
  run.check_replay();
}

TEST(PlanReopen, GroupsGoOnInside) {
  PipelineBuilder builder;
  auto inner = builder.group("inner");
  inner.add("a");
  inner.add("b", "needs").in("x", from_task("a"));
  inner.gives("v", {{"b", "out"}});
  builder.group("outer").add("in", "inner");
  builder.group("outer").gives("v", {{"in", "v"}});
  builder.root().add("out", "outer");
  builder.root().add("use", "needs").in("x", from_task("out", "v"));
  PlanDriver run(builder.build());
  run.finish(failing({"out/in/b"}));
  run.feed(RetryAsked{});
  EXPECT_THAT(run.live(), ElementsAre("out/in/b"));
  EXPECT_EQ(run.state("out"), State::kRunning);
  run.finish();
  EXPECT_EQ(run.view("out/in/a").attempts, 1u);
  EXPECT_EQ(run.input("use", "x"), Value(1));
  EXPECT_EQ(run.state(), State::kSucceeded);
  run.check_replay();
}

TEST(PlanReopen, LoopsKeepTheIterationsThatSucceeded) {
  PipelineBuilder builder;
  auto body = builder.group("body");
  body.input("item", model::ParameterType::kNumberInteger);
  body.add("work", "needs").in("x", from_parent("item"));
  body.add("more", "needs").in("x", from_task("work"));
  body.gives("outs", {{"more", "out"}});
  builder.root().add("loop", "body").loop("[1, 2, 3]");
  builder.root().add("use").in("all", from_task("loop", "outs"));
  PlanDriver run(builder.build());
  run.finish(failing({"loop[1]/more"}));
  run.feed(RetryAsked{});
  EXPECT_THAT(run.live(), ElementsAre("loop[1]/more"));
  EXPECT_EQ(run.view("loop").iterations_done, 2u);
  run.finish();
  EXPECT_EQ(run.input("use", "all"), Value(Value::List{1, 1, 1}));
  EXPECT_EQ(run.started().size(), 3u + 3u + 1u + 1u);
  run.check_replay();
}

TEST(PlanReopen, ALoopThatACancelCutShortIsCompleted) {
  PipelineBuilder builder;
  builder.step("one").input_parameters["item"].type = model::ParameterType::kNumberInteger;
  builder.root().add("each", "one").loop("[1, 2, 3, 4]", 1);
  builder.root().add("use").in("all", from_task("each"));
  PlanDriver run(builder.build());
  run.submit();
  run.succeed("each[0]", Outcome::gives(10));
  run.feed(CancelAsked{});
  run.succeed("each[1]", Outcome::gives(20));
  ASSERT_EQ(run.state(), State::kCanceled);
  run.feed(RetryAsked{});
  EXPECT_FALSE(run.plan().cancelling());
  EXPECT_THAT(run.live(), ElementsAre("each[2]"));
  run.finish();
  EXPECT_EQ(run.input("use", "all"), Value(Value::List{10, 20, 1, 1}));
  EXPECT_EQ(run.state(), State::kSucceeded);
  run.check_replay();
}

TEST(PlanReopen, WhatFailFastKeptFromRunningRuns) {
  PipelineBuilder builder;
  builder.root().add("bad");
  builder.root().add("slow");
  builder.root().add("next").after({"slow"});
  RunContext context;
  context.fail_fast = true;
  PlanDriver run(builder.build(), context);
  run.submit();
  run.start("slow");
  run.finish(failing({"bad"}));
  EXPECT_EQ(run.state("next"), State::kSkipped);
  run.feed(RetryAsked{});
  EXPECT_THAT(run.live(), UnorderedElementsAre("bad", "next"));
  run.start("next");
  run.fail("bad");
  run.finish();
  EXPECT_EQ(run.state("next"), State::kSucceeded);
  EXPECT_EQ(run.state(), State::kFailed);
  run.check_replay();
}

TEST(PlanReopen, ARunThatWasCancelledBeforeItsStartRunsFromTheBeginning) {
  PipelineBuilder builder;
  builder.root().add("a");
  PlanDriver run(builder.build());
  run.feed(CancelAsked{});
  ASSERT_EQ(run.state(), State::kCanceled);
  run.feed(RetryAsked{});
  run.finish();
  EXPECT_THAT(run.started(), ElementsAre("a.1"));
  EXPECT_EQ(run.state(), State::kSucceeded);
  run.check_replay();
}

TEST(PlanReopen, ATimeOutBeginsAnewAndTheOldTimerMeansNothing) {
  PipelineBuilder builder;
  builder.pipeline().config.active_deadline = seconds{60};
  builder.root().add("a");
  PlanDriver run(builder.build());
  run.submit();
  run.fail("a");
  run.pass(seconds{10});
  run.feed(RetryAsked{});
  EXPECT_THAT(run.timers(), ElementsAre(" run deadline +60"));
  run.feed(TimerFired{{TimerKind::kRunDeadline, 0, 0}});
  EXPECT_FALSE(run.plan().cancelling());
  run.fire_next_timer();
  EXPECT_TRUE(run.plan().cancelling());
  run.finish();
  EXPECT_EQ(run.state(), State::kFailed);
  run.check_replay();
}

TEST(PlanReopen, ARunWhoseTimeOutCameTooLateForAnyTaskSucceeds) {
  PipelineBuilder builder;
  builder.pipeline().config.active_deadline = seconds{60};
  builder.group("exit-handler-1").add("work");
  builder.root().add("body", "exit-handler-1");
  builder.root().add("cleanup").after({"body"}).always();
  PlanDriver run(builder.build());
  run.submit();
  run.succeed("body/work");
  run.fire_next_timer();
  run.succeed("cleanup");
  ASSERT_EQ(run.state(), State::kFailed);
  run.feed(RetryAsked{});
  EXPECT_EQ(run.state(), State::kSucceeded);
  EXPECT_FALSE(run.plan().error());
  run.check_replay();
}

TEST(PlanReopen, AsksTheCacheAgain) {
  PipelineBuilder builder;
  builder.root().add("bad").cached();
  PlanDriver run(builder.build());
  run.finish(failing({"bad"}));
  run.feed(RetryAsked{});
  EXPECT_THAT(run.look_ups(), ElementsAre("bad"));
  run.check_replay();
}

TEST(PlanReopen, AGroupThatWasTriedSeveralTimesGoesOnInItsLastTry) {
  PipelineBuilder builder;
  builder.group("body").add("good");
  builder.group("body").add("bad");
  builder.root().add("g", "body").retries(1);
  PlanDriver run(builder.build());
  run.finish(failing({"g/bad"}));
  EXPECT_EQ(run.view("g").attempts, 2u);
  run.feed(RetryAsked{});
  EXPECT_THAT(run.live(), ElementsAre("g/bad"));
  run.fail("g/bad");
  EXPECT_THAT(run.live(), UnorderedElementsAre("g/bad", "g/good")) << "a new try of the group";
  run.finish();
  EXPECT_EQ(run.state(), State::kSucceeded);
  run.check_replay();
}

// Its last try is over and the next one had not begun: there is nothing inside to go on with.
TEST(PlanReopen, AGroupThatWaitedForItsNextTryBeginsFromItsStart) {
  PipelineBuilder builder;
  builder.group("inner").add("work");
  auto body = builder.group("body");
  body.add("good");
  body.add("deep", "inner");
  body.add("each").loop("[1, 2]");
  builder.root().add("g", "body").retries(1, seconds{600});
  builder.root().add("loop", "body").loop("[1]").retries(1, seconds{600});
  for (const bool killed : {false, true}) {
    PlanDriver run(builder.build());
    run.submit();
    for (const std::string path : {"g", "loop[0]"}) {
      run.succeed(path + "/good");
      run.succeed(path + "/each[0]");
      run.fail(path + "/each[1]");
      run.fail(path + "/deep/work");
    }
    EXPECT_EQ(run.timers().size(), 2u);
    killed ? run.feed(KillAsked{}) : run.feed(CancelAsked{});
    ASSERT_EQ(run.state(), State::kCanceled);
    run.feed(RetryAsked{});
    run.finish();
    EXPECT_EQ(run.state(), State::kSucceeded);
    EXPECT_EQ(run.state("g/good"), State::kSucceeded);
    EXPECT_EQ(run.state("loop[0]/deep/work"), State::kSucceeded);
    run.check_replay();
  }
}

TEST(PlanReopen, AGroupWhoseNextTryATimeOutKeptAwayBeginsFromItsStart) {
  PipelineBuilder builder;
  builder.pipeline().config.active_deadline = seconds{60};
  builder.group("inner").add("work");
  builder.group("body").add("deep", "inner");
  builder.root().add("g", "body").retries(1, seconds{600});
  PlanDriver run(builder.build());
  run.submit();
  run.fail("g/deep/work", "its own reason");
  run.fire_next_timer();
  ASSERT_EQ(run.state(), State::kFailed);
  EXPECT_EQ(run.view("g").error->message, "g/deep/work: its own reason");
  run.feed(RetryAsked{});
  run.finish();
  EXPECT_EQ(run.state(), State::kSucceeded);
  run.check_replay();
}

}  // namespace
}  // namespace cresset::dag
