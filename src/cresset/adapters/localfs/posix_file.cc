#include "cresset/adapters/localfs/posix_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

namespace cresset::localfs {

std::string_view type_name(mode_t mode) {
  switch (mode & S_IFMT) {
    case S_IFREG:
      return "a file";
    case S_IFDIR:
      return "a folder";
    case S_IFLNK:
      return "a symbolic link";
    case S_IFSOCK:
      return "a socket";
    case S_IFIFO:
      return "a fifo";
    case S_IFCHR:
    case S_IFBLK:
      return "a device";
    default:
      return "of an unknown type";
  }
}

Error special_file(std::string_view path, mode_t mode) {
  return make_error(Code::kFailedPrecondition,
                    "{} is {}: only files, folders and symbolic links can be kept; remove it", path,
                    type_name(mode));
}

Result<std::optional<UniqueFd>> open_file(const std::string& path) {
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) {
    if (is_absent(errno)) return std::optional<UniqueFd>();
    return errno_error(errno, path);
  }
  if (!S_ISREG(status.st_mode)) {
    return make_error(Code::kFailedPrecondition, "{} is {}, where a file was expected", path,
                      type_name(status.st_mode));
  }
  // O_NONBLOCK: should a fifo have taken the file's place since, this does not wait for its writer.
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!fd) {
    if (is_absent(errno)) return std::optional<UniqueFd>();
    return errno_error(errno, path);
  }
  if (::fstat(fd.get(), &status) != 0) return errno_error(errno, path);
  if (!S_ISREG(status.st_mode)) return special_file(path, status.st_mode);
  return std::optional(std::move(fd));
}

Result<std::size_t> read_some(int fd, char* buffer, std::size_t size, std::string_view what) {
  std::size_t filled = 0;
  while (filled < size) {
    const ssize_t got = ::read(fd, buffer + filled, size - filled);
    if (got == 0) break;
    if (got > 0) {
      filled += static_cast<std::size_t>(got);
    } else if (errno != EINTR) {
      return errno_error(errno, what).with("reading");
    }
  }
  return filled;
}

Result<void> sync_fd(int fd, std::string_view what) {
  if (::fsync(fd) == 0) return {};
  // Read-only and special file systems have nothing to make durable, and say so.
  if (errno == EINVAL || errno == EROFS || errno == ENOTSUP) return {};
  const int saved = errno;
  Error error = errno_error(saved, what).with("making durable (fsync)");
  error.code = Code::kDataLoss;
  return error;
}

}  // namespace cresset::localfs
