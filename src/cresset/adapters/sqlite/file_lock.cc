#include "cresset/adapters/sqlite/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace cresset::sqlite {

Result<std::optional<FileLock>> FileLock::lock(const std::string& path, int operation) {
  for (;;) {
    const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) return errno_error(errno, path).with("making the lock file");
    FileLock lock(path, fd);
    int rc = 0;
    do {
      rc = ::flock(fd, operation);
    } while (rc != 0 && errno == EINTR);
    if (rc != 0 && errno == EWOULDBLOCK) return std::optional<FileLock>();
    if (rc != 0) return errno_error(errno, path).with("locking");
    struct stat held{};
    if (::fstat(fd, &held) != 0) return errno_error(errno, path).with("locking");
    // The former holder may have removed the file between our open and our lock: then this lock
    // guards nothing.
    if (held.st_nlink > 0) return std::optional<FileLock>(std::move(lock));
  }
}

Result<std::optional<FileLock>> FileLock::try_lock(const std::string& path) {
  return lock(path, LOCK_EX | LOCK_NB);
}

Result<FileLock> FileLock::wait(const std::string& path) {
  CR_TRY(std::optional<FileLock> held, lock(path, LOCK_EX));
  return std::move(*held);
}

FileLock::~FileLock() {
  if (fd_ >= 0) ::close(fd_);
}

Result<void> FileLock::remove_file() {
  if (::unlink(path_.c_str()) != 0 && errno != ENOENT)
    return errno_error(errno, path_).with("removing the lock file");
  return {};
}

}  // namespace cresset::sqlite
