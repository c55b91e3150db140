#include "cresset/adapters/python/environment_builder.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <optional>

#include "cresset/adapters/localfs/files.h"
#include "cresset/adapters/posix/folders.h"
#include "cresset/adapters/posix/unique_fd.h"
#include "cresset/adapters/python/installer.h"
#include "cresset/adapters/python/key_lock.h"
#include "cresset/base/digest.h"

namespace cresset::python {

namespace {

namespace fs = std::filesystem;

constexpr Duration kLockRetry = std::chrono::milliseconds(50);
constexpr std::int64_t kScriptBytesMax = 1 << 20;

// Counted up when the same specification makes another environment.
constexpr std::string_view kRecipe = "1";

std::string digest_of(const InterpreterFacts& base, const std::vector<std::string>& requirements,
                      const std::vector<std::string>& index_urls) {
  Sha256 hash;
  hash.update_field(kRecipe);
  hash.update_field(base.interpreter.fingerprint);
  for (const std::vector<std::string>* part : {&requirements, &index_urls}) {
    hash.update_field(std::to_string(part->size()));
    for (const std::string& text : *part) hash.update_field(text);
  }
  return hash.finish_hex().substr(0, 24);
}

std::string joined(const std::vector<std::string>& texts, std::string_view between) {
  std::string out;
  for (const std::string& text : texts) {
    if (!out.empty()) out += between;
    out += text;
  }
  return out;
}

Error offline_error(const std::string& python, const std::vector<std::string>& missing) {
  return make_error(Code::kFailedPrecondition,
                    "{} does not hold {}, and --offline forbids to get it: run once without "
                    "--offline, or install it with: {} -m pip install '{}'",
                    python, joined(missing, ", "), python, joined(missing, "' '"));
}

Result<void> sync_folder(const std::string& path) {
  const posix::UniqueFd folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder || ::fsync(folder.get()) != 0) return errno_error(errno, path).with("syncing");
  return {};
}

// All that the tools wrote, however many files it is, before the marker says that it is there.
Result<void> sync_file_system(const std::string& path) {
  const posix::UniqueFd folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder || ::syncfs(folder.get()) != 0) return errno_error(errno, path).with("syncing");
  return {};
}

// Scripts name their interpreter by its path, which changes when the folder gets its final name.
Result<void> relocate_scripts(const std::string& from, const std::string& to) {
  std::error_code failed;
  for (fs::directory_iterator at(from + "/bin", failed); !failed && at != fs::directory_iterator();
       at.increment(failed)) {
    if (!at->is_regular_file(failed) || at->is_symlink(failed)) continue;
    const std::string path = at->path().native();
    auto text = localfs::find_file(path, kScriptBytesMax);
    if (!text || !*text || (*text)->find('\0') != std::string::npos) continue;
    std::string& script = **text;
    std::size_t found = script.find(from);
    if (found == std::string::npos) continue;
    for (; found != std::string::npos; found = script.find(from, found + to.size()))
      script.replace(found, from.size(), to);
    const fs::perms mode = at->status(failed).permissions();
    CR_TRY_VOID(localfs::write_file_atomic(path, script));
    fs::permissions(path, mode, failed);
  }
  if (failed) return errno_error(failed.value(), from + "/bin").with("moving scripts");
  return {};
}

}  // namespace

Result<ports::Environment> EnvironmentBuilder::prepare(const ports::EnvironmentSpec& spec) {
  if (spec.requirements.empty())
    return ports::Environment{spec.base.executable, spec.base.fingerprint};
  CR_TRY(const InterpreterFacts base, interpreters_.facts(spec.base.executable));
  const std::string key = digest_of(base, spec.requirements, spec.index_urls);
  if (const auto found = find_environment(options_.envs_dir, key))
    return ports::Environment{found->python, found->fingerprint};
  CR_TRY(const std::vector<std::string> missing, missing_in_base(base, spec.requirements));
  if (missing.empty())
    return ports::Environment{base.interpreter.executable, base.interpreter.fingerprint};
  if (spec.offline) return offline_error(base.interpreter.executable, missing);
  return build(key, spec, base, missing);
}

