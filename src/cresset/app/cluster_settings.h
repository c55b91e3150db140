#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cresset/app/home.h"
#include "cresset/base/result.h"
#include "cresset/dag/plan.h"
#include "cresset/ports/executor.h"

// What a pipeline asks of Kubernetes objects, answered by folders below $CRESSET_HOME:
// secrets/<name>/<key>, configmaps/<name>/<key>, volumes/<name>/.
namespace cresset::app {

// Images that stand for what Kubernetes would do itself: making and removing a volume.
inline constexpr std::string_view kCreateVolumeImage = "argostub/createpvc";
inline constexpr std::string_view kDeleteVolumeImage = "argostub/deletepvc";

struct KeyFile {
  std::string path;
  std::string env;   // variable that gets its content
  std::string what;  // "key "token" of Secret "hub"", for messages
  bool optional = false;
};

struct FolderMount {
  ports::Mount mount;
  std::string what;
  bool optional = false;
  bool create = false;  // scratch space: made for the attempt
};

struct ClusterSettings {
  std::vector<KeyFile> key_files;
  std::vector<FolderMount> mounts;
  std::vector<std::pair<std::string, std::string>> env;
};

// Names that come from inputs are resolved; one that is null drops its setting. kInvalidArgument
// for a name or sub-path that would leave its folder.
Result<ClusterSettings> cluster_settings(const dag::LeafTask& task, std::uint32_t attempt,
                                         const Home& home, const std::string& attempt_dir,
                                         const dag::RunContext& context);

// Which of them the task sees and where, but not what they hold: for the cache key. Empty for none.
Result<std::string> platform_identity(const dag::LeafTask& task, const dag::RunContext& context);

// Whether this may name a folder or a file, and nothing beyond it.
bool is_plain_name(std::string_view name);

// One folder or file that must exist before the run may start: of settings whose names the pipeline
// itself gives.
struct Requirement {
  std::string path;
  std::string what;
};
std::vector<Requirement> cluster_requirements(const model::Pipeline& pipeline, const Home& home);

}  // namespace cresset::app
