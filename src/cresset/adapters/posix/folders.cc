#include "cresset/adapters/posix/folders.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <memory>

#include "cresset/adapters/posix/unique_fd.h"

namespace cresset::posix {

bool is_absent(int errno_value) { return errno_value == ENOENT || errno_value == ENOTDIR; }

std::string temporary_sibling(const std::string& path) {
  static std::atomic<std::uint64_t> counter = 0;
  const std::size_t name = path.find_last_of('/') + 1;  // 0 when there is no '/'
  return fmt::format("{}.tmp-{}-{}", path.substr(0, name), ::getpid(), counter.fetch_add(1));
}

Result<std::vector<std::string>> list_names(int folder, std::string_view what) {
  // A descriptor of its own: the stream closes it, and its position is not shared.
  UniqueFd own(::openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!own) return errno_error(errno, what).with("listing");
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(::fdopendir(own.get()), &::closedir);
  if (stream == nullptr) return errno_error(errno, what).with("listing");
  static_cast<void>(own.release());
  std::vector<std::string> names;
  for (;;) {
    errno = 0;
    const dirent* entry = ::readdir(stream.get());
    if (entry == nullptr) break;
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  if (errno != 0) return errno_error(errno, what).with("listing");
  std::ranges::sort(names);
  return names;
}

}  // namespace cresset::posix
