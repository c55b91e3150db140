#include "cresset/adapters/process/scratch_folders.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <filesystem>
#include <utility>

namespace cresset::process {

namespace {

namespace fs = std::filesystem;

std::uint64_t number_of(const std::string& name) {
  std::uint64_t number = 0;
  std::from_chars(name.data(), name.data() + name.size(), number);
  return number;
}

}  // namespace

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
  for (const fs::path& path : left) {
    fs::remove_all(path, failed);
    if (failed) next_ = std::max(next_, number_of(path.filename().native()) + 1);
  }
}

Result<std::string> ScratchFolders::take() {
  if (!free_.empty()) {
    std::string folder = std::move(free_.back());
    free_.pop_back();
    return folder;
  }
  std::string folder = dir_ + "/" + std::to_string(next_++);
  if (::mkdir(folder.c_str(), 0777) != 0) {
    std::error_code failed;
    if (errno == ENOENT) fs::create_directories(dir_, failed);
    if (::mkdir(folder.c_str(), 0777) != 0)
      return errno_error(errno, "making the folder " + folder);
  }
  struct stat status{};
  if (mode_ == 0 && ::lstat(folder.c_str(), &status) == 0) mode_ = status.st_mode;
  return folder;
}

bool ScratchFolders::is_untouched(const std::string& folder) const {
  struct stat status{};
  if (::lstat(folder.c_str(), &status) != 0 || status.st_mode != mode_) return false;
  std::error_code failed;
  return fs::is_empty(folder, failed) && !failed;
}

Result<void> ScratchFolders::give_back(std::string folder, const std::string& leftovers) {
  if (is_untouched(folder)) {
    returned_.push_back(std::move(folder));
    return {};
  }
  if (::access(folder.c_str(), F_OK) != 0 && errno == ENOENT) return {};
  std::error_code failed;
  fs::create_directories(fs::path(leftovers).parent_path(), failed);
  if (::rename(folder.c_str(), leftovers.c_str()) != 0)
    return errno_error(errno, "moving what a step left in " + folder + " to " + leftovers);
  return {};
}

void ScratchFolders::settle() {
  std::ranges::move(returned_, std::back_inserter(free_));
  returned_.clear();
}

}  // namespace cresset::process
