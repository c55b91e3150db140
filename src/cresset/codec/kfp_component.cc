#include <fmt/format.h>

#include <array>

#include "cresset/codec/kfp_parts.h"
#include "cresset/codec/source_text.h"
#include "cresset/text/suggest.h"

namespace cresset::codec {

namespace {

using model::ParameterType;

// In the order of their numbers in protobuf, from 1.
constexpr std::array kParameterTypes{
    ParameterType::kNumberDouble,    ParameterType::kNumberInteger, ParameterType::kString,
    ParameterType::kBoolean,         ParameterType::kList,          ParameterType::kStruct,
    ParameterType::kTaskFinalStatus, ParameterType::kTaskConfig};

std::optional<ParameterType> parse_type(const Value& value) {
  if (value.is_string()) return model::parse_parameter_type(value.as_string());
  if (!value.is_integer()) return std::nullopt;
  const std::int64_t number = value.as_integer();
  if (number < 1 || number > static_cast<std::int64_t>(kParameterTypes.size())) return std::nullopt;
  return kParameterTypes[static_cast<std::size_t>(number - 1)];
}

std::optional<ParameterType> parse_older_type(const Value& value) {
  if (value == Value("INT") || value == Value(1)) return ParameterType::kNumberInteger;
  if (value == Value("DOUBLE") || value == Value(2)) return ParameterType::kNumberDouble;
  if (value == Value("STRING") || value == Value(3)) return ParameterType::kString;
  return std::nullopt;
}

ParameterType read_parameter_type(const Message& message) {
  const auto given = message.field("parameterType");
  const auto older = message.field("type");
  std::vector<std::string> names;
  if (older && !given) {
    names = {"INT", "DOUBLE", "STRING"};
  } else {
    for (const ParameterType type : kParameterTypes) names.emplace_back(to_string(type));
  }
  if (!given && !older) {
    if (message.node().value().is_struct()) {
      message.node().error("parameterType is missing",
                           fmt::format("the types are {}", fmt::join(names, ", ")));
    }
    return ParameterType::kString;
  }
  const Node node = given ? *given : *older;
  const auto type = given ? parse_type(node.value()) : parse_older_type(node.value());
  if (type) return *type;
  const std::string word = node.value().is_string() ? clipped(node.value().as_string())
                                                    : std::string(node.value().kind_name());
  node.error(
      fmt::format("unknown parameter type {}{}", word, text::did_you_mean_suffix(word, names)),
      fmt::format("the types are {}", fmt::join(names, ", ")));
  return ParameterType::kString;
}

model::InputParameter read_input_parameter(const Node& node) {
  const Message message(node, "InputParameter");
  model::InputParameter out;
  out.type = read_parameter_type(message);
  if (const auto value = message.any("defaultValue")) out.default_value = value->value();
  out.optional = message.flag("isOptional");
  message.for_each_item("literals",
                        [&out](const Node& item) { out.literals.push_back(item.value()); });
  out.description = message.text("description");
  return out;
}

model::ArtifactType read_type_of(const Message& message) {
  const auto type = message.field("artifactType");
  return type ? read_artifact_type(*type) : model::ArtifactType{};
}

void read_inputs(const Node& node, model::Component& out) {
  const Message message(node, "InputDefinitions");
  message.for_each_name("parameters", [&out](const std::string& name, const Node& entry) {
    out.input_parameters[name] = read_input_parameter(entry);
  });
  message.for_each_name("artifacts", [&out](const std::string& name, const Node& entry) {
    const Message artifact(entry, "InputArtifact");
    out.input_artifacts[name] = {read_type_of(artifact), artifact.flag("isArtifactList"),
                                 artifact.flag("isOptional"), artifact.text("description")};
  });
}

void read_outputs(const Node& node, model::Component& out) {
  const Message message(node, "OutputDefinitions");
  message.for_each_name("parameters", [&out](const std::string& name, const Node& entry) {
    const Message parameter(entry, "OutputParameter");
    out.output_parameters[name] = {read_parameter_type(parameter), parameter.text("description")};
  });
  message.for_each_name("artifacts", [&out](const std::string& name, const Node& entry) {
    const Message artifact(entry, "OutputArtifact");
    out.output_artifacts[name] = {read_type_of(artifact), artifact.flag("isArtifactList"),
                                  read_metadata(artifact), artifact.text("description")};
  });
}

void require_items(const Message& message, std::string_view field) {
  if (!message.only_one({field})) return;
  const Node list = *message.field(field);
  if (list.value().is_list() && list.value().as_list().empty())
    list.error(fmt::format("{} is empty", field), "name the task and the output to take");
}

std::optional<model::FromTask> read_parameter_selector(const Node& node) {
  const Message message(node, "ParameterSelector");
  model::FromTask out{message.required_text("producerSubtask"),
                      message.required_text("outputParameterKey")};
  if (out.task.empty() || out.output.empty()) return std::nullopt;
  return out;
}

model::DagOutputParameter read_output_parameter(const Node& node) {
  const Message message(node, "DagOutputParameter");
  model::DagOutputParameter out;
  const auto kind = message.only_one({"valueFromParameter", "valueFromOneof"});
  if (kind == "valueFromParameter") {
    if (auto from = read_parameter_selector(*message.field(*kind)))
      out.selectors.push_back(*std::move(from));
  }
  if (kind == "valueFromOneof") {
    out.one_of = true;
    const Message selectors(*message.field(*kind), "ParameterSelectors");
    require_items(selectors, "parameterSelectors");
    selectors.for_each_item("parameterSelectors", [&out](const Node& item) {
      if (auto from = read_parameter_selector(item)) out.selectors.push_back(*std::move(from));
    });
  }
  return out;
}

model::DagOutputArtifact read_output_artifact(const Node& node) {
  const Message message(node, "DagOutputArtifact");
  model::DagOutputArtifact out;
  require_items(message, "artifactSelectors");
  message.for_each_item("artifactSelectors", [&out](const Node& item) {
    const Message selector(item, "ArtifactSelector");
    model::FromTask from{selector.required_text("producerSubtask"),
                         selector.required_text("outputArtifactKey")};
    if (!from.task.empty() && !from.output.empty()) out.selectors.push_back(std::move(from));
  });
  return out;
}

model::Dag read_dag(const Node& node) {
  const Message message(node, "DagSpec");
  model::Dag out;
  message.consume_each_name("tasks", [&out](const std::string& name, const Node& task) {
    out.tasks.insert_or_assign(out.tasks.end(), name, read_task(name, task));
  });
  const auto outputs = message.field("outputs");
  if (!outputs) return out;
  const Message groups(*outputs, "DagOutputs");
  groups.for_each_name("parameters", [&out](const std::string& name, const Node& entry) {
    out.output_parameters[name] = read_output_parameter(entry);
  });
  groups.for_each_name("artifacts", [&out](const std::string& name, const Node& entry) {
    out.output_artifacts[name] = read_output_artifact(entry);
  });
  return out;
}

void check_passthrough_field(const Message& message) {
  constexpr std::array<std::string_view, 7> kFields{
      "NONE",
      "RESOURCES",
      "ENV",
      "KUBERNETES_AFFINITY",
      "KUBERNETES_TOLERATIONS",
      "KUBERNETES_NODE_SELECTOR",
      "KUBERNETES_VOLUMES",
  };
  const auto field = message.field("field");
  if (!field) return;
  for (std::size_t i = 0; i < kFields.size(); ++i) {
    if (field->value() == Value(kFields[i]) || field->value() == Value(static_cast<int>(i))) return;
  }
  field->error("unknown setting of a task",
               fmt::format("the settings are {}", fmt::join(kFields, ", ")));
}

void read_passthroughs(const Message& message) {
  message.for_each_item("taskConfigPassthroughs", [](const Node& item) {
    const Message passthrough(item, "TaskConfigPassthrough");
    static_cast<void>(passthrough.flag("applyToTask"));
    check_passthrough_field(passthrough);
  });
  message.for_each_item("singlePlatformSpecs",
                        [](const Node& item) { static_cast<void>(item.expect_struct()); });
}

// A label without an executor leaves an empty container: the fault has been reported.
void read_executor_body(const Node& label, const Executors& executors, std::string& name,
                        model::Component& out) {
  name = label.text().value_or("");
  const auto found = executors.find(name);
  if (found == executors.end()) {
    std::vector<std::string> names;
    for (const auto& [known, executor] : executors) names.push_back(known);
    const std::string shown = clipped(name);
    label.error(
        fmt::format("unknown executor \"{}\"{}", shown, text::did_you_mean_suffix(shown, names)),
        "deploymentSpec.executors must hold it");
    out.body = model::Container{};
    return;
  }
  if (const auto* importer = std::get_if<model::Importer>(&found->second)) {
    out.body = *importer;
  } else if (const auto* container = std::get_if<model::Container>(&found->second)) {
    out.body = *container;
  } else {
    out.body = model::Container{};
  }
}

}  // namespace

model::Component read_component(const Node& node, const Executors& executors,
                                std::string& executor_label) {
  node.count_part();
  const Message message(node, "ComponentSpec");
  model::Component out;
  if (const auto inputs = message.field("inputDefinitions")) read_inputs(*inputs, out);
  if (const auto outputs = message.field("outputDefinitions")) read_outputs(*outputs, out);
  read_passthroughs(message);
  const auto body = message.only_one({"dag", "executorLabel"});
  if (body == "dag") out.body = read_dag(*message.field(*body));
  if (body == "executorLabel")
    read_executor_body(*message.field(*body), executors, executor_label, out);
  return out;
}

}  // namespace cresset::codec
