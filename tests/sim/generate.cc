#include "sim/generate.h"

#include <fmt/core.h>

#include <algorithm>

#include "sim/generate_parts.h"

namespace cresset::sim {

using std::chrono::milliseconds;
using std::chrono::seconds;

Source constant(Value value) {
  Source out;
  out.constant = std::move(value);
  return out;
}
Source from_input(std::string name) {
  Source out;
  out.from = Source::From::kInput;
  out.name = std::move(name);
  return out;
}
Source from_task(std::string task, std::string output) {
  Source out;
  out.from = Source::From::kTask;
  out.name = std::move(task);
  out.output = std::move(output);
  return out;
}
Source status_of(std::string task) {
  Source out;
  out.from = Source::From::kStatus;
  out.name = std::move(task);
  return out;
}

Sketch Generator::make() {
  sketch_.name = fmt::format("p{:08x}", dice_.below(std::uint64_t{1} << 32));
  deletes_volumes_ = dice_.percent(50);
  sketch_.workspace = dice_.percent(5);
  Scope root;
  add_run_inputs(root);
  if (dice_.below(10'000) < taste_.thousands_in_ten_thousand) {
    add_giant(root);
    fill(root, dice_.between(1, 4));
  } else {
    const auto most = static_cast<unsigned>(std::max<std::size_t>(taste_.leaves_max, 1));
    const bool tens = dice_.permille(taste_.tens);
    fill(root, dice_.between(1, tens ? most * 10 : most));
  }
  add_outputs(root, 3, nullptr);

  sketch_.root = std::move(root.dag);
  if (taste_.run_deadlines && dice_.permille(8)) sketch_.deadline = seconds(dice_.between(1, 600));
  return std::move(sketch_);
}

void Generator::fill(Scope& scope, unsigned leaves) {
  bool exit_handled = false;
  while (leaves > 0) {
    const unsigned used = add_something(scope, leaves, exit_handled);
    leaves -= std::min(used, leaves);
  }
  delete_volumes(scope);
}

unsigned Generator::add_something(Scope& scope, unsigned leaves, bool& exit_handled) {
  const unsigned kind = dice_.between(0, 99);
  const bool may_nest = scope.depth < kDepthMax;
  if (kind < 5) return add_importer(scope);
  if (kind < 8 && taste_.volumes && !scope.in_loop) return add_volume(scope);
  if (kind < 12) return add_clone(scope);
  if (may_nest) {
    if (kind < 19) return add_group(scope, dice_.between(1, leaves));
    if (kind < 26) return add_condition(scope, dice_.between(1, leaves));
    if (kind < 33 && leaves >= 2) return add_branches(scope, leaves);
    if (kind < 45) return add_loop(scope, dice_.between(1, std::min(leaves, 4u)));
    if (kind < 50 && !deletes_volumes_ && leaves >= 2 && !std::exchange(exit_handled, true))
      return add_exit_handler(scope, dice_.between(1, leaves - 1));
  }
  return add_step(scope);
}

void Generator::tell(const Task& task, Scope& scope) {
  const unsigned more = task.loop ? 1 : 0;
  const auto add = [&](const std::string& name, Shape shape) {
    if (more > 0) shape.length = 0;
    shape.depth += more;
    scope.values.push_back({from_task(task.name, name), shape});
  };
  if (const Step* step = task.step()) {
    for (const auto& [name, output] : step->parameters) add(name, output.shape);
    for (const auto& [name, artifact] : step->artifacts) {
      scope.artifacts.push_back(
          {from_task(task.name, name), more > 0 || artifact.form == StepArtifact::Form::kList});
    }
  } else if (std::holds_alternative<Importer>(task.body)) {
    scope.artifacts.push_back({from_task(task.name, "artifact"), more > 0});
  }
}

void Generator::push(Scope& scope, Task task) {
  tell(task, scope);
  scope.dag.tasks.push_back(std::move(task));
}

Sketch make_sketch(SeededRandom& random, const Taste& taste) {
  return Generator(random, taste).make();
}

}  // namespace cresset::sim
