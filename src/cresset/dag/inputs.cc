#include "cresset/dag/inputs.h"

#include <fmt/core.h>

#include <algorithm>
#include <set>
#include <utility>

#include "cresset/dag/launch.h"
#include "cresset/dag/resolve.h"
#include "cresset/text/json.h"

namespace cresset::dag {

namespace {

using model::State;

// A reference inside a constant: other inputs of the same task, and the run itself.
ReferenceLookup constant_lookup(const GraphTask& task, const Slots& slots,
                                const RunContext& context, TaskOrdinal ordinal) {
  return [&task, &slots, &context, ordinal](const text::Reference& reference) -> Result<Value> {
    using Kind = text::Reference::Kind;
    if (reference.kind == Kind::kJob)
      return job_reference(reference, context, task.spec->display_name, ordinal);
    if (reference.kind == Kind::kInputParameter) {
      auto it = slots.parameters.find(reference.name);
      if (it != slots.parameters.end()) return *it->second;
      return make_error(Code::kFailedPrecondition, "{} names an input that has no value",
                        reference.text);
    }
    if (reference.kind == Kind::kInputArtifactField || reference.kind == Kind::kInputArtifact) {
      auto it = slots.artifacts.find(reference.name);
      if (it == slots.artifacts.end() || it->second->empty()) {
        return make_error(Code::kFailedPrecondition, "{} names an input that has no artifact",
                          reference.text);
      }
      if (reference.kind == Kind::kInputArtifact) return artifacts_value(*it->second);
      const model::Artifact& artifact = it->second->front();
      if (reference.field == "path") return Value(local_path(artifact));
      if (reference.field == "uri") return Value(artifact.uri);
      if (reference.field == "name") return Value(artifact.name);
      const Value* metadata =
          reference.key.empty() ? &artifact.metadata : artifact.metadata.find(reference.key);
      return metadata == nullptr ? Value() : *metadata;
    }
    return make_error(
        Code::kFailedPrecondition,
        "{} has no meaning in a constant: a task's outputs do not exist before it runs",
        reference.text);
  };
}

bool has_reference(const Value& value) {
  if (value.is_string()) return text::holds_reference(value.as_string());
  if (value.is_list()) {
    return std::ranges::any_of(value.as_list(),
                               [](const Value& item) { return has_reference(item); });
  }
  if (!value.is_struct()) return false;
  return std::ranges::any_of(value.as_struct(), [](const auto& field) {
    return text::holds_reference(field.first) || has_reference(field.second);
  });
}

// The pipeline outlives all that is resolved from it, and very many tasks would be as many copies.
ValueRef of_pipeline(const Value& value) { return {ValueRef(), &value}; }

class InputResolver {
 public:
  InputResolver(const GraphTask& task, const Surroundings& around) : task_(task), around_(around) {}

  ResolvedInputs resolve() {
    for (const auto& [name, source] : task_.spec->artifacts) take_artifact(name, source);
    for (const auto& [name, source] : task_.spec->parameters) {
      if (!std::holds_alternative<model::Constant>(source.from)) take_parameter(name, source);
    }
    take_constants();
    apply_defaults();
    coerce_all();
    return std::move(out_);
  }

 private:
  // Constants may name other inputs of the task, constants too: those without placeholders come
  // first.
  void take_constants() {
    for (bool with_references : {false, true}) {
      for (const auto& [name, source] : task_.spec->parameters) {
        const auto* constant = std::get_if<model::Constant>(&source.from);
        if (constant == nullptr || has_reference(constant->value) != with_references) continue;
        if (!with_references) {
          set_parameter(name, source, of_pipeline(constant->value));
          continue;
        }
        auto resolved = resolve_constant(
            constant->value, constant_lookup(task_, out_.slots, around_.context, around_.ordinal));
        if (!resolved) {
          fail(fmt::format("input \"{}\": {}", name, resolved.error().text()));
          continue;
        }
        set_parameter(name, source, std::make_shared<const Value>(*std::move(resolved)));
      }
    }
  }

