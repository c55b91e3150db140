#pragma once

#include <string>
#include <utility>

#include "cresset/adapters/posix/unique_fd.h"
#include "cresset/base/result.h"

// Where a backup is written and where a home is restored: beside the place that it gets in the end,
// in what nobody else touches, and gone again unless it got there.
namespace cresset::archive {

// Keeps others out of a place until it is dropped. It ends with the process, so whoever was killed
// keeps nobody out.
class PlaceLock {
 public:
  // kFailedPrecondition when somebody has it: `who`, in words.
  static Result<PlaceLock> take(const std::string& path, const char* who);
  PlaceLock(PlaceLock&&) = default;
  PlaceLock& operator=(PlaceLock&&) = delete;
  ~PlaceLock();

 private:
  PlaceLock(std::string path, posix::UniqueFd fd) : path_(std::move(path)), fd_(std::move(fd)) {}

  std::string path_;
  posix::UniqueFd fd_;
};

// A folder that goes with this object. What somebody who was killed has left there goes first.
class DraftFolder {
 public:
  static Result<DraftFolder> make(const std::string& path);
  DraftFolder(DraftFolder&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  DraftFolder& operator=(DraftFolder&&) = delete;
  ~DraftFolder();
  void release() { path_.clear(); }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  explicit DraftFolder(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

// Absolute; what a link leads to, so that it is not the link that is replaced. An error where no
// backup of `home` can be written, or, without `replace`, where there is something. Makes nothing.
Result<std::string> find_backup_place(const std::string& file, const std::string& home,
                                      bool replace);

// What belongs to a backup while it is written to find_backup_place().
struct BackupPlace {
  static Result<BackupPlace> take(const std::string& file);
  PlaceLock lock;
  DraftFolder folder;  // for the snapshot of the database
};

// Where `home` is made. That must be absent or empty; it may be a link to such a place.
class HomePlace {
 public:
  static Result<HomePlace> take(const std::string& home);
  // Empty, to be filled.
  [[nodiscard]] const std::string& folder() const { return folder_.path(); }
  // Makes it the home, durable with all that its file system still has to write. Once.
  Result<void> put_in_place();

 private:
  HomePlace(std::string place, PlaceLock lock, DraftFolder folder)
      : place_(std::move(place)), lock_(std::move(lock)), folder_(std::move(folder)) {}

  std::string place_;
  PlaceLock lock_;
  DraftFolder folder_;
};

}  // namespace cresset::archive
