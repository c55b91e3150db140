#include <fmt/core.h>

#include <algorithm>

#include "sim/generate_parts.h"

namespace cresset::sim {

using std::chrono::milliseconds;

std::string Generator::new_file() {
  const std::string path = fmt::format("/srv/data/{}/{}", sketch_.name, sketch_.files.size());
  if (dice_.percent(25)) {
    sketch_.files.emplace_back(path + "/part-1", "one " + path);
    sketch_.files.emplace_back(path + "/deep/part-2", "two " + path);
  } else {
    sketch_.files.emplace_back(path, "bytes of " + path);
  }
  return path;
}

unsigned Generator::add_importer(Scope& scope) {
  Task task;
  task.name = task_name(scope, {"importer", "get-data"});
  Importer importer;
  const auto path = [this] {
    if (dice_.percent(5)) return std::string("/srv/data/nothing here");
    return (dice_.percent(30) ? "file://" : "") + new_file();
  };
  importer.reimport = dice_.percent(20);
  importer.to_workspace = sketch_.workspace && dice_.percent(50);
  if (dice_.percent(30)) importer.metadata = Value::make_struct({{"origin", "somewhere"}});
  const unsigned kind = dice_.between(0, 99);
  if (kind < 50) {
    importer.path = path();
  } else {
    importer.input = "uri";
    task.parameters["uri"] = {Type::kString, {}, false, {}, true};
    if (kind < 80) {
      task.parameter_sources["uri"] = constant(path());
    } else {
      Loop loop;
      loop.item = "uri";
      for (unsigned left = dice_.between(0, 3); left > 0; --left) loop.items.emplace_back(path());
      task.loop = std::move(loop);
    }
  }
  task.body = std::move(importer);
  if (dice_.percent(5)) task.retry = random_retry(1);
  add_after(scope, task);
  push(scope, std::move(task));
  return 1;
}

unsigned Generator::add_volume(Scope& scope) {
  Task task;
  task.name = task_name(scope, {"createpvc"});
  task.body = Volume{true};
  task.parameters["size"] = {Type::kString, {}, false, {}, true};
  task.parameter_sources["size"] = constant("1Gi");
  const bool fixed = !deletes_volumes_ && dice_.percent(40);
  const std::string name = fixed ? "pvc_name" : "pvc_name_suffix";
  task.parameters["pvc_name"] = {Type::kString, {}, true, {}, true};
  task.parameters["pvc_name_suffix"] = {Type::kString, {}, true, {}, true};
  const std::string text = fmt::format("-volume-{}", ++labels_);
  task.parameter_sources[name] = constant(fixed ? sketch_.name + text : text);
  scope.volumes.push_back(from_task(task.name, "name"));
  push(scope, std::move(task));
  return 1;
}

void Generator::delete_volumes(Scope& scope) {
  if (!deletes_volumes_) return;
  for (const Source& volume : scope.volumes) {
    if (volume.from != Source::From::kTask || dice_.percent(20)) continue;
    Task task;
    task.name = task_name(scope, {"deletepvc"});
    task.body = Volume{false};
    task.parameters["pvc_name"] = {Type::kString, {}, false, {}, true};
    task.parameter_sources["pvc_name"] = volume;
    for (const std::string& name : scope.mounters) {
      if (std::ranges::find(task.after, name) == task.after.end()) task.after.push_back(name);
    }
    push(scope, std::move(task));
  }
}

bool Generator::may_be_cloned(const Task& task) {
  if (std::holds_alternative<Volume>(task.body) || task.ignores_failures) return false;
  if (const Step* step = task.step()) return step->settings.empty();
  if (const Dag* dag = task.dag()) return std::ranges::all_of(dag->tasks, may_be_cloned);
  return true;
}

unsigned Generator::add_clone(Scope& scope) {
  std::vector<const Task*> found;
  for (const Task& task : scope.dag.tasks) {
    if (may_be_cloned(task)) found.push_back(&task);
  }
  if (found.empty()) return add_step(scope);
  Task task = *dice_.pick(found);
  if (task.dag() != nullptr && count(*task.dag()) > 8) return add_step(scope);
  task.name = task_name(scope, {"again"});
  task.display_name.clear();
  for (auto& [name, source] : task.parameter_sources) {
    if (source.from == Source::From::kConstant && task.parameters[name].literals.empty() &&
        source.constant.is_integer() && task.parameters[name].type == Type::kInteger)
      source.constant = dice_.below(10);
  }
  push(scope, std::move(task));
  return 1;
}

void Generator::add_giant(Scope& root) {
  const unsigned size = dice_.between(1000, 3000);
  switch (dice_.below(3)) {
    case 0:
      return add_wide_loop(root, size);
    case 1:
      return add_long_chain(root, size);
    default:
      return add_fan_out(root, size);
  }
}

Task Generator::small_step(Scope& scope, const std::string& name) {
  Task task;
  task.name = task_name(scope, {name});
  Step step;
  step.label = name;
  step.runs_for = milliseconds(dice_.between(1, 2000));
  step.parameters["Output"] = {Shape{Shape::Base::kInteger}, StepOutput::Way::kFile};
  step.resources.cpu_request = "10m";
  step.whole_input = dice_.percent(50);
  task.body = std::move(step);
  return task;
}

void Generator::add_wide_loop(Scope& root, unsigned size) {
  Task list = small_step(root, "list");
  list.step()->parameters["Output"].shape = {Shape::Base::kInteger, 1, size};
  const std::string list_name = list.name;
  push(root, std::move(list));
  Task task;
  task.name = task_name(root, {"for-loop"});
  Loop loop;
  loop.over = Loop::Over::kParameter;
  loop.input = "items";
  loop.item = "item";
  if (dice_.percent(50)) loop.limit = dice_.between(1, 50);
  task.parameters["items"] = {Type::kList, {}, false, {}, true};
  task.parameters["item"] = {Type::kInteger, {}, false, {}, true};
  task.parameter_sources["items"] = from_task(list_name, "Output");
  task.loop = std::move(loop);
  Scope inside;
  inside.dag.style = Dag::Style::kLoop;
  Task step = small_step(inside, "work");
  step.parameters["x"] = {Type::kInteger, {}, false, {}, true};
  step.parameter_sources["x"] = from_input("item");
  if (dice_.percent(30)) add_mischief(step);
  inside.dag.parameters["all"] = {Type::kList, false, {{step.name, "Output"}}};
  push(inside, std::move(step));
  root.values.push_back({from_task(task.name, "all"), {Shape::Base::kInteger, 1}});
  task.body = std::move(inside.dag);
  push(root, std::move(task));
}

void Generator::add_long_chain(Scope& root, unsigned size) {
  std::string before;
  for (unsigned i = 0; i < size; ++i) {
    Task task = small_step(root, fmt::format("link{}", i));
    task.step()->label = "link";
    task.step()->whole_input = true;
    task.parameters["x"] = {Type::kInteger, Value(1), false, {}, true};
    if (!before.empty()) task.parameter_sources["x"] = from_task(before, "Output");
    before = task.name;
    push(root, std::move(task));
  }
}

void Generator::add_fan_out(Scope& root, unsigned size) {
  Task first = small_step(root, "first");
  const std::string source = first.name;
  push(root, std::move(first));
  Task last = small_step(root, "last");
  for (unsigned i = 0; i < size; ++i) {
    Task task = small_step(root, fmt::format("leaf{}", i));
    task.step()->label = "leaf";
    task.step()->whole_input = true;
    task.parameters["x"] = {Type::kInteger, {}, false, {}, true};
    task.parameter_sources["x"] = from_task(source, "Output");
    last.after.push_back(task.name);
    push(root, std::move(task));
  }
  push(root, std::move(last));
}

}  // namespace cresset::sim
