#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cresset/dag/plan.h"
#include "cresset/dag/testing/pipeline_builder.h"
#include "cresset/dag/testing/plan_driver.h"

// What ends a run before its time: cancel, kill, its time-out, --fail-fast.
namespace cresset::dag {
namespace {

using model::State;
using std::chrono::seconds;
using ::testing::ElementsAre;
using testing::final_status_of;
using testing::from_parent;
using testing::from_task;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::Outcome;
using testing::PipelineBuilder;
using testing::PlanDriver;

// body{ work -> more } -> cleanup, beside other -> last.
PipelineBuilder with_exit_task() {
  PipelineBuilder builder;
  auto body = builder.group("exit-handler-1");
  body.add("work");
  body.add("more").after({"work"});
  builder.root().add("body", "exit-handler-1");
  builder.root().add("cleanup").after({"body"}).always();
  builder.root().add("other");
  builder.root().add("last").after({"other"});
  return builder;
}

// ---- Cancel ----

TEST(PlanStop, ACancelStopsWhatRunsStartsNothingMoreAndRunsExitTasks) {
  PlanDriver run(with_exit_task().build());
  run.submit();
  run.start("body/work");
  run.feed(CancelAsked{});
  EXPECT_TRUE(run.plan().cancelling());
  EXPECT_THAT(run.stops(), ::testing::UnorderedElementsAre("body/work", "other"));
  run.fail("other", "cancelled while queued");
  run.fail("body/work", "killed by signal 15");
  EXPECT_THAT(run.live(), ElementsAre("cleanup"));
  EXPECT_THAT(run.stops(), IsEmpty());
  run.finish();
  EXPECT_THAT(run.paths(), ::testing::UnorderedElementsAre(
                               "body CANCELED", "body/work CANCELED", "body/more CANCELED",
                               "cleanup SUCCEEDED", "other CANCELED", "last CANCELED"));
  EXPECT_EQ(run.view("body/more").reason, "the run was cancelled");
  EXPECT_EQ(run.view("body/work").reason, "stopped: the run was cancelled");
  EXPECT_EQ(run.state(), State::kCanceled);
  run.check_replay();
}

TEST(PlanStop, ARepeatedCancelChangesNothing) {
  PlanDriver run(with_exit_task().build());
  run.submit();
  run.feed(CancelAsked{});
  EXPECT_THAT(run.feed(CancelAsked{}).effects, IsEmpty());
  run.check_replay();
}

TEST(PlanStop, AStepThatEndsWellDespiteItsStopHasSucceeded) {
  PlanDriver run(with_exit_task().build());
  run.submit();
  run.feed(CancelAsked{});
  run.succeed("other");
  EXPECT_EQ(run.state("other"), State::kSucceeded);
  EXPECT_EQ(run.state("last"), State::kCanceled);
  run.finish();
  EXPECT_EQ(run.state(), State::kCanceled);
  run.check_replay();
}

TEST(PlanStop, ACancelThatKeepsNothingFromRunningLeavesASuccess) {
  PipelineBuilder builder;
  builder.group("exit-handler-1").add("work");
  builder.root().add("body", "exit-handler-1");
  builder.root().add("cleanup").after({"body"}).always();
  PlanDriver run(builder.build());
  run.submit();
  run.succeed("body/work");
  run.feed(CancelAsked{});
  EXPECT_THAT(run.stops(), IsEmpty()) << "an exit task is left alone";
  run.finish();
  EXPECT_EQ(run.state(), State::kSucceeded);
  run.check_replay();
}

TEST(PlanStop, ACancelEndsWhatWaitsForTheCacheOrForARetry) {
  PipelineBuilder builder;
  builder.root().add("cache").cached();
  builder.root().add("retry").retries(3, seconds{600});
  builder.group("body").add("work");
  builder.root().add("group", "body").retries(3, seconds{600});
  PlanDriver run(builder.build());
  run.submit();
  run.fail("retry");
  run.fail("group/work");
  EXPECT_EQ(run.timers().size(), 2u);
  run.feed(CancelAsked{});
  EXPECT_EQ(run.state(), State::kCanceled);
  EXPECT_EQ(run.state("cache"), State::kCanceled);
  EXPECT_EQ(run.state("retry"), State::kCanceled);
  EXPECT_EQ(run.state("group"), State::kCanceled);
  run.check_replay();
}

TEST(PlanStop, ACancelBeforeTheStartEndsTheRunWithoutIt) {
  for (const Event& event : {Event(CancelAsked{}), Event(KillAsked{})}) {
    PlanDriver run(with_exit_task().build());
    run.feed(event);
    EXPECT_EQ(run.state(), State::kCanceled);
    EXPECT_THAT(run.started(), IsEmpty());
    run.submit();
    EXPECT_EQ(run.state(), State::kCanceled);
    run.check_replay();
  }
}

TEST(PlanStop, ACancelledLoopBeginsNoMoreIterations) {
  PipelineBuilder builder;
  auto body = builder.group("body");
  body.input("item", model::ParameterType::kNumberInteger);
  body.add("work", "needs").in("x", from_parent("item"));
  builder.root().add("loop", "body").loop("[1, 2, 3, 4]", 2);
  PlanDriver run(builder.build());
  run.submit();
  run.succeed("loop[0]/work");
  run.feed(CancelAsked{});
  run.fail("loop[1]/work");
  run.fail("loop[2]/work");
  EXPECT_EQ(run.state("loop"), State::kCanceled);
  EXPECT_EQ(run.view("loop").iterations_done, 3u);
  EXPECT_FALSE(run.plan().find("loop[3]/work"));
  EXPECT_EQ(run.state(), State::kCanceled);
  run.check_replay();
}

TEST(PlanStop, ALoopCancelledAfterItsLastBegunIterationWellEndedIsNotDone) {
  PipelineBuilder builder;
  builder.step("one").input_parameters["item"].type = model::ParameterType::kNumberInteger;
  builder.root().add("each", "one").loop("[1, 2]", 1);
  PlanDriver run(builder.build());
  run.submit();
  run.feed(CancelAsked{});
  run.succeed("each[0]");
  EXPECT_EQ(run.state("each"), State::kCanceled);
  EXPECT_EQ(run.view("each").iterations_done, 1u);
  run.check_replay();
}

// ---- Kill ----

TEST(PlanStop, AKillStopsExitTasksToo) {
  PlanDriver run(with_exit_task().build());
  run.submit();
  run.succeed("body/work");
  run.succeed("body/more");
  run.start("cleanup");
  run.feed(CancelAsked{});
  EXPECT_THAT(run.stops(), ElementsAre("other"));
  run.feed(KillAsked{});
  EXPECT_THAT(run.stops(), ::testing::UnorderedElementsAre("cleanup kill", "other kill"));
  EXPECT_THAT(run.feed(KillAsked{}).effects, IsEmpty());
  run.fail("other");
  run.fail("cleanup");
  EXPECT_EQ(run.state("cleanup"), State::kCanceled);
  EXPECT_EQ(run.state(), State::kCanceled);
  run.check_replay();
}

TEST(PlanStop, AKillStartsNoExitTask) {
  PlanDriver run(with_exit_task().build());
  run.submit();
  run.feed(KillAsked{});
  run.finish();
  EXPECT_EQ(run.state("cleanup"), State::kCanceled);
  EXPECT_EQ(run.started().size(), 2u);
  run.check_replay();
}

// ---- Time-out of the run ----

PipelineBuilder with_run_deadline() {
  PipelineBuilder builder = with_exit_task();
  builder.pipeline().config.active_deadline = seconds{60};
  return builder;
}

TEST(PlanStop, ARunThatTakesTooLongFailsAndRunsExitTasks) {
  PlanDriver run(with_run_deadline().build());
  run.submit();
  EXPECT_THAT(run.timers(), ElementsAre(" run deadline +60"));
  run.start("body/work");
  run.fire_next_timer();
  EXPECT_THAT(run.stops(), ::testing::UnorderedElementsAre("body/work", "other"));
  run.fail("other");
  run.fail("body/work");
  EXPECT_THAT(run.live(), ElementsAre("cleanup"));
  run.finish();
  EXPECT_THAT(run.paths(), ::testing::UnorderedElementsAre("body FAILED", "body/work FAILED",
                                                           "body/more SKIPPED", "cleanup SUCCEEDED",
                                                           "other FAILED", "last SKIPPED"));
  EXPECT_EQ(run.view("body/work").error->message, "stopped: the run had reached its time-out");
  EXPECT_EQ(run.state(), State::kFailed);
  EXPECT_THAT(run.plan().error()->message, HasSubstr("the run reached its time-out of"));
  run.check_replay();
}

TEST(PlanStop, ATaskThatHadFailedAndWaitedForItsRetryStaysFailedAtATimeOut) {
  PipelineBuilder builder;
  builder.pipeline().config.active_deadline = seconds{60};
  builder.root().add("a").retries(3, seconds{600});
  PlanDriver run(builder.build());
  run.submit();
  run.fail("a", "its own reason");
  run.fire_next_timer();
  EXPECT_EQ(run.state("a"), State::kFailed);
  EXPECT_EQ(run.view("a").error->message, "its own reason");
  EXPECT_EQ(run.state(), State::kFailed);
  run.check_replay();
}

TEST(PlanStop, ATimeOutOfTheRunCanStillBeKilled) {
  PlanDriver run(with_run_deadline().build());
  run.submit();
  run.succeed("body/work");
  run.succeed("body/more");
  run.fire_next_timer();
  EXPECT_THAT(run.stops(), ElementsAre("other"));
  EXPECT_THAT(run.feed(CancelAsked{}).effects, IsEmpty());
  run.feed(KillAsked{});
  EXPECT_THAT(run.stops(), ::testing::UnorderedElementsAre("cleanup kill", "other kill"));
  run.finish();
  EXPECT_EQ(run.state(), State::kFailed);
  run.check_replay();
}

TEST(PlanStop, ACancelledRunHasNoTimeOut) {
  PlanDriver run(with_run_deadline().build());
  run.submit();
  run.feed(CancelAsked{});
  EXPECT_THAT(run.timers(), IsEmpty());
  run.feed(TimerFired{{TimerKind::kRunDeadline, 0, 0}});
  run.finish();
  EXPECT_EQ(run.state(), State::kCanceled);
  run.check_replay();
}

TEST(PlanStop, ARunThatEndsInTimeForgetsItsTimer) {
  PlanDriver run(with_run_deadline().build());
  run.finish();
  EXPECT_EQ(run.state(), State::kSucceeded);
  EXPECT_THAT(run.timers(), IsEmpty());
  run.check_replay();
}

// ---- --fail-fast ----

RunContext fail_fast() {
  RunContext context;
  context.fail_fast = true;
  return context;
}

TEST(PlanStop, FailFastStartsNothingMoreAndLetsRunningStepsEnd) {
  PlanDriver run(with_exit_task().build(), fail_fast());
  run.submit();
  run.start("other");
  run.fail("body/work");
  EXPECT_THAT(run.stops(), IsEmpty());
  EXPECT_THAT(run.live(), ::testing::UnorderedElementsAre("other", "cleanup"));
  run.finish();
  EXPECT_EQ(run.state("other"), State::kSucceeded);
  EXPECT_EQ(run.state("last"), State::kSkipped);
  EXPECT_THAT(run.view("last").reason, HasSubstr("--fail-fast"));
  EXPECT_EQ(run.state("cleanup"), State::kSucceeded);
  EXPECT_EQ(run.state(), State::kFailed);
  EXPECT_EQ(run.plan().error()->message, "body/work: it broke");
  run.check_replay();
}

TEST(PlanStop, FailFastTakesBackWhatWaitsForItsSlots) {
  PipelineBuilder builder;
  builder.root().add("bad");
  builder.root().add("queued");
  builder.root().add("after").after({"queued"});
  PlanDriver run(builder.build(), fail_fast());
  run.submit();
  run.fail("bad");
  EXPECT_THAT(run.stops(), ElementsAre("queued"));
  run.fail_for_good("queued");  // as the executor says: it had not started
  EXPECT_EQ(run.state("queued"), State::kSkipped);
  EXPECT_EQ(run.state("after"), State::kSkipped);
  EXPECT_THAT(run.view("queued").reason, HasSubstr("--fail-fast"));
  EXPECT_EQ(run.state(), State::kFailed);
  run.check_replay();
}

TEST(PlanStop, FailFastGivesUpWhatWaitsForTheCacheOrForARetry) {
  PipelineBuilder builder;
  builder.root().add("bad");
  builder.root().add("cache").cached();
  builder.root().add("retry").retries(3, seconds{600});
  builder.group("body").add("work");
  builder.root().add("group", "body").retries(3, seconds{600});
  PlanDriver run(builder.build(), fail_fast());
  run.submit();
  run.fail("retry", "first reason");
  run.fail("group/work");
  run.fail("bad");
  EXPECT_EQ(run.state(), State::kFailed);
  EXPECT_EQ(run.state("cache"), State::kSkipped);
  EXPECT_EQ(run.view("retry").error->message, "first reason");
  EXPECT_EQ(run.state("group"), State::kFailed);
  run.check_replay();
}

TEST(PlanStop, FailFastLeavesRetriesTheirChance) {
  PipelineBuilder builder;
  builder.group("body").add("work").retries(1);
  builder.root().add("group", "body").retries(1);
  builder.root().add("next").after({"group"});
  PlanDriver run(builder.build(), fail_fast());
  run.submit();
  for (int i = 0; i < 3; ++i) run.fail("group/work");
  EXPECT_THAT(run.live(), ElementsAre("group/work"));
  run.succeed("group/work");
  run.succeed("next");
  EXPECT_EQ(run.state(), State::kSucceeded);
  run.check_replay();
}

TEST(PlanStop, FailFastCountsAGroupThatFailsBeforeItIsEntered) {
  PipelineBuilder builder;
  builder.group("body").add("work");
  builder.root().add("bad", "body").when("inputs.parameter_values['nobody'] == 1");
  builder.root().add("slow");
  builder.root().add("next").after({"slow"});
  PlanDriver run(builder.build(), fail_fast());
  run.submit();
  run.finish();
  EXPECT_EQ(run.state("bad"), State::kFailed);
  EXPECT_EQ(run.state("next"), State::kSkipped);
  run.check_replay();
}

TEST(PlanStop, FailFastBeginsNoMoreIterations) {
  PipelineBuilder builder;
  builder.step("one").input_parameters["item"].type = model::ParameterType::kNumberInteger;
  builder.root().add("each", "one").loop("[1, 2, 3]", 1);
  PlanDriver run(builder.build(), fail_fast());
  run.submit();
  run.fail("each[0]");
  EXPECT_EQ(run.state("each"), State::kFailed);
  EXPECT_EQ(run.started().size(), 1u);
  EXPECT_EQ(run.state(), State::kFailed);
  run.check_replay();
}

TEST(PlanStop, WithoutFailFastTheOtherIterationsRun) {
  PipelineBuilder builder;
  builder.step("one").input_parameters["item"].type = model::ParameterType::kNumberInteger;
  builder.root().add("each", "one").loop("[1, 2, 3]", 1);
  PlanDriver run(builder.build());
  run.submit();
  run.fail("each[0]");
  run.finish();
  EXPECT_EQ(run.started().size(), 3u);
  run.check_replay();
}

}  // namespace
}  // namespace cresset::dag
