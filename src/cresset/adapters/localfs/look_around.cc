#include <algorithm>
#include <filesystem>
#include <system_error>

#include "cresset/adapters/localfs/files.h"

namespace cresset::localfs {

namespace fs = std::filesystem;

Result<std::vector<std::string>> list_folder(const std::string& path) {
  std::vector<std::string> out;
  std::error_code error;
  for (fs::directory_iterator it(path, error), end; !error && it != end; it.increment(error))
    out.push_back(it->path().filename().native());
  if (error && error != std::errc::no_such_file_or_directory)
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

}  // namespace cresset::localfs
