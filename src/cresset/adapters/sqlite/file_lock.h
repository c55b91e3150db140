#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "cresset/adapters/sqlite/locks.h"
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
  // A lock that others may share, and that keeps those out who want it alone.
  static Result<std::optional<FileLock>> try_share(const std::string& path);
  // Whether somebody holds the file alone. Only looks: nobody is kept out meanwhile.
  static Result<bool> is_locked(const std::string& path);

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

// FileLocks on the files of a folder, which is there.
class FileLocks final : public Locks {
 public:
  explicit FileLocks(std::string folder) : folder_(std::move(folder)) {}

  Result<std::unique_ptr<Lock>> try_lock(const std::string& name) override;
  Result<std::unique_ptr<Lock>> try_share(const std::string& name) override;
  Result<std::unique_ptr<Lock>> wait(const std::string& name) override;
  Result<bool> is_locked(const std::string& name) override;

 private:
  std::string folder_;
};

}  // namespace cresset::sqlite
