#include "cresset/app/cluster_settings.h"

#include <fmt/core.h>

#include <functional>
#include <optional>
#include <set>

#include "cresset/dag/launch.h"

namespace cresset::app {

namespace {

bool is_inner_path(std::string_view path) {
  while (!path.empty()) {
    const std::size_t slash = path.find('/');
    const std::string_view part = path.substr(0, slash);
    if (part == ".." || path.find('\0') != std::string_view::npos) return false;
    path = slash == std::string_view::npos ? std::string_view{} : path.substr(slash + 1);
  }
  return true;
}

using FolderOf = std::function<std::string(const std::string&)>;

class Collector {
 public:
  Collector(const dag::LeafTask& task, std::uint32_t attempt, const Home& home,
            const std::string& attempt_dir, const dag::RunContext& context)
      : task_(task), attempt_(attempt), home_(home), attempt_dir_(attempt_dir), context_(context) {}

  Result<ClusterSettings> collect() {
    const model::KubernetesConfig& config =
        std::get<model::Container>(task_.component->body).kubernetes;
    const FolderOf secret = [this](const std::string& name) { return home_.secret_dir(name); };
    const FolderOf config_map = [this](const std::string& name) {
      return home_.config_map_dir(name);
    };
    for (const auto& setting : config.secret_as_env) CR_TRY_VOID(keys(setting, "Secret", secret));
    for (const auto& setting : config.config_map_as_env)
      CR_TRY_VOID(keys(setting, "ConfigMap", config_map));
    for (const auto& setting : config.secret_as_volume)
      CR_TRY_VOID(folder(setting, "Secret", secret));
    for (const auto& setting : config.config_map_as_volume)
      CR_TRY_VOID(folder(setting, "ConfigMap", config_map));
    for (const auto& setting : config.pvc_mounts) CR_TRY_VOID(volume(setting));
    for (const auto& setting : config.scratch_mounts) CR_TRY_VOID(scratch(setting));
    for (const auto& setting : config.field_path_as_env) CR_TRY_VOID(field(setting));
    return std::move(out_);
  }

 private:
  Result<std::optional<std::string>> name_of(const model::NameSource& source,
                                             std::string_view kind) const {
    auto name = dag::resolve_name(source, task_, context_);
    if (!name) return std::move(name).error().with("the name of a {}", kind);
    if (*name && !is_plain_name(**name))
      return make_error(Code::kInvalidArgument, "\"{}\" is no name of a {}", **name, kind);
    return name;
  }

  Result<void> keys(const model::KeysAsEnv& setting, std::string_view kind,
                    const FolderOf& folder_of) {
    CR_TRY(const std::optional<std::string> name, name_of(setting.name, kind));
    if (!name) return {};
    for (const model::KeyToEnv& key : setting.keys) {
      if (!is_plain_name(key.key))
        return make_error(Code::kInvalidArgument, "\"{}\" is no key of a {}", key.key, kind);
      out_.key_files.push_back({folder_of(*name) + "/" + key.key, key.env,
                                fmt::format("key \"{}\" of {} \"{}\"", key.key, kind, *name),
                                setting.optional});
    }
    return {};
  }

  Result<void> folder(const model::FolderAsVolume& setting, std::string_view kind,
                      const FolderOf& folder_of) {
    CR_TRY(const std::optional<std::string> name, name_of(setting.name, kind));
    if (!name) return {};
    out_.mounts.push_back({{folder_of(*name), setting.mount_path, true},
                           fmt::format("{} \"{}\"", kind, *name),
                           setting.optional,
                           false});
    return {};
  }

  Result<void> volume(const model::VolumeMount& setting) {
    CR_TRY(const std::optional<std::string> name, name_of(setting.name, "PersistentVolumeClaim"));
    if (!name) return {};
    if (!is_inner_path(setting.sub_path)) {
      return make_error(Code::kInvalidArgument, "subPath \"{}\" leaves the volume \"{}\"",
                        setting.sub_path, *name);
    }
    std::string source = home_.volume_dir(*name);
    if (!setting.sub_path.empty()) source += "/" + setting.sub_path;
    out_.mounts.push_back({{std::move(source), setting.mount_path, false},
                           fmt::format("volume \"{}\"", *name),
                           false,
                           false});
    return {};
  }

