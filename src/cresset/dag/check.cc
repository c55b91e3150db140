#include "cresset/dag/check.h"

#include <fmt/format.h>

#include <algorithm>

#include "cresset/dag/check_parts.h"
#include "cresset/dag/inputs.h"
#include "cresset/text/json.h"

namespace cresset::dag {

namespace {

constexpr std::size_t kProblemsMax = 100;

void note_passed(const model::Component& component,
                 std::map<std::string, Passed, std::less<>>& passed) {
  const auto* dag = std::get_if<model::Dag>(&component.body);
  if (dag == nullptr) return;
  for (const auto& [name, task] : dag->tasks) {
    Passed& to = passed[task.component];
    to.used = true;
    to.around.insert(&component);
    for (const auto& [input, source] : task.parameters) to.parameters.insert(input);
    for (const auto& [input, source] : task.artifacts) to.artifacts.insert(input);
    if (const auto* iterator = task.over_parameters()) {
      to.parameters.insert(iterator->item_input);
      to.looped = true;
    }
    if (const auto* iterator = task.over_artifacts()) {
      to.artifacts.insert(iterator->item_input);
      to.looped = true;
    }
  }
}

void check_input(Checked& checked, const std::string& name, const model::InputParameter& input,
                 const Where& where) {
  for (std::size_t i = 0; i < input.literals.size(); ++i) {
    const Value& literal = input.literals[i];
    if (model::fits(literal, input.type)) continue;
    checked.problems.add(
        where.at("literals").at(i),
        fmt::format("this literal of {} is {}, and the type of {} is {}", name,
                    with_article(literal.kind_name()), name, to_string(input.type)),
        "change the literal or parameterType");
  }
  if (!input.default_value || input.default_value->is_null()) return;
  const auto value = coerce(*input.default_value, input.type);
  if (!value) {
    return checked.problems.add(
        where.at("defaultValue"),
        fmt::format("the default of {} is {}, and its type is {}", name,
                    with_article(input.default_value->kind_name()), to_string(input.type)),
        "change defaultValue or parameterType");
  }
  if (input.literals.empty() || std::ranges::find(input.literals, *value) != input.literals.end())
    return;
  checked.problems.add(where.at("defaultValue"),
                       fmt::format("the default of {} is none of its literals", name),
                       fmt::format("use one of {}", text::to_json(Value(input.literals))));
}

void check_component(Checked& checked, const Enclosing& component, const Where& where) {
  const Where inputs = where.at("inputDefinitions").at("parameters");
  for (const auto& [input, declared] : component.component.input_parameters) {
    check_input(checked, input, declared, inputs.at(input));
  }
  if (std::holds_alternative<model::Dag>(component.component.body)) {
    check_dag(checked, component, where);
  } else {
    check_executor(checked, component, where);
  }
}

}  // namespace

void Problems::add(const Where& where, std::string message, std::string help) {
  if (full()) return;
  std::string pointer = where.pointer();
  if (!known_.emplace(pointer, message).second) return;
  problems_.push_back({std::move(pointer), std::move(message), std::move(help)});
}

bool Problems::full() const { return problems_.size() == kProblemsMax; }

const Passed& Checked::passed_to(std::string_view component) const {
  static const Passed kNothing;
  const auto found = passed.find(component);
  return found == passed.end() ? kNothing : found->second;
}

const model::Component* Checked::component_of(const model::TaskSpec& task) const {
  const auto found = pipeline.components.find(task.component);
  return found == pipeline.components.end() ? nullptr : &found->second;
}

std::vector<Problem> check_pipeline(const model::Pipeline& pipeline) {
  Checked checked{pipeline, {}, {}, {}};
  const Where root("root");
  if (!std::holds_alternative<model::Dag>(pipeline.root.body)) {
    checked.problems.add(root, "the pipeline's root is no dag", "wrap its step in a dag");
    return checked.problems.take();
  }
  note_passed(pipeline.root, checked.passed);
  for (const auto& [name, component] : pipeline.components) note_passed(component, checked.passed);
  Passed from_outside;
  from_outside.used = true;
  check_component(checked, {{}, pipeline.root, from_outside}, root);
  const Where components("components");
  for (const auto& [name, component] : pipeline.components) {
    if (checked.problems.full()) break;
    check_component(checked, {name, component, checked.passed_to(name)}, components.at(name));
  }
  check_nesting(checked);
  return checked.problems.take();
}

}  // namespace cresset::dag
