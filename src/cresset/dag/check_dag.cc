#include <fmt/format.h>

#include <algorithm>

#include "cresset/dag/check_parts.h"
#include "cresset/dag/launch.h"

namespace cresset::dag {

namespace {

using model::ParameterType;

constexpr std::size_t kShownOnCycle = 10;

// Values that stand for each other: both kinds of numbers, and whatever is a struct.
int kind_of(ParameterType type) {
  switch (type) {
    case ParameterType::kNumberDouble:
    case ParameterType::kNumberInteger:
      return 0;
    case ParameterType::kString:
      return 1;
    case ParameterType::kBoolean:
      return 2;
    case ParameterType::kList:
      return 3;
    case ParameterType::kStruct:
    case ParameterType::kTaskFinalStatus:
    case ParameterType::kTaskConfig:
      return 4;
  }
  return 4;
}

bool is_looped(const model::TaskSpec& task) { return static_cast<bool>(task.iterator); }

template <class Outputs>
std::string output_help(std::string_view component, std::string_view kind, const Outputs& outputs) {
  if (outputs.empty()) return fmt::format("{} declares no output {}", component, kind);
  return fmt::format("{} gives {}", component, shown_names(outputs));
}

void report_output(Checked& checked, const model::TaskSpec& producer, const model::FromTask& from,
                   bool want_artifact, const Where& where) {
  const model::Component& component = *checked.component_of(producer);
  const std::string_view wanted = want_artifact ? "artifact" : "parameter";
  const std::string_view other = want_artifact ? "parameter" : "artifact";
  const bool is_other = want_artifact ? component.output_parameters.contains(from.output)
                                      : component.output_artifacts.contains(from.output);
  if (is_other) {
    return checked.problems.add(
        where,
        fmt::format("output \"{}\" of task \"{}\" is {}, not {}", from.output, from.task,
                    with_article(other), with_article(wanted)),
        fmt::format("list it under {}s instead of {}s", other, wanted));
  }
  const auto& parameters = component.output_parameters;
  const auto& artifacts = component.output_artifacts;
  checked.problems.add(
      where,
      fmt::format(
          "task \"{}\" gives no {} \"{}\"{}", from.task, wanted, from.output,
          want_artifact ? suggestion(from.output, artifacts) : suggestion(from.output, parameters)),
      want_artifact ? output_help(producer.component, wanted, artifacts)
                    : output_help(producer.component, wanted, parameters));
}

const model::TaskSpec* find_producer(Checked& checked, const model::Dag& dag, std::string_view task,
                                     const Where& where) {
  if (!check_neighbour(checked, dag, task, where)) return nullptr;
  const model::TaskSpec& producer = dag.tasks.find(task)->second;
  return checked.component_of(producer) == nullptr ? nullptr : &producer;
}

// ---- Cycles among tasks ----

class CycleFinder {
 public:
  CycleFinder(Checked& checked, const model::Dag& dag, const Where& tasks)
      : checked_(checked), tasks_(tasks) {
    names_.reserve(dag.tasks.size());
    upstream_.reserve(dag.tasks.size());
    for (const auto& [name, task] : dag.tasks) names_.push_back(name);
    for (const auto& [name, task] : dag.tasks)
      upstream_.push_back(indices_of(task, checked.component_of(task)));
    state_.resize(names_.size(), State::kNew);
  }

  void find() {
    for (std::size_t i = 0; i < names_.size(); ++i) {
      if (state_[i] == State::kNew) walk(i);
    }
  }

 private:
  enum class State { kNew, kOpen, kDone };
  struct Step {
    std::size_t task;
    std::size_t next = 0;  // of its upstream
  };

  [[nodiscard]] std::vector<std::size_t> indices_of(const model::TaskSpec& task,
                                                    const model::Component* component) const {
    std::vector<std::size_t> out;
    const auto add = [&](std::string_view name) {
      const auto found = std::ranges::lower_bound(names_, name);
      if (found != names_.end() && *found == name)
        out.push_back(static_cast<std::size_t>(found - names_.begin()));
    };
    for (const std::string& name : task.dependent_tasks) add(name);
    for (const auto& [name, source] : task.parameters) {
      if (const auto* from = std::get_if<model::FromTask>(&source.from)) add(from->task);
      if (const auto* from = std::get_if<model::FinalStatusOf>(&source.from)) add(from->task);
    }
    for (const auto& [name, source] : task.artifacts) {
      if (const auto* from = std::get_if<model::FromTask>(&source.from)) add(from->task);
    }
    const auto* container =
        component == nullptr ? nullptr : std::get_if<model::Container>(&component->body);
    if (container == nullptr) return out;
    for (const model::NameSource* source : name_sources(container->kubernetes)) {
      if (const auto* from = std::get_if<model::FromTask>(&source->from)) add(from->task);
    }
    return out;
  }

