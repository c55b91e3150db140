#include "sim/smaller.h"

#include <algorithm>
#include <charconv>
#include <functional>
#include <iterator>
#include <utility>

#include "cresset/base/check.h"
#include "sim/repair.h"

namespace cresset::sim {

namespace {

// From here on a dag's tasks are taken away in stretches only, and nothing is said of each.
constexpr std::size_t kManyTasks = 40;

// ---- Sizes ----

std::size_t size_of(const Condition& condition) {
  std::size_t size = 1;
  for (const Condition& part : condition.parts) size += size_of(part);
  return size;
}

std::size_t size_of(const Source& source) {
  return source.from == Source::From::kConstant ? 1
                                                : 2 + source.pieces.size() + !source.key.empty();
}

std::size_t size_of(const Step& step) {
  std::size_t size = 2 * (step.parameters.size() + step.artifacts.size());
  for (const auto& [name, output] : step.parameters)
    size += output.shape.length + (output.way != StepOutput::Way::kFile);
  for (const auto& [name, artifact] : step.artifacts) {
    size += !artifact.metadata.is_null() + artifact.adds_metadata +
            (artifact.form != StepArtifact::Form::kFile);
  }
  if (step.mischief.kind != Mischief::Kind::kNone) size += 1 + std::min(step.mischief.times, 9u);
  size += !step.prints.empty() + step.ignores_terminate + !step.whole_input + step.env.size();
  size += 2 * step.settings.size() + step.deadline.has_value() + step.uses_workspace;
  size += step.runs_for > std::chrono::seconds(1);
  const Resources& resources = step.resources;
  return size + !resources.cpu_request.empty() + !resources.cpu_limit.empty() +
         !resources.memory_request.empty() + !resources.memory_limit.empty() +
         !resources.cpu_input.empty();
}

std::size_t size_of(const Dag& dag);

std::size_t size_of(const Task& task) {
  std::size_t size = 100 + 2 * (task.parameters.size() + task.artifacts.size());
  for (const auto& [name, input] : task.parameters)
    size += input.optional + input.default_value.has_value() + !input.literals.empty();
  for (const auto& [name, source] : task.parameter_sources) size += size_of(source);
  size += 2 * task.artifact_sources.size() + task.after.size() + !task.display_name.empty();
  if (task.condition) size += size_of(*task.condition);
  if (task.loop)
    size += 2 + task.loop->items.size() + task.loop->filled.size() + (task.loop->limit > 0);
  if (task.retry) size += 1 + task.retry->max + (task.retry->backoff > Duration(0));
  size += task.ignores_failures + task.caching + !task.cache_key.empty();
  if (const Step* step = task.step()) size += size_of(*step);
  if (const Dag* dag = task.dag()) size += size_of(*dag);
  if (const auto* importer = std::get_if<Importer>(&task.body))
    size += !importer->metadata.is_null() + importer->reimport + importer->to_workspace;
  return size;
}

std::size_t size_of(const Dag& dag) {
  std::size_t size = 0;
  for (const Task& task : dag.tasks) size += size_of(task);
  for (const auto* outputs : {&dag.parameters, &dag.artifacts}) {
    for (const auto& [name, output] : *outputs) size += 1 + output.from.size();
  }
  return size;
}

// ---- Where things are ----

using Place = std::vector<std::size_t>;  // indexes of tasks, from the root's on

Dag* dag_at(Sketch& sketch, const Place& place) {
  Dag* dag = &sketch.root;
  for (const std::size_t index : place) dag = dag->tasks[index].dag();
  return dag;
}

Task& task_at(Sketch& sketch, Place place) {
  const std::size_t last = place.back();
  place.pop_back();
  return dag_at(sketch, place)->tasks[last];
}

void list_dags(const Dag& dag, const Place& here, std::vector<Place>& out) {
  out.push_back(here);
  for (std::size_t i = 0; i < dag.tasks.size(); ++i) {
    if (const Dag* inner = dag.tasks[i].dag()) {
      Place place = here;
      place.push_back(i);
      list_dags(*inner, place, out);
    }
  }
}

// ---- What can be taken from one task ----

// Does its `index`-th thing to the task; false when there is no such thing.
using Edit = bool (*)(Task&, std::size_t index);

template <class T>
bool reset_if(T& value, bool is_set) {
  if (!is_set) return false;
  value = {};
  return true;
}

bool fewer_items(Task& task, std::size_t index) {
  if (!task.loop || task.loop->items.size() < 2) return false;
  Value::List& items = task.loop->items;
  task.loop->filled.clear();
  const auto half = static_cast<std::ptrdiff_t>(items.size() / 2);
  if (index == 0) items.erase(items.begin() + half, items.end());
  if (index == 1) items.erase(items.begin(), items.begin() + half);
  if (index == 2) items.pop_back();
  return index <= 2;
}

bool shorter_lists(Task& task, std::size_t index) {
  Step* step = task.step();
  if (step == nullptr || index > 0) return false;
  bool any = false;
  for (auto& [name, output] : step->parameters) {
    any |= output.shape.length > 1;
    output.shape.length = (output.shape.length + 1) / 2;
  }
  return any;
}

bool without_policy(Task& task, std::size_t index) {
  Step* step = task.step();
  switch (index) {
    case 0:
      if (step != nullptr) step->mischief = {};
      return true;
    case 1:
      task.retry.reset();
      return true;
    case 2:
      task.condition.reset();
      return true;
    case 3:
      task.caching = false;
      return true;
    case 4:
      task.cache_key.clear();
      if (step != nullptr) step->ignores_inputs = false;
      return true;
    case 5:
      task.ignores_failures = false;
      return true;
    case 6:
      if (task.loop) task.loop->limit = 0;
      return true;
    case 7:
      if (task.retry) task.retry->max = std::min(task.retry->max, 1u);
      if (step != nullptr) step->mischief.times = std::min(step->mischief.times, 1u);
      return true;
    case 8:
      if (task.retry) task.retry->backoff = Duration(0);
      return true;
    case 9:
      task.display_name.clear();
      return true;
    default:
      return false;
  }
}

// A part of a condition in place of the whole.
bool less_condition(Task& task, std::size_t index) {
  if (!task.condition || index >= task.condition->parts.size()) return false;
  Condition part = task.condition->parts[index];
  task.condition = std::move(part);
  return true;
}

bool without_manners(Task& task, std::size_t index) {
  Step* step = task.step();
  if (step == nullptr) {
    auto* importer = std::get_if<Importer>(&task.body);
    if (importer == nullptr || index > 0) return false;
    importer->metadata = {};
    importer->reimport = importer->to_workspace = false;
    return true;
  }
  switch (index) {
    case 0:
      step->resources = {};
      step->prints.clear();
      step->env.clear();
      step->ignores_terminate = step->uses_workspace = false;
      return true;
    case 1:
      step->deadline.reset();
      return true;
    case 2:
      step->whole_input = true;
      return true;
    case 3:
      step->runs_for = std::min<Duration>(step->runs_for, std::chrono::seconds(1));
      return true;
    case 4:
      for (auto& [name, output] : step->parameters) output.way = StepOutput::Way::kFile;
      return true;
    case 5:
      for (auto& [name, artifact] : step->artifacts) {
        artifact.metadata = {};
        artifact.adds_metadata = false;
      }
      return true;
    default:
      return false;
  }
}

bool without_setting(Task& task, std::size_t index) {
  Step* step = task.step();
  if (step == nullptr || index >= step->settings.size()) return false;
  step->settings.erase(step->settings.begin() + static_cast<std::ptrdiff_t>(index));
  return true;
}

template <class Map>
bool erase_nth(Map& map, std::size_t index) {
  if (index >= map.size()) return false;
  map.erase(std::next(map.begin(), static_cast<std::ptrdiff_t>(index)));
  return true;
}

// A step is given what it declares, and so the item of a loop stays declared.
template <class Map>
bool erase_nth_input(const Task& task, Map& inputs, std::size_t index) {
  if (index >= inputs.size()) return false;
  const std::string& name = std::next(inputs.begin(), static_cast<std::ptrdiff_t>(index))->first;
  return (task.loop && task.loop->item == name) || erase_nth(inputs, index);
}

bool without_input(Task& task, std::size_t index) {
  return erase_nth_input(task, task.parameters, index);
}
bool without_artifact(Task& task, std::size_t index) {
  return erase_nth_input(task, task.artifacts, index);
}

bool without_output(Task& task, std::size_t index) {
  if (Step* step = task.step()) {
    if (index < step->parameters.size()) return erase_nth(step->parameters, index);
    return erase_nth(step->artifacts, index - step->parameters.size());
  }
  Dag* dag = task.dag();
  if (dag == nullptr) return false;
  if (index < dag->parameters.size()) return erase_nth(dag->parameters, index);
  return erase_nth(dag->artifacts, index - dag->parameters.size());
}

// What a volume is deleted after must be done with it.
bool without_wait(Task& task, std::size_t index) {
  if (index >= task.after.size() || std::holds_alternative<Volume>(task.body)) return false;
  task.after.erase(task.after.begin() + static_cast<std::ptrdiff_t>(index));
  return true;
}

std::optional<Value> constant_of(const ParameterInput& input) {
  if (!input.literals.empty()) return input.literals.front();
  switch (input.type) {
    case Type::kDouble:
    case Type::kInteger:
      return Value(1);
    case Type::kString:
      return Value("1");
    case Type::kBoolean:
      return Value(true);
    case Type::kList:
      return Value(Value::List{Value(1)});
    case Type::kStruct:
      return Value::make_struct({{"a", 1}});
    case Type::kStatus:
      return std::nullopt;
  }
  return std::nullopt;
}

// A constant in place of a value from elsewhere.
bool with_constant(Task& task, std::size_t index) {
  if (index >= task.parameter_sources.size() || std::holds_alternative<Volume>(task.body))
    return false;
  auto& [name, source] =
      *std::next(task.parameter_sources.begin(), static_cast<std::ptrdiff_t>(index));
  const auto input = task.parameters.find(name);
  // A volume has to be one that is there.
  if (source.from == Source::From::kConstant || input == task.parameters.end() ||
      name.starts_with(kVolumeInput))
    return true;
  auto constant = constant_of(input->second);
  if (!constant) return true;
  if (task.loop && task.loop->over == Loop::Over::kParameter && task.loop->input == name)
    constant = Value(Value::List{});
  source = {};
  source.constant = *std::move(constant);
  return true;
}

constexpr Edit kEdits[] = {fewer_items,     shorter_lists,   without_policy,   less_condition,
                           without_output,  without_input,   without_artifact, with_constant,
                           without_manners, without_setting, without_wait};

// ---- All of it ----

class Shrinker {
 public:
  explicit Shrinker(const Sketch& sketch) : sketch_(sketch), size_(sim::size_of(sketch)) {
    list_dags(sketch.root, {}, dags_);
  }