  Result<void> scratch(const model::ScratchMount& setting) {
    if (!is_plain_name(setting.volume))
      return make_error(Code::kInvalidArgument, "\"{}\" is no name of a volume", setting.volume);
    out_.mounts.push_back({{attempt_dir_ + "/scratch/" + setting.volume, setting.mount_path, false},
                           fmt::format("scratch volume \"{}\"", setting.volume),
                           false,
                           true});
    return {};
  }

  Result<void> field(const model::FieldAsEnv& setting) {
    const std::string& path = setting.field_path;
    std::string value;
    if (path == "metadata.name") {
      value = fmt::format("{}-{}-{}", context_.resource_name, task_.ordinal, attempt_);
    } else if (path == "metadata.uid") {
      value = fmt::format("{}-{}", context_.id.str(), task_.ordinal);
    } else if (path == "metadata.namespace") {
      value = "default";
    } else if (path == "spec.nodeName") {
      value = "localhost";
    } else if (path == "status.podIP" || path == "status.hostIP") {
      value = "127.0.0.1";
    } else if (path == "spec.serviceAccountName") {
      value = "default";
    } else {
      return make_error(Code::kFailedPrecondition,
                        "field path \"{}\" (for {}) has no meaning on this engine", path,
                        setting.name);
    }
    out_.env.emplace_back(setting.name, std::move(value));
    return {};
  }

  const dag::LeafTask& task_;
  std::uint32_t attempt_;
  const Home& home_;
  const std::string& attempt_dir_;
  const dag::RunContext& context_;
  ClusterSettings out_;
};

std::optional<std::string> constant_name(const model::NameSource& source) {
  const auto* constant = std::get_if<model::Constant>(&source.from);
  if (constant == nullptr || !constant->value.is_string()) return std::nullopt;
  const std::string& name = constant->value.as_string();
  if (name.find("{{$") != std::string::npos || !is_plain_name(name)) return std::nullopt;
  return name;
}

void require_keys(const std::vector<model::KeysAsEnv>& settings, std::string_view kind,
                  const FolderOf& folder_of, std::vector<Requirement>& out) {
  for (const model::KeysAsEnv& setting : settings) {
    const auto name = constant_name(setting.name);
    if (setting.optional || !name) continue;
    for (const model::KeyToEnv& key : setting.keys) {
      out.push_back({folder_of(*name) + "/" + key.key,
                     fmt::format("key \"{}\" of {} \"{}\"", key.key, kind, *name)});
    }
  }
}

void require_folders(const std::vector<model::FolderAsVolume>& settings, std::string_view kind,
                     const FolderOf& folder_of, std::vector<Requirement>& out) {
  for (const model::FolderAsVolume& setting : settings) {
    const auto name = constant_name(setting.name);
    if (!setting.optional && name)
      out.push_back({folder_of(*name), fmt::format("{} \"{}\"", kind, *name)});
  }
}

// Constant names of the volumes that the pipeline makes itself, before it mounts them.
std::set<std::string> created_volumes(const model::Pipeline& pipeline) {
  std::set<std::string> out;
  const auto note = [&](const model::Component& component) {
    const auto* dag = std::get_if<model::Dag>(&component.body);
    if (dag == nullptr) return;
    for (const auto& [name, task] : dag->tasks) {
      const auto made_by = pipeline.components.find(task.component);
      if (made_by == pipeline.components.end()) continue;
      const auto* container = std::get_if<model::Container>(&made_by->second.body);
      const auto source = task.parameters.find("pvc_name");
      if (container == nullptr || container->image != kCreateVolumeImage ||
          source == task.parameters.end())
        continue;
      if (auto volume = constant_name(source->second)) out.insert(*std::move(volume));
    }
  };
  note(pipeline.root);
  for (const auto& [name, component] : pipeline.components) note(component);
  return out;
}

// One line a setting: what it is, the name it resolves to, where it goes.
class IdentityWriter {
 public:
  IdentityWriter(const dag::LeafTask& task, const dag::RunContext& context)
      : task_(task), context_(context) {}

