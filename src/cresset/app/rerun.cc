#include "cresset/app/rerun.h"

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

// The root that holds the one task: every input of the task is an input of the pipeline, of the
// same name.
Value single_task_root(const dag::LeafTask& task, const model::Bindings& inputs) {
  Value parameters = Value::make_struct();
  Value parameter_sources = Value::make_struct();
  for (const auto& [name, value] : inputs.parameters) {
    auto declared = task.component->input_parameters.find(name);
    Value input = Value::make_struct({{"isOptional", true}});
    input["parameterType"] = declared == task.component->input_parameters.end()
                                 ? type_name(value)
                                 : to_string(declared->second.type);
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
  return root;
}

// An input that the component does not declare keeps the kind of value that it had.
Result<Value> read_change(const dag::LeafTask& leaf, const std::string& name,
                          const std::string& given) {
  auto declared = leaf.component->input_parameters.find(name);
  if (declared == leaf.component->input_parameters.end()) {
    if (leaf.inputs.parameters.find(name)->second.is_string()) return Value(given);
    return text::parse_json(given);
  }
  CR_TRY(Value value, codec::parse_parameter_text(name, declared->second.type, given));
  CR_TRY_VOID(codec::check_parameter(declared->second, name, value));
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
