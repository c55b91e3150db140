#include <fmt/format.h>

#include <algorithm>

#include "cresset/dag/check_parts.h"
#include "cresset/dag/inputs.h"
#include "cresset/text/cel.h"
#include "cresset/text/json.h"

namespace cresset::dag {

namespace {

using model::ParameterType;

constexpr std::int64_t kRetriesMax = 1'000'000;
constexpr double kBackoffFactorMax = 1'000'000;
constexpr std::size_t kShownBytes = 60;

std::string shown(const Value& value) {
  std::string out = text::to_json(value);
  if (out.size() <= kShownBytes) return out;
  std::size_t end = kShownBytes;
  while (end > 0 && (static_cast<unsigned char>(out[end]) & 0xC0) == 0x80) --end;
  return out.substr(0, end) + "…";
}

// The list that a loop runs over may also come as the JSON text of one.
bool is_list_or_its_text(const Value& value) {
  if (value.is_list() || value.is_null()) return true;
  if (!value.is_string()) return false;
  const auto parsed = text::parse_json(value.as_string());
  return parsed && parsed->is_list();
}

class TaskChecker {
 public:
  TaskChecker(Checked& checked, const Enclosing& enclosing, const std::string& name,
              const model::TaskSpec& task, const model::Component& component, const Where& where)
      : checked_(checked),
        enclosing_(enclosing),
        name_(name),
        task_(task),
        component_(component),
        where_(where),
        inputs_(where.at("inputs")) {}

  void check() {
    const Where parameters = inputs_.at("parameters");
    for (const auto& [input, source] : task_.parameters)
      check_parameter(input, source, parameters.at(input));
    const Where artifacts = inputs_.at("artifacts");
    for (const auto& [input, source] : task_.artifacts)
      check_artifact(input, source, artifacts.at(input));
    check_required();
    check_dependents();
    check_condition();
    check_retry();
    check_limit();
    if (const auto* iterator = task_.over_parameters())
      check_loop(*iterator, where_.at("parameterIterator"));
    if (const auto* iterator = task_.over_artifacts())
      check_loop(*iterator, where_.at("artifactIterator"));
  }

 private:
  // ---- Inputs ----

  [[nodiscard]] const model::InputParameter* declared(const std::string& input) const {
    const auto found = component_.input_parameters.find(input);
    return found == component_.input_parameters.end() ? nullptr : &found->second;
  }

  void add(const Where& where, std::string message, std::string help) {
    checked_.problems.add(where, std::move(message), std::move(help));
  }

  void check_parameter(const std::string& input, const model::ParameterSource& source,
                       const Where& where) {
    const model::InputParameter* target = declared(input);
    if (target == nullptr && component_.input_artifacts.contains(input)) {
      add(where, fmt::format("input \"{}\" of {} is an artifact", input, task_.component),
          "pass it under inputs.artifacts");
    }
    check_selector(checked_, source.selector, where.at("parameterExpressionSelector"));
    if (const auto* constant = std::get_if<model::Constant>(&source.from))
      return check_constant(input, *constant, source.selector, where);
    const std::optional<ParameterType> type = check_source(source, where);
    if (!type || target == nullptr || !source.selector.empty() || is_loop_items(input)) return;
    if (is_compatible(*type, target->type)) return;
    add(origin_place(source, where),
        fmt::format("input \"{}\" of {} takes a {}, and {} is a {}", input, task_.component,
                    to_string(target->type), origin(source), to_string(*type)),
        "take another value, or convert it in a step between");
  }

  static Where origin_place(const model::ParameterSource& source, const Where& where) {
    if (std::holds_alternative<model::FromParent>(source.from))
      return where.at("componentInputParameter");
    if (std::holds_alternative<model::FromTask>(source.from))
      return where.at("taskOutputParameter").at("outputParameterKey");
    return where.at("taskFinalStatus");
  }

  static std::string origin(const model::ParameterSource& source) {
    if (const auto* parent = std::get_if<model::FromParent>(&source.from))
      return fmt::format("\"{}\" of the dag around it", parent->input);
    if (const auto* from = std::get_if<model::FromTask>(&source.from))
      return fmt::format("\"{}\" of task \"{}\"", from->output, from->task);
    return "a final status";
  }

