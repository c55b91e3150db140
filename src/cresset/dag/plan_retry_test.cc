#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cresset/dag/plan.h"
#include "cresset/dag/testing/pipeline_builder.h"
#include "cresset/dag/testing/plan_driver.h"

// Retries at every level, their back-off, and attempts that get lost.
namespace cresset::dag {
namespace {

using model::State;
using std::chrono::seconds;
using testing::constant;
using ::testing::ElementsAre;
using testing::from_parent;
using testing::from_task;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::kStart;
using testing::Outcome;
using testing::PipelineBuilder;
using testing::PlanDriver;

Outcome fails(const std::string&, std::uint32_t) { return Outcome::fails(); }

// Fails the first `count` attempts of the path; numbers go through over all tries.
PlanDriver::Script failing_first(std::string wanted, int count) {
  auto left = std::make_shared<int>(count);
  return [wanted = std::move(wanted), left](const std::string& path, std::uint32_t) {
    return path == wanted && (*left)-- > 0 ? Outcome::fails() : Outcome::gives(1);
  };
}

TEST(PlanRetry, ATaskIsTriedAgainUntilItsRetriesAreUsedUp) {
  for (const int failures : {0, 1, 2, 3}) {
    SCOPED_TRACE(failures);
    PipelineBuilder builder;
    builder.root().add("a").retries(2);
    builder.root().add("b").after({"a"});
    PlanDriver run(builder.build());
    run.finish(failing_first("a", failures));
    EXPECT_EQ(run.state("a"), failures <= 2 ? State::kSucceeded : State::kFailed);
    EXPECT_EQ(run.view("a").attempts, static_cast<unsigned>(std::min(failures + 1, 3)));
    EXPECT_EQ(run.state("b"), failures <= 2 ? State::kSucceeded : State::kSkipped);
    run.check_replay();
  }
}

TEST(PlanRetry, BackOffGrowsByItsFactorUpToItsCap) {
  PipelineBuilder builder;
  builder.root().add("a").retries(5, seconds{10}, 3.0, seconds{200});
  PlanDriver run(builder.build());
  run.submit();
  std::vector<std::string> delays;
  for (int i = 0; i < 5; ++i) {
    run.fail("a");
    EXPECT_EQ(run.state("a"),
              State::kPending == run.state("a") ? State::kPending : State::kRunning);
    ASSERT_EQ(run.timers().size(), 1u);
    delays.push_back(run.timers().front());
    EXPECT_THAT(run.live(), IsEmpty());
    run.fire_next_timer();
    EXPECT_THAT(run.live(), ElementsAre("a"));
  }
  EXPECT_THAT(delays, ElementsAre("a retry +10", "a retry +30", "a retry +90", "a retry +200",
                                  "a retry +200"));
  run.fail("a");
  EXPECT_EQ(run.state(), State::kFailed);
  run.check_replay();
}

TEST(PlanRetry, WithoutBackOffItIsTriedAgainAtOnceHoweverOften) {
  PipelineBuilder builder;
  builder.root().add("a").retries(3000);
  PlanDriver run(builder.build());
  run.submit();
  for (int i = 0; i < 3000; ++i) run.fail("a");
  EXPECT_THAT(run.started().back(), "a.3001");
  EXPECT_THAT(run.timers(), IsEmpty());
  run.succeed("a");
  EXPECT_EQ(run.state(), State::kSucceeded);
}

TEST(PlanRetry, AHugeFactorStopsAtTheCap) {
  PipelineBuilder builder;
  builder.root().add("a").retries(400, std::chrono::microseconds{1}, 1e6, seconds{1});
  PlanDriver run(builder.build());
  run.submit();
  for (int i = 0; i < 300; ++i) {
    run.fail("a");
    run.fire_next_timer();
  }
  run.fail("a");
  EXPECT_THAT(run.timers(), ElementsAre("a retry +1"));
}

TEST(PlanRetry, AFailureThatWouldRepeatItselfIsNotTriedAgain) {
  PipelineBuilder builder;
  builder.root().add("a").retries(5);
  PlanDriver run(builder.build());
  run.submit();
  run.fail_for_good("a");
  EXPECT_EQ(run.state("a"), State::kFailed);
  EXPECT_EQ(run.view("a").attempts, 1u);
  run.check_replay();
}

TEST(PlanRetry, OnlyTheFirstAttemptAsksTheCache) {
  PipelineBuilder builder;
  builder.root().add("a").cached().retries(1);
  PlanDriver run(builder.build());
  run.submit();
  run.feed(CacheMissed{run.ordinal("a")});
  run.fail("a");
  EXPECT_THAT(run.look_ups(), IsEmpty());
  EXPECT_THAT(run.live(), ElementsAre("a"));
  run.check_replay();
}

// Where time goes is told by the events' own times, and by when the engine knew of them.
TEST(PlanRetry, TheTimeOfAllAttemptsIsAddedUp) {
  PipelineBuilder builder;
  builder.root().add("a").cached().retries(1, seconds{5});
  builder.root().add("b").after({"a"});
  PlanDriver run(builder.build());
  run.submit();
  run.pass(seconds(1));
  run.feed(CacheMissed{run.ordinal("a")});
  run.pass(seconds(2));
  run.start("a");
  run.pass(seconds(10));
  run.feed(
      AttemptFailed{run.ordinal("a"), 1, {"it broke", ""}, false, false, run.now() + seconds(3)});
  EXPECT_EQ(run.view("a").doing, model::Doing::kWaiting);
  ASSERT_TRUE(run.fire_next_timer());
  run.pass(seconds(4));
  run.start("a");
  run.pass(seconds(20));
  const WallTime known = run.now() + seconds(6);
  run.feed(AttemptSucceeded{run.ordinal("a"), 2, {}, known});
  const model::TaskView a = run.view("a");
  EXPECT_EQ(a.ready_at, kStart);
  EXPECT_FALSE(a.released_by);
  EXPECT_EQ(a.doing, model::Doing::kNothing);
  // The back-off counts from the failure, of which the engine knew three seconds later.
  EXPECT_EQ(a.spent.waiting, seconds(1 + 2));
  EXPECT_EQ(a.spent.starting, seconds(2 + 4));
  EXPECT_EQ(a.spent.running, seconds(10 + 20));
  EXPECT_EQ(a.spent.finishing, seconds(3 + 6));
  const model::TaskView b = run.view("b");
  EXPECT_EQ(b.ready_at, known);
  EXPECT_EQ(b.released_by, a.ordinal);
  run.check_replay();
}

// ---- Groups ----

TEST(PlanRetry, AGroupIsTriedAgainAsAWhole) {
  PipelineBuilder builder;
  builder.group("body").add("first");
  builder.group("body").add("second", "needs").in("x", from_task("first"));
  builder.group("body").gives("v", {{"second", "out"}});
  builder.root().add("g", "body").retries(2, seconds{5}, 2.0);
  builder.root().add("use", "needs").in("x", from_task("g", "v"));
  PlanDriver run(builder.build());
  run.submit();
  run.succeed("g/first", Outcome::gives(1));
  run.fail("g/second");
  EXPECT_THAT(run.timers(), ElementsAre("g retry +5"));
  run.fire_next_timer();
  EXPECT_EQ(run.view("g").attempts, 2u);
  EXPECT_EQ(run.state("g/second"), State::kPending) << "views show the try under way";
  run.fail("g/first");
  EXPECT_THAT(run.timers(), ElementsAre("g retry +10"));
  run.finish();
  EXPECT_EQ(run.state("g"), State::kSucceeded);
  EXPECT_EQ(run.input("use", "x"), Value(1));
  EXPECT_EQ(run.state(), State::kSucceeded);
  EXPECT_EQ(run.plan().counts().succeeded, 3u) << "earlier tries are not counted";
  run.check_replay();
}

TEST(PlanRetry, AGroupThatUsesUpItsRetriesFails) {
  PipelineBuilder builder;
  builder.group("body").add("work");
  builder.root().add("g", "body").retries(2);
  PlanDriver run(builder.build());
  run.finish(fails);
  EXPECT_EQ(run.state("g"), State::kFailed);
  EXPECT_EQ(run.view("g").attempts, 3u);
  EXPECT_EQ(run.plan().error()->message, "g/work: it broke");
  run.check_replay();
}

TEST(PlanRetry, RetriesOfATaskAndOfItsGroupMultiply) {
  PipelineBuilder builder;
  builder.group("body").add("work").retries(1);
  builder.group("outer").add("in", "body").retries(1);
  builder.root().add("out", "outer").retries(1);
  PlanDriver run(builder.build());
  run.finish(fails);
  EXPECT_EQ(run.started().size(), 8u);
  EXPECT_EQ(run.state(), State::kFailed);
  run.check_replay();
}

TEST(PlanRetry, AGroupWaitsForItsOtherTasksBeforeItIsTriedAgain) {
  PipelineBuilder builder;
  builder.group("body").add("bad");
  builder.group("body").add("slow");
  builder.root().add("g", "body").retries(1);
  PlanDriver run(builder.build());
  run.submit();
  run.fail("g/bad");
  EXPECT_THAT(run.live(), ElementsAre("g/slow"));
  run.succeed("g/slow");
  EXPECT_THAT(run.live(), ElementsAre("g/bad", "g/slow"));
  run.check_replay();
}

TEST(PlanRetry, RetriesOfALoopAreThoseOfEachIteration) {
  PipelineBuilder builder;
  auto body = builder.group("body");
  body.input("item", model::ParameterType::kNumberInteger);
  body.add("work", "needs").in("x", from_parent("item"));
  body.gives("outs", {{"work", "out"}});
  builder.root().add("loop", "body").loop("[1, 2]").retries(1);
  builder.root().add("use").in("all", from_task("loop", "outs"));
  PlanDriver run(builder.build());
  run.finish(failing_first("loop[1]/work", 1));
  EXPECT_EQ(run.started().size(), 4u) << "the good iteration ran once";
  EXPECT_EQ(run.view("loop").iterations_done, 2u);
  EXPECT_EQ(run.input("use", "all"), Value(Value::List{1, 1}));
  EXPECT_EQ(run.state(), State::kSucceeded);
  run.check_replay();

  PlanDriver hopeless(builder.build());
  hopeless.finish(failing_first("loop[1]/work", 5));
  EXPECT_EQ(hopeless.started().size(), 3u);
  EXPECT_EQ(hopeless.state("loop"), State::kFailed);
  hopeless.check_replay();
}

TEST(PlanRetry, AStepInsideALoopIsTriedAgainWithItsItem) {
  PipelineBuilder builder;
  builder.step("one").input_parameters["item"].type = model::ParameterType::kNumberInteger;
  builder.root().add("each", "one").loop("[8, 9]").retries(1, seconds{1});
  PlanDriver run(builder.build());
  run.finish(failing_first("each[1]", 1));
  EXPECT_EQ(run.view("each[1]").attempts, 2u);
  EXPECT_EQ(run.input("each[1]", "item"), Value(9));
  EXPECT_EQ(run.state(), State::kSucceeded);
  run.check_replay();
}

// ---- Lost attempts ----

TEST(PlanRetry, ALostAttemptIsStartedAgainAndUsesUpNoRetry) {
  PipelineBuilder builder;
  builder.root().add("a").retries(1);
  PlanDriver run(builder.build());
  run.submit();
  run.start("a");
  run.lose("a");
  run.lose("a");
  EXPECT_THAT(run.started(), ElementsAre("a.1", "a.2", "a.3"));
  run.fail("a");
  EXPECT_THAT(run.live(), ElementsAre("a")) << "its one retry is still there";
  run.lose("a");
  run.fail("a");
  EXPECT_EQ(run.state("a"), State::kFailed);
  run.check_replay();
}

TEST(PlanRetry, AStepThatGetsLostAgainAndAgainHasFailed) {
  PipelineBuilder builder;
  builder.root().add("a").retries(1);
  PlanDriver run(builder.build());
  run.finish([](const std::string&, std::uint32_t) { return Outcome{Outcome::Kind::kLost, {}}; });
  EXPECT_EQ(run.state("a"), State::kFailed);
  EXPECT_EQ(run.started().size(), 10u) << "five losses in a row use up one try";
  run.check_replay();
}

// ---- Time-outs of a task ----

PipelineBuilder with_deadline(std::int64_t retries = 0) {
  PipelineBuilder builder;
  auto& container = std::get<model::Container>(builder.step("slow").body);
  container.kubernetes.active_deadline = seconds{30};
  builder.root().add("a", "slow").retries(retries);
  return builder;
}

TEST(PlanRetry, ATaskThatRunsTooLongIsStoppedAndHasFailed) {
  PlanDriver run(with_deadline().build());
  run.submit();
  EXPECT_THAT(run.timers(), IsEmpty()) << "waiting for a slot does not count";
  run.pass(seconds{100});
  run.start("a");
  EXPECT_THAT(run.timers(), ElementsAre("a deadline +30"));
  run.fire_next_timer();
  EXPECT_THAT(run.stops(), ElementsAre("a"));
  EXPECT_EQ(run.state("a"), State::kRunning);
  run.fail("a", "killed by signal 15");
  EXPECT_EQ(run.state("a"), State::kFailed);
  EXPECT_THAT(run.view("a").error->message, HasSubstr("timed out: it ran longer than"));
  EXPECT_THAT(run.view("a").error->message, HasSubstr("30"));
  EXPECT_EQ(run.view("a").error->log_tail, "tail of a");
  EXPECT_EQ(run.state(), State::kFailed);
  run.check_replay();
}

TEST(PlanRetry, ATimeOutUsesUpARetryAndTheNextAttemptHasItsOwn) {
  PlanDriver run(with_deadline(1).build());
  run.submit();
  run.start("a");
  run.fire_next_timer();
  run.fail("a");
  EXPECT_THAT(run.live(), ElementsAre("a"));
  EXPECT_THAT(run.stops(), IsEmpty());
  run.start("a");
  EXPECT_THAT(run.timers(), ElementsAre("a deadline +30"));
  run.succeed("a");
  EXPECT_THAT(run.timers(), IsEmpty());
  EXPECT_EQ(run.state(), State::kSucceeded);
  run.check_replay();
}

// Its keeper died while no engine lived, and the next engine finds both at once.
TEST(PlanRetry, AnAttemptThatWasLostBeforeItsTimeOutWasSeenIsStartedAgain) {
  PlanDriver run(with_deadline().build());
  run.submit();
  run.start("a");
  run.fire_next_timer();
  run.lose("a");
  EXPECT_THAT(run.started(), ElementsAre("a.1", "a.2"));
  EXPECT_THAT(run.stops(), IsEmpty());
  run.start("a");
  run.succeed("a");
  EXPECT_EQ(run.state(), State::kSucceeded);
  run.check_replay();
}

TEST(PlanRetry, TellsHowEachAttemptWent) {
  PipelineBuilder builder;
  builder.root().add("a").retries(1, seconds{10});
  PlanDriver run(builder.build());
  run.submit();
  const TaskOrdinal task = run.ordinal("a");
  const auto history = [&] { return run.plan().history(task); };
  EXPECT_THAT(history(), ElementsAre(model::AttemptView{}));
  run.pass(seconds{1});
  run.start("a");
  const WallTime first = run.now();
  run.pass(seconds{1});
  run.lose("a");
  EXPECT_EQ(run.plan().brief(task).setbacks, 1u);
  EXPECT_TRUE(run.plan().brief(task).setback->lost);
  EXPECT_EQ(run.plan().counts().waiting, 1u) << "not seen running again";
  const model::AttemptView lost{State::kFailed, true, history().front().reason, first, run.now()};
  EXPECT_THAT(history(), ElementsAre(lost, model::AttemptView{}));
  EXPECT_FALSE(lost.reason.empty());
  run.pass(seconds{1});
  run.start("a");
  const WallTime second = run.now();
  EXPECT_EQ(run.plan().counts().waiting, 0u);
  EXPECT_THAT(history(),
              ElementsAre(lost, model::AttemptView{State::kRunning, false, {}, second, {}}));
  run.pass(seconds{1});
  run.fail("a", "exit status 1");
  EXPECT_EQ(run.plan().brief(task).setback->reason, "exit status 1");
  EXPECT_EQ(run.plan().brief(task).retry_at, run.now() + seconds{10});
  run.fire_next_timer();
  run.start("a");
  run.succeed("a");
  ASSERT_EQ(history().size(), 3u);
  EXPECT_EQ(history()[1].reason, "exit status 1");
  EXPECT_EQ(history()[2].state, State::kSucceeded);
  EXPECT_EQ(run.plan().brief(task).setbacks, 0u) << "nothing follows";
  run.check_replay();
}

TEST(PlanRetry, ATaskThatEndsWellAfterItsStopHasSucceeded) {
  PlanDriver run(with_deadline().build());
  run.submit();
  run.start("a");
  run.fire_next_timer();
  run.succeed("a");
  EXPECT_EQ(run.state(), State::kSucceeded);
  run.check_replay();
}

}  // namespace
}  // namespace cresset::dag