  void take_parameter(const std::string& name, const model::ParameterSource& source) {
    if (const auto* parent = std::get_if<model::FromParent>(&source.from)) {
      auto it = around_.parent_inputs.parameters.find(parent->input);
      if (it != around_.parent_inputs.parameters.end())
        return set_parameter(name, source, it->second);
      return note_absent(
          name, fmt::format("\"{}\" of the pipeline around it has no value", parent->input), false);
    }
    if (const auto* status = std::get_if<model::FinalStatusOf>(&source.from)) {
      return set_parameter(name, source,
                           std::make_shared<const Value>(around_.final_status(status->task)));
    }
    const auto& from = std::get<model::FromTask>(source.from);
    const Surroundings::Neighbour producer = around_.neighbour(from.task);
    if (producer.state == State::kSucceeded && producer.outputs != nullptr) {
      auto it = producer.outputs->parameters.find(from.output);
      if (it != producer.outputs->parameters.end()) return set_parameter(name, source, it->second);
    }
    note_absent(name, absent_reason(from, producer.state), producer.state == State::kFailed);
  }

  void take_artifact(const std::string& name, const model::ArtifactSource& source) {
    if (const auto* parent = std::get_if<model::FromParent>(&source.from)) {
      auto it = around_.parent_inputs.artifacts.find(parent->input);
      if (it != around_.parent_inputs.artifacts.end()) {
        out_.slots.artifacts.emplace(name, it->second);
        return;
      }
      return note_absent_artifact(
          name, fmt::format("\"{}\" of the pipeline around it has no artifact", parent->input),
          false);
    }
    const auto& from = std::get<model::FromTask>(source.from);
    const Surroundings::Neighbour producer = around_.neighbour(from.task);
    if (producer.state == State::kSucceeded && producer.outputs != nullptr) {
      auto it = producer.outputs->artifacts.find(from.output);
      if (it != producer.outputs->artifacts.end()) {
        out_.slots.artifacts.emplace(name, it->second);
        return;
      }
    }
    note_absent_artifact(name, absent_reason(from, producer.state),
                         producer.state == State::kFailed);
  }

  static std::string absent_reason(const model::FromTask& from, State state) {
    switch (state) {
      case State::kFailed:
        return fmt::format("task \"{}\", which gives it, failed", from.task);
      case State::kSkipped:
        return fmt::format("task \"{}\", which gives it, was skipped", from.task);
      case State::kCanceled:
        return fmt::format("task \"{}\", which gives it, was cancelled", from.task);
      default:
        return fmt::format("task \"{}\" gave no output \"{}\"", from.task, from.output);
    }
  }

  void set_parameter(const std::string& name, const model::ParameterSource& source,
                     ValueRef value) {
    if (!source.selector.empty()) {
      auto selected = select(source.selector, *value);
      if (!selected) return fail(fmt::format("input \"{}\": {}", name, selected.error().text()));
      value = std::make_shared<const Value>(*std::move(selected));
    }
    out_.slots.parameters.insert_or_assign(name, std::move(value));
  }

  const model::InputParameter* declared(const std::string& name) const {
    auto it = task_.component->input_parameters.find(name);
    return it == task_.component->input_parameters.end() ? nullptr : &it->second;
  }

  void note_absent(const std::string& name, const std::string& why, bool producer_failed) {
    const model::InputParameter* input = declared(name);
    if (input == nullptr || input->default_value || input->optional) return;
    refuse(name, why, producer_failed);
  }

  void note_absent_artifact(const std::string& name, const std::string& why, bool producer_failed) {
    auto it = task_.component->input_artifacts.find(name);
    if (it == task_.component->input_artifacts.end() || it->second.optional) return;
    refuse(name, why, producer_failed);
  }

  void refuse(const std::string& name, const std::string& why, bool producer_failed) {
    const std::string text = fmt::format("its input \"{}\" has no value: {}", name, why);
    if (producer_failed) return fail(text);
    if (!out_.skip) out_.skip = text;
  }

  void fail(std::string text) {
    if (!out_.fail) out_.fail = std::move(text);
  }

