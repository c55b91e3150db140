#include "sim/repair.h"

#include <algorithm>
#include <set>
#include <string_view>

namespace cresset::sim {

namespace {

using Names = std::set<std::string, std::less<>>;

template <class T>
Names names_of(const ByName<T>& map) {
  Names out;
  for (const auto& [name, entry] : map) out.insert(name);
  return out;
}

struct Given {
  Names parameters;
  Names artifacts;
};

Given outputs_of(const Task& task) {
  if (const Step* step = task.step())
    return {names_of(step->parameters), names_of(step->artifacts)};
  if (const Dag* dag = task.dag()) return {names_of(dag->parameters), names_of(dag->artifacts)};
  if (std::holds_alternative<Importer>(task.body)) return {{}, {"artifact"}};
  return {{"name"}, {}};
}

using Neighbours = std::map<std::string, Given, std::less<>>;

class TaskRepair {
 public:
  TaskRepair(Task& task, const Given& around, const Neighbours& before)
      : task_(task), around_(around), before_(before) {}

  // False when the task cannot be.
  bool repair() {
    std::erase_if(task_.after, [this](const auto& name) { return !before_.contains(name); });
    drop_dead_sources();
    drop_unfed_inputs();
    if (!is_possible_still()) return false;
    mend_templates();
    if (task_.loop) {
      std::erase_if(task_.loop->filled,
                    [this](const auto& entry) { return !task_.parameters.contains(entry.second); });
    }
    if (task_.condition && !names_inputs(*task_.condition)) task_.condition.reset();
    if (Step* step = task_.step()) repair_step(*step);
    return true;
  }

 private:
  [[nodiscard]] bool is_alive(const Source& source, bool artifact) const {
    switch (source.from) {
      case Source::From::kInput:
        return (artifact ? around_.artifacts : around_.parameters).contains(source.name);
      case Source::From::kStatus:
        return before_.contains(source.name);
      case Source::From::kTask: {
        const auto producer = before_.find(source.name);
        if (producer == before_.end()) return false;
        return (artifact ? producer->second.artifacts : producer->second.parameters)
            .contains(source.output);
      }
      default:
        return true;
    }
  }

  void drop_dead_sources() {
    std::erase_if(task_.parameter_sources, [this](const auto& entry) {
      return !is_alive(entry.second, false) || !task_.parameters.contains(entry.first);
    });
    std::erase_if(task_.artifact_sources, [this](const auto& entry) {
      return !is_alive(entry.second, true) || !task_.artifacts.contains(entry.first);
    });
  }

  [[nodiscard]] bool is_item(const std::string& name) const {
    return task_.loop && task_.loop->item == name;
  }

  void drop_unfed_inputs() {
    std::erase_if(task_.parameters, [this](const auto& entry) {
      const auto& [name, input] = entry;
      const bool dispensable = input.declared && (input.optional || input.default_value);
      return !dispensable && !task_.parameter_sources.contains(name) && !is_item(name);
    });
    std::erase_if(task_.artifacts, [this](const auto& entry) {
      return !entry.second.optional && !task_.artifact_sources.contains(entry.first) &&
             !is_item(entry.first);
    });
  }

  [[nodiscard]] bool is_possible_still() const {
    if (task_.loop && task_.loop->over == Loop::Over::kParameter &&
        !task_.parameter_sources.contains(task_.loop->input))
      return false;
    if (task_.loop && task_.loop->over == Loop::Over::kArtifacts &&
        !task_.artifact_sources.contains(task_.loop->input))
      return false;
    if (const auto* importer = std::get_if<Importer>(&task_.body))
      return importer->input.empty() || task_.parameters.contains(importer->input);
    if (std::holds_alternative<Volume>(task_.body))
      return task_.parameter_sources.contains("pvc_name") ||
             task_.parameter_sources.contains("pvc_name_suffix");
    return true;
  }

  void mend_templates() {
    for (auto& [name, source] : task_.parameter_sources) {
      for (Piece& piece : source.pieces) {
        if (piece.is_input && !task_.parameter_sources.contains(piece.text))
          piece = {false, "gone"};
      }
    }
  }

  [[nodiscard]] bool names_inputs(const Condition& condition) const {
    if (condition.kind != Condition::Kind::kCompare) {
      return std::ranges::all_of(condition.parts,
                                 [this](const Condition& part) { return names_inputs(part); });
    }
    return task_.parameters.contains(condition.input) &&
           (condition.other.empty() || task_.parameters.contains(condition.other));
  }

  void repair_step(Step& step) {
    std::erase_if(step.settings, [this](const Setting& setting) {
      if (setting.name.from == Source::From::kInput)
        return !around_.parameters.contains(setting.name.name) &&
               !task_.parameters.contains(setting.name.name);
      return !is_alive(setting.name, false);
    });
    if (!task_.parameters.contains(step.resources.cpu_input)) step.resources.cpu_input.clear();
    if (!is_possible(step.mischief.kind, step)) step.mischief = {};
    // A cached step ends well within its own retries or never.
    const unsigned retries = task_.retry ? task_.retry->max : 0;
    if (step.mischief.kind != Mischief::Kind::kNone && step.mischief.times > retries &&
        step.mischief.times != Mischief::kAlways)
      task_.caching = false;
    if (!task_.caching) {
      task_.cache_key.clear();
      step.ignores_inputs = false;
    }
  }

  Task& task_;
  const Given& around_;
  const Neighbours& before_;
};

void drop_dead_outputs(ByName<DagOutput>& outputs, const Neighbours& tasks, bool artifacts) {
  for (auto& [name, output] : outputs) {
    std::erase_if(output.from, [&](const From& from) {
      const auto task = tasks.find(from.task);
      return task == tasks.end() ||
             !(artifacts ? task->second.artifacts : task->second.parameters).contains(from.output);
    });
  }
  std::erase_if(outputs, [](const auto& entry) { return entry.second.from.empty(); });
}

// Upstream stands before downstream, and so one pass is enough.
void repair_dag(Dag& dag, const Given& around) {
  Neighbours before;
  std::erase_if(dag.tasks, [&](Task& task) {
    if (!TaskRepair(task, around, before).repair()) return true;
    if (Dag* inner = task.dag()) {
      repair_dag(*inner, {names_of(task.parameters), names_of(task.artifacts)});
      if (inner->tasks.empty()) return true;
    }
    before.emplace(task.name, outputs_of(task));
    return false;
  });
  if (std::ranges::all_of(dag.tasks, &Task::ignores_failures) && !dag.tasks.empty())
    dag.tasks.front().ignores_failures = false;
  drop_dead_outputs(dag.parameters, before, false);
  drop_dead_outputs(dag.artifacts, before, true);
}

}  // namespace

void repair(Sketch& sketch) {
  std::erase_if(sketch.given,
                [&](const auto& entry) { return !sketch.parameters.contains(entry.first); });
  repair_dag(sketch.root, {names_of(sketch.parameters), {}});
}

}  // namespace cresset::sim
