#include "cresset/app/rerun.h"

#include <initializer_list>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "cresset/codec/document.h"
#include "cresset/codec/kfp_ir.h"
#include "cresset/codec/parameters.h"
#include "cresset/text/json.h"
#include "cresset/text/suggest.h"

namespace cresset::app {

namespace {

std::string_view type_name(const Value& value) {
  if (value.is_bool()) return "BOOLEAN";
  if (value.is_number()) return "NUMBER_DOUBLE";
  if (value.is_list()) return "LIST";
  if (value.is_struct()) return "STRUCT";
  return "STRING";
}

Value artifact_type(const model::ArtifactType& type) {
  Value out = Value::make_struct();
  if (!type.schema_title.empty()) out["schemaTitle"] = type.schema_title;
  if (!type.schema_uri.empty()) out["schemaUri"] = type.schema_uri;
  if (!type.instance_schema.empty()) out["instanceSchema"] = type.instance_schema;
  if (!type.schema_version.empty()) out["schemaVersion"] = type.schema_version;
  return out;
}

// What the component says of an input. A loop of one step declares the list that it runs over with
// the type of one item: alone the step is no loop, and says nothing that holds of the list.
const model::InputParameter* find_declaration(const dag::LeafTask& task, std::string_view name,
                                              const Value& value) {
  const auto declared = task.component->input_parameters.find(name);
  if (declared == task.component->input_parameters.end()) return nullptr;
  if (!value.is_null() && !model::fits(value, declared->second.type)) return nullptr;
  return &declared->second;
}

// What the task gives, the pipeline gives.
void add_outputs(const dag::LeafTask& task, Value& root) {
  for (const auto& [name, parameter] : task.component->output_parameters) {
    root["outputDefinitions"]["parameters"][name]["parameterType"] = to_string(parameter.type);
    root["dag"]["outputs"]["parameters"][name]["valueFromParameter"] =
        Value::make_struct({{"producerSubtask", task.name}, {"outputParameterKey", name}});
  }
  for (const auto& [name, artifact] : task.component->output_artifacts) {
    if (artifact.is_list) continue;
    root["outputDefinitions"]["artifacts"][name]["artifactType"] = artifact_type(artifact.type);
    root["dag"]["outputs"]["artifacts"][name]["artifactSelectors"] = Value::List{
        Value::make_struct({{"producerSubtask", task.name}, {"outputArtifactKey", name}})};
  }
}

// The root that holds the one task: every input and output of the task is one of the pipeline, of
// the same name.
Value single_task_root(const dag::LeafTask& task, const model::Bindings& inputs) {
  Value parameters = Value::make_struct();
  Value parameter_sources = Value::make_struct();
  for (const auto& [name, value] : inputs.parameters) {
    const model::InputParameter* declared = find_declaration(task, name, value);
    Value input = Value::make_struct({{"isOptional", true}});
    input["parameterType"] = declared == nullptr ? type_name(value) : to_string(declared->type);
    parameters[name] = std::move(input);
    parameter_sources[name] = Value::make_struct({{"componentInputParameter", name}});
  }
  Value artifacts = Value::make_struct();
  Value artifact_sources = Value::make_struct();
  for (const auto& [name, list] : inputs.artifacts) {
    Value input = Value::make_struct({{"isOptional", true}});
    auto declared = task.component->input_artifacts.find(name);
    const bool is_known = declared != task.component->input_artifacts.end();
    if (is_known || !list.empty())
      input["artifactType"] = artifact_type(is_known ? declared->second.type : list.front().type);
    if (is_known && declared->second.is_list) input["isArtifactList"] = true;
    artifacts[name] = std::move(input);
    artifact_sources[name] = Value::make_struct({{"componentInputArtifact", name}});
  }
  Value step = Value::make_struct();
  step["taskInfo"]["name"] = task.display_name;
  step["componentRef"]["name"] = task.component_name;
  step["inputs"]["parameters"] = std::move(parameter_sources);
  step["inputs"]["artifacts"] = std::move(artifact_sources);
  Value root = Value::make_struct();
  root["inputDefinitions"]["parameters"] = std::move(parameters);
  root["inputDefinitions"]["artifacts"] = std::move(artifacts);
  root["dag"]["tasks"][task.name] = std::move(step);
  add_outputs(task, root);
  return root;
}

// Where `source`, a setting's source of a name, led to from where the task stood; nothing when it
// leads there from where it is alone, too.
Result<std::optional<Value>> name_given(const Value& source, const dag::LeafTask& task) {
  if (const Value* input = source.find("componentInputParameter")) {
    const auto it = task.dag_inputs.find(input->as_string());
    return it == task.dag_inputs.end() ? std::nullopt : std::optional(it->second);
  }
  const Value* output = source.find("taskOutputParameter");
  if (output == nullptr) return std::optional<Value>();
  const std::string& producer = output->find("producerTask")->as_string();
  const auto outputs = task.neighbour_outputs.find(producer);
  if (outputs != task.neighbour_outputs.end()) {
    const auto it = outputs->second.find(output->find("outputParameterKey")->as_string());
    if (it != outputs->second.end()) return std::optional(it->second);
  }
  return make_error(
      Code::kFailedPrecondition,
      "\"{}\" takes the name of a volume, secret or ConfigMap from \"{}\", which gave "
      "none in that run",
      task.path, producer);
}

// Names in the settings of an executor, as texts in the place of what they came from. The spec was
// read before: a source has the form that it must have.
Result<void> settle_names(Value& settings, const dag::LeafTask& task) {
  if (settings.is_list()) {
    for (Value& item : settings.as_list()) CR_TRY_VOID(settle_names(item, task));
  }
  if (!settings.is_struct()) return {};
  CR_TRY(std::optional<Value> name, name_given(settings, task));
  if (name) {
    settings.as_struct().erase("componentInputParameter");
    settings.as_struct().erase("taskOutputParameter");
    // Mounts of volumes may hold the source among their own fields.
    if (settings.find("mountPath") != nullptr) {
      settings["constant"] = *std::move(name);
    } else {
      settings["runtimeValue"]["constant"] = *std::move(name);
    }
    return {};
  }
  std::vector<std::string> fields;
  for (const auto& [field, value] : settings.as_struct()) fields.push_back(field);
  for (const std::string& field : fields) CR_TRY_VOID(settle_names(settings[field], task));
  return {};
}

Value* find_below(Value& value, std::initializer_list<std::string_view> path) {
  Value* at = &value;
  for (const std::string_view field : path) {
    at = at->is_struct() ? at->as_struct().find(field) : nullptr;
    if (at == nullptr) return nullptr;
  }
  return at;
}

// Of the executor of the task.
Value* find_settings(Value& pipeline, Value& platform, const dag::LeafTask& task) {
  const Value* label = find_below(pipeline, {"components", task.component_name, "executorLabel"});
  if (label == nullptr || !label->is_string()) return nullptr;
  return find_below(platform,
                    {"platforms", "kubernetes", "deploymentSpec", "executors", label->as_string()});
}

void declare_loop_items(Value& pipeline, const dag::LeafTask& task) {
  Value* inputs =
      find_below(pipeline, {"components", task.component_name, "inputDefinitions", "parameters"});
  if (inputs == nullptr || !inputs->is_struct()) return;
  for (const auto& [name, value] : task.inputs.parameters) {
    if (inputs->find(name) != nullptr && find_declaration(task, name, value) == nullptr)
      (*inputs)[name] = Value::make_struct({{"parameterType", type_name(value)}});
  }
}

// An input that the component does not declare keeps the kind of value that it had.
Result<Value> read_change(const dag::LeafTask& leaf, const std::string& name,
                          const std::string& given) {
  const Value& had = leaf.inputs.parameters.find(name)->second;
  const model::InputParameter* declared = find_declaration(leaf, name, had);
  if (declared == nullptr) {
    if (had.is_string()) return Value(given);
    return text::parse_json(given);
  }
  CR_TRY(Value value, codec::parse_parameter_text(name, declared->type, given));
  CR_TRY_VOID(codec::check_parameter(*declared, name, value));
  return value;
}

// The spec is one or two documents, or one that holds both (kfp.md §1.1).
Result<std::pair<Value, Value>> split_spec(const std::string& spec) {
  CR_TRY(std::vector<Value> documents, codec::read_documents(spec));
  if (documents.empty())
    return make_error(Code::kDataLoss, "the stored pipeline of the run is empty");
  Value platform = documents.size() > 1 ? documents[1] : Value();
  for (std::string_view key : {"pipeline_spec", "pipelineSpec"}) {
    if (const Value* inner = documents[0].find(key)) {
      const Value* inner_platform = documents[0].find("platform_spec");
      return std::pair{*inner, inner_platform == nullptr ? std::move(platform) : *inner_platform};
    }
  }
  return std::pair{std::move(documents[0]), std::move(platform)};
}

}  // namespace

Result<void> isolate_task(const dag::Plan& plan, dag::TaskOrdinal task, const std::string& spec,
                          const model::ByName<std::string>& changes, RunRequest& request) {
  const dag::TaskBrief brief = plan.brief(task);
  if (brief.kind != model::TaskKind::kContainer && brief.kind != model::TaskKind::kImporter) {
    return make_error(Code::kFailedPrecondition, "\"{}\" is a {}: name one of the steps inside it",
                      brief.path, to_string(brief.kind));
  }
  if (!brief.started_at) {
    return make_error(Code::kFailedPrecondition,
                      "\"{}\" never started in that run, so it has no inputs to run again with",
                      brief.path);
  }
  dag::LeafTask leaf = plan.leaf(task);
  std::vector<std::string> names;
  for (const auto& [name, value] : leaf.inputs.parameters) names.push_back(name);
  for (const auto& [name, change] : changes) {
    auto it = leaf.inputs.parameters.find(name);
    if (it == leaf.inputs.parameters.end()) {
      return make_error(Code::kInvalidArgument, "\"{}\" has no parameter \"{}\"{}", brief.path,
                        name, text::did_you_mean_suffix(name, names));
    }
    CR_TRY(it->second, read_change(leaf, name, change));
  }
  CR_TRY(auto documents, split_spec(spec));
  auto& [pipeline, platform] = documents;
  if (Value* settings = find_settings(pipeline, platform, leaf))
    CR_TRY_VOID(settle_names(*settings, leaf));
  declare_loop_items(pipeline, leaf);
  pipeline["root"] = single_task_root(leaf, leaf.inputs);
  Value whole = Value::make_struct({{"pipeline_spec", std::move(pipeline)}});
  if (!platform.is_null()) whole["platform_spec"] = std::move(platform);
  request.spec = text::to_json(whole);
  auto read = codec::read_pipeline(request.spec, request.file_name);
  if (!read.pipeline) {
    return make_error(
        Code::kInternal, "the pipeline of one task that was made of \"{}\" is not valid: {}",
        brief.path,
        read.diagnostics.empty() ? "no reason given" : read.diagnostics.front().message);
  }
  request.pipeline = *std::move(read.pipeline);
  request.inputs = std::move(leaf.inputs);
  return {};
}

}  // namespace cresset::app
