#include "cresset/adapters/process/scratch_folders.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <utility>

namespace cresset::process {

namespace fs = std::filesystem;

ScratchFolders::ScratchFolders(std::string dir, std::function<void(const Error&)> remark)
    : dir_(std::move(dir)),
      remark_(std::move(remark)),
      prefix_(dir_ + "/" + std::to_string(::getpid()) + ".") {}

ScratchFolders::~ScratchFolders() {
  settle();
  for (const std::string& folder : free_) ::rmdir(folder.c_str());
  ::rmdir(dir_.c_str());
}

void ScratchFolders::sweep() {
  std::vector<fs::path> left;
  std::error_code failed;
  for (fs::directory_iterator at(dir_, failed); !failed && at != fs::directory_iterator();
       at.increment(failed))
    left.push_back(at->path());
  for (const fs::path& path : left) fs::remove_all(path, failed);
}

Result<std::string> ScratchFolders::take() {
  while (!free_.empty()) {
    std::string folder = std::move(free_.back());
    free_.pop_back();
    if (is_in_order(folder)) return folder;
  }
  return make();
}

Result<std::string> ScratchFolders::make() {
  while (true) {
    std::string folder = prefix_ + std::to_string(next_++);
    int failure = ::mkdir(folder.c_str(), 0777) == 0 ? 0 : errno;
    if (failure == ENOENT) {
      std::error_code failed;
      fs::create_directories(dir_, failed);
      failure = ::mkdir(folder.c_str(), 0777) == 0 ? 0 : errno;
    }
    if (failure == EEXIST) continue;
    struct stat status{};
    if (failure == 0 && ::lstat(folder.c_str(), &status) != 0) failure = errno;
    if (failure != 0) return errno_error(failure, "making the folder " + folder);
    mode_ = status.st_mode;
    return folder;
  }
}

bool ScratchFolders::is_in_order(const std::string& folder) const {
  struct stat status{};
  return ::lstat(folder.c_str(), &status) == 0 && status.st_mode == mode_;
}

bool ScratchFolders::is_untouched(const std::string& folder) const {
  std::error_code failed;
  return is_in_order(folder) && fs::is_empty(folder, failed) && !failed;
}

void ScratchFolders::give_back(std::string folder, std::string leftovers) {
  Returned returned{std::move(folder), std::move(leftovers)};
  if (is_untouched(returned.folder)) {
    returned_.push_back(std::move(returned));
  } else {
    move_leftovers(returned);
  }
}

void ScratchFolders::settle() {
  for (Returned& returned : std::exchange(returned_, {})) {
    if (is_untouched(returned.folder)) {
      free_.push_back(std::move(returned.folder));
    } else {
      move_leftovers(returned);
    }
  }
}

void ScratchFolders::move_leftovers(const Returned& returned) {
  const auto& [folder, leftovers] = returned;
  struct stat status{};
  if (::lstat(folder.c_str(), &status) != 0 && errno == ENOENT) return;
  std::error_code failed;
  fs::create_directories(fs::path(leftovers).parent_path(), failed);
  if (::rename(folder.c_str(), leftovers.c_str()) != 0)
    remark_(errno_error(errno, "moving what a step left in " + folder + " to " + leftovers));
}

}  // namespace cresset::process
