#include "cresset/adapters/python/built_environments.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <tuple>

#include "cresset/adapters/localfs/files.h"
#include "cresset/adapters/posix/folders.h"
#include "cresset/adapters/python/json_fields.h"
#include "cresset/adapters/python/key_lock.h"
#include "cresset/text/json.h"

namespace cresset::python {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view kMarker = "/cresset-environment.json";
constexpr std::string_view kUnfinished = ".building-";
constexpr std::string_view kRemoved = ".removing-";
constexpr std::int64_t kMarkerBytesMax = 16 << 20;

bool is_key(std::string_view key) {
  return !key.empty() && std::ranges::all_of(key, [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
  });
}

WallTime changed_at(const std::string& path) {
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) return WallTime{};
  return WallTime(std::chrono::seconds(status.st_mtim.tv_sec) +
                  std::chrono::microseconds(status.st_mtim.tv_nsec / 1000));
}

// Sorted; empty when there is no such folder.
Result<std::vector<std::string>> names_in(const std::string& folder) {
  std::vector<std::string> names;
  std::error_code failed;
  for (fs::directory_iterator at(folder, failed); !failed && at != fs::directory_iterator();
       at.increment(failed))
    names.push_back(at->path().filename().native());
  if (failed && failed != std::errc::no_such_file_or_directory)
    return errno_error(failed.value(), folder).with("listing the environments");
  std::ranges::sort(names);
  return names;
}

// ".building-<key>-<pid>", ".removing-<key>-<pid>"
std::optional<std::string> key_of_unfinished(std::string_view name) {
  if (!name.starts_with(kUnfinished) && !name.starts_with(kRemoved)) return std::nullopt;
  name.remove_prefix(kUnfinished.size());
  std::string key(name.substr(0, name.find('-')));
  return is_key(key) ? std::optional(std::move(key)) : std::nullopt;
}

}  // namespace

std::optional<BuiltEnvironment> find_environment(const std::string& envs_dir,
                                                 const std::string& key) {
  const std::string folder = envs_dir + "/" + key;
  const auto text = localfs::find_file(folder + std::string(kMarker), kMarkerBytesMax);
  if (!text || !*text) return std::nullopt;
  const auto fields = text::parse_json(**text);
  if (!fields || !fields->is_struct()) return std::nullopt;
  BuiltEnvironment found;
  found.key = key;
  found.python = folder + "/bin/python";
  if (::access(found.python.c_str(), X_OK) != 0) return std::nullopt;
  found.fingerprint = text_of(*fields, "fingerprint");
  found.requirements = texts_of(fields->find("requirements"));
  found.index_urls = texts_of(fields->find("index_urls"));
  if (const Value* base = fields->find("base")) {
    found.base_executable = text_of(*base, "executable");
    found.base_version = text_of(*base, "version");
  }
  found.installed = texts_of(fields->find("installed"));
  found.tool = text_of(*fields, "tool");
  found.created = changed_at(folder + std::string(kMarker));
  if (found.fingerprint.empty()) return std::nullopt;
  return found;
}

Result<void> write_marker(const std::string& folder, const BuiltEnvironment& environment) {
  return localfs::write_file_atomic(
      folder + std::string(kMarker),
      text::to_json_pretty(Value::make_struct(
          {{"format", 1},
           {"fingerprint", environment.fingerprint},
           {"requirements", texts_value(environment.requirements)},
           {"index_urls", texts_value(environment.index_urls)},
           {"base", Value::make_struct({{"executable", environment.base_executable},
                                        {"version", environment.base_version}})},
           {"installed", texts_value(environment.installed)},
           {"tool", environment.tool}})));
}

Result<std::vector<BuiltEnvironment>> list_environments(const std::string& envs_dir) {
  CR_TRY(const std::vector<std::string> names, names_in(envs_dir));
  std::vector<BuiltEnvironment> found;
  for (const std::string& name : names) {
    if (!is_key(name)) continue;
    if (auto environment = find_environment(envs_dir, name))
      found.push_back(*std::move(environment));
  }
  std::ranges::sort(found, [](const BuiltEnvironment& a, const BuiltEnvironment& b) {
    return std::tie(b.created, a.key) < std::tie(a.created, b.key);
  });
  return found;
}

std::int64_t environment_bytes(const std::string& envs_dir, const std::string& key) {
  std::int64_t bytes = 0;
  std::error_code failed;
  using Walk = fs::recursive_directory_iterator;
  for (Walk at(envs_dir + "/" + key, failed); !failed && at != Walk(); at.increment(failed)) {
    struct stat status{};
    constexpr std::int64_t kBlock = 512;  // of st_blocks, whatever the file system's own is
    if (::lstat(at->path().c_str(), &status) == 0) bytes += status.st_blocks * kBlock;
  }
  return bytes;
}

Result<void> remove_environment(const std::string& envs_dir, const std::string& key) {
  if (!is_key(key)) {
    return make_error(Code::kInvalidArgument,
                      "\"{}\" is no key of an environment: `cresset env ls` shows them", key);
  }
  const std::string folder = envs_dir + "/" + key;
  const auto absent = [&] {
    return make_error(Code::kNotFound, "no environment {}: `cresset env ls` shows what there is",
                      key);
  };
  // A lock on what is not there would leave its file behind.
  if (!fs::is_directory(fs::symlink_status(folder))) return absent();
  CR_TRY(std::optional<KeyLock> lock, KeyLock::try_lock(envs_dir, key));
  if (!lock) {
    return make_error(Code::kFailedPrecondition,
                      "the environment {} is being built: wait for the run that needs it, or "
                      "cancel that run",
                      key);
  }
  // Away in one step: nobody finds half of it.
  const std::string removed = fmt::format("{}/{}{}-{}", envs_dir, kRemoved, key, ::getpid());
  if (::rename(folder.c_str(), removed.c_str()) != 0)
    return errno == ENOENT ? absent() : errno_error(errno, folder).with("removing");
  CR_TRY_VOID(remove_unfinished(envs_dir, key));
  lock->remove_file();
  return {};
}

Result<int> remove_unfinished(const std::string& envs_dir, const std::string& key) {
  CR_TRY(const std::vector<std::string> names, names_in(envs_dir));
  int removed = 0;
  for (const std::string& name : names) {
    if (key_of_unfinished(name) != key) continue;
    CR_TRY_VOID(posix::remove_tree(envs_dir + "/" + name));
    ++removed;
  }
  return removed;
}

Result<int> remove_unfinished_environments(const std::string& envs_dir) {
  CR_TRY(const std::vector<std::string> names, names_in(envs_dir));
  int removed = 0;
  for (const std::string& name : names) {
    const auto key = key_of_unfinished(name);
    if (!key) continue;
    CR_TRY(const std::optional<KeyLock> lock, KeyLock::try_lock(envs_dir, *key));
    if (!lock) continue;
    CR_TRY(const int more, remove_unfinished(envs_dir, *key));
    removed += more;
  }
  return removed;
}

}  // namespace cresset::python