  // Depth first without recursion: a chain may have as many tasks as a file can hold.
  void walk(std::size_t start) {
    path_.push_back({start});
    state_[start] = State::kOpen;
    while (!path_.empty()) {
      Step& step = path_.back();
      if (step.next == upstream_[step.task].size()) {
        state_[step.task] = State::kDone;
        path_.pop_back();
        continue;
      }
      const std::size_t next = upstream_[step.task][step.next++];
      if (state_[next] == State::kOpen) report(next);
      if (state_[next] != State::kNew) continue;
      state_[next] = State::kOpen;
      path_.push_back({next});
    }
  }

  void report(std::size_t first) {
    if (!reported_.insert(first).second) return;
    if (path_.back().task == first) {
      return checked_.problems.add(tasks_.at(names_[first]),
                                   fmt::format("task \"{}\" waits for itself", names_[first]),
                                   "remove its own name from its inputs and dependentTasks");
    }
    // The path leads upstream; who waits comes first in the message too.
    std::string shown;
    std::size_t count = 0;
    const auto begin = std::ranges::find(path_, first, &Step::task);
    for (auto step = begin; step != path_.end(); ++step) {
      if (count++ < kShownOnCycle) shown += fmt::format("{} → ", names_[step->task]);
    }
    if (count > kShownOnCycle) shown += fmt::format("{} more → ", count - kShownOnCycle);
    checked_.problems.add(
        tasks_.at(names_[first]),
        fmt::format("these tasks wait for each other: {}{}", shown, names_[first]),
        "cut one of these edges");
  }

  Checked& checked_;
  const Where& tasks_;
  std::vector<std::string_view> names_;  // in their order
  std::vector<std::vector<std::size_t>> upstream_;
  std::vector<State> state_;
  std::vector<Step> path_;
  std::set<std::size_t> reported_;
};

void check_exit_tasks_only(Checked& checked, const model::Dag& dag, const Where& tasks) {
  const bool only = std::ranges::all_of(dag.tasks, [](const auto& entry) {
    return entry.second.strategy == model::TriggerStrategy::kAllUpstreamCompleted;
  });
  if (dag.tasks.empty() || !only) return;
  checked.problems.add(tasks, "all tasks of this dag are exit tasks (ALL_UPSTREAM_TASKS_COMPLETED)",
                       "give it a task that does the work they wait for");
}

// ---- Outputs of a dag ----

class OutputChecker {
 public:
  OutputChecker(Checked& checked, const Enclosing& enclosing, const Where& where)
      : checked_(checked), enclosing_(enclosing), where_(where) {}

  void check() {
    const Where outputs = where_.at("dag").at("outputs");
    const Where parameters = outputs.at("parameters");
    for (const auto& [name, output] : enclosing_.dag().output_parameters)
      check_parameter(name, output, parameters.at(name));
    const Where artifacts = outputs.at("artifacts");
    for (const auto& [name, output] : enclosing_.dag().output_artifacts)
      check_artifact(name, output, artifacts.at(name));
    check_declared();
  }

 private:
  void check_parameter(const std::string& name, const model::DagOutputParameter& output,
                       const Where& where) {
    const auto declared = enclosing_.component.output_parameters.find(name);
    if (declared == enclosing_.component.output_parameters.end())
      report_undeclared(name, "parameters", where);
    if (output.selectors.empty()) {
      return checked_.problems.add(where, fmt::format("output \"{}\" comes from no task", name),
                                   "name the tasks that give it");
    }
    const Where one = where.at("valueFromParameter");
    const Where several = where.at("valueFromOneof").at("parameterSelectors");
    for (std::size_t i = 0; i < output.selectors.size(); ++i) {
      const Where selector = output.one_of ? several.at(i) : one;
      const model::FromTask& from = output.selectors[i];
      const auto seen = see_parameter(checked_, enclosing_.dag(), from,
                                      {"producerSubtask", "outputParameterKey"}, selector);
      if (!seen || declared == enclosing_.component.output_parameters.end()) continue;
      check_type(name, declared->second.type, from, seen->type, selector);
    }
  }

  // The component of a loop declares its outputs as the loop gives them, as lists, while each
  // iteration gives one item.
  void check_type(const std::string& name, ParameterType declared, const model::FromTask& from,
                  ParameterType given, const Where& selector) {
    if (is_compatible(given, declared)) return;
    if (enclosing_.passed.looped && declared == ParameterType::kList) return;
    checked_.problems.add(
        selector.at("outputParameterKey"),
        fmt::format("output \"{}\" of {} is a {}, and \"{}\" of task \"{}\" is a {}", name,
                    enclosing_.title(), to_string(declared), from.output, from.task,
                    to_string(given)),
        "change the declared type, or take another output");
  }