  Result<std::string> write(const model::KubernetesConfig& config) {
    for (const model::KeysAsEnv& setting : config.secret_as_env)
      CR_TRY_VOID(keys("secretAsEnv", setting));
    for (const model::KeysAsEnv& setting : config.config_map_as_env)
      CR_TRY_VOID(keys("configMapAsEnv", setting));
    for (const model::FolderAsVolume& setting : config.secret_as_volume)
      CR_TRY_VOID(add("secretAsVolume", setting.name, setting.mount_path));
    for (const model::FolderAsVolume& setting : config.config_map_as_volume)
      CR_TRY_VOID(add("configMapAsVolume", setting.name, setting.mount_path));
    for (const model::VolumeMount& setting : config.pvc_mounts)
      CR_TRY_VOID(add("pvcMount", setting.name, setting.mount_path + " " + setting.sub_path));
    for (const model::ScratchMount& setting : config.scratch_mounts)
      out_ += fmt::format("scratch {} {}\n", setting.volume, setting.mount_path);
    for (const model::FieldAsEnv& setting : config.field_path_as_env)
      out_ += fmt::format("field {} {}\n", setting.name, setting.field_path);
    return std::move(out_);
  }

 private:
  Result<void> keys(std::string_view kind, const model::KeysAsEnv& setting) {
    std::string where;
    for (const model::KeyToEnv& key : setting.keys) where += key.key + "=" + key.env + " ";
    return add(kind, setting.name, where);
  }

  Result<void> add(std::string_view kind, const model::NameSource& source, std::string_view where) {
    CR_TRY(const std::optional<std::string> name, dag::resolve_name(source, task_, context_));
    if (name) out_ += fmt::format("{} {} {}\n", kind, *name, where);
    return {};
  }

  const dag::LeafTask& task_;
  const dag::RunContext& context_;
  std::string out_;
};

}  // namespace

bool is_plain_name(std::string_view name) {
  return !name.empty() && name != "." && name != ".." && name.find('/') == std::string_view::npos &&
         name.find('\0') == std::string_view::npos;
}

Result<std::string> platform_identity(const dag::LeafTask& task, const dag::RunContext& context) {
  const auto* container = std::get_if<model::Container>(&task.component->body);
  if (container == nullptr) return std::string();
  return IdentityWriter(task, context).write(container->kubernetes);
}

Result<ClusterSettings> cluster_settings(const dag::LeafTask& task, std::uint32_t attempt,
                                         const Home& home, const std::string& attempt_dir,
                                         const dag::RunContext& context) {
  return Collector(task, attempt, home, attempt_dir, context).collect();
}

std::vector<Requirement> cluster_requirements(const model::Pipeline& pipeline, const Home& home) {
  const FolderOf secret = [&home](const std::string& name) { return home.secret_dir(name); };
  const FolderOf config_map = [&home](const std::string& name) {
    return home.config_map_dir(name);
  };
  const std::set<std::string> created = created_volumes(pipeline);
  std::vector<Requirement> out;
  for (const auto& [component_name, component] : pipeline.components) {
    const auto* container = std::get_if<model::Container>(&component.body);
    if (container == nullptr) continue;
    const model::KubernetesConfig& config = container->kubernetes;
    require_keys(config.secret_as_env, "Secret", secret, out);
    require_keys(config.config_map_as_env, "ConfigMap", config_map, out);
    require_folders(config.secret_as_volume, "Secret", secret, out);
    require_folders(config.config_map_as_volume, "ConfigMap", config_map, out);
    for (const model::VolumeMount& setting : config.pvc_mounts) {
      const auto name = constant_name(setting.name);
      if (name && !created.contains(*name))
        out.push_back({home.volume_dir(*name), fmt::format("volume \"{}\"", *name)});
    }
  }
  return out;
}

}  // namespace cresset::app
