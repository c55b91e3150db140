#include <fmt/format.h>

#include "cresset/codec/kfp_parts.h"

namespace cresset::codec {

namespace {

// The name of a secret, a ConfigMap or a volume: as a source, or as the plain text of older files.
std::optional<model::NameSource> read_name(const Message& message, std::string_view source_field,
                                           std::string_view text_field) {
  if (const auto source = message.field(source_field)) return read_parameter_source(*source);
  if (!message.only_one({source_field, text_field})) return std::nullopt;
  std::string name = message.required_text(text_field);
  if (name.empty()) return std::nullopt;
  return model::NameSource{model::Constant{std::move(name)}, {}};
}

std::string read_mount_path(const Message& message) {
  std::string path = message.required_text("mountPath");
  if (!path.empty() && !path.starts_with('/')) {
    message.field("mountPath")
        ->error(fmt::format("\"{}\" is no absolute path", path), "mount paths start with /");
  }
  return path;
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
      keys.keys.push_back({pair.required_text(rule.key), pair.required_text("envVar")});
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
  if (const auto source = message.field("pvcNameParameter")) return read_parameter_source(*source);
  const auto kind = message.only_one(
      {"pvcNameParameter", "constant", "taskOutputParameter", "componentInputParameter"});
  if (!kind) return std::nullopt;
  if (*kind == "taskOutputParameter") {
    const Message from(*message.field(*kind), "TaskOutputParameter");
    return model::NameSource{model::FromTask{from.required_text("producerTask"),
                                             from.required_text("outputParameterKey")},
                             {}};
  }
  std::string text = message.required_text(*kind);
  if (text.empty()) return std::nullopt;
  if (*kind == "constant") return model::NameSource{model::Constant{std::move(text)}, {}};
  return model::NameSource{model::FromParent{std::move(text)}, {}};
}

void read_mounts(const Message& message, model::KubernetesConfig& out) {
  message.for_each_item("pvcMount", [&out](const Node& item) {
    const Message mount(item, "PvcMount");
    std::string path = read_mount_path(mount);
    std::string sub_path = mount.text("subPath");
    if (auto name = read_pvc_name(mount))
      out.pvc_mounts.push_back({*std::move(name), std::move(path), std::move(sub_path)});
  });
  message.for_each_item("emptyDirMounts", [&out](const Node& item) {
    const Message mount(item, "EmptyDirMount");
    out.scratch_mounts.push_back({mount.required_text("volumeName"), read_mount_path(mount)});
  });
  message.for_each_item("genericEphemeralVolume", [&out](const Node& item) {
    const Message mount(item, "GenericEphemeralVolume");
    out.scratch_mounts.push_back({mount.required_text("volumeName"), read_mount_path(mount)});
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
    out.field_path_as_env.push_back(
        {field.required_text("name"), field.required_text("fieldPath")});
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
      return node.error_at_key(fmt::format("the platform \"{}\" is not known here", name),
                               "only kubernetes is; remove the others");
    }
    const Message platform(node, "SinglePlatformSpec");
    if (const auto config = platform.field("pipelineConfig"))
      out.pipeline = read_pipeline_config(*config);
    const auto deployment = platform.field("deploymentSpec");
    if (!deployment) return;
    const Message executors(*deployment, "PlatformDeployment");
    executors.for_each_name("executors", [&out](const std::string& label, const Node& executor) {
      out.executors[label] = read_executor_config(executor);
    });
  });
  return out;
}

}  // namespace cresset::codec