  // What a source that is no constant gives, as far as it is known.
  std::optional<ParameterType> check_source(const model::ParameterSource& source,
                                            const Where& where) {
    if (const auto* parent = std::get_if<model::FromParent>(&source.from))
      return check_parent_parameter(parent->input, where.at("componentInputParameter"));
    if (const auto* status = std::get_if<model::FinalStatusOf>(&source.from)) {
      const Where producer = where.at("taskFinalStatus").at("producerTask");
      check_neighbour(checked_, enclosing_.dag(), status->task, producer);
      return ParameterType::kTaskFinalStatus;
    }
    const auto seen =
        see_parameter(checked_, enclosing_.dag(), std::get<model::FromTask>(source.from),
                      {"producerTask", "outputParameterKey"}, where.at("taskOutputParameter"));
    return seen ? std::optional(seen->type) : std::nullopt;
  }

  std::optional<ParameterType> check_parent_parameter(const std::string& input,
                                                      const Where& where) {
    const model::Component& around = enclosing_.component;
    const auto found = around.input_parameters.find(input);
    if (found != around.input_parameters.end()) return found->second.type;
    if (enclosing_.passed.parameters.contains(input) || is_unused()) return std::nullopt;
    if (around.input_artifacts.contains(input)) {
      add(where,
          fmt::format("\"{}\" of {} is an artifact, not a parameter", input, enclosing_.title()),
          "list it under artifacts instead of parameters");
      return std::nullopt;
    }
    add(where,
        fmt::format("{} has no input parameter \"{}\"{}", enclosing_.title(), input,
                    suggestion(input, around.input_parameters, enclosing_.passed.parameters)),
        fmt::format("declare it under inputDefinitions.parameters of {}", enclosing_.title()));
    return std::nullopt;
  }

  // What a component that nothing uses may be passed is not known.
  [[nodiscard]] bool is_unused() const { return !enclosing_.passed.used; }

  void check_artifact(const std::string& input, const model::ArtifactSource& source,
                      const Where& where) {
    const auto target = component_.input_artifacts.find(input);
    const bool is_declared = target != component_.input_artifacts.end();
    if (!is_declared && component_.input_parameters.contains(input)) {
      add(where, fmt::format("input \"{}\" of {} is a parameter", input, task_.component),
          "pass it under inputs.parameters");
    }
    const bool is_list = check_artifact_source(source, where);
    // A dag hands on what it is given; only a step reads the first artifact and forgets the others.
    const bool is_step = !std::holds_alternative<model::Dag>(component_.body);
    if (!is_list || !is_declared || target->second.is_list || !is_step || is_loop_items(input))
      return;
    add(where,
        fmt::format("input \"{}\" of {} is one artifact, and it is given a list", input,
                    task_.component),
        "declare it with isArtifactList: true, or take one artifact");
  }

  // Whether it gives a list.
  bool check_artifact_source(const model::ArtifactSource& source, const Where& where) {
    if (const auto* parent = std::get_if<model::FromParent>(&source.from))
      return check_parent_artifact(parent->input, where.at("componentInputArtifact"));
    const auto seen =
        see_artifact(checked_, enclosing_.dag(), std::get<model::FromTask>(source.from),
                     {"producerTask", "outputArtifactKey"}, where.at("taskOutputArtifact"));
    return seen && seen->is_list;
  }

  bool check_parent_artifact(const std::string& input, const Where& where) {
    const model::Component& around = enclosing_.component;
    const auto found = around.input_artifacts.find(input);
    if (found != around.input_artifacts.end()) return found->second.is_list;
    if (enclosing_.passed.artifacts.contains(input) || is_unused()) return false;
    if (around.input_parameters.contains(input)) {
      add(where,
          fmt::format("\"{}\" of {} is a parameter, not an artifact", input, enclosing_.title()),
          "list it under parameters instead of artifacts");
      return false;
    }
    add(where,
        fmt::format("{} has no input artifact \"{}\"{}", enclosing_.title(), input,
                    suggestion(input, around.input_artifacts, enclosing_.passed.artifacts)),
        fmt::format("declare it under inputDefinitions.artifacts of {}", enclosing_.title()));
    return false;
  }

  // ---- Constants ----

