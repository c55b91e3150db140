#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cresset/base/result.h"
#include "cresset/base/time.h"

// The environments below envs_dir, as they lie there (docs/formats/environments.md). For the engine
// and for `cresset env`.
namespace cresset::python {

// An environment that was built to its end.
struct BuiltEnvironment {
  std::string key;
  std::string python;
  std::string fingerprint;
  std::vector<std::string> requirements;
  std::vector<std::string> index_urls;
  std::string base_executable;
  std::string base_version;
  std::vector<std::string> installed;  // distributions of its own, "numpy-2.4.6.dist-info"
  std::string tool;                    // "uv" or "pip"
  WallTime created{};
};

// The finished environment of this key; nothing when there is none, or when its interpreter is
// gone.
std::optional<BuiltEnvironment> find_environment(const std::string& envs_dir,
                                                 const std::string& key);
// All finished ones, the newest first. Empty when there is no such folder.
Result<std::vector<BuiltEnvironment>> list_environments(const std::string& envs_dir);
// Bytes on disk, links not followed. What changes meanwhile may or may not count.
std::int64_t environment_bytes(const std::string& envs_dir, const std::string& key);

// kNotFound; kInvalidArgument (no key); kFailedPrecondition while it is being built. Steps that run
// in it lose what they have not loaded yet.
Result<void> remove_environment(const std::string& envs_dir, const std::string& key);
// Removes what builders that died have left; how many there were.
Result<int> remove_unfinished_environments(const std::string& envs_dir);

// Writes the file that makes the folder a finished environment.
Result<void> write_marker(const std::string& folder, const BuiltEnvironment& environment);
// Removes `.building-<key>-*`. The key's lock must be held.
Result<int> remove_unfinished(const std::string& envs_dir, const std::string& key);

}  // namespace cresset::python