Result<std::vector<std::string>> EnvironmentBuilder::missing_in_base(
    const InterpreterFacts& base, const std::vector<std::string>& requirements) {
  const std::string question = digest_of(base, requirements, {});
  {
    const std::lock_guard lock(mutex_);
    if (const auto known = missing_.find(question); known != missing_.end()) return known->second;
  }
  const std::string path = options_.envs_dir + "/.checks/" + question + ".json";
  std::vector<std::string> missing;
  // Only "nothing is missing" is kept: with anything missing, the environment itself is what is
  // found next time.
  if (::access(path.c_str(), F_OK) != 0) {
    CR_TRY(missing, interpreters_.missing(base.interpreter.executable, requirements, false));
    if (missing.empty() && localfs::make_folder(fs::path(path).parent_path().native()))
      static_cast<void>(localfs::write_file_atomic(path, joined(requirements, "\n") + "\n"));
  }
  const std::lock_guard lock(mutex_);
  return missing_.insert_or_assign(question, std::move(missing)).first->second;
}

Result<ports::Environment> EnvironmentBuilder::build(const std::string& key,
                                                     const ports::EnvironmentSpec& spec,
                                                     const InterpreterFacts& base,
                                                     const std::vector<std::string>& missing) {
  CR_TRY_VOID(localfs::make_folder(options_.envs_dir));
  std::optional<KeyLock> lock;
  for (;;) {
    CR_TRY(lock, KeyLock::try_lock(options_.envs_dir, key));
    if (lock) break;
    if (stop_.wait(kLockRetry)) return make_error(Code::kCancelled, "stopped");
  }
  if (const auto found = find_environment(options_.envs_dir, key))
    return ports::Environment{found->python, found->fingerprint};
  CR_TRY_VOID(remove_unfinished(options_.envs_dir, key));
  const std::string building =
      fmt::format("{}/.building-{}-{}", options_.envs_dir, key, ::getpid());
  auto tool =
      Installer(interpreters_, options_, stop_, lock->fd()).install(building, spec, base, missing);
  auto done = tool ? finish(building, key, spec, base, *tool) : Result<void>(tool.error());
  if (!done) {
    // What is left goes now or with the next build; the error to tell is the first one.
    static_cast<void>(remove_unfinished(options_.envs_dir, key));
    return std::move(done).error();
  }
  const auto found = find_environment(options_.envs_dir, key);
  if (!found) {
    return make_error(Code::kUnavailable,
                      "the environment {}/{} was built and is gone or broken: run again",
                      options_.envs_dir, key);
  }
  return ports::Environment{found->python, found->fingerprint};
}

Result<void> EnvironmentBuilder::finish(const std::string& building, const std::string& key,
                                        const ports::EnvironmentSpec& spec,
                                        const InterpreterFacts& base, const std::string& tool) {
  const std::string final_path = options_.envs_dir + "/" + key;
  BuiltEnvironment built;
  built.key = key;
  built.requirements = spec.requirements;
  built.index_urls = spec.index_urls;
  built.base_executable = base.interpreter.executable;
  built.base_version = base.interpreter.version;
  built.installed = list_distributions({site_packages_of(building)});
  built.tool = tool;
  Sha256 hash;
  hash.update_field(base.interpreter.fingerprint);
  for (const std::string& name : built.installed) hash.update_field(name);
  built.fingerprint = hash.finish_hex();

  CR_TRY_VOID(relocate_scripts(building, final_path));
  CR_TRY_VOID(sync_file_system(building));
  CR_TRY_VOID(write_marker(building, built));
  // One whose interpreter is gone, or that was damaged, gives way.
  CR_TRY_VOID(posix::remove_tree(final_path));
  if (::rename(building.c_str(), final_path.c_str()) != 0)
    return errno_error(errno, final_path).with("finishing the environment");
  return sync_folder(options_.envs_dir);
}

}  // namespace cresset::python
