#pragma once

#include <optional>
#include <string>
#include <utility>

#include "cresset/base/result.h"

namespace cresset::sqlite {

// An exclusive flock(2) on a file made for it. It ends with this object and with the process, and
// is not passed on to programs that the process starts (close-on-exec); a child made by fork alone
// must exec or exit to let go of it.
class FileLock {
 public:
  // Nothing when another object or process holds it.
  static Result<std::optional<FileLock>> try_lock(const std::string& path);
  static Result<FileLock> wait(const std::string& path);

  ~FileLock();
  FileLock(FileLock&& other) noexcept
      : path_(std::move(other.path_)), fd_(std::exchange(other.fd_, -1)) {}
  FileLock& operator=(FileLock&&) = delete;

  // Removes the file, when what it guards is gone for good. The lock stays held.
  Result<void> remove_file();

 private:
  FileLock(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}
  static Result<std::optional<FileLock>> lock(const std::string& path, int operation);

  std::string path_;
  int fd_;
};

}  // namespace cresset::sqlite
