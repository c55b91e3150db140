#include "cresset/codec/run_json.h"

#include <fmt/format.h>

#include <optional>
#include <string_view>
#include <utility>

#include "cresset/base/time.h"

namespace cresset::codec {

namespace {

Value time_value(const std::optional<WallTime>& time) {
  return time ? Value(to_rfc3339(*time)) : Value();
}

Value failure_value(const std::optional<model::Failure>& failure) {
  if (!failure) return {};
  return Value::make_struct({{"message", failure->message}, {"log_tail", failure->log_tail}});
}

std::string_view title_of(const model::ArtifactType& type) {
  if (!type.schema_title.empty()) return type.schema_title;
  return type.schema_uri.empty() ? std::string_view(type.instance_schema)
                                 : std::string_view(type.schema_uri);
}

Value artifact_value(const model::Artifact& artifact) {
  return Value::make_struct(
      {{"name", artifact.name},
       {"type", title_of(artifact.type)},
       {"uri", artifact.uri},
       {"metadata", artifact.metadata.is_null() ? Value(Value::Struct{}) : artifact.metadata}});
}

// {"parameters": {…}, "artifacts": {name: [artifact, …]}}
template <class F>
Value bindings_value(const model::Bindings& bindings, F&& artifact_to_value) {
  Value::Struct parameters;
  for (const auto& [name, value] : bindings.parameters) parameters.append(name, value);
  Value::Struct artifacts;
  for (const auto& [name, list] : bindings.artifacts) {
    Value::List items;
    for (const model::Artifact& artifact : list) items.push_back(artifact_to_value(artifact));
    artifacts.append(name, Value(std::move(items)));
  }
  return Value::make_struct(
      {{"parameters", Value(std::move(parameters))}, {"artifacts", Value(std::move(artifacts))}});
}

Error damaged(std::string_view what) {
  return make_error(Code::kDataLoss,
                    "the stored record is damaged: {} is missing or of the wrong kind", what);
}

Result<std::string> text_field(const Value& value, std::string_view name) {
  const Value* field = value.find(name);
  if (field == nullptr || !field->is_string()) return damaged(name);
  return field->as_string();
}

constexpr std::string_view kFileScheme = "file://";

// The field and the text that stand for where something is: "uri" with all of it, or "uri_in_home"
// with what follows the home.
std::pair<std::string, std::string_view> place(std::string_view text, std::string_view scheme,
                                               std::string_view home, const std::string& field) {
  std::string_view rest = text;
  for (const std::string_view part : {scheme, home, std::string_view("/")}) {
    if (home.empty() || !rest.starts_with(part)) return {field, text};
    rest.remove_prefix(part.size());
  }
  return {field + "_in_home", rest};
}

Result<std::string> placed_field(const Value& value, const std::string& field,
                                 std::string_view scheme, std::string_view home) {
  if (home.empty() || value.find(field) != nullptr) return text_field(value, field);
  const Value* rest = value.find(field + "_in_home");
  if (rest == nullptr || !rest->is_string()) return damaged(field);
  return fmt::format("{}{}/{}", scheme, home, rest->as_string());
}

}  // namespace

Value to_value(const model::TaskView& task) {
  return Value::make_struct({{"path", task.path},
                             {"name", task.name},
                             {"display_name", task.display_name},
                             {"kind", to_string(task.kind)},
                             {"state", to_string(task.state)},
                             {"cached", task.cached},
                             {"attempts", task.attempts},
                             {"error", failure_value(task.error)},
                             {"inputs", to_value(task.inputs)},
                             {"outputs", to_value(task.outputs)},
                             {"started_at", time_value(task.started_at)},
                             {"finished_at", time_value(task.finished_at)}});
}

Value to_value(const model::AttemptView& attempt) {
  return Value::make_struct({{"state", to_string(attempt.state)},
                             {"lost", attempt.lost},
                             {"reason", attempt.reason},
                             {"started_at", time_value(attempt.started_at)},
                             {"finished_at", time_value(attempt.finished_at)}});
}

Value to_value(const model::RunView& run) {
  Value::List tasks;
  tasks.reserve(run.tasks.size());
  for (const model::TaskView& task : run.tasks) tasks.push_back(to_value(task));
  return Value::make_struct({{"id", run.id.str()},
                             {"name", run.name},
                             {"state", to_string(run.state)},
                             {"error", failure_value(run.error)},
                             {"inputs", to_value(run.inputs)},
                             {"outputs", to_value(run.outputs)},
                             {"created_at", to_rfc3339(run.created_at)},
                             {"started_at", time_value(run.started_at)},
                             {"finished_at", time_value(run.finished_at)},
                             {"tasks", Value(std::move(tasks))}});
}

Value to_value(const model::Bindings& bindings) { return bindings_value(bindings, artifact_value); }

Value encode(const model::Artifact& artifact, std::string_view home) {
  const auto [uri_field, uri] = place(artifact.uri, kFileScheme, home, "uri");
  const auto [path_field, path] = place(artifact.custom_path, "", home, "custom_path");
  return Value::make_struct({{"name", artifact.name},
                             {"schema_title", artifact.type.schema_title},
                             {"schema_version", artifact.type.schema_version},
                             {"schema_uri", artifact.type.schema_uri},
                             {"instance_schema", artifact.type.instance_schema},
                             {uri_field, uri},
                             {"metadata", artifact.metadata},
                             {path_field, path},
                             {"digest", artifact.digest}});
}

Value encode(const model::Bindings& bindings, std::string_view home) {
  return bindings_value(bindings,
                        [home](const model::Artifact& artifact) { return encode(artifact, home); });
}

Result<model::Artifact> decode_artifact(const Value& value, std::string_view home) {
  model::Artifact out;
  CR_TRY(out.name, text_field(value, "name"));
  CR_TRY(out.type.schema_title, text_field(value, "schema_title"));
  CR_TRY(out.type.schema_version, text_field(value, "schema_version"));
  CR_TRY(out.type.schema_uri, text_field(value, "schema_uri"));
  CR_TRY(out.type.instance_schema, text_field(value, "instance_schema"));
  CR_TRY(out.uri, placed_field(value, "uri", kFileScheme, home));
  CR_TRY(out.custom_path, placed_field(value, "custom_path", "", home));
  CR_TRY(out.digest, text_field(value, "digest"));
  const Value* metadata = value.find("metadata");
  if (metadata == nullptr || !(metadata->is_struct() || metadata->is_null()))
    return damaged("metadata");
  out.metadata = *metadata;
  return out;
}

Result<model::Bindings> decode_bindings(const Value& value, std::string_view home) {
  const Value* parameters = value.find("parameters");
  const Value* artifacts = value.find("artifacts");
  if (parameters == nullptr || !parameters->is_struct()) return damaged("parameters");
  if (artifacts == nullptr || !artifacts->is_struct()) return damaged("artifacts");
  model::Bindings out;
  for (const auto& [name, parameter] : parameters->as_struct())
    out.parameters.emplace(name, parameter);
  for (const auto& [name, list] : artifacts->as_struct()) {
    if (!list.is_list()) return damaged("artifacts");
    std::vector<model::Artifact>& decoded = out.artifacts[name];
    for (const Value& item : list.as_list()) {
      CR_TRY(model::Artifact artifact, decode_artifact(item, home));
      decoded.push_back(std::move(artifact));
    }
  }
  return out;
}

}  // namespace cresset::codec
