#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "cresset/adapters/posix/unique_fd.h"
#include "cresset/base/result.h"

namespace cresset::posix {

// Tells when files are written to or replaced: watches their folders, since an editor that renames
// a new file over the old one leaves that one as it was. One thread.
class FileWatch {
 public:
  static Result<FileWatch> make();

  // From now on these, absolute; what was watched before and is not named any more no longer
  // counts. With `ending`, all other files of their folders that end so count too.
  Result<void> watch(const std::vector<std::string>& files, const std::string& ending = {});

  // Whether one of them has changed since the last call. Does not wait.
  bool poll();
  // Readable while poll() has something to take in.
  [[nodiscard]] int fd() const { return inotify_.get(); }

 private:
  explicit FileWatch(UniqueFd inotify) : inotify_(std::move(inotify)) {}
  [[nodiscard]] bool counts(int folder, const std::string& name) const;

  UniqueFd inotify_;
  std::map<int, std::string> folders_;  // by the number of their watch
  std::set<std::string> files_;
  std::string ending_;
};

}  // namespace cresset::posix
