#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "cresset/codec/kfp_parts.h"
#include "cresset/codec/source_text.h"
#include "cresset/text/placeholder.h"

namespace cresset::codec {

namespace {

bool has_part_above(std::string_view path) {
  return path == ".." || path.starts_with("../") || path.ends_with("/..") ||
         path.find("/../") != std::string_view::npos;
}

std::string read_mount_path(const Message& message) {
  std::string path = message.required_text("mountPath");
  if (path.empty()) return path;
  const Node node = *message.field("mountPath");
  if (!path.starts_with('/')) {
    node.error(fmt::format("\"{}\" is no absolute path", clipped(path)),
               "mount paths start with /");
  } else if (path.find_first_not_of('/') == std::string::npos) {
    node.error("nothing can be mounted at /", "name a folder below it");
  } else if (has_part_above(path)) {
    node.error(fmt::format("the mount path \"{}\" holds ..", clipped(path)),
               "write the path without ..");
  }
  return path;
}

std::string read_sub_path(const Message& message) {
  std::string path = message.text("subPath");
  if (path.starts_with('/') || has_part_above(path)) {
    message.field("subPath")->error(
        fmt::format("the sub-path \"{}\" leaves the volume", clipped(path)),
        "write a path inside the volume, without / at its beginning and without ..");
  }
  return path;
}

// A required text that becomes the name of a file or folder.
std::string read_file_name(const Message& message, std::string_view field) {
  std::string name = message.required_text(field);
  if (!name.empty()) static_cast<void>(message.field(field)->check_file_name(name));
  return name;
}

// A name that stands in the file is checked here; one that a run gives, when it is known.
std::optional<model::NameSource> read_name_source(const Node& node) {
  auto out = read_parameter_source(node);
  const auto* constant = out ? std::get_if<model::Constant>(&out->from) : nullptr;
  if (constant == nullptr || constant->value.is_null()) return out;
  if (!constant->value.is_string()) {
    node.error(fmt::format("a name must be a string, not a {}", constant->value.kind_name()));
    return std::nullopt;
  }
  const std::string& name = constant->value.as_string();
  if (!text::holds_reference(name) && !node.check_file_name(name)) return std::nullopt;
  return out;
}

// The name of a secret, a ConfigMap or a volume: as a source, or as the plain text of older files.
std::optional<model::NameSource> read_name(const Message& message, std::string_view source_field,
                                           std::string_view text_field) {
  if (const auto source = message.field(source_field)) return read_name_source(*source);
  if (!message.only_one({source_field, text_field})) return std::nullopt;
  std::string name = read_file_name(message, text_field);
  if (name.empty()) return std::nullopt;
  return model::NameSource{model::Constant{std::move(name)}, {}};
}

struct KeysRule {
  std::string_view message;
  std::string_view source;
  std::string_view text;
  std::string_view entry;
  std::string_view key;
};
constexpr KeysRule kSecretKeys{"SecretAsEnv", "secretNameParameter", "secretName", "SecretKeyToEnv",
                               "secretKey"};
constexpr KeysRule kConfigMapKeys{"ConfigMapAsEnv", "configMapNameParameter", "configMapName",
                                  "ConfigMapKeyToEnv", "configMapKey"};

std::vector<model::KeysAsEnv> read_keys_as_env(const Node& list, const KeysRule& rule) {
  std::vector<model::KeysAsEnv> out;
  list.for_each_item([&](const Node& item) {
    const Message message(item, rule.message);
    model::KeysAsEnv keys;
    message.for_each_item("keyToEnv", [&](const Node& entry) {
      const Message pair(entry, rule.entry);
      keys.keys.push_back({read_file_name(pair, rule.key), read_env_name(pair, "envVar")});
    });
    keys.optional = message.flag("optional");
    auto name = read_name(message, rule.source, rule.text);
    if (!name) return;
    keys.name = *std::move(name);
    out.push_back(std::move(keys));
  });
  return out;
}

std::vector<model::FolderAsVolume> read_folders(const Node& list, std::string_view rule,
                                                std::string_view source, std::string_view text) {
  std::vector<model::FolderAsVolume> out;
  list.for_each_item([&](const Node& item) {
    const Message message(item, rule);
    std::string path = read_mount_path(message);
    const bool optional = message.flag("optional");
    if (auto name = read_name(message, source, text))
      out.push_back({*std::move(name), std::move(path), optional});
  });
  return out;
}

std::optional<model::NameSource> read_pvc_name(const Message& message) {
  if (const auto source = message.field("pvcNameParameter")) return read_name_source(*source);
  const auto kind = message.only_one(
      {"pvcNameParameter", "constant", "taskOutputParameter", "componentInputParameter"});
  if (!kind) return std::nullopt;
  if (*kind == "taskOutputParameter") {
    const Message from(*message.field(*kind), "TaskOutputParameter");
    return model::NameSource{model::FromTask{from.required_text("producerTask"),
                                             from.required_text("outputParameterKey")},
                             {}};
  }
  std::string text =
      *kind == "constant" ? read_file_name(message, *kind) : message.required_text(*kind);
  if (text.empty()) return std::nullopt;
  if (*kind == "constant") return model::NameSource{model::Constant{std::move(text)}, {}};
  return model::NameSource{model::FromParent{std::move(text)}, {}};
}

void read_mounts(const Message& message, model::KubernetesConfig& out) {
  message.for_each_item("pvcMount", [&out](const Node& item) {
    const Message mount(item, "PvcMount");
    std::string path = read_mount_path(mount);
    std::string sub_path = read_sub_path(mount);
    if (auto name = read_pvc_name(mount))
      out.pvc_mounts.push_back({*std::move(name), std::move(path), std::move(sub_path)});
  });
  message.for_each_item("emptyDirMounts", [&out](const Node& item) {
    const Message mount(item, "EmptyDirMount");
    out.scratch_mounts.push_back({read_file_name(mount, "volumeName"), read_mount_path(mount)});
  });
  message.for_each_item("genericEphemeralVolume", [&out](const Node& item) {
    const Message mount(item, "GenericEphemeralVolume");
    out.scratch_mounts.push_back({read_file_name(mount, "volumeName"), read_mount_path(mount)});
  });
}

// Settings without effect here still have their spelling checked.
void check_noted(const Message& message) {
  const auto check_one = [&message](std::string_view field, std::string_view rule) {
    if (const auto node = message.field(field)) Message(*node, rule);
  };
  const auto check_items = [&message](std::string_view field, std::string_view rule) {
    message.for_each_item(field, [rule](const Node& item) { Message(item, rule); });
  };
  check_one("nodeSelector", "NodeSelector");
  check_one("podMetadata", "PodMetadata");
  check_one("enabledSharedMemory", "SharedMemory");
  check_one("securityContext", "SecurityContext");
  check_items("tolerations", "Toleration");
  check_items("nodeAffinity", "NodeAffinity");
  check_items("podAffinity", "PodAffinity");
  check_items("imagePullSecret", "ImagePullSecret");
  static_cast<void>(message.text("imagePullPolicy"));
}

// What has a meaning for a step that is no pod.
std::string read_field_path(const Message& message) {
  constexpr std::array<std::string_view, 7> kPaths{
      "metadata.name", "metadata.uid",  "metadata.namespace",     "spec.nodeName",
      "status.podIP",  "status.hostIP", "spec.serviceAccountName"};
  std::string path = message.required_text("fieldPath");
  if (path.empty() || std::ranges::find(kPaths, path) != kPaths.end()) return path;
  message.field("fieldPath")
      ->error(fmt::format("the field \"{}\" of a pod has no meaning on this engine", clipped(path)),
              fmt::format("the fields are {}", fmt::join(kPaths, ", ")));
  return path;
}

model::KubernetesConfig read_executor_config(const Node& node) {
  const Message message(node, "KubernetesExecutorConfig");
  model::KubernetesConfig out;
  if (const auto list = message.field("secretAsEnv"))
    out.secret_as_env = read_keys_as_env(*list, kSecretKeys);
  if (const auto list = message.field("configMapAsEnv"))
    out.config_map_as_env = read_keys_as_env(*list, kConfigMapKeys);
  if (const auto list = message.field("secretAsVolume")) {
    out.secret_as_volume =
        read_folders(*list, "SecretAsVolume", "secretNameParameter", "secretName");
  }
  if (const auto list = message.field("configMapAsVolume")) {
    out.config_map_as_volume =
        read_folders(*list, "ConfigMapAsVolume", "configMapNameParameter", "configMapName");
  }
  read_mounts(message, out);
  message.for_each_item("fieldPathAsEnv", [&out](const Node& item) {
    const Message field(item, "FieldPathAsEnv");
    out.field_path_as_env.push_back({read_env_name(field, "name"), read_field_path(field)});
  });
  if (const auto seconds = message.field("activeDeadlineSeconds"))
    out.active_deadline = read_seconds(*seconds);
  check_noted(message);
  return out;
}

model::PipelineConfig read_pipeline_config(const Node& node) {
  const Message message(node, "PipelineConfig");
  model::PipelineConfig out;
  if (const auto seconds = message.field("activeDeadlineSeconds"))
    out.active_deadline = read_seconds(*seconds);
  if (const auto workspace = message.field("workspace")) {
    const Message settings(*workspace, "Workspace");
    out.workspace = model::Workspace{settings.text("size")};
    if (const auto kubernetes = settings.field("kubernetes"))
      Message(*kubernetes, "WorkspaceKubernetes");
  }
  return out;
}

}  // namespace

Platform read_platform(const Node& document) {
  Platform out;
  const Message message(document, "PlatformSpec");
  message.for_each_name("platforms", [&out](const std::string& name, const Node& node) {
    if (name != "kubernetes") {
      return node.error_at_key(fmt::format("the platform \"{}\" is not known here", clipped(name)),
                               "only kubernetes is; remove the others");
    }
    const Message platform(node, "SinglePlatformSpec");
    if (const auto config = platform.field("pipelineConfig"))
      out.pipeline = read_pipeline_config(*config);
    const auto deployment = platform.field("deploymentSpec");
    if (!deployment) return;
    const Message executors(*deployment, "PlatformDeployment");
    executors.for_each_name("executors", [&out](const std::string& label, const Node& executor) {
      out.executors[label] = {read_executor_config(executor), executor.key_place()};
    });
  });
  return out;
}

}  // namespace cresset::codec
