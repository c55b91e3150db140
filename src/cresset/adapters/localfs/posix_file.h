#pragma once

#include <sys/stat.h>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cresset/adapters/posix/folders.h"
#include "cresset/adapters/posix/write_all.h"
#include "cresset/base/result.h"

// The few things about descriptors that every file of this folder needs.
namespace cresset::localfs {

using posix::is_absent;
using posix::list_names;
using posix::temporary_sibling;
using posix::write_all;

// Owns a descriptor.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  ~Fd() { close(); }
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept;

  [[nodiscard]] int get() const { return fd_; }
  [[nodiscard]] bool valid() const { return fd_ >= 0; }
  [[nodiscard]] int release() { return std::exchange(fd_, -1); }

 private:
  void close();
  int fd_ = -1;
};

// "a folder", "a socket" …
std::string_view type_name(mode_t mode);
// Sockets, fifos and devices are refused before they are opened: opening one may block or do
// something.
Error special_file(std::string_view path, mode_t mode);
// Follows links to a regular file and opens it for reading; nothing when there is none.
// kFailedPrecondition for anything that is not a regular file.
Result<std::optional<Fd>> open_file(const std::string& path);

// As much as there is, at most `size` bytes; `what` names the file in errors.
Result<std::size_t> read_some(int fd, char* buffer, std::size_t size, std::string_view what);
// kDataLoss when the system cannot make it durable. Fine where there is nothing to make durable.
Result<void> sync_fd(int fd, std::string_view what);

}  // namespace cresset::localfs