  std::vector<Sketch> shrink() {
    for (const Place& place : dags_) drop_stretches(place);
    for (const Place& place : dags_) drop_single(place);
    for (const Edit edit : kEdits) {
      for (const Place& place : dags_) edit_tasks(place, edit);
    }
    drop_run_settings();
    return std::move(out_);
  }

 private:
  void offer(Sketch candidate) {
    repair(candidate);
    if (!candidate.root.tasks.empty() && sim::size_of(candidate) < size_)
      out_.push_back(std::move(candidate));
  }

  [[nodiscard]] std::size_t tasks_at(const Place& place) const {
    return dag_at(const_cast<Sketch&>(sketch_), place)->tasks.size();
  }

  // Halves, then quarters and so on, of what has more than a few tasks.
  void drop_stretches(const Place& place) {
    const std::size_t count = tasks_at(place);
    for (std::size_t length = count / 2; length >= 2 && length >= count / 16; length /= 2) {
      for (std::size_t from = 0; from < count; from += length) {
        Sketch candidate = sketch_;
        auto& tasks = dag_at(candidate, place)->tasks;
        const std::size_t to = std::min(from + length, count);
        tasks.erase(tasks.begin() + static_cast<std::ptrdiff_t>(from),
                    tasks.begin() + static_cast<std::ptrdiff_t>(to));
        offer(std::move(candidate));
      }
    }
  }

