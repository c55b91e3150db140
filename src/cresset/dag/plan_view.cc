#include <fmt/core.h>

#include <algorithm>

#include "cresset/base/check.h"
#include "cresset/dag/launch.h"
#include "cresset/dag/plan_state.h"

namespace cresset::dag {

using model::State;

// Views show tasks; an iteration is one only where the loop runs a single step.
bool Plan::Impl::is_shown(const Node& node) const {
  if (node.outdated || node.scope == kNone) return false;
  return node.loop == kNone || node.task->dag == kNoDag;
}

void Plan::Impl::path(NodeId id, std::string& out) const {
  const Node& node = nodes_[id];
  if (node.loop != kNone) {
    path(node.loop, out);
    out += fmt::format("[{}]", node.iteration);
    return;
  }
  if (node.scope == kNone) return;
  path(scopes_[node.scope].owner, out);
  if (!out.empty()) out += '/';
  out += node.task->name;
}

std::string Plan::Impl::path(NodeId id) const {
  std::string out;
  path(id, out);
  return out;
}

TaskBrief Plan::Impl::brief(NodeId id) const {
  CHECK(id < nodes_.size());
  const Node& node = nodes_[id];
  TaskBrief out;
  out.ordinal = id;
  out.path = path(id);
  if (node.scope != kNone && node.loop == kNone && node.task->spec->display_name != node.task->name)
    out.display_name = node.task->spec->display_name;
  out.kind = is_leaf(node) && node.task->kind == model::TaskKind::kLoop
                 ? (std::holds_alternative<model::Importer>(node.task->component->body)
                        ? model::TaskKind::kImporter
                        : model::TaskKind::kContainer)
                 : node.task->kind;
  out.state = node.state;
  out.cached = node.cached;
  out.attempt = node.attempt;
  out.reason = node.reason.copy().value_or("");
  if (node.state == State::kFailed) out.error = node.failure.copy();
  out.started_at = node.started_at;
  out.finished_at = node.finished_at;
  if (node.loop_progress) {
    out.iterations = static_cast<std::uint32_t>(node.loop_progress->items.size());
    out.iterations_done = node.loop_progress->done;
  }
  out.doing = node.doing;
  if (node.doing != model::Doing::kNothing) out.doing_since = node.doing_since;
  // An earlier generation is no setback to this one.
  if (node.ended && node.phase != Phase::kEnded && node.failures + node.losses > 0) {
    out.setbacks = static_cast<std::uint32_t>(node.ended->size());
    out.setback = node.ended->back();
  }
  if (node.phase == Phase::kRetryWait) out.retry_at = node.due;
  return out;
}

std::vector<model::AttemptView> Plan::Impl::history(NodeId id) const {
  CHECK(id < nodes_.size());
  const Node& node = nodes_[id];
  if (!is_leaf(node)) return {};
  std::vector<model::AttemptView> out;
  if (node.ended) out = *node.ended;
  if (out.size() >= node.attempt) return out;
  model::AttemptView& last = out.emplace_back();
  if (node.phase == Phase::kEnded) {
    // The first one, which ended well: others are noted.
    last = {node.state, false, {}, node.started_at, node.finished_at};
  } else if (node.phase == Phase::kRunning) {
    last.state = State::kRunning;
    last.started_at = node.doing_since;
  }
  return out;
}

LeafTask Plan::Impl::leaf(NodeId id) const {
  CHECK(id < nodes_.size());
  const Node& node = nodes_[id];
  CHECK(is_leaf(node));
  LeafTask out;
  out.ordinal = id;
  out.path = path(id);
  out.name = node.task->name;
  out.display_name = node.task->spec->display_name;
  out.component_name = node.task->spec->component;
  out.component = node.task->component;
  out.spec = node.task->spec;
  out.inputs = copy(node.inputs);
  out.parent = scopes_[node.scope].owner;
  out.cacheable = node.task->spec->caching.enabled;
  add_platform_values(scopes_[node.scope], out);
  return out;
}

const model::Component& Plan::Impl::component(NodeId id) const {
  CHECK(id < nodes_.size() && is_leaf(nodes_[id]));
  return *nodes_[id].task->component;
}

void Plan::Impl::add_platform_values(const Scope& scope, LeafTask& out) const {
  const auto* container = std::get_if<model::Container>(&out.component->body);
  if (container == nullptr) return;
  for (const model::NameSource* source : name_sources(container->kubernetes)) {
    if (const auto* parent = std::get_if<model::FromParent>(&source->from)) {
      const auto& inputs = nodes_[scope.owner].inputs.parameters;
      if (const auto it = inputs.find(parent->input); it != inputs.end())
        out.dag_inputs.emplace(parent->input, *it->second);
    }
    const auto* from = std::get_if<model::FromTask>(&source->from);
    const auto index = from == nullptr ? std::nullopt : scope.dag->find(from->task);
    if (!index) continue;
    const auto& outputs = nodes_[scope.node(*index)].outputs.parameters;
    if (const auto it = outputs.find(from->output); it != outputs.end())
      out.neighbour_outputs[from->task].emplace(from->output, *it->second);
  }
}

std::optional<NodeId> Plan::Impl::find(std::string_view wanted) const {
  for (NodeId id = 0; id < nodes_.size(); ++id) {
    if (is_shown(nodes_[id]) && path(id) == wanted) return id;
  }
  return std::nullopt;
}

std::vector<std::pair<NodeId, std::uint32_t>> Plan::Impl::attempts() const {
  std::vector<std::pair<NodeId, std::uint32_t>> out;
  for (NodeId id = 0; id < nodes_.size(); ++id) {
    if (!is_leaf(nodes_[id])) continue;
    for (std::uint32_t attempt = 1; attempt <= nodes_[id].attempt; ++attempt)
      out.emplace_back(id, attempt);
  }
  return out;
}

std::vector<std::pair<NodeId, std::uint32_t>> Plan::Impl::live_attempts() const {
  std::vector<std::pair<NodeId, std::uint32_t>> out;
  for (NodeId id = 0; id < nodes_.size(); ++id) {
    const Node& node = nodes_[id];
    if (!node.outdated && (node.phase == Phase::kStarting || node.phase == Phase::kRunning))
      out.emplace_back(id, node.attempt);
  }
  return out;
}

Plan::Counts Plan::Impl::counts() const {
  Counts out;
  for (const Node& node : nodes_) {
    if (node.outdated || node.scope == kNone || !is_leaf(node)) continue;
    switch (node.state) {
      case State::kPending:
        ++out.pending;
        break;
      case State::kRunning:
        ++out.running;
        if (node.phase != Phase::kRunning) ++out.waiting;
        break;
      case State::kSucceeded:
        ++(node.cached ? out.cached : out.succeeded);
        break;
      case State::kFailed:
        ++out.failed;
        break;
      case State::kSkipped:
        ++out.skipped;
        break;
      case State::kCanceled:
        ++out.canceled;
        break;
    }
  }
  return out;
}

model::RunView Plan::Impl::view() const {
  model::RunView out = summary();
  const std::vector<NodeId> shown = tasks();
  out.tasks.reserve(shown.size());
  for (NodeId id : shown) out.tasks.push_back(view_task(id));
  return out;
}

model::RunView Plan::Impl::summary() const {
  model::RunView out;
  out.id = context_.id;
  out.name = context_.name;
  out.state = run_state_;
  out.error = error_;
  out.inputs = copy(nodes_[root_].inputs);
  out.outputs = copy(nodes_[root_].outputs);
  out.created_at = context_.created_at;
  out.started_at = started_at_;
  out.finished_at = finished_at_;
  return out;
}

std::vector<NodeId> Plan::Impl::tasks() const {
  std::vector<NodeId> out;
  if (nodes_[root_].inside != kNone) list_scope(scopes_[nodes_[root_].inside], out);
  return out;
}

void Plan::Impl::list_scope(const Scope& scope, std::vector<NodeId>& out) const {
  for (NodeId id : scope.nodes()) list_node(id, out);
}

void Plan::Impl::list_node(NodeId id, std::vector<NodeId>& out) const {
  const Node& node = nodes_[id];
  if (is_shown(node)) out.push_back(id);
  if (node.inside != kNone) list_scope(scopes_[node.inside], out);
  for (NodeId child : node.iterations()) list_node(child, out);
}

model::TaskView Plan::Impl::view_task(NodeId id) const {
  const Node& node = nodes_[id];
  const TaskBrief brief_of = brief(id);
  model::TaskView view;
  view.ordinal = id;
  view.path = brief_of.path;
  view.name = node.task->name;
  view.display_name = node.task->spec->display_name;
  view.kind = brief_of.kind;
  view.state = node.state;
  view.cached = node.cached;
  view.attempts = node.attempt;
  view.reason = node.reason.copy().value_or("");
  view.error = brief_of.error;
  view.inputs = copy(node.inputs);
  view.outputs = copy(node.outputs);
  view.started_at = node.started_at;
  view.finished_at = node.finished_at;
  view.ready_at = node.ready_at;
  if (node.released_by != kNone) view.released_by = node.released_by;
  view.spent = node.spent;
  view.doing = brief_of.doing;
  view.doing_since = brief_of.doing_since;
  view.iterations = brief_of.iterations;
  view.iterations_done = brief_of.iterations_done;
  return view;
}

}  // namespace cresset::dag
