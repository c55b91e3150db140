#include <fmt/format.h>

#include "cresset/codec/kfp_parts.h"
#include "cresset/text/json.h"

namespace cresset::codec {

namespace {

// The text field wins over the older number, which is a count of CPUs or of gigabytes.
std::string read_amount(const Message& message, std::string_view text_field,
                        std::string_view number_field, std::string_view unit) {
  std::string text = message.text(text_field);
  const auto older = message.field(number_field);
  if (!older) return text;
  const auto number = older->number();
  if (!text.empty() || !number || *number == 0) return text;
  if (*number < 0) {
    older->error(fmt::format("{} is negative", number_field));
    return {};
  }
  return text::to_text(Value(*number)) + std::string(unit);
}

void read_accelerator(const Node& node, model::Resources& out) {
  const Message message(node, "Accelerator");
  out.accelerator_type = message.text("resourceType");
  if (out.accelerator_type.empty()) out.accelerator_type = message.text("type");
  out.accelerator_count = message.text("resourceCount");
  const auto older = message.field("count");
  if (!older) return;
  const auto count = older->integer();
  if (out.accelerator_count.empty() && count && *count != 0)
    out.accelerator_count = std::to_string(*count);
}

model::Resources read_resources(const Node& node) {
  const Message message(node, "Resources");
  model::Resources out;
  out.cpu_limit = read_amount(message, "resourceCpuLimit", "cpuLimit", "");
  out.cpu_request = read_amount(message, "resourceCpuRequest", "cpuRequest", "");
  out.memory_limit = read_amount(message, "resourceMemoryLimit", "memoryLimit", "G");
  out.memory_request = read_amount(message, "resourceMemoryRequest", "memoryRequest", "G");
  if (const auto accelerator = message.field("accelerator")) read_accelerator(*accelerator, out);
  return out;
}

model::EnvVar read_env(const Node& node) {
  const Message message(node, "EnvVar");
  model::EnvVar out{read_env_name(message, "name"), message.text("value")};
  if (out.name == "ARGO_DEBUG_PAUSE_BEFORE" || out.name == "ARGO_DEBUG_PAUSE_AFTER") {
    node.report().warning(
        node.place(), fmt::format("{} does not pause the step here: it is for a pod", out.name));
  }
  return out;
}

model::Container read_container(const Node& node) {
  const Message message(node, "Container");
  model::Container out;
  out.image = message.required_text("image");
  out.command = message.texts("command");
  out.args = message.texts("args");
  message.for_each_item("env", [&out](const Node& item) { out.env.push_back(read_env(item)); });
  if (const auto resources = message.field("resources")) out.resources = read_resources(*resources);
  if (const auto lifecycle = message.field("lifecycle")) {
    const Message check(*lifecycle, "Lifecycle");
    if (const auto exec = check.field("preCacheCheck")) Message(*exec, "LifecycleExec");
  }
  return out;
}

model::Importer read_importer(const Node& node) {
  const Message message(node, "Importer");
  model::Importer out;
  out.metadata = read_metadata(message);
  out.reimport = message.flag("reimport");
  out.download_to_workspace = message.flag("downloadToWorkspace");
  if (const auto type = message.field("typeSchema")) out.type = read_artifact_type(*type);
  if (!message.only_one({"artifactUri"})) return out;
  const Node uri_node = *message.field("artifactUri");
  const auto uri = read_runtime_value(uri_node);
  if (!uri) return out;
  if (const auto* input = std::get_if<model::FromParent>(&*uri)) {
    out.uri = *input;
  } else if (const Value& value = std::get<model::Constant>(*uri).value; value.is_string()) {
    out.uri = value.as_string();
  } else {
    uri_node.error(fmt::format("the URI must be a string, not a {}", value.kind_name()));
  }
  return out;
}

Executor read_executor(const Node& node) {
  node.count_part();
  const Message message(node, "Executor");
  const auto kind = message.only_one({"container", "importer", "resolver", "customJob"});
  if (kind == "container") return read_container(*message.field(*kind));
  if (kind == "importer") return read_importer(*message.field(*kind));
  return {};
}

}  // namespace

Executors read_executors(const Node& deployment) {
  Executors out;
  const Message message(deployment, "DeploymentSpec");
  message.for_each_name("executors", [&out](const std::string& name, const Node& node) {
    out[name] = read_executor(node);
  });
  return out;
}

}  // namespace cresset::codec
