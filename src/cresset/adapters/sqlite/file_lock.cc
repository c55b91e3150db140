#include "cresset/adapters/sqlite/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace cresset::sqlite {

namespace {

// flock(2) cannot be asked who holds it, and trying would keep a new owner out for that moment. A
// lock of the other kind, which lives and dies with the same open file, can be.
Result<void> put_up_sign(int fd, const std::string& path) {
  struct flock sign{};
  sign.l_type = F_WRLCK;
  sign.l_whence = SEEK_SET;
  if (::fcntl(fd, F_OFD_SETLK, &sign) == 0) return {};
  return errno_error(errno, path).with("locking");
}

}  // namespace

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
    if (held.st_nlink == 0) continue;
    if ((operation & LOCK_EX) != 0) CR_TRY_VOID(put_up_sign(fd, path));
    return std::optional<FileLock>(std::move(lock));
  }
}

Result<std::optional<FileLock>> FileLock::try_lock(const std::string& path) {
  return lock(path, LOCK_EX | LOCK_NB);
}

Result<std::optional<FileLock>> FileLock::try_share(const std::string& path) {
  return lock(path, LOCK_SH | LOCK_NB);
}

Result<bool> FileLock::is_locked(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0 && errno == ENOENT) return false;
  if (fd < 0) return errno_error(errno, path).with("looking at the lock");
  struct flock sign{};
  sign.l_type = F_RDLCK;
  sign.l_whence = SEEK_SET;
  const int rc = ::fcntl(fd, F_OFD_GETLK, &sign);
  const int failed = errno;
  ::close(fd);
  if (rc != 0) return errno_error(failed, path).with("looking at the lock");
  return sign.l_type != F_UNLCK;
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

namespace {

class HeldFile final : public Lock {
 public:
  explicit HeldFile(FileLock lock) : lock_(std::move(lock)) {}
  Result<void> remove_name() override { return lock_.remove_file(); }

 private:
  FileLock lock_;
};

Result<std::unique_ptr<Lock>> held(Result<std::optional<FileLock>> lock) {
  if (!lock) return std::move(lock).error();
  if (!*lock) return std::unique_ptr<Lock>();
  return std::unique_ptr<Lock>(std::make_unique<HeldFile>(std::move(**lock)));
}

}  // namespace

Result<std::unique_ptr<Lock>> FileLocks::try_lock(const std::string& name) {
  return held(FileLock::try_lock(folder_ + "/" + name));
}
Result<std::unique_ptr<Lock>> FileLocks::try_share(const std::string& name) {
  return held(FileLock::try_share(folder_ + "/" + name));
}
Result<std::unique_ptr<Lock>> FileLocks::wait(const std::string& name) {
  CR_TRY(FileLock lock, FileLock::wait(folder_ + "/" + name));
  return std::unique_ptr<Lock>(std::make_unique<HeldFile>(std::move(lock)));
}
Result<bool> FileLocks::is_locked(const std::string& name) {
  return FileLock::is_locked(folder_ + "/" + name);
}

}  // namespace cresset::sqlite
