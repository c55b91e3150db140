#include "cresset/dag/launch.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "cresset/base/digest.h"
#include "cresset/dag/inputs.h"
#include "cresset/dag/resolve.h"
#include "cresset/text/json.h"
#include "cresset/text/placeholder.h"
#include "cresset/text/quantity.h"

namespace cresset::dag {

namespace {

constexpr std::string_view kFileScheme = "file://";

std::string folder_of(const std::string& path) { return path.substr(0, path.rfind('/')); }

// Answers the placeholders of one container (kfp.md §2.6).
class LaunchLookup {
 public:
  LaunchLookup(const LeafTask& task, const RunContext& context, const ExpectedOutputs* expected)
      : task_(task), context_(context), expected_(expected) {}

  Result<Value> operator()(const text::Reference& reference) const {
    using Kind = text::Reference::Kind;
    switch (reference.kind) {
      case Kind::kJob:
        return job_reference(reference, context_, task_.display_name, task_.ordinal);
      case Kind::kInputParameter:
        return input_parameter(reference);
      case Kind::kInputArtifact: {
        CR_TRY(const std::vector<model::Artifact>* list, input_artifacts(reference));
        return *artifacts_value(*list).find("artifacts");
      }
      case Kind::kInputArtifactField: {
        CR_TRY(const std::vector<model::Artifact>* list, input_artifacts(reference));
        if (list->empty())
          return make_error(Code::kFailedPrecondition, "{}: the list of artifacts is empty",
                            reference.text);
        return field(list->front(), reference);
      }
      default:
        break;
    }
    if (expected_ == nullptr)
      return make_error(Code::kFailedPrecondition, "{} has no meaning here", reference.text);
    if (reference.kind == Kind::kExecutorInput) return executor_input();
    if (reference.kind == Kind::kOutputFile) return Value(expected_->metadata_path);
    return output(reference);
  }

  [[nodiscard]] bool is_present(std::string_view name) const {
    auto parameter = task_.inputs.parameters.find(name);
    if (parameter != task_.inputs.parameters.end()) return !parameter->second.is_null();
    auto artifacts = task_.inputs.artifacts.find(name);
    return artifacts != task_.inputs.artifacts.end() && !artifacts->second.empty();
  }

  // kfp.md §2.5
  [[nodiscard]] Value executor_input() const {
    Value out = Value::make_struct();
    Value::Struct parameters;
    for (const auto& [name, value] : task_.inputs.parameters) parameters.append(name, value);
    Value::Struct artifacts;
    for (const auto& [name, list] : task_.inputs.artifacts)
      artifacts.append(name, artifacts_value(list));
    out["inputs"]["parameterValues"] = Value(std::move(parameters));
    out["inputs"]["artifacts"] = Value(std::move(artifacts));
    Value::Struct files;
    for (const ExpectedParameter& parameter : expected_->parameters) {
      files.append(parameter.name, Value::make_struct({{"outputFile", parameter.path}}));
    }
    Value::Struct places;
    for (const ExpectedArtifact& artifact : expected_->artifacts) {
      places.append(artifact.artifact.name, artifacts_value({artifact.artifact}));
    }
    out["outputs"]["parameters"] = Value(std::move(files));
    out["outputs"]["artifacts"] = Value(std::move(places));
    out["outputs"]["outputFile"] = expected_->metadata_path;
    return out;
  }

 private:
  Result<Value> input_parameter(const text::Reference& reference) const {
    auto it = task_.inputs.parameters.find(reference.name);
    if (it != task_.inputs.parameters.end()) return it->second;
    return make_error(Code::kFailedPrecondition, "{} names an input that has no value",
                      reference.text);
  }

  Result<const std::vector<model::Artifact>*> input_artifacts(
      const text::Reference& reference) const {
    auto it = task_.inputs.artifacts.find(reference.name);
    if (it != task_.inputs.artifacts.end()) return &it->second;
    return make_error(Code::kFailedPrecondition, "{} names an input that has no artifact",
                      reference.text);
  }

  Result<Value> output(const text::Reference& reference) const {
    for (const ExpectedParameter& parameter : expected_->parameters) {
      if (reference.kind == text::Reference::Kind::kOutputParameterFile &&
          parameter.name == reference.name) {
        return Value(parameter.path);
      }
    }
    for (const ExpectedArtifact& artifact : expected_->artifacts) {
      if (artifact.artifact.name != reference.name) continue;
      if (reference.kind == text::Reference::Kind::kOutputArtifact)
        return *artifacts_value({artifact.artifact}).find("artifacts");
      if (reference.kind == text::Reference::Kind::kOutputArtifactField)
        return field(artifact.artifact, reference);
    }
    return make_error(Code::kFailedPrecondition,
                      "{} names an output that the component does not declare", reference.text);
  }