  void drop_single(const Place& place) {
    const std::size_t count = tasks_at(place);
    if (count > kManyTasks) return;
    // From the back: fewer things refer to those.
    for (std::size_t i = count; i-- > 0;) {
      Sketch candidate = sketch_;
      auto& tasks = dag_at(candidate, place)->tasks;
      tasks.erase(tasks.begin() + static_cast<std::ptrdiff_t>(i));
      offer(std::move(candidate));
    }
  }

  void edit_tasks(const Place& place, Edit edit) {
    const std::size_t count = tasks_at(place);
    if (count > kManyTasks) return;
    for (std::size_t i = 0; i < count; ++i) {
      Place task = place;
      task.push_back(i);
      for (std::size_t index = 0;; ++index) {
        // Whether there is such a thing is found out on the task alone: a sketch costs more.
        Task changed = task_at(const_cast<Sketch&>(sketch_), task);
        const std::size_t before = size_of(changed);
        if (!edit(changed, index)) break;
        if (size_of(changed) >= before) continue;
        Sketch candidate = sketch_;
        task_at(candidate, task) = std::move(changed);
        offer(std::move(candidate));
      }
    }
  }

  void drop_run_settings() {
    const auto change = [this](auto&& edit) {
      Sketch candidate = sketch_;
      edit(candidate);
      offer(std::move(candidate));
    };
    change([](Sketch& sketch) { sketch.deadline.reset(); });
    change([](Sketch& sketch) { drop_workspace(sketch); });
    for (std::size_t i = 0; i < sketch_.parameters.size(); ++i)
      change([i](Sketch& sketch) { erase_nth(sketch.parameters, i); });
    for (std::size_t i = 0; i < sketch_.root.parameters.size(); ++i)
      change([i](Sketch& sketch) { erase_nth(sketch.root.parameters, i); });
    for (std::size_t i = 0; i < sketch_.root.artifacts.size(); ++i)
      change([i](Sketch& sketch) { erase_nth(sketch.root.artifacts, i); });
  }

