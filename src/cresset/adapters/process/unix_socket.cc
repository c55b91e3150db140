#include "cresset/adapters/process/unix_socket.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

namespace cresset::process {

namespace {

constexpr int kBacklog = 128;

sockaddr_un address_in(const posix::UniqueFd& dir) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  fmt::format_to_n(address.sun_path, sizeof address.sun_path - 1, "/proc/self/fd/{}/socket",
                   dir.get());
  return address;
}

Result<posix::UniqueFd> make_socket() {
  posix::UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return errno_error(errno, "making a socket");
  return socket;
}

Result<void> require_own_user(const posix::UniqueFd& socket) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(socket.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) {
    return errno_error(errno, "asking who is at the other end of the keeper's socket");
  }
  if (peer.uid != ::geteuid()) {
    return make_error(Code::kPermissionDenied,
                      "the other end of the keeper's socket is user {}, not {}", peer.uid,
                      ::geteuid());
  }
  return {};
}

}  // namespace

Result<posix::UniqueFd> open_private_dir(const std::string& path) {
  std::error_code ec;
  std::filesystem::create_directories(std::filesystem::path(path).parent_path(), ec);
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST)
    return errno_error(errno, "making " + path);
  posix::UniqueFd dir(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!dir) return errno_error(errno, "opening " + path);
  struct stat status{};
  if (::fstat(dir.get(), &status) != 0) return errno_error(errno, "reading the mode of " + path);
  if (status.st_uid != ::geteuid()) {
    return make_error(Code::kPermissionDenied,
                      "{} belongs to user {}: use a home of your own (CRESSET_HOME)", path,
                      status.st_uid);
  }
  if ((status.st_mode & 077) != 0 && ::fchmod(dir.get(), 0700) != 0)
    return errno_error(errno, "closing " + path);
  return dir;
}

Result<posix::UniqueFd> listen_in(const posix::UniqueFd& dir) {
  CR_TRY(posix::UniqueFd listener, make_socket());
  if (::unlinkat(dir.get(), "socket", 0) != 0 && errno != ENOENT)
    return errno_error(errno, "removing an old socket");
  const sockaddr_un address = address_in(dir);
  if (::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return errno_error(errno, "binding the keeper's socket");
  }
  if (::listen(listener.get(), kBacklog) != 0)
    return errno_error(errno, "listening on the keeper's socket");
  return listener;
}

Result<posix::UniqueFd> connect_in(const posix::UniqueFd& dir) {
  CR_TRY(posix::UniqueFd socket, make_socket());
  const sockaddr_un address = address_in(dir);
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return make_error(Code::kUnavailable, "connecting to the keeper: {}", std::strerror(errno));
  }
  CR_TRY_VOID(require_own_user(socket));
  return socket;
}

Result<posix::UniqueFd> accept_on(const posix::UniqueFd& listener) {
  posix::UniqueFd socket(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!socket) {
    Error error = errno_error(errno, "accepting");
    // Whatever else is wrong is wrong with the one who waited.
    if (error.code != Code::kResourceExhausted) error.code = Code::kUnavailable;
    return error;
  }
  CR_TRY_VOID(require_own_user(socket));
  return socket;
}

}  // namespace cresset::process
