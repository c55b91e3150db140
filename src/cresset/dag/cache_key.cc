#include "cresset/dag/cache_key.h"

#include <fmt/format.h>

#include "cresset/base/digest.h"
#include "cresset/text/json.h"

namespace cresset::dag {

namespace {

// Short values are kept readable, so that `explain` can show what differs.
Value readable(const std::string& text) {
  constexpr std::size_t kReadableMax = 120;
  return text.size() <= kReadableMax ? Value(text) : Value("sha256:" + sha256_hex(text));
}

Value digest_of(const std::vector<std::string>& texts) {
  Sha256 hash;
  for (const std::string& text : texts) hash.update_field(text);
  return Value("sha256:" + hash.finish_hex());
}

std::string artifact_identity(const std::vector<model::Artifact>& list) {
  std::string out;
  for (const model::Artifact& artifact : list) {
    Value identity = Value::make_struct(
        {{"name", artifact.name},
         {"type", artifact.type.schema_title},
         {"metadata", artifact.metadata},
         {"bytes", artifact.digest.empty() ? Value(artifact.uri) : Value(artifact.digest)}});
    out += text::to_canonical_json(identity) + "\n";
  }
  return out;
}

Value declared_outputs(const model::Component& component) {
  Value out = Value::make_struct();
  for (const auto& [name, parameter] : component.output_parameters)
    out[name] = to_string(parameter.type);
  for (const auto& [name, artifact] : component.output_artifacts) {
    out[name] = artifact.type.schema_title + (artifact.is_list ? "[]" : "") +
                (artifact.metadata.is_null() ? "" : text::to_canonical_json(artifact.metadata));
  }
  return out;
}

std::vector<std::string> all_of(const std::vector<std::string>& first,
                                const std::vector<std::string>& second) {
  std::vector<std::string> out = first;
  out.insert(out.end(), second.begin(), second.end());
  return out;
}

}  // namespace

Value component_parts(const model::Component& component,
                      const std::optional<Lightweight>& lightweight) {
  const auto& container = std::get<model::Container>(component.body);
  Value parts = Value::make_struct(
      {{"outputs", readable(text::to_canonical_json(declared_outputs(component)))}});
  // The image is not what runs here, and the SDK's version in its preamble changes nothing: the
  // source does.
  if (lightweight) {
    parts["source"] = digest_of({lightweight->source, lightweight->function});
    parts["packages"] = readable(fmt::format("{}", fmt::join(lightweight->requirements, " ")));
  } else {
    parts["command"] = digest_of(all_of(container.command, container.args));
  }
  return parts;
}

CacheKey make_cache_key(const LeafTask& task, const Value& common, const Tooling& tooling) {
  CacheKey out;
  out.parts = Value::make_struct({{"component", task.component_name}});
  if (!task.spec->caching.key.empty()) {
    out.parts["cacheKey"] = task.spec->caching.key;
  } else {
    const auto& container = std::get<model::Container>(task.component->body);
    for (const auto& [name, value] : task.inputs.parameters) {
      out.parts["input " + name] = readable(text::to_canonical_json(value));
    }
    for (const auto& [name, list] : task.inputs.artifacts)
      out.parts["input " + name] = readable(artifact_identity(list));
    for (const auto& [name, part] : common.as_struct()) out.parts[name] = part;
    if (common.find("command") != nullptr) out.parts["program"] = tooling.program;
    // As at the start: what the component declares wins over --env.
    for (const auto& [name, value] : tooling.env)
      out.parts["env " + name] = "sha256:" + sha256_hex(value);
    for (const model::EnvVar& variable : container.env)
      out.parts["env " + variable.name] = readable(variable.value);
    if (!tooling.platform.empty()) out.parts["platform"] = readable(tooling.platform);
    out.parts["interpreter"] = tooling.interpreter;
  }
  out.key = sha256_hex(text::to_canonical_json(out.parts));
  return out;
}

}  // namespace cresset::dag
