#include "cresset/adapters/posix/write_all.h"

#include <unistd.h>

#include <cerrno>

namespace cresset::posix {

Result<void> write_all(int fd, std::string_view bytes, std::string_view what) {
  while (!bytes.empty()) {
    const ssize_t put = ::write(fd, bytes.data(), bytes.size());
    if (put >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(put));
    } else if (errno == EFBIG) {
      return make_error(Code::kResourceExhausted,
                        "{} would become too large for its file system or for this process "
                        "(ulimit -f)",
                        what);
    } else if (errno != EINTR) {
      return errno_error(errno, what).with("writing");
    }
  }
  return {};
}

}  // namespace cresset::posix