  static void drop_workspace(Sketch& sketch) {
    sketch.workspace = false;
    std::vector<Place> dags;
    list_dags(sketch.root, {}, dags);
    for (const Place& place : dags) {
      for (Task& task : dag_at(sketch, place)->tasks) {
        if (Step* step = task.step()) step->uses_workspace = false;
        if (auto* importer = std::get_if<Importer>(&task.body)) importer->to_workspace = false;
      }
    }
  }

  const Sketch& sketch_;
  const std::size_t size_;
  std::vector<Place> dags_;
  std::vector<Sketch> out_;
};

}  // namespace

std::size_t size_of(const Sketch& sketch) {
  return size_of(sketch.root) + 2 * sketch.parameters.size() + sketch.given.size() +
         sketch.workspace + sketch.deadline.has_value();
}

std::vector<Sketch> smaller(const Sketch& sketch) { return Shrinker(sketch).shrink(); }

Sketch shrunk(Sketch sketch, std::string_view path) {
  while (!path.empty()) {
    std::size_t index = 0;
    const auto [end, error] = std::from_chars(path.data(), path.data() + path.size(), index);
    CHECK(error == std::errc{});
    std::vector<Sketch> candidates = smaller(sketch);
    CHECK(index < candidates.size());
    sketch = std::move(candidates[index]);
    path.remove_prefix(static_cast<std::size_t>(end - path.data()));
    if (path.starts_with('.')) path.remove_prefix(1);
  }
  return sketch;
}

}  // namespace cresset::sim
