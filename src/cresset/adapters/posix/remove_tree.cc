#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <utility>

#include "cresset/adapters/posix/folders.h"
#include "cresset/adapters/posix/unique_fd.h"

namespace cresset::posix {

namespace {

// A walk holds one descriptor a level; what lies deeper is moved up.
constexpr int kDepthMax = 100;

constexpr int kOpenFolder = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

// Empties folders of any depth with a bounded number of descriptors, without ever going through a
// link. What vanishes meanwhile is fine: somebody else removes the same.
class Remover {
 public:
  explicit Remover(std::string path) : path_(std::move(path)) {}

  Result<void> run() { return remove_entry(AT_FDCWD, path_, 0); }

 private:
  [[nodiscard]] Error failed() const { return errno_error(errno, path_).with("removing"); }

  Result<void> remove_entry(int parent, const std::string& name, int depth) {
    if (::unlinkat(parent, name.c_str(), 0) == 0 || is_absent(errno)) return {};
    if (errno != EISDIR) return failed();
    return depth <= kDepthMax ? remove_folder(parent, name, depth) : lift(parent, name);
  }

  Result<void> remove_folder(int parent, const std::string& name, int depth) {
    CR_TRY(const UniqueFd folder, open_folder(parent, name));
    if (!folder) return {};
    if (depth == 0) top_ = folder.get();
    CR_TRY(const std::vector<std::string> names, list_names(folder.get(), path_));
    for (const std::string& child : names)
      CR_TRY_VOID(remove_entry(folder.get(), child, depth + 1));
    if (depth == 0) CR_TRY_VOID(remove_lifted());
    if (::unlinkat(parent, name.c_str(), AT_REMOVEDIR) != 0 && !is_absent(errno)) return failed();
    return {};
  }

  // Moves a folder that lies too deep into the topmost one, for later.
  Result<void> lift(int parent, const std::string& name) {
    std::string lifted = temporary_sibling("lifted");
    if (::renameat(parent, name.c_str(), top_, lifted.c_str()) != 0) return failed();
    lifted_.push_back(std::move(lifted));
    return {};
  }

  Result<void> remove_lifted() {
    while (!lifted_.empty()) {
      const std::string name = std::move(lifted_.back());
      lifted_.pop_back();
      CR_TRY_VOID(remove_entry(top_, name, 1));
    }
    return {};
  }

  // Invalid when it has vanished. A step may have taken its own right to look into a folder, or to
  // change it, away.
  Result<UniqueFd> open_folder(int parent, const std::string& name) {
    const UniqueFd handle(
        ::openat(parent, name.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!handle) return is_absent(errno) ? Result<UniqueFd>(UniqueFd()) : failed();
    struct stat status{};
    if (::fstat(handle.get(), &status) != 0) return failed();
    const std::string same = fmt::format("/proc/self/fd/{}", handle.get());
    if ((status.st_mode & 0700) != 0700 && ::chmod(same.c_str(), 0700) != 0) return failed();
    UniqueFd folder(::openat(handle.get(), ".", kOpenFolder));
    if (!folder) return failed();
    return folder;
  }

  std::string path_;
  int top_ = -1;
  std::vector<std::string> lifted_;
};

}  // namespace

Result<void> remove_tree(const std::string& path) {
  // With a slash at its end, the name of a link would mean the folder behind it.
  const std::size_t last = path.find_last_not_of('/');
  if (last == std::string::npos)
    return make_error(Code::kInvalidArgument, "\"{}\" is not to be removed", path);
  return Remover(path.substr(0, last + 1)).run();
}

}  // namespace cresset::posix
