#include "cresset/dag/plan.h"

#include <fmt/core.h>

#include <utility>

#include "cresset/base/check.h"
#include "cresset/dag/plan_state.h"

namespace cresset::dag {

using model::State;

namespace {

// A step that gets lost again and again is taken for the cause.
constexpr std::uint32_t kLossesMax = 5;

}  // namespace

Result<std::unique_ptr<Plan>> Plan::make(std::shared_ptr<const model::Pipeline> pipeline,
                                         model::Bindings inputs, RunContext context) {
  CR_TRY(Graph graph, compile_graph(*pipeline));
  auto impl = std::make_unique<Impl>(std::move(pipeline), std::move(graph), std::move(inputs),
                                     std::move(context));
  return std::unique_ptr<Plan>(new Plan(std::move(impl)));
}

Plan::Plan(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Plan::~Plan() = default;

StepResult Plan::step(const Event& event, WallTime now) { return impl_->step(event, now); }
Result<void> Plan::check(const Event& event) const { return impl_->check(event); }
std::vector<Effect> Plan::outstanding() const { return impl_->outstanding(); }
State Plan::state() const { return impl_->run_state(); }
bool Plan::cancelling() const { return impl_->cancelling(); }
WallTime Plan::latest() const { return impl_->latest(); }
const RunContext& Plan::context() const { return impl_->context(); }
const model::Pipeline& Plan::pipeline() const { return impl_->pipeline(); }
const std::optional<model::Failure>& Plan::error() const { return impl_->error(); }
std::optional<WallTime> Plan::started_at() const { return impl_->started_at(); }
std::optional<WallTime> Plan::finished_at() const { return impl_->finished_at(); }
TaskBrief Plan::brief(TaskOrdinal task) const { return impl_->brief(task); }
LeafTask Plan::leaf(TaskOrdinal task) const { return impl_->leaf(task); }
const model::Component& Plan::component(TaskOrdinal task) const { return impl_->component(task); }
std::optional<TaskOrdinal> Plan::find(std::string_view path) const { return impl_->find(path); }
std::vector<TaskOrdinal> Plan::tasks() const { return impl_->tasks(); }
std::vector<model::AttemptView> Plan::history(TaskOrdinal task) const {
  return impl_->history(task);
}
std::vector<std::pair<TaskOrdinal, std::uint32_t>> Plan::attempts() const {
  return impl_->attempts();
}
std::vector<std::pair<TaskOrdinal, std::uint32_t>> Plan::live_attempts() const {
  return impl_->live_attempts();
}
Plan::Counts Plan::counts() const { return impl_->counts(); }
model::RunView Plan::view() const { return impl_->view(); }
model::RunView Plan::summary() const { return impl_->summary(); }
model::TaskView Plan::view(TaskOrdinal task) const { return impl_->view_task(task); }

Plan::Impl::Impl(std::shared_ptr<const model::Pipeline> pipeline, Graph graph,
                 model::Bindings inputs, RunContext context)
    : pipeline_(std::move(pipeline)),
      graph_(std::move(graph)),
      context_(std::move(context)),
      latest_(context_.created_at) {
  root_ = add_node(graph_.root, kNone);
  nodes_[root_].inputs = share(std::move(inputs));
}

namespace {

std::optional<WallTime> known_at(const Event& event) {
  if (const auto* succeeded = std::get_if<AttemptSucceeded>(&event)) return succeeded->known_at;
  if (const auto* failed = std::get_if<AttemptFailed>(&event)) return failed->known_at;
  return std::nullopt;
}

NodeId task_of(const Event& event) {
  return std::visit(
      []<class E>(const E& what) -> NodeId {
        if constexpr (requires { what.task; }) return what.task;
        return kNone;
      },
      event);
}

}  // namespace

StepResult Plan::Impl::step(const Event& event, WallTime now) {
  now_ = now;
  latest_ = std::max(latest_, now);
  known_ = std::max(now, known_at(event).value_or(now));
  cause_ = task_of(event);
  result_ = {};
  ++steps_;
  std::visit([this](const auto& what) { on(what); }, event);
  settle();
  if (context_.fail_fast && failed_once_ && !failed_fast_) stop_after_failure();
  return std::move(result_);
}

void Plan::Impl::on(const Submitted&) {
  if (run_state_ != State::kPending) return;
  run_state_ = State::kRunning;
  started_at_ = time_of(nodes_[root_]);
  if (pipeline_->config.active_deadline) {
    deadline_ = *started_at_ + *pipeline_->config.active_deadline;
    result_.effects.push_back(ArmTimer{run_deadline(), *deadline_});
  }
  ready_.push_back(root_);
}

void Plan::Impl::on(const CacheMissed& event) {
  CHECK(event.task < nodes_.size());
  if (nodes_[event.task].phase == Phase::kLookingUp) start_attempt(event.task);
}

void Plan::Impl::on(const CacheHit& event) {
  CHECK(event.task < nodes_.size());
  Node& node = nodes_[event.task];
  if (node.phase != Phase::kLookingUp) return;
  node.cached = true;
  node.outputs = share(event.outputs);
  node.started_at = time_of(node);
  end(event.task, State::kSucceeded);
}

// The node of a live attempt, or null for one that is over: answers may come late or twice.
Node* Plan::Impl::current(NodeId id, std::uint32_t attempt) {
  CHECK(id < nodes_.size());
  Node& node = nodes_[id];
  const bool live = node.phase == Phase::kStarting || node.phase == Phase::kRunning;
  return live && node.attempt == attempt && !node.outdated ? &node : nullptr;
}

void Plan::Impl::on(const AttemptRunning& event) {
  Node* node = current(event.task, event.attempt);
  if (node == nullptr || node->phase == Phase::kRunning) return;
  node->phase = Phase::kRunning;
  node->state = State::kRunning;
  turn_to(*node, model::Doing::kRunning, time_of(*node));
  if (!node->started_at) node->started_at = time_of(*node);
  changed(event.task);
  if (const auto limit = deadline(*node)) {
    node->due = time_of(*node) + *limit;
    result_.effects.push_back(
        ArmTimer{{TimerKind::kTaskDeadline, event.task, event.attempt}, *node->due});
  }
}

void Plan::Impl::on(const AttemptSucceeded& event) {
  Node* node = current(event.task, event.attempt);
  if (node == nullptr) return;
  if (!node->started_at) node->started_at = time_of(*node);
  if (node->ended) note_attempt(*node, State::kSucceeded, {});
  finish_attempt(*node);
  node->outputs = share(event.outputs);
  end(event.task, State::kSucceeded);
}

void Plan::Impl::on(const AttemptFailed& event) {
  Node* node = current(event.task, event.attempt);
  if (node == nullptr) return;
  note_attempt(*node, State::kFailed, event.failure.message);
  model::AttemptView& attempt = node->ended.make().back();
  finish_attempt(*node);
  // It was lost, maybe long before its limit: nobody knows that it would have passed it.
  if (node->timed_out && event.lost && !is_stopped(*node)) node->timed_out = node->stopping = false;
  if (node->timed_out) {
    model::Failure failure = event.failure;
    failure.message = fmt::format("timed out: it ran longer than its limit of {}",
                                  to_short_text(*deadline(*node)));
    attempt.reason = failure.message;
    return fail_attempt(event.task, std::move(failure), true);
  }
  if (node->stopping) {
    if (timed_out_ && stop_ == Stop::kTimeOut) {
      model::Failure failure = event.failure;
      failure.message = "stopped: the run had reached its time-out";
      attempt.reason = failure.message;
      return fail_attempt(event.task, std::move(failure), false);
    }
    attempt.state = State::kCanceled;
    attempt.reason = stop_ == Stop::kNo ? "stopped: another task had failed (--fail-fast)"
                                        : "stopped: the run was cancelled";
    if (stop_ == Stop::kNo && node->phase == Phase::kStarting) return cut_short(event.task);
    node->cut_short = true;
    node->reason = attempt.reason;
    return end(event.task, State::kCanceled);
  }
  attempt.lost = event.lost;
  if (event.lost && is_stopped(*node)) return cut_short(event.task);
  if (event.lost && ++node->losses < kLossesMax) return start_attempt(event.task);
  fail_attempt(event.task, event.failure, !event.permanent);
}

void Plan::Impl::on(const TimerFired& event) {
  if (event.timer.kind == TimerKind::kRunDeadline) {
    if (event.timer == run_deadline() && !is_final(run_state_) && stop_ == Stop::kNo) {
      timed_out_ = true;
      stop_all(Stop::kTimeOut);
    }
    return;
  }
  CHECK(event.timer.task < nodes_.size());
  Node& node = nodes_[event.timer.task];
  if (node.outdated || node.attempt != event.timer.attempt) return;
  if (event.timer.kind == TimerKind::kRetry && node.phase == Phase::kRetryWait) {
    node.due.reset();
    return begin(event.timer.task);
  }
  if (event.timer.kind == TimerKind::kTaskDeadline && node.phase == Phase::kRunning &&
      !node.stopping) {
    node.due.reset();
    node.timed_out = true;
    node.stopping = true;
    result_.effects.push_back(StopAttempt{event.timer.task, node.attempt});
  }
}

void Plan::Impl::on(const CancelAsked&) {
  if (run_state_ == State::kPending || (run_state_ == State::kRunning && stop_ == Stop::kNo))
    stop_all(Stop::kCancel);
}

void Plan::Impl::on(const KillAsked&) {
  if (!is_final(run_state_) && stop_ != Stop::kKill) stop_all(Stop::kKill);
}

void Plan::Impl::stop_all(Stop how) {
  stop_ = how;
  if (run_state_ == State::kPending) on(Submitted{});
  const auto count = static_cast<NodeId>(nodes_.size());
  for (NodeId id = 0; id < count; ++id) {
    Node& node = nodes_[id];
    if (node.outdated || !is_stopped(node)) continue;
    if (node.phase == Phase::kStarting || node.phase == Phase::kRunning) {
      if (node.stopping && how != Stop::kKill) continue;
      node.stopping = true;
      result_.effects.push_back(StopAttempt{id, node.attempt, how == Stop::kKill});
    } else {
      give_up(id);
    }
  }
}

// What waits for an answer or a timer ends when it is not to go on. A task that had failed and was
// to be tried again stays failed, unless a cancel came between.
void Plan::Impl::give_up(NodeId id) {
  const Phase phase = nodes_[id].phase;
  if (phase == Phase::kRetryWait && stop_ != Stop::kCancel && stop_ != Stop::kKill)
    return end(id, State::kFailed);
  if (phase == Phase::kLookingUp || phase == Phase::kRetryWait) cut_short(id);
}

void Plan::Impl::stop_after_failure() {
  failed_fast_ = true;
  const auto count = static_cast<NodeId>(nodes_.size());
  for (NodeId id = 0; id < count; ++id) {
    Node& node = nodes_[id];
    if (node.outdated || !is_stopped(node)) continue;
    // Not seen running: it waits for its slots, and is taken back. One that began a moment ago
    // is stopped with it.
    if (node.phase == Phase::kStarting && !node.stopping) {
      node.stopping = true;
      result_.effects.push_back(StopAttempt{id, node.attempt});
    } else {
      give_up(id);
    }
  }
  settle();
}

std::vector<Effect> Plan::Impl::outstanding() const {
  std::vector<Effect> out;
  if (is_final(run_state_) || run_state_ == State::kPending) return out;
  if (deadline_ && stop_ == Stop::kNo) out.push_back(ArmTimer{run_deadline(), *deadline_});
  for (NodeId id = 0; id < nodes_.size(); ++id) {
    const Node& node = nodes_[id];
    if (node.outdated) continue;
    switch (node.phase) {
      case Phase::kLookingUp:
        out.push_back(LookUpCache{id});
        break;
      case Phase::kRetryWait:
        out.push_back(ArmTimer{{TimerKind::kRetry, id, node.attempt}, *node.due});
        break;
      case Phase::kStarting:
      case Phase::kRunning:
        // What is to be stopped is only looked for: it must not begin now.
        out.push_back(
            StartAttempt{id, node.attempt, node.phase == Phase::kRunning || node.stopping});
        if (node.stopping) out.push_back(StopAttempt{id, node.attempt, stop_ == Stop::kKill});
        if (node.due)
          out.push_back(ArmTimer{{TimerKind::kTaskDeadline, id, node.attempt}, *node.due});
        break;
      case Phase::kWaiting:
      case Phase::kInside:
      case Phase::kEnded:
        break;
    }
  }
  return out;
}

}  // namespace cresset::dag