  void check_constant(const std::string& input, const model::Constant& constant,
                      const std::string& selector, const Where& where) {
    const Where place = where.at("runtimeValue").at("constant");
    if (has_references(constant.value)) {
      check_texts(checked_, constant.value, passed_names(), place);
      check_order(input, constant.value, place);
      return;
    }
    const model::InputParameter* target = declared(input);
    if (target == nullptr || !selector.empty() || is_loop_items(input) || constant.value.is_null())
      return;
    const auto value = coerce(constant.value, target->type);
    if (!value) {
      return add(place,
                 fmt::format("input \"{}\" of {} takes a {}, not {}", input, task_.component,
                             to_string(target->type), shown(constant.value)),
                 "change the value");
    }
    if (target->literals.empty() ||
        std::ranges::find(target->literals, *value) != target->literals.end())
      return;
    add(place,
        fmt::format("input \"{}\" of {} cannot be {}", input, task_.component, shown(*value)),
        fmt::format("use one of {}", text::to_json(Value(target->literals))));
  }

  [[nodiscard]] Nameable passed_names() const {
    Nameable out;
    out.owner = fmt::format("task \"{}\"", name_);
    for (const auto& [input, source] : task_.parameters) out.parameters.insert(input);
    for (const auto& [input, source] : task_.artifacts) out.artifacts.insert(input);
    return out;
  }

  // Constants with placeholders are worked out in the order of their names, after all other inputs.
  void check_order(const std::string& input, const Value& value, const Where& where) {
    for (const auto& [other, source] : task_.parameters) {
      const auto* constant = std::get_if<model::Constant>(&source.from);
      if (constant == nullptr || other < input || !has_references(constant->value)) continue;
      if (!names_parameter(value, other)) continue;
      add(where,
          other == input
              ? fmt::format("input \"{}\" is made of itself", input)
              : fmt::format("input \"{}\" is made of \"{}\", which holds placeholders itself",
                            input, other),
          "use the placeholders of the other text directly");
    }
  }

  // ---- What must be there ----

  void check_required() {
    for (const auto& [input, target] : component_.input_parameters) {
      // The settings of the task itself, which no source can name.
      if (target.type == ParameterType::kTaskConfig) continue;
      if (target.default_value || target.optional || task_.parameters.contains(input) ||
          is_item(input))
        continue;
      report_missing(input, "parameter", undeclared_meant_for(input, task_.parameters));
    }
    for (const auto& [input, target] : component_.input_artifacts) {
      if (target.optional || task_.artifacts.contains(input) || is_item(input)) continue;
      report_missing(input, "artifact", undeclared_meant_for(input, task_.artifacts));
    }
  }

  void report_missing(const std::string& input, std::string_view kind, const std::string& meant) {
    add(where_,
        fmt::format("task \"{}\" does not pass the {} \"{}\", which {} needs{}", name_, kind, input,
                    task_.component, meant),
        fmt::format("pass it under inputs.{}s, or give it {}", kind,
                    kind == "parameter" ? "a default" : "isOptional: true"));
  }

  template <class Sources>
  std::string undeclared_meant_for(const std::string& input, const Sources& sources) const {
    Names undeclared;
    for (const auto& [name, source] : sources) {
      if (!component_.input_parameters.contains(name) && !component_.input_artifacts.contains(name))
        undeclared.insert(name);
    }
    return suggestion(input, undeclared);
  }

  void check_dependents() {
    const Where list = where_.at("dependentTasks");
    for (std::size_t i = 0; i < task_.dependent_tasks.size(); ++i)
      check_neighbour(checked_, enclosing_.dag(), task_.dependent_tasks[i], list.at(i));
  }

  // ---- Trigger, retry, limits ----

  void check_condition() {
    if (task_.condition.empty()) return;
    const Where where = where_.at("triggerPolicy").at("condition");
    const auto parsed = text::CelExpression::parse(task_.condition);
    if (!parsed) {
      return add(where, fmt::format("the condition cannot be read: {}", parsed.error().text()),
                 "write a CEL expression such as inputs.parameter_values['x'] == 'yes'");
    }
    parsed->visit_names([&](std::string_view name) {
      if (name == "inputs") return;
      add(where,
          fmt::format("the condition names \"{}\", which does not exist{}", name,
                      suggestion(name, Names{"inputs"})),
          "a condition sees inputs.parameter_values['name'] and inputs.artifacts['name']");
    });
    parsed->visit_parameter_names([&](std::string_view name) {
      if (is_item(name)) {
        return add(where,
                   fmt::format(
                       "the condition names \"{}\", the item of the loop that it decides on", name),
                   "put the condition on a task inside the loop");
      }
      if (task_.parameters.contains(name) || component_.input_parameters.contains(name)) return;
      add(where,
          fmt::format("the condition names \"{}\", which task \"{}\" is not passed{}", name, name_,
                      suggestion(name, task_.parameters)),
          "pass it under inputs.parameters");
    });
  }

