#include "cresset/adapters/python/key_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace cresset::python {

Result<std::optional<KeyLock>> KeyLock::try_lock(const std::string& folder,
                                                 const std::string& key) {
  const std::string path = folder + "/.lock-" + key;
  for (;;) {
    posix::UniqueFd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!file) return errno_error(errno, path).with("making the lock file");
    if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
      if (errno == EINTR) continue;
      if (errno == EWOULDBLOCK) return std::optional<KeyLock>();
      return errno_error(errno, path).with("locking");
    }
    struct stat held{};
    if (::fstat(file.get(), &held) != 0) return errno_error(errno, path).with("locking");
    // The former holder may have removed the file between our open and our lock: then this lock
    // guards nothing.
    if (held.st_nlink > 0) return std::optional<KeyLock>(KeyLock(path, std::move(file)));
  }
}

void KeyLock::remove_file() { ::unlink(path_.c_str()); }

}  // namespace cresset::python