  // An omitted optional input arrives as null from the pipeline around; the component's own default
  // stands for it.
  void apply_defaults() {
    const auto* iterator = task_.spec->over_parameters();
    for (const auto& [name, input] : task_.component->input_parameters) {
      if (iterator != nullptr && iterator->item_input == name) continue;
      ValueRef& slot = out_.slots.parameters[name];
      if (slot && !slot->is_null()) continue;
      if (input.default_value) {
        slot = of_pipeline(*input.default_value);
      } else if (!slot) {
        slot = std::make_shared<const Value>();
      }
    }
  }

  void coerce_all() {
    for (auto& [name, value] : out_.slots.parameters) {
      const model::InputParameter* input = declared(name);
      if (input == nullptr || is_loop_items(name) || value->is_null()) continue;
      auto accepted = accept(value, *input);
      if (!accepted) {
        fail(fmt::format("input \"{}\": {}", name, accepted.error().text()));
      } else {
        value = *std::move(accepted);
      }
    }
  }

  static Result<ValueRef> accept(ValueRef value, const model::InputParameter& input) {
    if (!model::fits(*value, input.type)) {
      CR_TRY(Value coerced, coerce(*value, input.type));
      value = std::make_shared<const Value>(std::move(coerced));
    }
    if (input.literals.empty() || std::ranges::find(input.literals, *value) != input.literals.end())
      return value;
    return make_error(Code::kInvalidArgument, "{} is none of the values that it takes: {}",
                      text::to_json(*value), text::to_json(Value(Value::List(input.literals))));
  }

  // The list that a loop runs over is declared with the type of one item where the component is a
  // single step.
  [[nodiscard]] bool is_loop_items(const std::string& name) const {
    const auto* iterator = task_.spec->over_parameters();
    if (iterator == nullptr) return false;
    const auto* input = std::get_if<model::FromParent>(&iterator->items);
    return input != nullptr && input->input == name;
  }

