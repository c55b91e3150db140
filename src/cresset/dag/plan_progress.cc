#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "cresset/base/check.h"
#include "cresset/dag/plan_state.h"

namespace cresset::dag {

using model::State;

// When what happens to a node in this step happened. An event tells when it was seen to happen, by
// a clock that may have been wrong then: nothing ends before it began, begins before what it waited
// for had ended, or lies outside its group.
WallTime Plan::Impl::time_of(Node& node) {
  node.not_before = std::max(node.not_before, now_);
  return node.not_before;
}

NodeId Plan::Impl::add_node(const GraphTask& task, ScopeId scope) {
  Node& node = nodes_.emplace_back();
  node.task = &task;
  node.scope = scope;
  node.not_before = scope == kNone ? context_.created_at : nodes_[scopes_[scope].owner].not_before;
  node.waiting = static_cast<std::uint32_t>(task.upstream.size());
  return static_cast<NodeId>(nodes_.size() - 1);
}

ScopeId Plan::Impl::add_scope(const GraphDag& dag, NodeId owner) {
  const auto id = static_cast<ScopeId>(scopes_.size());
  Scope& scope = scopes_.emplace_back();
  scope.dag = &dag;
  scope.owner = owner;
  scope.exit_context = exit_context(nodes_[owner]);
  scope.unfinished = static_cast<std::uint32_t>(dag.tasks.size());
  scope.first = static_cast<NodeId>(nodes_.size());
  for (const GraphTask& task : dag.tasks) add_node(task, id);
  return id;
}

NodeId Plan::Impl::group_of(const Node& node) const {
  if (node.loop != kNone) return node.loop;
  return node.scope == kNone ? kNone : scopes_[node.scope].owner;
}

bool Plan::Impl::exit_context(const Node& node) const {
  return node.task->exit_task || (node.scope != kNone && scopes_[node.scope].exit_context);
}

bool Plan::Impl::is_loop(const Node& node) const {
  return node.loop == kNone && node.task->kind == model::TaskKind::kLoop;
}

bool Plan::Impl::is_leaf(const Node& node) const {
  return node.task->dag == kNoDag && !is_loop(node);
}

const model::RetryPolicy* Plan::Impl::retry_policy(const Node& node) const {
  if (is_loop(node) || node.task->spec == nullptr) return nullptr;
  return node.task->spec->retry.get();
}

std::optional<Duration> Plan::Impl::deadline(const Node& node) const {
  const auto* container = std::get_if<model::Container>(&node.task->component->body);
  return container == nullptr ? std::nullopt : container->kubernetes.active_deadline;
}

void Plan::Impl::changed(NodeId id) {
  Node& node = nodes_[id];
  if (!is_shown(node) || std::exchange(node.changed_in, steps_) == steps_) return;
  result_.changed.push_back(id);
}

void Plan::Impl::turn_to(Node& node, model::Doing doing, WallTime at) {
  const Duration took = std::max(Duration{0}, Duration(at - node.doing_since));
  if (node.doing == model::Doing::kWaiting) node.spent.waiting += took;
  if (node.doing == model::Doing::kStarting) node.spent.starting += took;
  if (node.doing == model::Doing::kRunning) node.spent.running += took;
  node.doing = doing;
  node.doing_since = at;
}

// To be called before finish_attempt().
void Plan::Impl::note_attempt(Node& node, State state, std::string reason) {
  model::AttemptView attempt;
  attempt.state = state;
  attempt.reason = std::move(reason);
  if (node.phase == Phase::kRunning) attempt.started_at = node.doing_since;
  attempt.finished_at = time_of(node);
  node.ended.make().push_back(std::move(attempt));
}

void Plan::Impl::finish_attempt(Node& node) {
  turn_to(node, model::Doing::kNothing, now_);
  node.spent.finishing += std::max(Duration{0}, Duration(known_ - now_));
}

void Plan::Impl::settle() {
  while (!ready_.empty()) {
    const NodeId id = ready_.front();
    ready_.pop_front();
    evaluate(id);
  }
}

// Whether the run is being stopped in a way that keeps this node from starting or going on.
bool Plan::Impl::is_stopped(const Node& node) const {
  if (stop_ == Stop::kKill) return true;
  if (stop_ == Stop::kNo && !(context_.fail_fast && failed_once_)) return false;
  return !exit_context(node);
}

// Whether a group around the node has tries left, so that what fails in it has not failed for good.
bool Plan::Impl::may_be_tried_again(const Node& node) const {
  for (NodeId id = group_of(node); id != kNone; id = group_of(nodes_[id])) {
    const model::RetryPolicy* policy = retry_policy(nodes_[id]);
    if (policy != nullptr && nodes_[id].failures < policy->max_retries) return true;
  }
  return false;
}

void Plan::Impl::cut_short(NodeId id) {
  Node& node = nodes_[id];
  node.cut_short = true;
  if (stop_ == Stop::kCancel || stop_ == Stop::kKill) {
    node.reason = "the run was cancelled";
    return end(id, State::kCanceled);
  }
  node.reason = stop_ == Stop::kTimeOut ? "the run had reached its time-out"
                                        : "another task had failed (--fail-fast)";
  end(id, State::kSkipped);
}

std::optional<std::string> Plan::Impl::upstream_obstacle(const Node& node) const {
  if (node.scope == kNone ||
      node.task->spec->strategy == model::TriggerStrategy::kAllUpstreamCompleted)
    return std::nullopt;
  const Scope& scope = scopes_[node.scope];
  for (std::uint32_t index : node.task->upstream) {
    const Node& upstream = nodes_[scope.node(index)];
    if (upstream.state == State::kSucceeded) continue;
    std::string_view what = upstream.state == State::kFailed    ? "failed"
                            : upstream.state == State::kSkipped ? "was skipped"
                                                                : "was cancelled";
    return fmt::format("task \"{}\", which it waits for, {}", upstream.task->name, what);
  }
  return std::nullopt;
}

void Plan::Impl::evaluate(NodeId id) {
  Node& node = nodes_[id];
  if (node.phase != Phase::kWaiting || node.outdated) return;
  if (is_stopped(node)) return cut_short(id);
  if (node.loop != kNone) {
    if (node.failure) return end(id, State::kFailed);
    return node.inside == kNone ? begin(id) : reopen_node(id);
  }
  if (id == root_) return begin(id);
  if (auto obstacle = upstream_obstacle(node)) {
    node.reason = *std::move(obstacle);
    return end(id, State::kSkipped);
  }
  const Scope& scope = scopes_[node.scope];
  const Surroundings around{
      .parent_inputs = nodes_[scope.owner].inputs,
      .neighbour =
          [this, &scope](const std::string& name) {
            const Node& other = nodes_[scope.node(*scope.dag->find(name))];
            return Surroundings::Neighbour{other.state, &other.outputs};
          },
      .final_status = [this, &scope](const std::string& name) { return final_status(scope, name); },
      .context = context_,
      .ordinal = id,
  };
  ResolvedInputs resolved = resolve_inputs(*node.task, around);
  node.inputs = std::move(resolved.slots);
  if (resolved.fail) {
    node.failure = model::Failure{*std::move(resolved.fail), {}};
    return end(id, State::kFailed);
  }
  if (resolved.skip) {
    node.reason = *std::move(resolved.skip);
    return end(id, State::kSkipped);
  }
  auto wanted = evaluate_condition(*node.task, node.inputs);
  if (!wanted) {
    node.failure = model::Failure{wanted.error().text(), {}};
    return end(id, State::kFailed);
  }
  if (!*wanted) {
    node.reason = "its condition is false";
    return end(id, State::kSkipped);
  }
  begin(id);
}

void Plan::Impl::begin(NodeId id) {
  const Node& node = nodes_[id];
  if (is_loop(node)) return enter_loop(id);
  if (node.task->dag != kNoDag) return enter_dag(id);
  begin_leaf(id);
}

void Plan::Impl::begin_leaf(NodeId id) {
  Node& node = nodes_[id];
  const bool first = node.failures == 0;
  if (!node.ready_at) {
    node.ready_at = known_;
    node.released_by = cause_;
    turn_to(node, model::Doing::kWaiting, known_);
  }
  if (first && context_.use_cache && node.task->spec->caching.enabled &&
      std::holds_alternative<model::Container>(node.task->component->body)) {
    node.phase = Phase::kLookingUp;
    result_.effects.push_back(LookUpCache{id});
    return;
  }
  start_attempt(id);
}

void Plan::Impl::start_attempt(NodeId id) {
  Node& node = nodes_[id];
  ++node.attempt;
  node.phase = Phase::kStarting;
  turn_to(node, model::Doing::kStarting, known_);
  node.stopping = false;
  node.timed_out = false;
  node.due.reset();
  time_of(node);
  result_.effects.push_back(StartAttempt{id, node.attempt});
  changed(id);
}

void Plan::Impl::enter_dag(NodeId id) {
  Node& node = nodes_[id];
  ++node.attempt;
  node.phase = Phase::kInside;
  node.state = State::kRunning;
  if (!node.started_at) node.started_at = time_of(node);
  const ScopeId scope = add_scope(graph_.dags[node.task->dag], id);
  node.inside = scope;
  changed(id);
  for (NodeId child : scopes_[scope].nodes()) {
    if (nodes_[child].waiting == 0) ready_.push_back(child);
    changed(child);
  }
  if (scopes_[scope].unfinished == 0) end_scope(scope);
}

void Plan::Impl::enter_loop(NodeId id) {
  Node& node = nodes_[id];
  auto items = loop_items(*node.task, node.inputs, context_, id);
  if (!items) {
    node.failure = model::Failure{items.error().text(), {}};
    return end(id, State::kFailed);
  }
  node.loop_progress = std::make_unique<LoopProgress>();
  node.loop_progress->items = *std::move(items);
  ++node.attempt;
  node.phase = Phase::kInside;
  node.state = State::kRunning;
  if (!node.started_at) node.started_at = time_of(node);
  changed(id);
  if (node.loop_progress->items.size() == 0) return end_loop(id);
  fill_loop(id);
}

void Plan::Impl::fill_loop(NodeId id) {
  const Node& loop = nodes_[id];
  LoopProgress& progress = *loop.loop_progress;
  const std::size_t total = progress.items.size();
  const auto limit = static_cast<std::size_t>(loop.task->spec->parallelism_limit);
  auto has_room = [&progress, limit] {
    return limit == 0 || progress.iterations.size() - progress.done - progress.again.size() < limit;
  };
  while (has_room() && (!progress.again.empty() || progress.iterations.size() < total)) {
    if (!progress.again.empty()) {
      ready_.push_back(progress.again.front());
      progress.again.pop_front();
      continue;
    }
    const NodeId child = add_node(*loop.task, loop.scope);
    Node& node = nodes_[child];
    node.waiting = 0;
    node.loop = id;
    node.not_before = loop.not_before;
    node.iteration = static_cast<std::uint32_t>(progress.iterations.size());
    take_item(child);
    progress.iterations.push_back(child);
    ready_.push_back(child);
  }
}

void Plan::Impl::take_item(NodeId iteration) {
  Node& node = nodes_[iteration];
  const Node& loop = nodes_[node.loop];
  auto inputs =
      iteration_inputs(*loop.task, loop.inputs, loop.loop_progress->items, node.iteration);
  if (inputs) {
    node.inputs = *std::move(inputs);
  } else {
    node.failure = model::Failure{inputs.error().text(), {}};
  }
}

void Plan::Impl::fail_attempt(NodeId id, model::Failure failure, bool may_retry) {
  Node& node = nodes_[id];
  ++node.failures;
  node.losses = 0;
  node.failure = std::move(failure);
  const model::RetryPolicy* policy = retry_policy(node);
  if (may_retry && policy != nullptr && node.failures <= policy->max_retries && !is_stopped(node))
    return wait_to_retry(id);
  end(id, State::kFailed);
}

void Plan::Impl::wait_to_retry(NodeId id) {
  Node& node = nodes_[id];
  const model::RetryPolicy& policy = *retry_policy(node);
  // The factor may grow beyond all numbers, and nothing times infinity is not a number.
  const double factor = std::min(std::pow(policy.backoff_factor, node.failures - 1), 1e15);
  const double wanted = static_cast<double>(policy.backoff.count()) * factor;
  const Duration delay{
      static_cast<std::int64_t>(std::min(wanted, static_cast<double>(policy.backoff_max.count())))};
  node.phase = Phase::kRetryWait;
  if (is_leaf(node)) turn_to(node, model::Doing::kWaiting, known_);
  node.due = time_of(node) + delay;
  changed(id);
  if (delay <= Duration{0}) return begin(id);
  result_.effects.push_back(ArmTimer{{TimerKind::kRetry, id, node.attempt}, *node.due});
}

void Plan::Impl::end(NodeId id, State state) {
  Node& node = nodes_[id];
  node.state = state;
  node.phase = Phase::kEnded;
  node.finished_at = time_of(node);
  turn_to(node, model::Doing::kNothing, *node.finished_at);
  node.due.reset();
  node.losses = 0;
  if (state != State::kSucceeded) node.outputs = {};
  if (state == State::kFailed) {
    if (!may_be_tried_again(node)) failed_once_ = true;
  } else {
    node.failure.reset();
  }
  changed(id);
  if (id == root_) return end_run();
  const auto follow = [&node](Node& other) {
    other.not_before = std::max(other.not_before, *node.finished_at);
  };
  follow(nodes_[group_of(node)]);
  if (node.loop != kNone) return end_iteration(node.loop);
  Scope& scope = scopes_[node.scope];
  for (std::uint32_t index : node.task->downstream) {
    const NodeId follower = scope.node(index);
    follow(nodes_[follower]);
    if (nodes_[follower].waiting > 0 && --nodes_[follower].waiting == 0) ready_.push_back(follower);
  }
  if (--scope.unfinished == 0) end_scope(node.scope);
}

void Plan::Impl::end_iteration(NodeId id) {
  const Node& loop = nodes_[id];
  LoopProgress& progress = *loop.loop_progress;
  ++progress.done;
  changed(id);
  if (!is_stopped(loop)) {
    fill_loop(id);
  } else {
    // They are cut short there.
    ready_.insert(ready_.end(), progress.again.begin(), progress.again.end());
    progress.again.clear();
  }
  if (progress.done == progress.iterations.size()) end_loop(id);
}

void Plan::Impl::end_loop(NodeId id) {
  Node& loop = nodes_[id];
  loop.outputs = loop_outputs(loop);
  const LoopProgress& progress = *loop.loop_progress;
  end_group(id, progress.iterations, progress.iterations.size() == progress.items.size());
}

void Plan::Impl::end_scope(ScopeId id) {
  const Scope& scope = scopes_[id];
  nodes_[scope.owner].outputs = dag_outputs(scope);
  end_group(scope.owner, scope.nodes(), true);
}

// A group failed when a part failed; it was cancelled when a part was kept from running; else it
// succeeded, whatever was skipped.
template <class Nodes>
void Plan::Impl::end_group(NodeId id, const Nodes& parts, bool complete) {
  Node& node = nodes_[id];
  auto any = [this, &parts](auto&& wanted) {
    return std::ranges::any_of(parts, [&](NodeId part) { return wanted(nodes_[part]); });
  };
  if (any([](const Node& part) { return part.state == State::kFailed; })) {
    node.failure = first_failure(parts);
    if (!is_loop(node) && retry_group(id)) return;
    return end(id, State::kFailed);
  }
  if (complete &&
      !any([](const Node& part) { return part.state == State::kCanceled || part.cut_short; })) {
    return end(id, State::kSucceeded);
  }
  node.cut_short = true;
  if (stop_ == Stop::kTimeOut) {
    node.failure = model::Failure{"the run reached its time-out before it was done", {}};
    return end(id, State::kFailed);
  }
  node.reason =
      stop_ == Stop::kNo ? "another task had failed (--fail-fast)" : "the run was cancelled";
  end(id, State::kCanceled);
}

bool Plan::Impl::retry_group(NodeId id) {
  Node& node = nodes_[id];
  const model::RetryPolicy* policy = retry_policy(node);
  if (policy == nullptr || is_stopped(node) || node.failures >= policy->max_retries) return false;
  ++node.failures;
  for (NodeId child : scopes_[node.inside].nodes()) outdate(child);
  node.inside = kNone;  // whatever comes now, nobody goes on in there
  wait_to_retry(id);
  return true;
}

void Plan::Impl::end_run() {
  const Node& root = nodes_[root_];
  finished_at_ = time_of(nodes_[root_]);
  deadline_.reset();
  run_state_ = root.state;
  error_ = root.failure.copy();
  if (timed_out_) {
    run_state_ = State::kFailed;
    error_ = model::Failure{fmt::format("the run reached its time-out of {}",
                                        to_short_text(*pipeline_->config.active_deadline)),
                            {}};
  } else if (stop_ != Stop::kNo && root.state != State::kSucceeded) {
    run_state_ = State::kCanceled;
    error_.reset();
  } else if (root.state == State::kCanceled) {
    run_state_ = State::kFailed;
  }
  result_.effects.push_back(FinishRun{run_state_});
}

Slots Plan::Impl::dag_outputs(const Scope& scope) const {
  Slots out;
  auto producer = [this, &scope](const model::FromTask& from) -> const Node* {
    const Node& node = nodes_[scope.node(*scope.dag->find(from.task))];
    return node.state == State::kSucceeded ? &node : nullptr;
  };
  for (const auto& [name, output] : scope.dag->spec->output_parameters) {
    for (const model::FromTask& from : output.selectors) {
      const Node* node = producer(from);
      if (node == nullptr || !node->outputs.parameters.contains(from.output)) continue;
      out.parameters.emplace(name, node->outputs.parameters.find(from.output)->second);
      break;
    }
  }
  for (const auto& [name, output] : scope.dag->spec->output_artifacts) {
    for (const model::FromTask& from : output.selectors) {
      const Node* node = producer(from);
      if (node == nullptr || !node->outputs.artifacts.contains(from.output)) continue;
      out.artifacts.emplace(name, node->outputs.artifacts.find(from.output)->second);
      break;
    }
  }
  return out;
}

// In item order; an iteration that did not give the output contributes nothing. Nested loops give
// lists of lists for parameters and one flat list for artifacts.
Slots Plan::Impl::loop_outputs(const Node& loop) const {
  Slots out;
  for (const auto& [name, output] : loop.task->component->output_parameters) {
    Value::List values;
    for (NodeId child : loop.iterations()) {
      auto it = nodes_[child].outputs.parameters.find(name);
      if (it != nodes_[child].outputs.parameters.end()) values.push_back(*it->second);
    }
    out.parameters.emplace(name, std::make_shared<const Value>(std::move(values)));
  }
  for (const auto& [name, output] : loop.task->component->output_artifacts) {
    std::vector<model::Artifact> artifacts;
    for (NodeId child : loop.iterations()) {
      auto it = nodes_[child].outputs.artifacts.find(name);
      if (it != nodes_[child].outputs.artifacts.end())
        artifacts.insert(artifacts.end(), it->second->begin(), it->second->end());
    }
    out.artifacts.emplace(
        name, std::make_shared<const std::vector<model::Artifact>>(std::move(artifacts)));
  }
  return out;
}

// What kfp.dsl.PipelineTaskFinalStatus reads (kfp.md §2.2).
Value Plan::Impl::final_status(const Scope& scope, const std::string& task) const {
  const Node& node = nodes_[scope.node(*scope.dag->find(task))];
  std::string state(to_string(node.state));
  if (node.state == State::kSucceeded) state = context_.success_word;
  if (node.state == State::kCanceled) state = "CANCELLED";
  Value out = Value::make_struct({{"state", state},
                                  {"pipelineJobResourceName", context_.resource_name},
                                  {"pipelineTaskName", node.task->spec->display_name}});
  if (node.failure) {
    constexpr int kUnknown = 2;  // google.rpc.Code
    out["error"] = Value::make_struct({{"code", kUnknown}, {"message", node.failure->message}});
  }
  return out;
}

template <class Nodes>
model::Failure Plan::Impl::first_failure(const Nodes& nodes) const {
  const Node* first = nullptr;
  NodeId first_id = kNone;
  for (NodeId id : nodes) {
    const Node& node = nodes_[id];
    if (node.state != State::kFailed) continue;
    if (first == nullptr || node.finished_at < first->finished_at) {
      first = &node;
      first_id = id;
    }
  }
  CHECK(first != nullptr && first->failure);
  const bool entered = first->was_entered() || first->failures > 0;
  if (!is_leaf(*first) && entered) return *first->failure;
  return {fmt::format("{}: {}", path(first_id), first->failure->message), first->failure->log_tail};
}

}  // namespace cresset::dag
