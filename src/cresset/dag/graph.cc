#include "cresset/dag/graph.h"

#include <algorithm>
#include <deque>
#include <map>
#include <utility>

#include "cresset/dag/launch.h"

namespace cresset::dag {

namespace {

// In their order, each once.
std::vector<std::string_view> upstream_names(const model::TaskSpec& spec,
                                             const model::Component& component) {
  std::vector<std::string_view> names(spec.dependent_tasks.begin(), spec.dependent_tasks.end());
  for (const auto& [name, source] : spec.parameters) {
    if (const auto* task = std::get_if<model::FromTask>(&source.from)) names.push_back(task->task);
    if (const auto* status = std::get_if<model::FinalStatusOf>(&source.from))
      names.push_back(status->task);
  }
  for (const auto& [name, source] : spec.artifacts) {
    if (const auto* task = std::get_if<model::FromTask>(&source.from)) names.push_back(task->task);
  }
  if (const auto* container = std::get_if<model::Container>(&component.body)) {
    for (const model::NameSource* source : name_sources(container->kubernetes)) {
      if (const auto* task = std::get_if<model::FromTask>(&source->from))
        names.push_back(task->task);
    }
  }
  std::ranges::sort(names);
  names.erase(std::ranges::unique(names).begin(), names.end());
  return names;
}

// dsl.ExitHandler compiles to a task that waits for a group named comp-exit-handler-N; one that is
// given the final status means the same whatever the group is called. Other tasks with this
// strategy ignore failures, no more.
bool is_exit_task(const model::TaskSpec& spec, const model::Dag& dag) {
  if (spec.strategy != model::TriggerStrategy::kAllUpstreamCompleted) return false;
  const bool wants_status = std::ranges::any_of(spec.parameters, [](const auto& entry) {
    return std::holds_alternative<model::FinalStatusOf>(entry.second.from);
  });
  return wants_status || std::ranges::any_of(spec.dependent_tasks, [&dag](const std::string& name) {
           auto it = dag.tasks.find(name);
           return it != dag.tasks.end() && it->second.component.starts_with("comp-exit-handler");
         });
}

model::TaskKind kind_of(const model::TaskSpec& spec, const model::Component& component) {
  if (spec.iterator) return model::TaskKind::kLoop;
  if (std::holds_alternative<model::Importer>(component.body)) return model::TaskKind::kImporter;
  if (!std::holds_alternative<model::Dag>(component.body)) return model::TaskKind::kContainer;
  return spec.condition.empty() ? model::TaskKind::kDag : model::TaskKind::kCondition;
}

class Compiler {
 public:
  explicit Compiler(const model::Pipeline& pipeline) : pipeline_(pipeline) {}

  Result<Graph> compile() {
    graph_.root.component = &pipeline_.root;
    graph_.root.kind = model::TaskKind::kDag;
    const auto* dag = std::get_if<model::Dag>(&pipeline_.root.body);
    if (dag == nullptr) return make_error(Code::kInvalidArgument, "the pipeline's root is no dag");
    CR_TRY(graph_.root.dag, compile_dag(*dag));
    return std::move(graph_);
  }

 private:
  Result<std::uint32_t> compile_dag(const model::Dag& dag) {
    GraphDag out;
    out.spec = &dag;
    out.tasks.reserve(dag.tasks.size());
    out.index.reserve(dag.tasks.size());
    for (const auto& [name, spec] : dag.tasks) {
      CR_TRY(GraphTask task, compile_task(name, spec, dag));
      out.index.emplace_back(name, static_cast<std::uint32_t>(out.tasks.size()));
      out.tasks.push_back(std::move(task));
    }
    CR_TRY_VOID(link(out));
    CR_TRY_VOID(sort(out));
    graph_.dags.push_back(std::move(out));
    return static_cast<std::uint32_t>(graph_.dags.size() - 1);
  }

  Result<GraphTask> compile_task(const std::string& name, const model::TaskSpec& spec,
                                 const model::Dag& dag) {
    auto component = pipeline_.components.find(spec.component);
    if (component == pipeline_.components.end()) {
      return make_error(Code::kInvalidArgument, "task \"{}\" refers to an unknown component \"{}\"",
                        name, spec.component);
    }
    GraphTask task;
    task.name = name;
    task.spec = &spec;
    task.component = &component->second;
    task.kind = kind_of(spec, component->second);
    task.exit_task = is_exit_task(spec, dag);
    if (!spec.condition.empty()) {
      CR_TRY(task.condition, text::CelExpression::parse(spec.condition));
    }
    if (const auto* body = std::get_if<model::Dag>(&component->second.body)) {
      CR_TRY(task.dag, component_dag(spec.component, *body));
    }
    return task;
  }

