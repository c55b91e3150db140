#include "cresset/adapters/process/scratch_folders.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <utility>

#include "cresset/adapters/posix/folders.h"

namespace cresset::process {

namespace {

namespace fs = std::filesystem;

// The kernel stamps changes with the time of its last timer tick; ticks come at most so far apart.
constexpr Duration kTickMax = std::chrono::milliseconds(10);

std::optional<struct stat> look_at(const std::string& path) {
  struct stat status{};
  if (::lstat(path.c_str(), &status) != 0) return std::nullopt;
  return status;
}

// To the microsecond: two stamps that differ by less are of one tick.
WallTime stamp_of(const struct stat& status) {
  return WallTime(std::chrono::seconds(status.st_ctim.tv_sec) +
                  std::chrono::microseconds(status.st_ctim.tv_nsec / 1000));
}

// It is there as it was lent, and empty. Nothing in it changes without its ctime; one that was too
// young for that, or that was used and emptied again, is looked into.
bool is_clean(ScratchFolders::Folder& folder) {
  const auto status = look_at(folder.path);
  if (!status) return false;
  const WallTime changed = stamp_of(*status);
  if (folder.was_old && changed == folder.changed) return true;
  std::error_code failed;
  if (status->st_mode != folder.mode || !fs::is_empty(folder.path, failed) || failed) return false;
  folder.changed = changed;
  folder.was_old = false;
  return true;
}

}  // namespace

ScratchFolders::ScratchFolders(std::string dir, std::function<void(const Error&)> remark,
                               ports::Clock& clock)
    : dir_(std::move(dir)),
      remark_(std::move(remark)),
      clock_(clock),
      prefix_(dir_ + "/" + std::to_string(::getpid()) + ".") {}

ScratchFolders::~ScratchFolders() {
  settle();
  for (const Folder& folder : free_) ::rmdir(folder.path.c_str());
  ::rmdir(dir_.c_str());
}

void ScratchFolders::sweep() {
  std::vector<fs::path> left;
  std::error_code failed;
  for (fs::directory_iterator at(dir_, failed); !failed && at != fs::directory_iterator();
       at.increment(failed))
    left.push_back(at->path());
  for (const fs::path& path : left) {
    if (auto removed = posix::remove_tree(path.native()); !removed) remark_(removed.error());
  }
}

Result<ScratchFolders::Folder> ScratchFolders::take() {
  while (!free_.empty()) {
    Folder folder = std::move(free_.back());
    free_.pop_back();
    const auto status = look_at(folder.path);
    if (!status) continue;
    if (stamp_of(*status) != folder.changed) {
      // Somebody was in it. What is not empty stays for sweep().
      ::rmdir(folder.path.c_str());
      continue;
    }
    folder.was_old = is_old(folder);
    return folder;
  }
  return make();
}

Result<ScratchFolders::Folder> ScratchFolders::make() {
  while (true) {
    Folder folder;
    folder.path = prefix_ + std::to_string(next_++);
    int failure = ::mkdir(folder.path.c_str(), 0777) == 0 ? 0 : errno;
    if (failure == ENOENT) {
      std::error_code failed;
      fs::create_directories(dir_, failed);
      failure = ::mkdir(folder.path.c_str(), 0777) == 0 ? 0 : errno;
    }
    if (failure == 0) {
      const auto status = look_at(folder.path);
      if (!status) return errno_error(errno, "making the folder " + folder.path);
      folder.mode = status->st_mode;
      folder.changed = stamp_of(*status);
      return folder;
    }
    if (failure != EEXIST) return errno_error(failure, "making the folder " + folder.path);
  }
}

bool ScratchFolders::is_old(const Folder& folder) const {
  return clock_.wall_now() - folder.changed > kTickMax;
}

void ScratchFolders::give_back(Folder folder, std::string leftovers) {
  Returned returned{std::move(folder), std::move(leftovers)};
  if (is_clean_or_moved(returned)) returned_.push_back(std::move(returned));
}

void ScratchFolders::settle() {
  for (Returned& returned : std::exchange(returned_, {})) {
    if (is_clean_or_moved(returned)) free_.push_back(std::move(returned.folder));
  }
}

bool ScratchFolders::is_clean_or_moved(Returned& returned) {
  if (is_clean(returned.folder)) return true;
  move_leftovers(returned);
  return false;
}

void ScratchFolders::move_leftovers(const Returned& returned) {
  const std::string& folder = returned.folder.path;
  const std::string& leftovers = returned.leftovers;
  if (!look_at(folder) && errno == ENOENT) return;
  std::error_code failed;
  fs::create_directories(fs::path(leftovers).parent_path(), failed);
  if (::rename(folder.c_str(), leftovers.c_str()) != 0)
    remark_(errno_error(errno, "moving what a step left in " + folder + " to " + leftovers));
}

}  // namespace cresset::process