  const GraphTask& task_;
  const Surroundings& around_;
  ResolvedInputs out_;
};

}  // namespace

Result<Value> select(const std::string& selector, const Value& value) {
  CR_TRY(const text::CelExpression expression, text::CelExpression::parse(selector));
  const Value as_string = value.is_string() ? value : Value(text::to_json(value));
  return expression.evaluate([&](std::string_view name) -> const Value* {
    if (name == "string_value") return &as_string;
    if (name == "number_value" && value.is_number()) return &value;
    if (name == "bool_value" && value.is_bool()) return &value;
    if (name == "struct_value" && value.is_struct()) return &value;
    if (name == "list_value" && value.is_list()) return &value;
    if (name == "null_value" && value.is_null()) return &value;
    return nullptr;
  });
}

Result<Value> coerce(const Value& value, model::ParameterType type) {
  if (value.is_null() || model::fits(value, type)) return value;
  if (type == model::ParameterType::kString) return Value(text::to_text(value));
  if (value.is_string()) {
    auto parsed = text::parse_json(value.as_string());
    if (parsed && model::fits(*parsed, type)) return parsed;
  }
  std::string shown = text::to_json(value);
  if (shown.size() > 80) shown = shown.substr(0, 77) + "...";
  return make_error(Code::kInvalidArgument, "{} is no {}", shown, model::to_string(type));
}

ResolvedInputs resolve_inputs(const GraphTask& task, const Surroundings& around) {
  return InputResolver(task, around).resolve();
}

Result<bool> evaluate_condition(const GraphTask& task, const Slots& inputs) {
  if (!task.condition) return true;
  std::set<std::string, std::less<>> wanted;
  const bool only_those = task.condition->visit_parameter_names(
      [&wanted](std::string_view name) { wanted.emplace(name); });
  // Only what the expression names is copied: a condition inside a loop must not copy the loop's
  // whole list each time.
  Value::Struct parameters;
  for (const auto& [name, value] : inputs.parameters) {
    if (!only_those || wanted.contains(name)) parameters.append(name, *value);
  }
  Value::Struct artifacts;
  if (task.spec->condition.find("artifacts") != std::string::npos) {
    for (const auto& [name, list] : inputs.artifacts)
      artifacts.append(name, artifacts_value(*list));
  }
  Value input = Value::make_struct();
  input["parameter_values"] = Value(std::move(parameters));
  input["artifacts"] = Value(std::move(artifacts));
  auto result = task.condition->evaluate(
      [&input](std::string_view name) { return name == "inputs" ? &input : nullptr; });
  if (!result)
    return std::move(result).error().with("the condition {} cannot be evaluated",
                                          task.spec->condition);
  if (!result->is_bool()) {
    return make_error(Code::kFailedPrecondition, "the condition {} gives {}, not true or false",
                      task.spec->condition, text::to_json(*result));
  }
  return result->as_bool();
}

Result<LoopItems> loop_items(const GraphTask& task, const Slots& inputs, const RunContext& context,
                             TaskOrdinal ordinal) {
  LoopItems out;
  if (const auto* iterator = task.spec->over_artifacts()) {
    out.item_input = iterator->item_input;
    out.artifacts = true;
    auto it = inputs.artifacts.find(iterator->items_input);
    if (it == inputs.artifacts.end()) return out;
    for (const model::Artifact& artifact : *it->second) {
      out.singles.push_back(std::make_shared<const std::vector<model::Artifact>>(1, artifact));
    }
    return out;
  }
  const auto& iterator = *task.spec->over_parameters();
  out.item_input = iterator.item_input;
  Value items;
  if (const auto* raw = std::get_if<std::string>(&iterator.items)) {
    CR_TRY(const Value parsed, text::parse_json(*raw));
    CR_TRY(items, resolve_constant(parsed, constant_lookup(task, inputs, context, ordinal)));
  } else {
    const std::string& name = std::get<model::FromParent>(iterator.items).input;
    auto it = inputs.parameters.find(name);
    if (it == inputs.parameters.end() || it->second->is_null()) {
      return make_error(Code::kFailedPrecondition,
                        "there is nothing to loop over: input \"{}\" has no value", name);
    }
    items = *it->second;
  }
  if (items.is_string()) {
    auto parsed = text::parse_json(items.as_string());
    if (parsed) items = *std::move(parsed);
  }
  if (!items.is_list()) {
    return make_error(Code::kFailedPrecondition, "the loop's items are a {}, not a list",
                      items.kind_name());
  }
  for (Value& item : items.as_list())
    out.values.push_back(std::make_shared<const Value>(std::move(item)));
  return out;
}

Result<Slots> iteration_inputs(const GraphTask& task, const Slots& loop_inputs,
                               const LoopItems& items, std::size_t index) {
  Slots out = loop_inputs;
  if (items.artifacts) {
    out.artifacts.insert_or_assign(items.item_input, items.singles[index]);
    return out;
  }
  ValueRef value = items.values[index];
  auto declared = task.component->input_parameters.find(items.item_input);
  if (declared != task.component->input_parameters.end() &&
      !model::fits(*value, declared->second.type)) {
    auto coerced = coerce(*value, declared->second.type);
    if (!coerced) return std::move(coerced).error().with("item {} of the loop", index);
    value = std::make_shared<const Value>(*std::move(coerced));
  }
  out.parameters.insert_or_assign(items.item_input, std::move(value));
  return out;
}

Value artifacts_value(const std::vector<model::Artifact>& artifacts) {
  Value::List list;
  for (const model::Artifact& artifact : artifacts) {
    Value entry = Value::make_struct({{"name", artifact.name}});
    Value type = Value::make_struct();
    if (!artifact.type.schema_title.empty()) type["schemaTitle"] = artifact.type.schema_title;
    if (!artifact.type.schema_uri.empty()) type["schemaUri"] = artifact.type.schema_uri;
    if (!artifact.type.instance_schema.empty())
      type["instanceSchema"] = artifact.type.instance_schema;
    if (!artifact.type.schema_version.empty()) type["schemaVersion"] = artifact.type.schema_version;
    entry["type"] = std::move(type);
    entry["uri"] = artifact.uri;
    entry["metadata"] = artifact.metadata.is_struct() ? artifact.metadata : Value::make_struct();
    if (!artifact.custom_path.empty()) entry["customPath"] = artifact.custom_path;
    list.push_back(std::move(entry));
  }
  return Value::make_struct({{"artifacts", Value(std::move(list))}});
}

}  // namespace cresset::dag