  void check_retry() {
    if (!task_.retry) return;
    const Where where = where_.at("retryPolicy");
    const model::RetryPolicy& retry = *task_.retry;
    if (retry.max_retries < 0 || retry.max_retries > kRetriesMax) {
      add(where.at("maxRetryCount"), fmt::format("{} is no number of retries", retry.max_retries),
          fmt::format("write a number from 0 to {}", kRetriesMax));
    }
    if (!(retry.backoff_factor > 0 && retry.backoff_factor <= kBackoffFactorMax)) {
      add(where.at("backoffFactor"), fmt::format("{} is no back-off factor", retry.backoff_factor),
          fmt::format("write a number above 0, at most {}", kBackoffFactorMax));
    }
  }

  void check_limit() {
    if (task_.parallelism_limit >= 0) return;
    add(where_.at("iteratorPolicy").at("parallelismLimit"),
        fmt::format("{} is no parallelism limit", task_.parallelism_limit),
        "write a number from 1 on, or 0 for no limit");
  }

  // ---- Loops ----

  [[nodiscard]] bool is_item(std::string_view input) const {
    if (const auto* iterator = task_.over_parameters()) return iterator->item_input == input;
    if (const auto* iterator = task_.over_artifacts()) return iterator->item_input == input;
    return false;
  }

  // What the loop runs over is not what its component declares under that name, if that is a step.
  [[nodiscard]] bool is_loop_items(std::string_view input) const {
    if (const auto* iterator = task_.over_artifacts()) return iterator->items_input == input;
    const auto* iterator = task_.over_parameters();
    if (iterator == nullptr) return false;
    const auto* items = std::get_if<model::FromParent>(&iterator->items);
    return items != nullptr && items->input == input;
  }

  void check_loop(const model::ParameterIterator& iterator, const Where& where) {
    if (declared(iterator.item_input) == nullptr &&
        component_.input_artifacts.contains(iterator.item_input)) {
      add(where.at("itemInput"),
          fmt::format("\"{}\" of {} is an artifact, and the loop's items are parameters",
                      iterator.item_input, task_.component),
          "name an input parameter");
    }
    if (const auto* raw = std::get_if<std::string>(&iterator.items))
      return check_raw_items(iterator, *raw, where.at("items").at("raw"));
    check_items_input(std::get<model::FromParent>(iterator.items).input,
                      where.at("items").at("inputParameter"));
  }

  void check_raw_items(const model::ParameterIterator& iterator, const std::string& raw,
                       const Where& where) {
    auto parsed = text::parse_json(raw);
    if (!parsed) {
      return add(where, fmt::format("the loop's items are no JSON: {}", parsed.error().text()),
                 "write a list such as [1, 2, 3]");
    }
    Value items = *std::move(parsed);
    if (has_references(items)) {
      check_texts(checked_, items, loop_names(), where);
      if (items.is_string()) return;
    } else if (items.is_string()) {
      if (auto inner = text::parse_json(items.as_string())) items = *std::move(inner);
    }
    if (!items.is_list()) {
      return add(
          where,
          fmt::format("the loop's items are {}, not a list", with_article(items.kind_name())),
          "write a list such as [1, 2, 3]");
    }
    checked_.fixed_items[&task_] = items.as_list().size();
    check_item_types(iterator, items.as_list(), where);
  }

  void check_item_types(const model::ParameterIterator& iterator, const Value::List& items,
                        const Where& where) {
    const model::InputParameter* target = declared(iterator.item_input);
    if (target == nullptr) return;
    for (std::size_t i = 0; i < items.size(); ++i) {
      if (has_references(items[i]) || coerce(items[i], target->type)) continue;
      return add(where,
                 fmt::format("item {} of the loop is {}, and input \"{}\" of {} takes a {}", i,
                             shown(items[i]), iterator.item_input, task_.component,
                             to_string(target->type)),
                 "change the item, or the type of the input");
    }
  }

