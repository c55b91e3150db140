#include "cresset/main/runtime_folder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "cresset/adapters/localfs/files.h"
#include "cresset/adapters/posix/folders.h"
#include "cresset/adapters/posix/unique_fd.h"
#include "cresset/adapters/posix/write_all.h"
#include "cresset/base/check.h"
#include "cresset/base/digest.h"
#include "cresset/main/embedded_runtime.h"

namespace cresset::app_main {

namespace {

constexpr std::size_t kNameDigits = 16;
constexpr mode_t kExecutable = 0755;
constexpr mode_t kPlain = 0644;

std::string content_name() {
  Sha256 hash;
  for (const EmbeddedFile& file : embedded_runtime()) {
    hash.update_field(file.path);
    hash.update_field(file.content);
  }
  return hash.finish_hex().substr(0, kNameDigits);
}

Result<void> write_plain(const std::string& path, const EmbeddedFile& file) {
  const posix::UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
                                  file.executable ? kExecutable : kPlain));
  if (!fd) return errno_error(errno, path);
  return posix::write_all(fd.get(), file.content, path);
}

// One sync for all files: each by itself would cost the first run a tenth of a second.
Result<void> sync_file_system(const std::string& folder) {
  const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return errno_error(errno, folder);
  const int failed = ::syncfs(fd) == 0 ? 0 : errno;
  ::close(fd);
  if (failed != 0) return errno_error(failed, folder);
  return {};
}

Result<void> fill(const std::string& folder) {
  for (const EmbeddedFile& file : embedded_runtime()) {
    const std::string path = fmt::format("{}/{}", folder, file.path);
    CR_TRY_VOID(localfs::make_folder(path.substr(0, path.rfind('/'))));
    CR_TRY_VOID(write_plain(path, file));
  }
  return sync_file_system(folder);
}

}  // namespace

std::string embedded_text(std::string_view path) {
  for (const EmbeddedFile& file : embedded_runtime()) {
    if (file.path == path) return std::string(file.content);
  }
  CHECK(false);
}

Result<std::string> unpack_runtime(const std::string& parent) {
  std::string folder = parent + "/" + content_name();
  struct stat info{};
  if (::stat(folder.c_str(), &info) == 0) return folder;
  const std::string building = fmt::format("{}.{}", folder, ::getpid());
  CR_TRY_VOID(posix::remove_tree(building));
  CR_TRY_VOID(localfs::make_folder(building));
  if (auto filled = fill(building); !filled)
    return std::move(filled).error().with("unpacking the Python runtime");
  // Another process may have been faster: its folder holds the same.
  if (::rename(building.c_str(), folder.c_str()) != 0) {
    const int failed = errno;
    CR_TRY_VOID(posix::remove_tree(building));
    if (failed != EEXIST && failed != ENOTEMPTY) return errno_error(failed, folder);
  }
  return folder;
}

}  // namespace cresset::app_main
