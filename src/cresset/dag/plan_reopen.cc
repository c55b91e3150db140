#include <algorithm>

#include "cresset/dag/plan_state.h"

namespace cresset::dag {

using model::State;

void Plan::Impl::on(const RetryAsked&) {
  if (!is_final(run_state_) || run_state_ == State::kSucceeded) return;
  run_state_ = State::kRunning;
  stop_ = Stop::kNo;
  timed_out_ = false;
  failed_once_ = false;
  failed_fast_ = false;
  ++generation_;
  error_.reset();
  finished_at_.reset();
  // The run's own time-out had come too late to keep anything from running.
  if (nodes_[root_].state == State::kSucceeded) return end_run();
  if (pipeline_->config.active_deadline) {
    deadline_ = now_ + *pipeline_->config.active_deadline;
    result_.effects.push_back(ArmTimer{run_deadline(), *deadline_});
  }
  reopen_node(root_);
}

// What failed or was kept from running is done again, and whatever waits for such a task with it:
// exit tasks above all. A task skipped for what its condition or its upstream said stays so while
// they do.
void Plan::Impl::reopen_scope(ScopeId id) {
  Scope& scope = scopes_[id];
  std::vector<bool> again(scope.nodes().size());
  for (std::uint32_t i = 0; i < again.size(); ++i) {  // upstream stands before downstream
    const auto& upstream = scope.dag->tasks[i].upstream;
    const Node& node = nodes_[scope.node(i)];
    again[i] =
        node.cut_short || (node.state != State::kSucceeded && node.state != State::kSkipped) ||
        std::ranges::any_of(upstream, [&again](std::uint32_t index) { return again[index]; });
  }
  scope.unfinished = static_cast<std::uint32_t>(std::ranges::count(again, true));
  for (std::uint32_t i = 0; i < again.size(); ++i) {
    if (!again[i]) continue;
    Node& node = nodes_[scope.node(i)];
    const auto& upstream = scope.dag->tasks[i].upstream;
    const auto waiting = static_cast<std::uint32_t>(
        std::ranges::count_if(upstream, [&again](std::uint32_t index) { return again[index]; }));
    if (waiting == 0 && node.was_entered() && node.state != State::kSucceeded) {
      reopen_node(scope.node(i));
      continue;
    }
    reset_node(scope.node(i));
    node.waiting = waiting;
    if (waiting == 0) ready_.push_back(scope.node(i));
  }
}

// A group that was entered goes on inside; its inputs are those it had.
void Plan::Impl::reopen_node(NodeId id) {
  Node& node = nodes_[id];
  node.state = State::kRunning;
  node.phase = Phase::kInside;
  node.finished_at.reset();
  node.failure.reset();
  node.reason.reset();
  node.failures = 0;
  node.cut_short = false;
  changed(id);
  if (is_loop(node)) return reopen_loop(id);
  if (node.inside != kNone) return reopen_scope(node.inside);
  node.phase = Phase::kWaiting;
  node.state = State::kPending;
  ready_.push_back(id);
}

// The loop's limit holds for iterations that are begun again as for those that were not begun.
void Plan::Impl::reopen_loop(NodeId id) {
  LoopProgress& progress = *nodes_[id].loop_progress;
  for (NodeId child : progress.iterations) {
    Node& iteration = nodes_[child];
    if (iteration.state == State::kSucceeded) continue;
    --progress.done;
    progress.again.push_back(child);
    if (iteration.inside == kNone) {
      reset_node(child);
      take_item(child);
    } else {
      iteration.phase = Phase::kWaiting;
      iteration.state = State::kPending;
      iteration.finished_at.reset();
      iteration.failure.reset();
      iteration.cut_short = false;
    }
  }
  fill_loop(id);
  if (progress.done == progress.iterations.size()) end_loop(id);
}

void Plan::Impl::reset_node(NodeId id) {
  Node& node = nodes_[id];
  if (node.inside != kNone) {
    for (NodeId child : scopes_[node.inside].nodes()) outdate(child);
  }
  for (NodeId child : node.iterations()) outdate(child);
  Node fresh;
  fresh.task = node.task;
  fresh.scope = node.scope;
  fresh.loop = node.loop;
  fresh.iteration = node.iteration;
  fresh.not_before = node.not_before;
  fresh.attempt = node.attempt;  // attempts are numbered through: their ids never repeat
  if (std::vector<model::AttemptView> ended = history(id); !ended.empty())
    fresh.ended = std::move(ended);
  fresh.changed_in = node.changed_in;
  node = std::move(fresh);
  changed(id);
}

void Plan::Impl::outdate(NodeId id) {
  Node& node = nodes_[id];
  node.outdated = true;
  if (node.inside != kNone) {
    for (NodeId child : scopes_[node.inside].nodes()) outdate(child);
  }
  for (NodeId child : node.iterations()) outdate(child);
}

}  // namespace cresset::dag
