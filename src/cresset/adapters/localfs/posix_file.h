#pragma once

#include <sys/stat.h>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cresset/base/result.h"

// The few things about descriptors that every file of this folder needs.
namespace cresset::localfs {

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
// True for the errors that mean "nothing there".
bool is_absent(int errno_value);

// Follows links to a regular file and opens it for reading; nothing when there is none.
// kFailedPrecondition for anything that is not a regular file.
Result<std::optional<Fd>> open_file(const std::string& path);

// As much as there is, at most `size` bytes; `what` names the file in errors.
Result<std::size_t> read_some(int fd, char* buffer, std::size_t size, std::string_view what);
Result<void> write_all(int fd, std::string_view bytes, std::string_view what);
// kDataLoss when the system cannot make it durable. Fine where there is nothing to make durable.
Result<void> sync_fd(int fd, std::string_view what);

// A name beside `path` that no other live process or thread uses: what is made there is renamed to
// `path` when complete. After a crash it may be taken by something left over: try the next.
std::string temporary_sibling(const std::string& path);

// Names in a folder, sorted by their bytes, without "." and "..".
Result<std::vector<std::string>> list_names(int folder, std::string_view what);

}  // namespace cresset::localfs
