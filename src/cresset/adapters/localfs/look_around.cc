#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>

#include "cresset/adapters/localfs/files.h"
#include "cresset/adapters/localfs/posix_file.h"

namespace cresset::localfs {

namespace fs = std::filesystem;

Result<std::vector<std::string>> list_folder(const std::string& path) {
  std::vector<std::string> out;
  std::error_code error;
  for (fs::directory_iterator it(path, error), end; !error && it != end; it.increment(error))
    out.push_back(it->path().filename().native());
  if (error && error != std::errc::no_such_file_or_directory && error != std::errc::not_a_directory)
    return errno_error(error.value(), path).with("listing");
  std::ranges::sort(out);
  return out;
}

Result<std::int64_t> measure_tree(const std::string& path) {
  std::error_code error;
  const fs::file_status status = fs::symlink_status(path, error);
  if (status.type() == fs::file_type::not_found) return 0;
  if (error) return errno_error(error.value(), path).with("measuring");
  if (status.type() == fs::file_type::regular) {
    const std::uintmax_t size = fs::file_size(path, error);
    return error ? 0 : static_cast<std::int64_t>(size);
  }
  if (status.type() != fs::file_type::directory) return 0;
  std::int64_t bytes = 0;
  constexpr auto kOptions = fs::directory_options::skip_permission_denied;
  for (fs::recursive_directory_iterator it(path, kOptions, error), end; !error && it != end;
       it.increment(error)) {
    std::error_code vanished;
    if (it->symlink_status(vanished).type() != fs::file_type::regular) continue;
    const std::uintmax_t size = it->file_size(vanished);
    if (!vanished) bytes += static_cast<std::int64_t>(size);
  }
  if (error && error != std::errc::no_such_file_or_directory)
    return errno_error(error.value(), path).with("measuring");
  return bytes;
}

namespace {

constexpr std::int64_t kBlock = 512;  // of st_blocks, whatever the file system's own

std::int64_t blocks_of(const struct stat& info, SeenFiles& seen) {
  if (!S_ISDIR(info.st_mode) && info.st_nlink > 1 && !seen.emplace(info.st_dev, info.st_ino).second)
    return 0;
  return info.st_blocks * kBlock;
}

// What vanishes meanwhile, or may not be looked at, does not count.
Result<std::int64_t> disk_below(const UniqueFd& folder, SeenFiles& seen, int depth) {
  constexpr int kDepthMax = 1000;
  std::int64_t bytes = 0;
  if (depth > kDepthMax) return 0;
  CR_TRY(const std::vector<std::string> names, list_names(folder.get(), ""));
  for (const std::string& name : names) {
    struct stat info{};
    if (::fstatat(folder.get(), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) continue;
    bytes += blocks_of(info, seen);
    if (!S_ISDIR(info.st_mode)) continue;
    const UniqueFd child(
        ::openat(folder.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!child) {
      if (is_absent(errno) || errno == EACCES) continue;
      return errno_error(errno, name).with("measuring");
    }
    CR_TRY(const std::int64_t below, disk_below(child, seen, depth + 1));
    bytes += below;
  }
  return bytes;
}

}  // namespace

Result<std::int64_t> measure_disk(const std::string& path, SeenFiles& seen) {
  struct stat info{};
  if (::lstat(path.c_str(), &info) != 0) {
    if (is_absent(errno)) return 0;
    return errno_error(errno, path).with("measuring");
  }
  std::int64_t bytes = blocks_of(info, seen);
  if (!S_ISDIR(info.st_mode)) return bytes;
  const UniqueFd folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!folder) return errno_error(errno, path).with("measuring");
  CR_TRY(const std::int64_t below, disk_below(folder, seen, 0));
  return bytes + below;
}

}  // namespace cresset::localfs
