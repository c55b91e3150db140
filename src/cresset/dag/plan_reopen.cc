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
  error_.reset();
  finished_at_.reset();
  if (pipeline_->config.active_deadline) {
    deadline_ = now_ + *pipeline_->config.active_deadline;
    result_.effects.push_back(ArmTimer{{TimerKind::kRunDeadline, root_, 0}, *deadline_});
  }
  reopen_node(root_);
}

// Everything that did not succeed is done again, and whatever waits for such a task with it: exit
// tasks above all.
void Plan::Impl::reopen_scope(ScopeId id) {
  Scope& scope = scopes_[id];
  std::vector<bool> again(scope.nodes.size());
  for (std::uint32_t i = 0; i < scope.nodes.size(); ++i) {  // upstream stands before downstream
    const auto& upstream = scope.dag->tasks[i].upstream;
    again[i] =
        nodes_[scope.nodes[i]].state != State::kSucceeded ||
        std::ranges::any_of(upstream, [&again](std::uint32_t index) { return again[index]; });
  }
  scope.unfinished = static_cast<std::uint32_t>(std::ranges::count(again, true));
  for (std::uint32_t i = 0; i < scope.nodes.size(); ++i) {
    if (!again[i]) continue;
    Node& node = nodes_[scope.nodes[i]];
    const auto& upstream = scope.dag->tasks[i].upstream;
    const auto waiting = static_cast<std::uint32_t>(
        std::ranges::count_if(upstream, [&again](std::uint32_t index) { return again[index]; }));
    const bool entered = node.inside != kNone || !node.iterations.empty();
    if (waiting == 0 && entered && node.state != State::kSucceeded) {
      reopen_node(scope.nodes[i]);
      continue;
    }
    reset_node(scope.nodes[i]);
    node.waiting = waiting;
    if (waiting == 0) ready_.push_back(scope.nodes[i]);
  }
}

// A group that was entered goes on inside; its inputs are those it had.
void Plan::Impl::reopen_node(NodeId id) {
  Node& node = nodes_[id];
  node.state = State::kRunning;
  node.phase = Phase::kInside;
  node.finished_at.reset();
  node.failure.reset();
  node.reason.clear();
  node.failures = 0;
  node.cut_short = false;
  changed(id);
  if (!is_loop(node)) {
    if (node.inside == kNone) {
      node.phase = Phase::kWaiting;
      node.state = State::kPending;
      ready_.push_back(id);
      return;
    }
    return reopen_scope(node.inside);
  }
  for (NodeId child : node.iterations) {
    Node& iteration = nodes_[child];
    if (iteration.state == State::kSucceeded) continue;
    --node.iterations_done;
    if (iteration.inside != kNone) {
      reopen_node(child);
    } else {
      reset_node(child);
      ready_.push_back(child);
    }
  }
  fill_loop(id);
  if (node.iterations_done == node.iterations.size()) end_loop(id);
}

void Plan::Impl::reset_node(NodeId id) {
  Node& node = nodes_[id];
  if (node.inside != kNone) {
    for (NodeId child : scopes_[node.inside].nodes) outdate(child);
  }
  for (NodeId child : node.iterations) outdate(child);
  Node fresh;
  fresh.task = node.task;
  fresh.scope = node.scope;
  fresh.loop = node.loop;
  fresh.iteration = node.iteration;
  fresh.attempt = node.attempt;  // attempts are numbered through: their ids never repeat
  if (node.loop != kNone) fresh.inputs = node.inputs;
  node = std::move(fresh);
  changed(id);
}

void Plan::Impl::outdate(NodeId id) {
  Node& node = nodes_[id];
  node.outdated = true;
  if (node.inside != kNone) {
    for (NodeId child : scopes_[node.inside].nodes) outdate(child);
  }
  for (NodeId child : node.iterations) outdate(child);
}

}  // namespace cresset::dag
