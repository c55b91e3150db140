#include "cresset/cli/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>

namespace cresset::cli {

namespace {

// 0, or the errno of the write that failed.
int write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(fd, text.data(), text.size());
    if (written < 0) {
      if (errno == EINTR) continue;
      return errno;
    }
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return 0;
}

}  // namespace

Terminal::Terminal(bool colour, bool utf8)
    : colour_(colour),
      utf8_(utf8),
      out_is_terminal_(::isatty(STDOUT_FILENO) == 1),
      err_is_terminal_(::isatty(STDERR_FILENO) == 1) {}

void Terminal::out(std::string_view text) {
  if (muted_ || out_is_closed_) return;
  const int failed = write_all(STDOUT_FILENO, text);
  if (failed == 0) return;
  out_is_closed_ = true;
  if (failed != EPIPE && failed != EIO) out_is_good_ = false;
}

void Terminal::err(std::string_view text) {
  if (!muted_) write_all(STDERR_FILENO, text);
}

Terminal::Size Terminal::size() const {
  winsize window{};
  if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &window) != 0 || window.ws_col == 0 || window.ws_row == 0)
    return {};
  return {window.ws_col, window.ws_row};
}

}  // namespace cresset::cli