  Result<std::uint32_t> component_dag(const std::string& name, const model::Dag& dag) {
    auto [entry, is_new] = dag_of_component_.try_emplace(name, kNoDag);
    if (!is_new) {
      if (entry->second == kNoDag)
        return make_error(Code::kInvalidArgument, "component \"{}\" contains itself", name);
      return entry->second;
    }
    CR_TRY(const std::uint32_t index, compile_dag(dag));
    dag_of_component_[name] = index;
    return index;
  }

  static Result<void> link(GraphDag& dag) {
    std::vector<std::uint32_t> upstream;                   // of all tasks, one after the other
    std::vector<std::size_t> ends;                         // there, of each task's
    std::vector<std::size_t> followers(dag.tasks.size());  // how many each has
    for (std::uint32_t i = 0; i < dag.tasks.size(); ++i) {
      for (const std::string_view name :
           upstream_names(*dag.tasks[i].spec, *dag.tasks[i].component)) {
        const std::optional<std::uint32_t> producer = dag.find(name);
        if (!producer) {
          return make_error(Code::kInvalidArgument, "task \"{}\" depends on an unknown task \"{}\"",
                            dag.tasks[i].name, name);
        }
        upstream.push_back(*producer);
        ++followers[*producer];
      }
      ends.push_back(upstream.size());
    }
    dag.edges = std::move(upstream);
    const std::size_t count = dag.edges.size();
    dag.edges.resize(2 * count);
    std::size_t begin = 0;
    std::vector<std::uint32_t*> places;  // for the next follower of each
    std::uint32_t* place = dag.edges.data() + count;
    for (std::size_t i = 0; i < dag.tasks.size(); ++i) {
      dag.tasks[i].upstream = {dag.edges.data() + begin, ends[i] - begin};
      dag.tasks[i].downstream = {place, followers[i]};
      begin = ends[i];
      places.push_back(place);
      place += followers[i];
    }
    for (std::uint32_t i = 0; i < dag.tasks.size(); ++i) {
      for (const std::uint32_t producer : dag.tasks[i].upstream) *places[producer]++ = i;
    }
    return {};
  }

  // Tasks in an order in which producers come first; ties by name, so that ordinals do not depend
  // on chance.
  static Result<void> sort(GraphDag& dag) {
    std::vector<std::size_t> waiting(dag.tasks.size());
    std::deque<std::uint32_t> ready;
    for (std::uint32_t i = 0; i < dag.tasks.size(); ++i) {
      waiting[i] = dag.tasks[i].upstream.size();
      if (waiting[i] == 0) ready.push_back(i);
    }
    std::vector<std::uint32_t> order;
    while (!ready.empty()) {
      const std::uint32_t next = ready.front();
      ready.pop_front();
      order.push_back(next);
      for (std::uint32_t follower : dag.tasks[next].downstream) {
        if (--waiting[follower] == 0) ready.push_back(follower);
      }
    }
    if (order.size() != dag.tasks.size()) {
      const auto stuck = static_cast<std::size_t>(
          std::ranges::find_if(waiting, [](std::size_t n) { return n != 0; }) - waiting.begin());
      return make_error(Code::kInvalidArgument, "task \"{}\" waits, by way of others, for itself",
                        dag.tasks[stuck].name);
    }
    reorder(dag, order);
    return {};
  }

  static void reorder(GraphDag& dag, const std::vector<std::uint32_t>& order) {
    std::vector<std::uint32_t> place(order.size());
    for (std::uint32_t i = 0; i < order.size(); ++i) place[order[i]] = i;
    std::vector<GraphTask> sorted;
    sorted.reserve(order.size());
    for (std::uint32_t old : order) sorted.push_back(std::move(dag.tasks[old]));
    for (std::uint32_t& index : dag.edges) index = place[index];
    dag.tasks = std::move(sorted);
    for (auto& [name, index] : dag.index) index = place[index];
  }

  const model::Pipeline& pipeline_;
  Graph graph_;
  std::map<std::string, std::uint32_t> dag_of_component_;
};

}  // namespace

std::optional<std::uint32_t> GraphDag::find(std::string_view task) const {
  const auto entry =
      std::ranges::lower_bound(index, task, {}, [](const auto& e) { return e.first; });
  if (entry == index.end() || entry->first != task) return std::nullopt;
  return entry->second;
}

Result<Graph> compile_graph(const model::Pipeline& pipeline) {
  return Compiler(pipeline).compile();
}

}  // namespace cresset::dag
