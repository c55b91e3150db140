#pragma once

#include <optional>
#include <string>
#include <utility>

#include "cresset/adapters/posix/unique_fd.h"
#include "cresset/base/result.h"

namespace cresset::python {

// The right to change what belongs to one key in a folder: an exclusive flock(2) on
// <folder>/.lock-<key>. Programs that inherit fd() hold it too, so it ends with the last of them.
class KeyLock {
 public:
  // Nothing when somebody else holds it.
  static Result<std::optional<KeyLock>> try_lock(const std::string& folder, const std::string& key);

  [[nodiscard]] int fd() const { return file_.get(); }
  // When what it guards is gone for good. The lock stays held.
  void remove_file();

 private:
  KeyLock(std::string path, posix::UniqueFd file)
      : path_(std::move(path)), file_(std::move(file)) {}

  std::string path_;
  posix::UniqueFd file_;
};

}  // namespace cresset::python