  void check_artifact(const std::string& name, const model::DagOutputArtifact& output,
                      const Where& where) {
    const auto declared = enclosing_.component.output_artifacts.find(name);
    if (declared == enclosing_.component.output_artifacts.end())
      report_undeclared(name, "artifacts", where);
    const Where selectors = where.at("artifactSelectors");
    if (output.selectors.empty()) {
      return checked_.problems.add(where, fmt::format("output \"{}\" comes from no task", name),
                                   "name the tasks that give it");
    }
    for (std::size_t i = 0; i < output.selectors.size(); ++i) {
      const Where selector = selectors.at(i);
      const model::FromTask& from = output.selectors[i];
      const auto seen = see_artifact(checked_, enclosing_.dag(), from,
                                     {"producerSubtask", "outputArtifactKey"}, selector);
      if (!seen || !seen->is_list || declared == enclosing_.component.output_artifacts.end() ||
          declared->second.is_list || enclosing_.passed.looped)
        continue;
      checked_.problems.add(
          selector.at("outputArtifactKey"),
          fmt::format("output \"{}\" of {} is one artifact, and \"{}\" of task \"{}\" is a list",
                      name, enclosing_.title(), from.output, from.task),
          "declare it with isArtifactList: true");
    }
  }

  void report_undeclared(const std::string& name, std::string_view group, const Where& where) {
    const auto& component = enclosing_.component;
    const std::string meant = group == "parameters" ? suggestion(name, component.output_parameters)
                                                    : suggestion(name, component.output_artifacts);
    checked_.problems.add(where,
                          fmt::format("{} declares no output \"{}\" among its {}{}",
                                      enclosing_.title(), name, group, meant),
                          fmt::format("declare it under outputDefinitions.{}", group));
  }

  void check_declared() {
    const model::Dag& dag = enclosing_.dag();
    const Where declared = where_.at("outputDefinitions");
    for (const auto& [name, output] : enclosing_.component.output_parameters) {
      if (!dag.output_parameters.contains(name))
        report_missing(name, suggestion(name, dag.output_parameters),
                       declared.at("parameters").at(name), "parameters");
    }
    for (const auto& [name, output] : enclosing_.component.output_artifacts) {
      if (!dag.output_artifacts.contains(name))
        report_missing(name, suggestion(name, dag.output_artifacts),
                       declared.at("artifacts").at(name), "artifacts");
    }
  }

  void report_missing(const std::string& name, const std::string& meant, const Where& where,
                      std::string_view group) {
    checked_.problems.add(
        where,
        fmt::format("no task of {} gives its output \"{}\"{}", enclosing_.title(), name, meant),
        fmt::format("say under dag.outputs.{} where it comes from", group));
  }

  Checked& checked_;
  const Enclosing& enclosing_;
  const Where& where_;
};

}  // namespace

bool is_compatible(ParameterType from, ParameterType to) {
  if (from == ParameterType::kString || to == ParameterType::kString) return true;
  return kind_of(from) == kind_of(to);
}

bool check_neighbour(Checked& checked, const model::Dag& dag, std::string_view task,
                     const Where& where) {
  if (dag.tasks.contains(task)) return true;
  checked.problems.add(
      where,
      fmt::format("there is no task \"{}\" in this dag{}", task, suggestion(task, dag.tasks)),
      "a task sees only its neighbours and the inputs of the dag it stands in");
  return false;
}

std::optional<SeenParameter> see_parameter(Checked& checked, const model::Dag& dag,
                                           const model::FromTask& from, const OutputKeys& keys,
                                           const Where& where) {
  const model::TaskSpec* producer = find_producer(checked, dag, from.task, where.at(keys.task));
  if (producer == nullptr) return std::nullopt;
  const auto& outputs = checked.component_of(*producer)->output_parameters;
  const auto found = outputs.find(from.output);
  if (found == outputs.end()) {
    report_output(checked, *producer, from, false, where.at(keys.output));
    return std::nullopt;
  }
  return SeenParameter{is_looped(*producer) ? ParameterType::kList : found->second.type};
}

std::optional<SeenArtifact> see_artifact(Checked& checked, const model::Dag& dag,
                                         const model::FromTask& from, const OutputKeys& keys,
                                         const Where& where) {
  const model::TaskSpec* producer = find_producer(checked, dag, from.task, where.at(keys.task));
  if (producer == nullptr) return std::nullopt;
  const auto& outputs = checked.component_of(*producer)->output_artifacts;
  const auto found = outputs.find(from.output);
  if (found == outputs.end()) {
    report_output(checked, *producer, from, true, where.at(keys.output));
    return std::nullopt;
  }
  return SeenArtifact{is_looped(*producer) || found->second.is_list};
}

void check_dag(Checked& checked, const Enclosing& enclosing, const Where& where) {
  const Where tasks = where.at("dag").at("tasks");
  for (const auto& [name, task] : enclosing.dag().tasks) {
    if (checked.problems.full()) return;
    check_task(checked, enclosing, name, task, tasks.at(name));
  }
  CycleFinder(checked, enclosing.dag(), tasks).find();
  check_exit_tasks_only(checked, enclosing.dag(), tasks);
  OutputChecker(checked, enclosing, where).check();
}

}  // namespace cresset::dag