  // The list is worked out when the inputs of the loop are there, its component's defaults too.
  [[nodiscard]] Nameable loop_names() const {
    Nameable out = passed_names();
    for (const auto& [input, target] : component_.input_parameters) {
      if (!is_item(input)) out.parameters.insert(input);
    }
    return out;
  }

  void check_items_input(const std::string& input, const Where& where) {
    const auto source = task_.parameters.find(input);
    if (source != task_.parameters.end()) return check_items_source(input, source->second, where);
    const model::InputParameter* target = declared(input);
    if (target == nullptr || is_item(input)) {
      return add(where,
                 fmt::format("the loop runs over \"{}\", which task \"{}\" is not passed{}", input,
                             name_, suggestion(input, task_.parameters)),
                 "pass the list under inputs.parameters");
    }
    if (!target->default_value || is_list_or_its_text(*target->default_value)) return;
    report_no_list(input, fmt::format("whose default is {}", shown(*target->default_value)), where);
  }

  void check_items_source(const std::string& input, const model::ParameterSource& source,
                          const Where& where) {
    if (!source.selector.empty()) return;
    if (const auto* constant = std::get_if<model::Constant>(&source.from)) {
      if (has_references(constant->value) || is_list_or_its_text(constant->value)) return;
      return report_no_list(input, fmt::format("which is {}", shown(constant->value)), where);
    }
    // Reports of the source itself have been made with the inputs, and are not repeated.
    const Where parameter = inputs_.at("parameters").at(input);
    const std::optional<ParameterType> type = check_source(source, parameter);
    if (!type || is_compatible(*type, ParameterType::kList)) return;
    report_no_list(input, fmt::format("which is a {}", to_string(*type)), where);
  }

  void report_no_list(const std::string& input, const std::string& what, const Where& where) {
    add(where, fmt::format("the loop runs over \"{}\", {}, not a list", input, what),
        "loop over a LIST, or over a STRING that holds a JSON list");
  }

  void check_loop(const model::ArtifactIterator& iterator, const Where& where) {
    if (!component_.input_artifacts.contains(iterator.item_input) &&
        component_.input_parameters.contains(iterator.item_input)) {
      add(where.at("itemInput"),
          fmt::format("\"{}\" of {} is a parameter, and the loop's items are artifacts",
                      iterator.item_input, task_.component),
          "name an input artifact");
    }
    const Where items = where.at("items").at("inputArtifact");
    const auto source = task_.artifacts.find(iterator.items_input);
    if (source == task_.artifacts.end()) {
      return add(items,
                 fmt::format("the loop runs over \"{}\", which task \"{}\" is not passed{}",
                             iterator.items_input, name_,
                             suggestion(iterator.items_input, task_.artifacts)),
                 "pass the list of artifacts under inputs.artifacts");
    }
    // What comes from the dag around may be a list whatever that dag declares.
    if (std::holds_alternative<model::FromParent>(source->second.from)) return;
    const model::FromTask& from = std::get<model::FromTask>(source->second.from);
    const auto seen =
        see_artifact(checked_, enclosing_.dag(), from, {"producerTask", "outputArtifactKey"},
                     inputs_.at("artifacts").at(iterator.items_input).at("taskOutputArtifact"));
    if (!seen || seen->is_list) return;
    add(items,
        fmt::format("the loop runs over \"{}\", and \"{}\" of task \"{}\" is one artifact",
                    iterator.items_input, from.output, from.task),
        "loop over a list of artifacts");
  }

  Checked& checked_;
  const Enclosing& enclosing_;
  const std::string& name_;
  const model::TaskSpec& task_;
  const model::Component& component_;
  const Where& where_;
  Where inputs_;
};

}  // namespace

void check_task(Checked& checked, const Enclosing& enclosing, const std::string& name,
                const model::TaskSpec& task, const Where& where) {
  const model::Component* component = checked.component_of(task);
  if (component != nullptr)
    return TaskChecker(checked, enclosing, name, task, *component, where).check();
  checked.problems.add(where.at("componentRef").at("name"),
                       fmt::format("unknown component \"{}\"{}", task.component,
                                   suggestion(task.component, checked.pipeline.components)),
                       "components must hold it");
}

}  // namespace cresset::dag
