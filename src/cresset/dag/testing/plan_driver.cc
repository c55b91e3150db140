#include "cresset/dag/testing/plan_driver.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "cresset/base/check.h"
#include "cresset/text/json.h"

namespace cresset::dag::testing {

namespace {

using model::State;

constexpr std::uint32_t kNoTask = std::numeric_limits<std::uint32_t>::max();

std::string describe(const model::Bindings& bindings) {
  std::string out;
  for (const auto& [name, value] : bindings.parameters)
    out += fmt::format(" {}={}", name, text::to_json(value));
  for (const auto& [name, list] : bindings.artifacts) {
    out += fmt::format(" {}=[", name);
    for (const model::Artifact& artifact : list) out += artifact.uri + "|" + artifact.digest + ",";
    out += "]";
  }
  return out;
}

std::string describe(const std::optional<WallTime>& time) {
  return time ? std::to_string(time->time_since_epoch().count()) : "-";
}

std::string describe(const model::TaskView& task) {
  return fmt::format(
      "{} {} {} {} {} cached={} attempts={} reason=\"{}\" error=\"{}\" {}-{} {}/{}"
      "\n  ready {} by {} spent {} {} {} {} doing {} since {}\n  in:{}\n  out:{}\n",
      task.ordinal, task.path, task.name, to_string(task.kind), to_string(task.state), task.cached,
      task.attempts, task.reason,
      task.error ? task.error->message + "|" + task.error->log_tail : "", describe(task.started_at),
      describe(task.finished_at), task.iterations_done, task.iterations, describe(task.ready_at),
      task.released_by.value_or(kNoTask), task.spent.waiting.count(), task.spent.starting.count(),
      task.spent.running.count(), task.spent.finishing.count(), static_cast<int>(task.doing),
      describe(task.doing_since), describe(task.inputs), describe(task.outputs));
}

std::string describe(const TimerId& timer) {
  constexpr const char* kKinds[] = {"retry", "task deadline", "run deadline"};
  return fmt::format("timer {} {}.{}", kKinds[static_cast<int>(timer.kind)], timer.task,
                     timer.attempt);
}

struct DescribeEffect {
  std::string operator()(const LookUpCache& effect) const {
    return fmt::format("look up {}", effect.task);
  }
  std::string operator()(const StartAttempt& effect) const {
    return fmt::format("{} {}.{}", effect.adopt_only ? "adopt" : "start", effect.task,
                       effect.attempt);
  }
  std::string operator()(const StopAttempt& effect) const {
    return fmt::format("{} {}.{}", effect.kill ? "kill" : "stop", effect.task, effect.attempt);
  }
  std::string operator()(const ArmTimer& effect) const {
    return describe(effect.timer) + " at " + describe(std::optional(effect.due));
  }
  std::string operator()(const FinishRun& effect) const {
    return fmt::format("finish {}", to_string(effect.state));
  }
};

std::vector<std::string> describe(const std::vector<Effect>& effects) {
  std::vector<std::string> out;
  for (const Effect& effect : effects) out.push_back(std::visit(DescribeEffect{}, effect));
  std::ranges::sort(out);
  return out;
}

Outcome all_well(const std::string&, std::uint32_t) { return Outcome::gives(1); }

}  // namespace

std::string describe(const model::RunView& view) {
  std::string out = fmt::format(
      "{} {} {} error=\"{}\" {}-{}\n  in:{}\n  out:{}\n", view.id.str(), view.name,
      to_string(view.state), view.error ? view.error->message : "", describe(view.started_at),
      describe(view.finished_at), describe(view.inputs), describe(view.outputs));
  for (const model::TaskView& task : view.tasks) out += describe(task);
  return out;
}

PlanDriver::PlanDriver(std::shared_ptr<const model::Pipeline> pipeline, RunContext context,
                       model::Bindings inputs)
    : pipeline_(std::move(pipeline)), inputs_(std::move(inputs)), context_(std::move(context)) {
  if (context_.id.empty()) context_.id = model::RunId("run1");
  if (context_.name.empty()) context_.name = "a run";
  if (context_.resource_name.empty()) context_.resource_name = "test-abc12";
  context_.created_at = kStart;
  plan_ = fresh();
}

std::unique_ptr<Plan> PlanDriver::fresh() const {
  auto plan = Plan::make(pipeline_, inputs_, context_);
  CHECK(plan.has_value());
  return *std::move(plan);
}

StepResult PlanDriver::feed(const Event& event) {
  events_.emplace_back(event, now_);
  note_event(event);
  StepResult result = plan_->step(event, now_);
  note_effects(result);
  drop_what_is_over();
  check_invariants();
  undone_after_.push_back(undone());
  return result;
}

void PlanDriver::note_event(const Event& event) {
  if (const auto* missed = std::get_if<CacheMissed>(&event)) look_ups_.erase(missed->task);
  if (const auto* hit = std::get_if<CacheHit>(&event)) look_ups_.erase(hit->task);
  if (const auto* running = std::get_if<AttemptRunning>(&event)) {
    auto it = attempts_.find({running->task, running->attempt});
    if (it != attempts_.end()) it->second.running = true;
  }
  if (const auto* ended = std::get_if<AttemptSucceeded>(&event))
    end_attempt({ended->task, ended->attempt});
  if (const auto* ended = std::get_if<AttemptFailed>(&event))
    end_attempt({ended->task, ended->attempt});
  if (const auto* fired = std::get_if<TimerFired>(&event)) timers_.erase(fired->timer);
  if (std::holds_alternative<RetryAsked>(event)) succeeded_.clear();
}

void PlanDriver::end_attempt(AttemptKey key) {
  attempts_.erase(key);
  timers_.erase({TimerKind::kTaskDeadline, key.first, key.second});
}

void PlanDriver::note_effects(const StepResult& result) {
  for (const Effect& effect : result.effects) {
    if (const auto* look_up = std::get_if<LookUpCache>(&effect)) look_ups_.insert(look_up->task);
    if (const auto* start = std::get_if<StartAttempt>(&effect)) {
      const AttemptKey key{start->task, start->attempt};
      EXPECT_TRUE(std::ranges::find(started_, key) == started_.end())
          << "attempt " << start->task << "." << start->attempt << " was started before";
      for (const auto& [other, attempt] : attempts_)
        EXPECT_NE(other.first, start->task) << "two live attempts of one task";
      attempts_[key] = {};
      started_.push_back(key);
      most_live_ = std::max(most_live_, attempts_.size());
    }
    if (const auto* stop = std::get_if<StopAttempt>(&effect)) {
      auto it = attempts_.find({stop->task, stop->attempt});
      ASSERT_NE(it, attempts_.end()) << "a stop of what does not run";
      it->second.stop = stop->kill;
    }
    if (const auto* timer = std::get_if<ArmTimer>(&effect)) timers_[timer->timer] = timer->due;
  }
}

// Effects that nothing answers end with what they were for.
void PlanDriver::drop_what_is_over() {
  const bool over = is_final(plan_->state());
  std::erase_if(look_ups_, [&](TaskOrdinal task) { return is_final(plan_->brief(task).state); });
  std::erase_if(timers_, [&](const auto& entry) {
    if (entry.first.kind == TimerKind::kRunDeadline) return over || plan_->cancelling();
    return entry.first.kind == TimerKind::kRetry && is_final(plan_->brief(entry.first.task).state);
  });
}

std::vector<std::string> PlanDriver::undone() const {
  std::vector<Effect> out;
  for (TaskOrdinal task : look_ups_) out.emplace_back(LookUpCache{task});
  for (const auto& [key, attempt] : attempts_) {
    out.emplace_back(
        StartAttempt{key.first, key.second, attempt.running || attempt.stop.has_value()});
    if (attempt.stop) out.emplace_back(StopAttempt{key.first, key.second, *attempt.stop});
  }
  for (const auto& [timer, due] : timers_) out.emplace_back(ArmTimer{timer, due});
  return describe(out);
}

void PlanDriver::check_invariants() {
  EXPECT_EQ(describe(plan_->outstanding()), undone());
  std::vector<AttemptKey> live;
  for (const auto& [key, attempt] : attempts_) live.push_back(key);
  EXPECT_EQ(plan_->live_attempts(), live);

  const model::RunView view = plan_->view();
  EXPECT_EQ(is_final(view.state), view.finished_at.has_value());
  EXPECT_EQ(view.state == State::kFailed, view.error.has_value());
  if (is_final(view.state)) EXPECT_TRUE(undone().empty()) << "the run ended before its effects";
  std::set<std::string> seen;
  for (const model::TaskView& task : view.tasks) {
    EXPECT_TRUE(seen.insert(task.path).second) << task.path << " is shown twice";
    EXPECT_EQ(plan_->find(task.path), task.ordinal);
    EXPECT_EQ(task.error.has_value(), task.state == State::kFailed) << task.path;
    EXPECT_EQ(task.reason.empty(), task.state != State::kSkipped && task.state != State::kCanceled)
        << task.path;
    EXPECT_EQ(is_final(task.state), task.finished_at.has_value()) << task.path;
    if (is_final(view.state)) EXPECT_TRUE(is_final(task.state)) << task.path << " is left over";
    if (task.state != State::kSucceeded) {
      EXPECT_TRUE(task.outputs == model::Bindings{} || !is_final(task.state)) << task.path;
      continue;
    }
    auto [known, is_new] = succeeded_.emplace(task.ordinal, describe(task));
    if (!is_new) EXPECT_EQ(known->second, describe(task)) << "a finished task changed";
  }
}

void PlanDriver::check_replay() const {
  auto again = fresh();
  for (std::size_t i = 0; i < events_.size(); ++i) {
    again->step(events_[i].first, events_[i].second);
    ASSERT_EQ(describe(again->outstanding()), undone_after_[i]) << "after event " << i;
  }
  EXPECT_EQ(describe(again->view()), describe(plan_->view()));
}

PlanDriver::AttemptKey PlanDriver::live_attempt(const std::string& path) const {
  const TaskOrdinal task = ordinal(path);
  for (const auto& [key, attempt] : attempts_) {
    if (key.first == task) return key;
  }
  ADD_FAILURE() << path << " has no live attempt";
  return {task, 0};
}

void PlanDriver::start(const std::string& path) {
  const auto [task, attempt] = live_attempt(path);
  feed(AttemptRunning{task, attempt});
}

void PlanDriver::succeed(const std::string& path, Outcome outcome) {
  const auto [task, attempt] = live_attempt(path);
  feed(AttemptSucceeded{task, attempt, std::move(outcome.outputs)});
}

void PlanDriver::fail(const std::string& path, const std::string& message) {
  const auto [task, attempt] = live_attempt(path);
  feed(AttemptFailed{task, attempt, {message, "tail of " + path}});
}

void PlanDriver::lose(const std::string& path) {
  const auto [task, attempt] = live_attempt(path);
  feed(AttemptFailed{task, attempt, {"lost", ""}, true});
}

void PlanDriver::fail_for_good(const std::string& path) {
  const auto [task, attempt] = live_attempt(path);
  feed(AttemptFailed{task, attempt, {"command not found", ""}, false, true});
}

bool PlanDriver::fire_next_timer() {
  const auto next = std::ranges::min_element(
      timers_, [](const auto& a, const auto& b) { return a.second < b.second; });
  if (next == timers_.end()) return false;
  now_ = std::max(now_, next->second);
  feed(TimerFired{TimerId{next->first}});
  return true;
}

void PlanDriver::finish_live(const Script& script) {
  const Script& outcome_of = script ? script : Script(all_well);
  for (TaskOrdinal task : std::set<TaskOrdinal>(look_ups_)) {
    if (look_ups_.contains(task)) feed(CacheMissed{task});
  }
  std::vector<AttemptKey> live;
  for (const AttemptKey& key : started_) {
    if (attempts_.contains(key)) live.push_back(key);
  }
  for (const AttemptKey& key : live) {
    if (!attempts_.contains(key)) continue;
    const auto [task, attempt] = key;
    const std::string path = plan_->brief(task).path;
    pass(std::chrono::seconds{1});
    feed(AttemptRunning{task, attempt});
    if (attempts_.at(key).stop) {
      feed(AttemptFailed{task, attempt, {"killed by signal 15", ""}});
      continue;
    }
    Outcome outcome = outcome_of(path, attempt);
    switch (outcome.kind) {
      case Outcome::Kind::kSuccess:
        feed(AttemptSucceeded{task, attempt, std::move(outcome.outputs)});
        break;
      case Outcome::Kind::kFailure:
        feed(AttemptFailed{task, attempt, {"it broke", "tail of " + path}});
        break;
      case Outcome::Kind::kLost:
        feed(AttemptFailed{task, attempt, {"lost", ""}, true});
        break;
      case Outcome::Kind::kPermanent:
        feed(AttemptFailed{task, attempt, {"command not found", ""}, false, true});
        break;
    }
  }
}

void PlanDriver::finish(const Script& script) {
  if (events_.empty()) submit();
  while (!is_final(plan_->state())) {
    if (!attempts_.empty() || !look_ups_.empty()) {
      finish_live(script);
    } else if (!fire_next_timer()) {
      FAIL() << "nothing is undone, and the run has not ended:\n" << describe(plan_->view());
    }
  }
}

model::TaskView PlanDriver::view(const std::string& path) const {
  for (model::TaskView& task : plan_->view().tasks) {
    if (task.path == path) return std::move(task);
  }
  ADD_FAILURE() << "no task " << path << " in\n" << describe(plan_->view());
  return {};
}

Value PlanDriver::input(const std::string& path, const std::string& name) const {
  const model::Bindings inputs = view(path).inputs;
  auto it = inputs.parameters.find(name);
  return it == inputs.parameters.end() ? Value("no such input") : it->second;
}

Value PlanDriver::output(const std::string& path, const std::string& name) const {
  const model::Bindings outputs = view(path).outputs;
  auto it = outputs.parameters.find(name);
  return it == outputs.parameters.end() ? Value("no such output") : it->second;
}

TaskOrdinal PlanDriver::ordinal(const std::string& path) const {
  const std::optional<TaskOrdinal> task = plan_->find(path);
  if (!task) ADD_FAILURE() << "no task " << path << " in\n" << describe(plan_->view());
  return task.value_or(0);
}

std::vector<std::string> PlanDriver::live() const {
  std::vector<std::string> out;
  for (const auto& [key, attempt] : attempts_) out.push_back(plan_->brief(key.first).path);
  return out;
}

std::vector<std::string> PlanDriver::paths() const {
  std::vector<std::string> out;
  for (const model::TaskView& task : plan_->view().tasks)
    out.push_back(task.path + " " + std::string(to_string(task.state)));
  return out;
}

std::vector<std::string> PlanDriver::timers() const {
  std::vector<std::string> out;
  for (const auto& [timer, due] : timers_) {
    constexpr const char* kKinds[] = {"retry", "deadline", "run deadline"};
    const double seconds = static_cast<double>((due - now_).count()) / 1e6;
    out.push_back(fmt::format("{} {} +{}", plan_->brief(timer.task).path,
                              kKinds[static_cast<int>(timer.kind)], seconds));
  }
  return out;
}

std::vector<std::string> PlanDriver::stops() const {
  std::vector<std::string> out;
  for (const auto& [key, attempt] : attempts_) {
    if (attempt.stop) out.push_back(plan_->brief(key.first).path + (*attempt.stop ? " kill" : ""));
  }
  return out;
}

std::vector<std::string> PlanDriver::started() const {
  std::vector<std::string> out;
  for (const auto& [task, attempt] : started_)
    out.push_back(fmt::format("{}.{}", plan_->brief(task).path, attempt));
  return out;
}

std::vector<std::string> PlanDriver::look_ups() const {
  std::vector<std::string> out;
  for (TaskOrdinal task : look_ups_) out.push_back(plan_->brief(task).path);
  return out;
}

}  // namespace cresset::dag::testing
