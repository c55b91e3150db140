#include <algorithm>

#include "sim/generate_parts.h"
#include "sim/produce.h"

namespace cresset::sim {

std::optional<Condition> Generator::random_condition(const Task& task) {
  std::vector<const std::pair<const std::string, ParameterInput>*> inputs;
  for (const auto& entry : task.parameters) {
    if (entry.second.declared && entry.second.type != Type::kList &&
        entry.second.type != Type::kStruct && entry.second.type != Type::kStatus &&
        (!task.loop || task.loop->item != entry.first))
      inputs.push_back(&entry);
  }
  if (inputs.empty()) return std::nullopt;
  Condition condition = compare_input(*dice_.pick(inputs));
  if (dice_.percent(25)) {
    Condition both;
    both.kind = dice_.percent(50) ? Condition::Kind::kAnd : Condition::Kind::kOr;
    both.parts = {std::move(condition), compare_input(*dice_.pick(inputs))};
    condition = std::move(both);
  }
  if (dice_.percent(20)) condition = negation(std::move(condition));
  return condition;
}

Condition Generator::negation(Condition condition) {
  Condition out;
  out.kind = Condition::Kind::kNot;
  out.parts.push_back(std::move(condition));
  return out;
}

Condition Generator::compare_input(const std::pair<const std::string, ParameterInput>& input) {
  using Operator = Condition::Operator;
  static const std::vector<Operator> kAll = {Operator::kEqual,   Operator::kNotEqual,
                                             Operator::kLess,    Operator::kLessEqual,
                                             Operator::kGreater, Operator::kGreaterEqual};
  Condition out;
  out.input = input.first;
  switch (input.second.type) {
    case Type::kInteger:
    case Type::kDouble:
      out.op = dice_.pick(kAll);
      out.literal = dice_.percent(70) ? Value(dice_.below(10)) : Value(2.5);
      out.as_integer = dice_.percent(30);
      break;
    case Type::kBoolean:
      out.op = dice_.percent(70) ? Operator::kEqual : Operator::kNotEqual;
      out.literal = dice_.percent(60);
      break;
    default:
      out.op = dice_.percent(50) ? Operator::kEqual : Operator::kNotEqual;
      out.literal = dice_.percent(85) ? Value(dice_.pick(words())) : Value("it's \\ \n \"odd\"");
      if (dice_.percent(6)) {
        out.as_integer = true;
        out.op = dice_.pick(kAll);
        out.literal = dice_.below(100);
      }
  }
  if (dice_.percent(3)) out.other = out.input;
  return out;
}

Scope Generator::enter(Scope& around, Task& task, Dag::Style style) {
  Scope inside;
  inside.depth = around.depth + 1;
  inside.in_loop = around.in_loop;
  inside.dag.style = style;
  const bool dsl = dice_.percent(60);
  std::set<std::string> used;
  if (!around.values.empty()) {
    for (unsigned left = dice_.between(0, 3); left > 0; --left) {
      const Known known = refine(pick_known(around));
      pass_on(task, inside, fresh(used, {dsl ? "pipelinechannel--up" : "arg"}, !dsl), known);
    }
  }
  if (!around.artifacts.empty() && dice_.percent(60)) {
    const KnownArtifact& known = dice_.pick(around.artifacts);
    const std::string name = fresh(used, {"pipelinechannel--artifact"});
    task.artifacts[name] = {known.is_list, dice_.percent(10)};
    task.artifact_sources[name] = known.source;
    inside.artifacts.push_back({from_input(name), known.is_list});
  }
  if (!around.volumes.empty() && !inside.in_loop && dice_.percent(50)) {
    const std::string name = fresh(used, {std::string(kVolumeInput)}, false);
    task.parameters[name] = {Type::kString, {}, false, {}, true};
    task.parameter_sources[name] = dice_.pick(around.volumes);
    inside.volumes.push_back(from_input(name));
    around.mounters.push_back(task.name);
  }
  add_after(around, task);
  return inside;
}

const ParameterInput& Generator::pass_on(Task& task, Scope& inside, const std::string& name,
                                         const Known& known) {
  ParameterInput input;
  input.type = type_of(known.shape);
  if (dice_.percent(10)) make_dispensable(input, known.shape);
  task.parameter_sources[name] = known.source;
  inside.values.push_back({from_input(name), known.shape});
  return task.parameters[name] = std::move(input);
}

void Generator::add_outputs(Scope& inside, unsigned most, Scope* out, const std::string& task,
                            bool looped) {
  std::set<std::string> used;
  for (unsigned left = dice_.between(0, most); left > 0 && !inside.values.empty(); --left) {
    const Known& known = pick_known(inside);
    if (known.source.from != Source::From::kTask) continue;
    const std::string name = fresh(used, {"Output", "pipelinechannel--inner-Output", "total"});
    DagOutput& output = inside.dag.parameters[name];
    output.type = looped ? Type::kList : type_of(known.shape);
    output.from.push_back({known.source.name, known.source.output});
    Shape shape = known.shape;
    shape.length = 0;
    if (looped) ++shape.depth;
    if (out != nullptr) out->values.push_back({from_task(task, name), shape});
  }
  for (unsigned left = dice_.between(0, 1); left > 0 && !inside.artifacts.empty(); --left) {
    const KnownArtifact& known = dice_.pick(inside.artifacts);
    if (known.source.from != Source::From::kTask) continue;
    const std::string name = fresh(used, {"made", "pipelinechannel--inner-data"});
    DagOutput& output = inside.dag.artifacts[name];
    output.is_list = looped || known.is_list;
    output.from.push_back({known.source.name, known.source.output});
    if (out != nullptr) out->artifacts.push_back({from_task(task, name), output.is_list});
  }
}

void Generator::add_group_retry(Task& task, unsigned percent) {
  if (dice_.percent(percent)) task.retry = random_retry(dice_.between(1, 2));
}

unsigned Generator::close(Scope& scope, Task task, Scope inside, bool looped) {
  const std::string name = task.name;
  const bool mounts = !inside.mounters.empty();
  add_outputs(inside, 2, &scope, name, looped);
  task.body = std::move(inside.dag);
  const unsigned leaves = count(*task.dag());
  push(scope, std::move(task));
  if (mounts && std::ranges::find(scope.mounters, name) == scope.mounters.end())
    scope.mounters.push_back(name);
  return std::max(leaves, 1u);
}

unsigned Generator::count(const Dag& dag) {
  unsigned out = 0;
  for (const Task& task : dag.tasks) out += task.dag() != nullptr ? count(*task.dag()) : 1;
  return out;
}

unsigned Generator::add_group(Scope& scope, unsigned leaves) {
  Task task;
  task.name = task_name(scope, {"inner", "pipeline", "stage"});
  Scope inside = enter(scope, task, Dag::Style::kPlain);
  fill(inside, leaves);
  add_group_retry(task, 25);
  if (!deletes_volumes_ && dice_.percent(4) && has_normal(scope) && !mounts(task))
    task.ignores_failures = true;
  return close(scope, std::move(task), std::move(inside));
}

bool Generator::mounts(const Task& task) { return task.parameters.contains(kVolumeInput); }

Known Generator::decidable(Scope& scope) {
  std::vector<const Known*> found;
  for (const Known& known : scope.values) {
    if (known.shape.depth == 0 && known.shape.base != Shape::Base::kStruct &&
        known.shape.base != Shape::Base::kListText)
      found.push_back(&known);
  }
  if (!found.empty() && dice_.percent(85)) return *dice_.pick(found);
  Task task;
  task.name = task_name(scope, {"flip-coin"});
  Step step = make_step(task.name);
  step.parameters.clear();
  step.parameters["Output"] = {
      Shape{dice_.percent(60) ? Shape::Base::kWord : Shape::Base::kInteger},
      StepOutput::Way::kFile};
  task.body = std::move(step);
  add_manners(task);
  Known known{from_task(task.name, "Output"), task.step()->parameters["Output"].shape};
  push(scope, std::move(task));
  return known;
}

unsigned Generator::add_condition(Scope& scope, unsigned leaves) {
  const Known known = decidable(scope);
  Task task;
  task.name = task_name(scope, {"condition"});
  Scope inside = enter(scope, task, Dag::Style::kCondition);
  const std::string decides = "pipelinechannel--decides";
  pass_on(task, inside, decides, known);
  task.condition = compare_input({decides, task.parameters[decides]});
  if (dice_.percent(25)) {
    if (auto other = random_condition(task)) {
      Condition both;
      both.kind = dice_.percent(50) ? Condition::Kind::kAnd : Condition::Kind::kOr;
      both.parts = {*std::move(task.condition), *std::move(other)};
      task.condition = std::move(both);
    }
  }
  fill(inside, leaves);
  add_group_retry(task, 10);
  return close(scope, std::move(task), std::move(inside));
}

unsigned Generator::add_branches(Scope& scope, unsigned leaves) {
  const Known known = decidable(scope);
  Task outer;
  outer.name = task_name(scope, {"condition-branches"});
  Scope middle = enter(scope, outer, Dag::Style::kBranches);
  const std::string decides = "pipelinechannel--decides";
  pass_on(outer, middle, decides, known);
  const Shape shape = random_shape();
  const bool gives_artifact = dice_.percent(40);
  const unsigned branches = dice_.between(2, 3);
  const bool has_else = dice_.percent(70);
  std::vector<Condition> before;
  DagOutput value{type_of(shape), false, {}};
  DagOutput artifact;
  for (unsigned i = 0; i < branches; ++i) {
    Task branch;
    branch.name = task_name(middle, {"condition"});
    Scope inside;
    inside.depth = middle.depth + 1;
    inside.in_loop = middle.in_loop;
    inside.dag.style = Dag::Style::kCondition;
    ParameterInput input = outer.parameters[decides];
    branch.parameter_sources[decides] = from_input(decides);
    inside.values.push_back({from_input(decides), known.shape});
    branch.parameters[decides] = input;
    std::vector<Condition> parts;
    for (const Condition& earlier : before) parts.push_back(negation(earlier));
    if (!has_else || i + 1 < branches || before.empty()) {
      before.push_back(compare_input({decides, input}));
      parts.push_back(before.back());
    }
    branch.condition = all_of(std::move(parts));
    fill(inside, std::max(1u, leaves / branches / 2));
    give(inside, shape, gives_artifact);
    value.from.push_back({branch.name, "Output"});
    artifact.from.push_back({branch.name, "made"});
    branch.body = std::move(inside.dag);
    push(middle, std::move(branch));
  }
  middle.dag.parameters["oneof"] = std::move(value);
  scope.values.push_back({from_task(outer.name, "oneof"), shape});
  if (gives_artifact) {
    middle.dag.artifacts["oneof-artifact"] = std::move(artifact);
    scope.artifacts.push_back({from_task(outer.name, "oneof-artifact"), false});
  }
  outer.body = std::move(middle.dag);
  const unsigned used = count(*outer.dag());
  push(scope, std::move(outer));
  return used;
}

Condition Generator::all_of(std::vector<Condition> parts) {
  if (parts.size() == 1) return std::move(parts.front());
  Condition out;
  out.kind = Condition::Kind::kAnd;
  out.parts = std::move(parts);
  return out;
}

void Generator::give(Scope& inside, const Shape& shape, bool artifact) {
  Task task;
  task.name = task_name(inside, {"give"});
  Step step = make_step(task.name);
  step.parameters.clear();
  step.artifacts.clear();
  step.parameters["value"] = {shape, StepOutput::Way::kFile};
  if (artifact) step.artifacts["thing"] = {};
  task.body = std::move(step);
  add_inputs(inside, task);
  add_manners(task);
  inside.dag.parameters["Output"] = {type_of(shape), false, {{task.name, "value"}}};
  if (artifact) inside.dag.artifacts["made"] = {Type::kString, false, {{task.name, "thing"}}};
  push(inside, std::move(task));
}

unsigned Generator::add_exit_handler(Scope& scope, unsigned leaves) {
  Task body;
  body.name = task_name(scope, {"exit-handler"});
  Scope inside = enter(scope, body, Dag::Style::kExitHandler);
  fill(inside, leaves);
  add_group_retry(body, 10);
  const std::string watched = body.name;
  const unsigned used = close(scope, std::move(body), std::move(inside));
  Task exit;
  exit.name = task_name(scope, {"cleanup"});
  exit.ignores_failures = true;
  exit.after.push_back(watched);
  if (dice_.percent(20) && scope.depth < kDepthMax)
    return used + add_exit_group(scope, exit, watched);
  exit.body = make_step(exit.name);
  add_input(scope, exit, "message");
  if (dice_.percent(80)) {
    exit.parameters["status"] = {Type::kStatus, {}, true, {}, true};
    exit.parameter_sources["status"] = status_of(watched);
  }
  add_manners(exit);
  push(scope, std::move(exit));
  return used + 1;
}

unsigned Generator::add_exit_group(Scope& scope, Task& exit, const std::string& watched) {
  Scope inside;
  inside.depth = scope.depth + 1;
  inside.in_loop = scope.in_loop;
  exit.parameters["status"] = {Type::kStatus, {}, true, {}, true};
  exit.parameter_sources["status"] = status_of(watched);
  Task step;
  step.name = task_name(inside, {"tell"});
  step.body = make_step(step.name);
  step.parameters["what"] = {dice_.percent(50) ? Type::kStruct : Type::kStatus, {}, true, {}, true};
  step.parameter_sources["what"] = from_input("status");
  add_manners(step);
  push(inside, std::move(step));
  fill(inside, 1);
  return close(scope, std::move(exit), std::move(inside));
}

unsigned Generator::add_loop(Scope& scope, unsigned leaves) {
  Task task;
  task.name = task_name(scope, {"for-loop"});
  Scope inside = enter(scope, task, Dag::Style::kLoop);
  inside.in_loop = true;
  inside.volumes.clear();
  const std::size_t begun = inside.values.size();
  if (!choose_items(scope, task, inside)) return add_step(scope);
  // The item is what the tasks inside are most likely to take.
  if (inside.values.size() > begun + 1) std::swap(inside.values[begun], inside.values.back());
  fill(inside, leaves);
  add_group_retry(task, 8);
  if (dice_.percent(5)) task.condition = random_condition(task);
  return 2 * close(scope, std::move(task), std::move(inside), true);
}

bool Generator::choose_items(Scope& scope, Task& task, Scope& inside) {
  Loop loop;
  loop.item = "pipelinechannel--loop-item";
  if (dice_.percent(35)) loop.limit = dice_.between(1, 3);
  const unsigned kind = dice_.between(0, 99);
  std::vector<const Known*> lists;
  for (const Known& known : scope.values) {
    if (known.shape.depth > 0 || known.shape.base == Shape::Base::kListText)
      lists.push_back(&known);
  }
  std::vector<const KnownArtifact*> artifact_lists;
  for (const KnownArtifact& known : scope.artifacts) {
    if (known.is_list) artifact_lists.push_back(&known);
  }
  if (kind < 25 && !artifact_lists.empty()) {
    loop.over = Loop::Over::kArtifacts;
    loop.input = "pipelinechannel--artifacts";
    task.artifacts[loop.input] = {true, dice_.percent(10)};
    task.artifact_sources[loop.input] = dice_.pick(artifact_lists)->source;
    task.artifacts[loop.item] = {false, false};
    inside.artifacts.push_back({from_input(loop.item), false});
  } else if (kind < 70 && !lists.empty()) {
    const Known known = *dice_.pick(lists);
    loop.over = Loop::Over::kParameter;
    loop.input = "pipelinechannel--items";
    task.parameter_sources[loop.input] = known.source;
    task.parameters[loop.input] = {type_of(known.shape), {}, dice_.percent(5), {}, true};
    const Shape item = known.shape.depth > 0 ? Shape{known.shape.base, known.shape.depth - 1}
                                             : Shape{Shape::Base::kInteger};
    add_item(task, inside, loop.item, item);
  } else {
    Shape item = random_shape();
    item.depth = item.depth > 0 ? 1 : 0;
    for (std::uint64_t left = dice_.below(5); left > 0; --left)
      loop.items.push_back(random_value(item));
    if (dice_.percent(3)) loop.items.emplace_back();
    if (dice_.percent(25)) fill_item(task, loop, type_of(item));
    add_item(task, inside, loop.item, item);
  }
  task.loop = std::move(loop);
  return true;
}

void Generator::fill_item(const Task& task, Loop& loop, Type type) {
  if (loop.items.empty()) return;
  for (const auto& [name, input] : task.parameters) {
    if (input.type != type || !input.declared || name.starts_with(kVolumeInput)) continue;
    loop.filled.emplace_back(dice_.below(loop.items.size()), name);
    return;
  }
}

void Generator::add_item(Task& task, Scope& inside, const std::string& name, const Shape& shape) {
  ParameterInput input;
  input.type = dice_.percent(6) ? Type::kString : type_of(shape);
  const Shape inner = input.type == type_of(shape) ? shape : Shape{Shape::Base::kText};
  task.parameters[name] = std::move(input);
  inside.values.push_back({from_input(name), inner});
}

bool Generator::add_leaf_loop(Scope& scope, Task& task) {
  if (std::ranges::find(scope.mounters, task.name) != scope.mounters.end()) return false;
  Scope inside;
  choose_items(scope, task, inside);
  if (task.loop->over == Loop::Over::kParameter) {
    // Such a step declares its list with the type of an item.
    const Type item = task.parameters[task.loop->item].type;
    if (dice_.percent(30)) task.parameters[task.loop->input] = {item, {}, false, {}, true};
    task.step()->whole_input = true;
  }
  if (task.loop->over == Loop::Over::kArtifacts) task.step()->whole_input = true;
  return true;
}

}  // namespace cresset::sim
