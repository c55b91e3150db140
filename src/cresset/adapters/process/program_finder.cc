#include "cresset/adapters/process/program_finder.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <string_view>

namespace cresset::process {

namespace {

constexpr std::size_t kAnswersMax = 256;

// The first file of that name on `path` which may be executed; whether that is so for every step,
// wherever its working folder lies.
struct Found {
  std::string program;
  bool everywhere = true;
};

Result<Found> search_path(const std::string& name, std::string_view path,
                          const std::string& work_dir) {
  bool everywhere = true;
  std::string not_executable;
  while (true) {
    const std::string_view folder = path.substr(0, path.find(':'));
    std::string at = folder.empty() ? name : std::string(folder) + "/" + name;
    if (!at.starts_with('/')) {
      everywhere = false;
      at.insert(0, work_dir + "/");
    }
    struct stat status{};
    if (::stat(at.c_str(), &status) == 0 && S_ISREG(status.st_mode)) {
      if (::access(at.c_str(), X_OK) == 0) return Found{std::move(at), everywhere};
      not_executable = std::move(at);
    }
    if (folder.size() == path.size()) break;
    path.remove_prefix(folder.size() + 1);
  }
  if (!not_executable.empty()) {
    return make_error(Code::kPermissionDenied, "permission denied: {} may not be executed",
                      not_executable);
  }
  return make_error(Code::kNotFound, "command not found: {}", name);
}

}  // namespace

Result<std::string> ProgramFinder::find(const std::string& name, const Environment& env,
                                        const std::string& work_dir) {
  if (name.empty()) return make_error(Code::kInvalidArgument, "the command is empty");
  if (name.find('/') != std::string::npos) return name;
  const auto variable =
      std::ranges::find(env, "PATH", [](const auto& entry) { return entry.first; });
  const std::string path =
      variable == env.end() ? "/usr/local/bin:/usr/bin:/bin" : variable->second;
  const TimePoint now = clock_.now();
  const auto known = answers_.find({name, path});
  if (known != answers_.end() && now - known->second.at <= kMemoryAge &&
      ::access(known->second.program.c_str(), X_OK) == 0)
    return known->second.program;
  CR_TRY(Found found, search_path(name, path, work_dir));
  if (found.everywhere) {
    if (answers_.size() >= kAnswersMax) answers_.clear();
    answers_.insert_or_assign({name, path}, Answer{found.program, now});
  }
  return std::move(found.program);
}

}  // namespace cresset::process
