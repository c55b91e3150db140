#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "cresset/dag/plan.h"
#include "cresset/dag/testing/pipeline_builder.h"
#include "cresset/dag/testing/plan_driver.h"

// Histories that no engine wrote: each event is refused or taken, and no invariant breaks.
namespace cresset::dag {
namespace {

using testing::from_parent;
using testing::from_task;
using testing::Outcome;
using testing::PipelineBuilder;
using testing::PlanDriver;

using History = std::vector<std::pair<Event, WallTime>>;
using SharedPipeline = std::shared_ptr<const model::Pipeline>;

SharedPipeline chain() {
  PipelineBuilder builder;
  builder.root().add("a").cached();
  builder.root().add("b", "needs").in("x", from_task("a")).retries(2, std::chrono::seconds{5});
  return builder.build();
}

SharedPipeline groups() {
  PipelineBuilder builder;
  builder.pipeline().config.active_deadline = std::chrono::hours{1};
  builder.group("body").input("item", model::ParameterType::kNumberInteger).add("s");
  builder.group("body").gives("out", {{"s", "out"}});
  builder.group("inner").add("t").retries(1);
  builder.group("inner").add("u").after({"t"});
  builder.root().add("loop", "body").loop("[1, 2, 3]", 2);
  builder.root().add("group", "inner").after({"loop"}).retries(1, std::chrono::seconds{1});
  builder.root().add("exit").after({"group"}).always();
  return builder.build();
}

SharedPipeline timed() {
  PipelineBuilder builder;
  auto& body = std::get<model::Container>(builder.step("timed").body);
  body.kubernetes.active_deadline = std::chrono::seconds{10};
  builder.root().add("a", "timed").retries(1);
  builder.root().add("b").after({"a"});
  return builder.build();
}

History history_of(const SharedPipeline& pipeline, bool with_failures) {
  PlanDriver run(pipeline);
  run.finish([&](const std::string&, std::uint32_t attempt) {
    return with_failures && attempt == 1 ? Outcome::fails() : Outcome::gives(1);
  });
  if (run.state() != model::State::kSucceeded) {
    run.feed(RetryAsked{});
    run.finish();
  }
  return run.events();
}

std::unique_ptr<Plan> fresh(const SharedPipeline& pipeline) {
  return Plan::make(pipeline, {}, {}).value();
}

// Asks all that a reader of a run asks.
void look_at(const Plan& plan) {
  static_cast<void>(plan.view());
  static_cast<void>(plan.counts());
  for (const auto& [task, attempt] : plan.attempts()) static_cast<void>(plan.brief(task));
  for (const Effect& effect : plan.outstanding()) {
    if (const auto* start = std::get_if<StartAttempt>(&effect))
      static_cast<void>(plan.leaf(start->task));
  }
}

// Up to the first event that is refused, as a reader of stored events does. How many were taken.
std::size_t replay(const SharedPipeline& pipeline, const History& history) {
  const auto plan = fresh(pipeline);
  std::size_t taken = 0;
  for (const auto& [event, at] : history) {
    if (const auto possible = plan->check(event); !possible) {
      EXPECT_EQ(possible.error().code, Code::kDataLoss);
      break;
    }
    plan->step(event, at);
    look_at(*plan);
    ++taken;
  }
  return taken;
}

Event any_event(std::mt19937& random) {
  const auto number = [&](unsigned below) { return static_cast<std::uint32_t>(random() % below); };
  const TaskOrdinal task = number(10) == 0 ? 99 : number(8);
  const std::uint32_t attempt = number(3);
  switch (number(10)) {
    case 0:
      return Submitted{};
    case 1:
      return CacheMissed{task};
    case 2:
      return CacheHit{task, {}, model::RunId("other")};
    case 3:
      return AttemptRunning{task, attempt};
    case 4:
      return AttemptSucceeded{task, attempt, Outcome::gives("text where a number was").outputs};
    case 5:
      return AttemptFailed{task, attempt, {"broke", ""}, number(2) == 0, number(2) == 0};
    case 6:
      return TimerFired{{static_cast<TimerKind>(number(3)), task, attempt}};
    case 7:
      return number(8) == 0 ? Event(KillAsked{}) : Event(CacheMissed{task});
    case 8:
      return number(8) == 0 ? Event(CancelAsked{}) : Event(AttemptRunning{task, 1});
    default:
      return RetryAsked{};
  }
}

TEST(PlanCheck, TakesEveryHistoryOfAnEngine) {
  for (const SharedPipeline& pipeline : {chain(), groups(), timed()}) {
    for (const bool with_failures : {false, true}) {
      const History history = history_of(pipeline, with_failures);
      EXPECT_EQ(replay(pipeline, history), history.size());
    }
  }
}

TEST(PlanCheck, RefusesWhatThereNeverWas) {
  const auto plan = fresh(timed());
  const auto refused = [&](const Event& event) { return !plan->check(event); };
  EXPECT_TRUE(refused(AttemptRunning{1, 1})) << "nothing was submitted";
  plan->step(Submitted{}, testing::kStart);
  EXPECT_FALSE(refused(AttemptRunning{1, 1}));
  EXPECT_TRUE(refused(AttemptRunning{99, 1}));
  EXPECT_TRUE(refused(AttemptRunning{1, 0}));
  EXPECT_TRUE(refused(AttemptSucceeded{1, 2, {}}));
  EXPECT_TRUE(refused(AttemptFailed{2, 1, {}}));
  EXPECT_TRUE(refused(CacheMissed{0})) << "the run itself is no step";
  EXPECT_TRUE(refused(CacheHit{99, {}, model::RunId("r")}));
  EXPECT_FALSE(refused(TimerFired{{TimerKind::kTaskDeadline, 1, 1}}));
  EXPECT_TRUE(refused(TimerFired{{TimerKind::kTaskDeadline, 2, 1}})) << "it has no time-out";
  EXPECT_FALSE(refused(TimerFired{{TimerKind::kRetry, 1, 1}}));
  EXPECT_TRUE(refused(TimerFired{{TimerKind::kRetry, 2, 1}}));
  EXPECT_TRUE(refused(TimerFired{{TimerKind::kRetry, 99, 1}}));
  EXPECT_TRUE(refused(TimerFired{{TimerKind::kRunDeadline, 0, 0}}));
}

TEST(PlanCheck, KeepsThePlanWholeWhateverItIsFed) {
  const SharedPipeline pipelines[] = {chain(), groups(), timed()};
  std::vector<History> histories;
  for (const SharedPipeline& pipeline : pipelines) {
    histories.push_back(history_of(pipeline, false));
    histories.push_back(history_of(pipeline, true));
  }
  std::mt19937 random(20261129);
  for (int round = 0; round < 3000; ++round) {
    History history = histories[random() % histories.size()];
    for (unsigned changes = random() % 4; changes > 0; --changes) {
      const auto at = static_cast<std::ptrdiff_t>(random() % history.size());
      const unsigned how = random() % 3;
      if (how == 0 && history.size() > 1) history.erase(history.begin() + at);
      if (how == 1) history[static_cast<std::size_t>(at)].first = any_event(random);
      if (how == 2) history.insert(history.begin() + at, {any_event(random), testing::kStart});
    }
    for (const SharedPipeline& pipeline : pipelines) replay(pipeline, history);
  }
}

TEST(PlanCheck, KeepsThePlanWholeAmongEventsByChance) {
  const SharedPipeline pipelines[] = {chain(), groups(), timed()};
  std::mt19937 random(20261130);
  for (int round = 0; round < 300; ++round) {
    const auto plan = fresh(pipelines[random() % std::size(pipelines)]);
    plan->step(Submitted{}, testing::kStart);
    for (int i = 0; i < 100; ++i) {
      const Event event = any_event(random);
      if (!plan->check(event)) continue;
      plan->step(event, testing::kStart + std::chrono::seconds{i});
      look_at(*plan);
    }
  }
}

}  // namespace
}  // namespace cresset::dag