  static Result<Value> field(const model::Artifact& artifact, const text::Reference& reference) {
    if (reference.field == "path") return Value(local_path(artifact));
    if (reference.field == "uri") return Value(artifact.uri);
    if (reference.field == "name") return Value(artifact.name);
    if (reference.key.empty()) return artifact.metadata;
    const Value* entry = artifact.metadata.find(reference.key);
    if (entry != nullptr) return *entry;
    return make_error(Code::kFailedPrecondition, "{}: the artifact has no metadata \"{}\"",
                      reference.text, reference.key);
  }

  const LeafTask& task_;
  const RunContext& context_;
  const ExpectedOutputs* expected_;
};

ExpectedOutputs expect_outputs(const LeafTask& task, const LaunchPlaces& places) {
  ExpectedOutputs out;
  out.metadata_path = places.attempt_dir + "/output_metadata.json";
  for (const auto& [name, parameter] : task.component->output_parameters) {
    out.parameters.push_back({name, parameter.type, places.attempt_dir + "/outputs/" + name});
  }
  for (const auto& [name, declared] : task.component->output_artifacts) {
    model::Artifact artifact;
    artifact.name = name;
    artifact.type = declared.type;
    artifact.uri = std::string(kFileScheme) + places.artifact_dir + "/" + name;
    artifact.metadata = declared.metadata.is_struct() ? declared.metadata : Value::make_struct();
    out.artifacts.push_back({std::move(artifact), declared.is_list});
  }
  return out;
}

Result<std::int64_t> gpu_count(const std::string& text) {
  if (text.empty()) return 1;
  std::int64_t count = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (error != std::errc{} || end != text.data() + text.size() || count < 0) {
    return make_error(Code::kInvalidArgument, "accelerator count \"{}\" is no whole number", text);
  }
  return count;
}

// The request decides; a limit alone is the request too, as in Kubernetes.
Result<LaunchResources> launch_resources(const model::Resources& declared,
                                         const ReferenceLookup& lookup) {
  LaunchResources out;
  auto first_of = [&lookup](const std::string& request, const std::string& limit) {
    return resolve_to_string(request.empty() ? limit : request, lookup);
  };
  CR_TRY(const std::string cpu, first_of(declared.cpu_request, declared.cpu_limit));
  CR_TRY(const std::string memory, first_of(declared.memory_request, declared.memory_limit));
  if (!cpu.empty()) {
    CR_TRY(out.cpu_millis, text::parse_cpu_millis(cpu));
  }
  if (!memory.empty()) {
    CR_TRY(out.memory_bytes, text::parse_bytes(memory));
  }
  if (!declared.accelerator_type.empty() || !declared.accelerator_count.empty()) {
    CR_TRY(const std::string count, resolve_to_string(declared.accelerator_count, lookup));
    CR_TRY(out.gpus, gpu_count(count));
  }
  return out;
}

// From where the inputs of the task come from; what is passed to the task itself counts too.
Result<Value> name_value(const model::NameSource& source, const LeafTask& task,
                         const RunContext& context) {
  if (const auto* constant = std::get_if<model::Constant>(&source.from)) {
    const LaunchLookup answers(task, context, nullptr);
    return resolve_constant(constant->value, [&answers](const text::Reference& reference) {
      return answers(reference);
    });
  }
  if (const auto* parent = std::get_if<model::FromParent>(&source.from)) {
    const auto around = task.dag_inputs.find(parent->input);
    if (around != task.dag_inputs.end()) return around->second;
    const auto own = task.inputs.parameters.find(parent->input);
    return own == task.inputs.parameters.end() ? Value() : own->second;
  }
  const auto* from = std::get_if<model::FromTask>(&source.from);
  if (from == nullptr) return make_error(Code::kFailedPrecondition, "a final status is no name");
  if (const auto outputs = task.neighbour_outputs.find(from->task);
      outputs != task.neighbour_outputs.end()) {
    const auto value = outputs->second.find(from->output);
    if (value != outputs->second.end()) return value->second;
  }
  return make_error(Code::kFailedPrecondition, "task \"{}\" gave no output \"{}\"", from->task,
                    from->output);
}

void add_lightweight(const Lightweight& lightweight, std::string source, const LaunchPlaces& places,
                     const Value& executor_input, Launch& out) {
  const std::string input_path = places.attempt_dir + "/executor_input.json";
  // Steps of one component share the file; its name tells its content, so writing it again changes
  // nothing.
  const std::string source_path =
      fmt::format("{}/{}.py", places.source_dir, sha256_hex(source).substr(0, 16));
  out.argv = {places.python,
              places.runtime_dir + "/cresset_step.py",
              "--executor_input_file",
              input_path,
              "--function_to_execute",
              lightweight.function,
              "--component_module_path",
              source_path};
  out.files.push_back({input_path, text::to_json(executor_input)});
  out.files.push_back({source_path, std::move(source)});
}

}  // namespace

std::string local_path(const model::Artifact& artifact) {
  if (!artifact.custom_path.empty()) return artifact.custom_path;
  constexpr std::pair<std::string_view, std::string_view> kSchemes[] = {
      {kFileScheme, ""}, {"gs://", "/gcs/"}, {"minio://", "/minio/"}, {"s3://", "/s3/"}};
  for (const auto& [scheme, prefix] : kSchemes) {
    if (artifact.uri.starts_with(scheme))
      return std::string(prefix) + artifact.uri.substr(scheme.size());
  }
  return artifact.uri;
}

Result<Launch> make_launch(const LeafTask& task, const std::optional<Lightweight>& lightweight,
                           const LaunchPlaces& places, const RunContext& context) {
  const auto& container = std::get<model::Container>(task.component->body);
  Launch out;
  out.expected = expect_outputs(task, places);
  const LaunchLookup answers(task, context, &out.expected);
  const ReferenceLookup lookup = [&answers](const text::Reference& reference) {
    return answers(reference);
  };

  CR_TRY(out.resources, launch_resources(container.resources, lookup));
  for (const model::EnvVar& variable : container.env)
    out.env.emplace_back(variable.name, variable.value);
  if (!out.expected.parameters.empty()) out.folders.push_back(places.attempt_dir + "/outputs");
  for (const ExpectedArtifact& artifact : out.expected.artifacts)
    out.folders.push_back(folder_of(local_path(artifact.artifact)));
  if (lightweight) {
    // What is no placeholder of KFP's is the program's own text: a template of another language.
    std::string source = lightweight->source;
    if (text::parse_template(source)) {
      CR_TRY(source, resolve_to_string(source, lookup));
    }
    add_lightweight(*lightweight, std::move(source), places, answers.executor_input(), out);
    return out;
  }
  const std::function<bool(std::string_view)> is_present = [&answers](std::string_view name) {
    return answers.is_present(name);
  };
  CR_TRY(out.argv, resolve_arguments(container.command, lookup, is_present));
  CR_TRY(std::vector<std::string> args, resolve_arguments(container.args, lookup, is_present));
  out.argv.insert(out.argv.end(), std::make_move_iterator(args.begin()),
                  std::make_move_iterator(args.end()));
  if (out.argv.empty()) {
    return make_error(Code::kFailedPrecondition,
                      "the container names no command, and its image is not run on this machine: "
                      "give the component a command");
  }
  // Without outputs the folder is of use to a step only where its command names what lies in it.
  const std::string in_json = text::to_json(Value(places.attempt_dir));  // in quotes
  const std::string_view escaped = std::string_view(in_json).substr(1, in_json.size() - 2);
  if (std::ranges::any_of(out.argv, [&](const std::string& word) {
        return word.find(places.attempt_dir) != std::string::npos ||
               word.find(escaped) != std::string::npos;
      }))
    out.folders.push_back(places.attempt_dir);
  return out;
}

std::vector<const model::NameSource*> name_sources(const model::KubernetesConfig& config) {
  std::vector<const model::NameSource*> out;
  const auto add = [&out](const auto& settings) {
    for (const auto& setting : settings) out.push_back(&setting.name);
  };
  add(config.secret_as_env);
  add(config.config_map_as_env);
  add(config.secret_as_volume);
  add(config.config_map_as_volume);
  add(config.pvc_mounts);
  return out;
}

Result<std::optional<std::string>> resolve_name(const model::NameSource& source,
                                                const LeafTask& task, const RunContext& context) {
  CR_TRY(Value value, name_value(source, task, context));
  if (!source.selector.empty() && !value.is_null()) {
    CR_TRY(value, select(source.selector, value));
  }
  if (value.is_null()) return std::optional<std::string>{};
  if (!value.is_string() || value.as_string().empty()) {
    return make_error(Code::kInvalidArgument, "expected a name, got {}", text::to_json(value));
  }
  return std::optional<std::string>{value.as_string()};
}

Result<ImportRequest> make_import(const LeafTask& task, const RunContext& context) {
  const auto& importer = std::get<model::Importer>(task.component->body);
  const LaunchLookup answers(task, context, nullptr);
  const ReferenceLookup lookup = [&answers](const text::Reference& reference) {
    return answers(reference);
  };
  ImportRequest out;
  out.download_to_workspace = importer.download_to_workspace;
  out.artifact.name = "artifact";
  if (!task.component->output_artifacts.empty())
    out.artifact.name = task.component->output_artifacts.begin()->first;
  out.artifact.type = importer.type;
  if (const auto* constant = std::get_if<std::string>(&importer.uri)) {
    CR_TRY(out.artifact.uri, resolve_to_string(*constant, lookup));
  } else {
    const std::string& input = std::get<model::FromParent>(importer.uri).input;
    auto it = task.inputs.parameters.find(input);
    if (it == task.inputs.parameters.end() || !it->second.is_string()) {
      return make_error(Code::kFailedPrecondition, "the importer's input \"{}\" holds no URI",
                        input);
    }
    out.artifact.uri = it->second.as_string();
  }
  CR_TRY(out.artifact.metadata, resolve_constant(importer.metadata, lookup));
  if (!out.artifact.metadata.is_struct()) out.artifact.metadata = Value::make_struct();
  return out;
}

}  // namespace cresset::dag
