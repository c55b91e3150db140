#include "cresset/app/engine.h"

#include <algorithm>
#include <utility>

#include "cresset/app/event_codec.h"

namespace cresset::app {

namespace {

constexpr Duration kTick = std::chrono::milliseconds(100);
// How long an event may wait for others to be committed with.
constexpr Duration kCommitDelay = std::chrono::milliseconds(20);
constexpr Duration kCommandPoll = std::chrono::milliseconds(150);

void note_known(dag::Event& event, WallTime at) {
  if (auto* succeeded = std::get_if<dag::AttemptSucceeded>(&event)) succeeded->known_at = at;
  if (auto* failed = std::get_if<dag::AttemptFailed>(&event)) failed->known_at = at;
}

}  // namespace

Engine::Engine(Ports ports, std::unique_ptr<ports::Lease> lease, std::unique_ptr<dag::Plan> plan,
               ports::RunRecord record, std::uint64_t seq, Home home, RunOptions options,
               std::string runtime_dir)
    : ports_(ports),
      lease_(std::move(lease)),
      plan_(std::move(plan)),
      record_(std::move(record)),
      seq_(seq),
      home_(home.root()),
      steps_(*plan_, std::move(home), std::move(options), std::move(runtime_dir), lease_->token(),
             ports_.steps) {}

Result<void> Engine::run(RunObserver& observer, Interrupts& interrupts) {
  forget_what_ended();
  effects_ = plan_->outstanding();
  dispatch();
  if (plan_->state() == model::State::kPending) tell_inbox(dag::Submitted{});
  while (true) {
    take_interrupts(interrupts);
    CR_TRY_VOID(take_commands());
    take_due_timers();
    CR_TRY(Steps::Harvest harvest, steps_.poll());
    for (const Steps::Wait& wait : harvest.waits)
      observer.on_waiting(*plan_, wait.task, wait.for_what);
    for (const std::string& notice : harvest.notices) observer.on_notice(notice);
    take_in_order(std::move(harvest.events));
    apply_inbox();
    if (is_commit_due()) {
      CR_TRY_VOID(commit(observer));
    } else if (!is_final(plan_->state()) && !steps_.has_news()) {
      wait(observer);
    }
    // What was asked for before the end, and is answered after it, is no part of the run.
    if (commit_.events.empty() && is_final(plan_->state())) return {};
  }
}

// The executor tells of attempts in the order in which it is asked about them, and after a restart
// of many at once.
void Engine::take_in_order(std::vector<Steps::TimedEvent> events) {
  std::vector<std::pair<WallTime, std::size_t>> order;
  order.reserve(events.size());
  for (const Steps::TimedEvent& item : events)
    order.emplace_back(item.at.value_or(WallTime::max()), order.size());
  std::ranges::sort(order);
  for (const auto& [at, index] : order) inbox_.push_back({std::move(events[index])});
}

void Engine::tell_inbox(dag::Event event, std::uint64_t command) {
  inbox_.push_back({{std::move(event)}, command});
}

// None is stored with a time before that of the one before it.
void Engine::apply_inbox() {
  if (inbox_.empty()) return;
  if (commit_.events.empty()) commit_due_ = ports_.clock.now() + kCommitDelay;
  const WallTime now = run_now();
  // One that changed very many tasks is committed and told before another may change them again.
  while (!inbox_.empty() && many_changes_.empty()) {
    News news = std::move(inbox_.front());
    inbox_.pop_front();
    const WallTime at = std::max(news.what.at.value_or(now), plan_->latest());
    if (at < now) note_known(news.what.event, now);
    apply(std::move(news), at);
  }
  reading_.reset();
}

// One moment's may be very many.
void Engine::look_up(dag::TaskOrdinal task) {
  if (reading_ == nullptr) reading_ = ports_.steps.store.read_together();
  steps_.look_up(task);
}

// A run's time never goes back, whatever is done to the calendar: while that is behind, it stands
// still. So nothing ends before it began, and what is due after a pause is due after that pause.
WallTime Engine::run_now() const { return std::max(ports_.clock.wall_now(), plan_->latest()); }

// What nothing waits for may wait for company: each commit costs the disk a flush. Until then the
// executor remembers what has ended.
bool Engine::is_commit_due() const {
  if (commit_.events.empty()) return false;
  return !effects_.empty() || !many_changes_.empty() || is_final(plan_->state()) ||
         ports_.clock.now() >= commit_due_;
}

Result<void> Engine::commit(RunObserver& observer) {
  const ports::RunRecord before = record_;
  record_.state = plan_->state();
  record_.started_at = plan_->started_at();
  record_.finished_at = plan_->finished_at();
  if (record_.state != before.state || record_.finished_at != before.finished_at)
    commit_.record = record_;
  CR_TRY_VOID(ports_.steps.store.commit(*lease_, commit_));
  commit_ = {};
  dispatch();
  tell(observer);
  // Only now is it safe to let go of what the executor keeps of them: their ends are stored.
  if (!ended_.empty()) ports_.steps.executor.forget(std::exchange(ended_, {}));
  return {};
}

// A brief holds text: a million of them at once would be most of what the engine needs.
void Engine::tell(RunObserver& observer) {
  observer.on_changes(*plan_, std::exchange(changes_, {}));
  const std::vector<dag::TaskOrdinal> many = std::exchange(many_changes_, {});
  for (std::size_t next = 0; next < many.size();) {
    std::vector<dag::TaskBrief> briefs;
    for (; next < many.size() && briefs.size() < ports_.changes_max; ++next)
      briefs.push_back(plan_->brief(many[next]));
    observer.on_changes(*plan_, briefs);
  }
}

void Engine::apply(News news, WallTime at) {
  const dag::Event& event = news.what.event;
  if (news.what.record) commit_.steps.push_back(*std::move(news.what.record));
  if (news.what.ended) ended_.push_back(*std::move(news.what.ended));
  if (news.command > 0) commit_.commands_taken = news.command;
  commit_.events.push_back({++seq_, at, encode_event(event, home_)});
  if (const auto* hit = std::get_if<dag::CacheHit>(&event);
      hit != nullptr && !hit->outputs.artifacts.empty())
    commit_.uses.push_back(hit->from);
  dag::StepResult result = plan_->step(event, at);
  for (dag::Effect& effect : result.effects) {
    // What only looks need not wait for a commit: whoever takes over looks again.
    if (const auto* asked = std::get_if<dag::LookUpCache>(&effect)) {
      look_up(asked->task);
    } else {
      effects_.push_back(std::move(effect));
    }
  }
  if (result.changed.size() > ports_.changes_max) {
    many_changes_ = std::move(result.changed);
    return;
  }
  for (dag::TaskOrdinal task : result.changed) changes_.push_back(plan_->brief(task));
}

// An engine that died between a commit and what follows it has left the executor remembering.
void Engine::forget_what_ended() {
  const auto live = plan_->live_attempts();
  std::vector<model::AttemptId> ended;
  for (const auto& attempt : plan_->attempts()) {
    if (!std::ranges::binary_search(live, attempt))
      ended.push_back({record_.id, attempt.first, attempt.second});
  }
  if (!ended.empty()) ports_.steps.executor.forget(ended);
}

void Engine::dispatch() {
  for (const dag::Effect& effect : std::exchange(effects_, {})) carry_out(effect);
  reading_.reset();
}

void Engine::carry_out(const dag::Effect& effect) {
  if (const auto* asked = std::get_if<dag::LookUpCache>(&effect)) return look_up(asked->task);
  if (const auto* start = std::get_if<dag::StartAttempt>(&effect)) {
    return steps_.start(start->task, start->attempt, start->adopt_only);
  }
  if (const auto* stop = std::get_if<dag::StopAttempt>(&effect))
    return steps_.stop(stop->task, stop->attempt, stop->kill);
  if (const auto* timer = std::get_if<dag::ArmTimer>(&effect)) {
    // Due instants are calendar time, so that they survive a restart; waiting is monotonic, so that
    // a clock set back does not stretch it.
    const Duration left = std::max(Duration{0}, timer->due - run_now());
    timers_.emplace(ports_.clock.now() + left, timer->timer);
  }
}

void Engine::take_due_timers() {
  const TimePoint now = ports_.clock.now();
  while (!timers_.empty() && timers_.begin()->first <= now) {
    tell_inbox(dag::TimerFired{timers_.begin()->second});
    timers_.erase(timers_.begin());
  }
}

void Engine::take_interrupts(Interrupts& interrupts) {
  const int level = interrupts.level();
  if (level >= 1 && interrupt_level_ < 1) tell_inbox(dag::CancelAsked{});
  if (level >= 2 && interrupt_level_ < 2) tell_inbox(dag::KillAsked{});
  interrupt_level_ = std::max(interrupt_level_, level);
}

Result<void> Engine::take_commands() {
  const TimePoint now = ports_.clock.now();
  if (now < next_command_poll_) return {};
  next_command_poll_ = now + kCommandPoll;
  CR_TRY(const std::uint64_t counter, ports_.steps.store.change_counter());
  if (counter == change_counter_) return {};
  change_counter_ = counter;
  // An engine that was replaced would wait for ever for attempts that have passed to the next one.
  CR_TRY_VOID(ports_.steps.store.confirm(*lease_));
  CR_TRY(const std::vector<ports::StoredCommand> commands,
         ports_.steps.store.commands(record_.id, last_command_));
  for (const ports::StoredCommand& command : commands) {
    last_command_ = command.id;
    if (command.command == ports::Command::kCancel) {
      tell_inbox(dag::CancelAsked{}, command.id);
    } else {
      tell_inbox(dag::KillAsked{}, command.id);
    }
  }
  return {};
}

void Engine::wait(RunObserver& observer) {
  const TimePoint now = ports_.clock.now();
  TimePoint until = std::min(now + kTick, next_command_poll_);
  if (!timers_.empty()) until = std::min(until, timers_.begin()->first);
  if (!commit_.events.empty()) until = std::min(until, commit_due_);
  ports_.reactor.wait(until);
  observer.on_tick(*plan_);
}

}  // namespace cresset::app
