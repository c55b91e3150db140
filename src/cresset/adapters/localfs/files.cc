#include "cresset/adapters/localfs/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>

#include "cresset/adapters/localfs/posix_file.h"
#include "cresset/adapters/localfs/utf8.h"

namespace cresset::localfs {

namespace {

Result<struct stat> status_of(int fd, std::string_view what) {
  struct stat status{};
  if (::fstat(fd, &status) != 0) return errno_error(errno, what);
  return status;
}

Error too_large(const std::string& path, std::int64_t bytes_max) {
  return make_error(Code::kResourceExhausted, "{} is larger than the {} bytes allowed here", path,
                    bytes_max);
}

// The last folder of a path, which holds the entry that the path names.
std::string parent_of(const std::string& path) {
  const std::string parent = std::filesystem::path(path).parent_path().native();
  return parent.empty() ? "." : parent;
}

Result<void> sync_folder(const std::string& path) {
  const UniqueFd folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder) return errno_error(errno, path);
  return sync_fd(folder.get(), path);
}

Result<void> write_and_sync(int fd, const std::string& path, std::string_view content) {
  CR_TRY_VOID(write_all(fd, content, path));
  return sync_fd(fd, path);
}

// `bytes` begin one byte before the tail. A last line that is longer than the tail begins at a
// character.
std::string_view from_line_start(std::string_view bytes) {
  const std::size_t line_end = bytes.find('\n');
  if (line_end != std::string_view::npos && line_end + 1 < bytes.size())
    return bytes.substr(line_end + 1);
  bytes.remove_prefix(std::min<std::size_t>(1, bytes.size()));
  while (!bytes.empty() && (static_cast<unsigned char>(bytes.front()) & 0xc0) == 0x80)
    bytes.remove_prefix(1);
  return bytes;
}

}  // namespace

Result<std::optional<std::string>> find_file(const std::string& path, std::int64_t bytes_max) {
  CR_TRY(const std::optional<UniqueFd> file, open_file(path));
  if (!file) return std::optional<std::string>();
  CR_TRY(const struct stat status, status_of(file->get(), path));
  if (status.st_size > bytes_max) return too_large(path, bytes_max);
  // One byte more than it says: a file that grows meanwhile, or one of /proc, is read in whole or
  // refused.
  std::string content;
  std::size_t filled = 0;
  const auto limit = static_cast<std::size_t>(bytes_max) + 1;
  std::size_t capacity = static_cast<std::size_t>(status.st_size) + 1;
  for (;;) {
    content.resize(std::min(capacity, limit));
    CR_TRY(const std::size_t got,
           read_some(file->get(), content.data() + filled, content.size() - filled, path));
    filled += got;
    if (filled < content.size()) break;
    if (filled == limit) return too_large(path, bytes_max);
    capacity = std::max<std::size_t>(2 * capacity, 4096);
  }
  content.resize(filled);
  return std::optional(std::move(content));
}

Result<std::string> read_file(const std::string& path, std::int64_t bytes_max) {
  CR_TRY(std::optional<std::string> content, find_file(path, bytes_max));
  if (!content) return errno_error(ENOENT, path);
  return std::move(*content);
}

Result<void> write_file_atomic(const std::string& path, std::string_view content) {
  UniqueFd fd;
  std::string temporary;
  do {
    temporary = temporary_sibling(path);
    fd = UniqueFd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
  } while (!fd && errno == EEXIST);
  if (!fd) return errno_error(errno, temporary).with("replacing {}", path);
  Result<void> written = write_and_sync(fd.get(), path, content);
  if (written && ::rename(temporary.c_str(), path.c_str()) != 0)
    written = errno_error(errno, path).with("replacing");
  if (!written) {
    ::unlink(temporary.c_str());
    return written;
  }
  return sync_folder(parent_of(path));
}

Result<std::string> read_tail(const std::string& path, std::int64_t bytes_max) {
  CR_TRY(const std::optional<UniqueFd> file, open_file(path));
  if (!file || bytes_max <= 0) return std::string();
  CR_TRY(const struct stat status, status_of(file->get(), path));
  // One byte earlier, to see whether the tail happens to begin a line.
  const std::int64_t begin = std::max<std::int64_t>(0, status.st_size - bytes_max - 1);
  if (::lseek(file->get(), begin, SEEK_SET) < 0) return errno_error(errno, path);
  std::string bytes(static_cast<std::size_t>(status.st_size - begin), '\0');
  CR_TRY(const std::size_t got, read_some(file->get(), bytes.data(), bytes.size(), path));
  bytes.resize(got);
  if (begin == 0 && status.st_size <= bytes_max) return replace_invalid_utf8(bytes);
  return replace_invalid_utf8(from_line_start(bytes));
}

Result<void> make_folder(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) return errno_error(error.value(), path).with("making the folder");
  return {};
}

}  // namespace cresset::localfs
