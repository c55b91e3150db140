#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <filesystem>
#include <iterator>

#include "cresset/adapters/archive/archive.h"
#include "cresset/adapters/archive/entry_name.h"
#include "cresset/adapters/archive/tar_writer.h"
#include "cresset/adapters/posix/folders.h"
#include "cresset/adapters/posix/unique_fd.h"
#include "cresset/adapters/posix/write_all.h"
#include "cresset/base/check.h"
#include "cresset/base/digest.h"

namespace cresset::archive {

namespace {

constexpr std::size_t kBuffer = std::size_t{1} << 18;
constexpr mode_t kModeBits = 0777;

// One archive being written.
class Packer {
 public:
  Packer(std::string file, Head head, const OnBytes& on_bytes)
      : file_(std::move(file)), head_(std::move(head)), on_bytes_(on_bytes), buffer_(kBuffer) {}

  // The head stays to be written over: how long the archive gets is in it.
  Result<void> open() {
    fd_.reset(::open(file_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!fd_) return errno_error(errno, file_).with("making the backup");
    return add_text(kHeadName, head_text(head_, 0));
  }

  Result<void> add(const Item& item) {
    may_change_ = item.may_change;
    const std::filesystem::path path(item.path);
    const posix::UniqueFd parent(
        ::open(path.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!parent && (errno == ENOENT || errno == ENOTDIR)) return {};
    if (!parent) return errno_error(errno, item.path);
    return visit(parent.get(), path.filename().native(), item.name, item.path, 0);
  }

  Result<Packed> finish() {
    // A digest is as long as any other.
    const std::size_t lines = head_line(head_text(head_, 0)).size() + manifest_.size();
    const std::int64_t total =
        written_ + text_entry_bytes(kManifestName, lines) + std::ssize(tar_end());
    const std::string head = head_text(head_, total);
    CR_TRY_VOID(add_text(kManifestName, head_line(head) + manifest_));
    CR_TRY_VOID(write(tar_end()));
    CHECK(written_ == total);
    if (::lseek(fd_.get(), kTarBlock, SEEK_SET) < 0) return errno_error(errno, file_);
    CR_TRY_VOID(write(head));
    if (::fsync(fd_.get()) != 0) return errno_error(errno, file_).with("making the backup durable");
    CR_TRY_VOID(on_bytes_(packed_.bytes));
    return std::move(packed_);
  }

 private:
  static std::string text_header(std::string_view name, std::int64_t size) {
    return tar_header({std::string(name), '0', 0600, size, 0, ""});
  }

  static std::int64_t text_entry_bytes(std::string_view name, std::size_t bytes) {
    const auto size = static_cast<std::int64_t>(bytes);
    return std::ssize(text_header(name, size)) + size +
           static_cast<std::int64_t>(tar_padding(size));
  }

  Result<void> add_text(std::string_view name, const std::string& text) {
    CR_TRY_VOID(write(text_header(name, std::ssize(text))));
    CR_TRY_VOID(write(text));
    return write(std::string(tar_padding(std::ssize(text)), '\0'));
  }

  static std::string head_line(const std::string& text) {
    return to_text({'h', 0600, std::ssize(text), 0, sha256_hex(text), kHeadName}, kFormat);
  }

  Result<void> visit(int folder, const std::string& file, const std::string& name,
                     const std::string& path, int depth) {
    CR_TRY_VOID(on_bytes_(packed_.bytes));
    const auto parts = split_entry_name(std::string(kContentPrefix) + name);
    if (!parts) {
      leave_out(path, "lies too deep for a backup, or has a name that none may have");
      return {};
    }
    struct stat info{};
    // An item itself may be a link, to another disk for instance: what it leads to is meant. So may
    // a named volume or secret, where the reader takes no link.
    const bool follow = depth == 0 || !may_be_link(*parts);
    if (::fstatat(folder, file.c_str(), &info, follow ? 0 : AT_SYMLINK_NOFOLLOW) != 0) {
      if (depth > 0 && follow && is_dangling(folder, file)) {
        leave_out(path, "is a link that leads nowhere");
        return {};
      }
      if (errno == ENOENT && (may_change_ || depth == 0)) return {};
      return errno_error(errno, path).with("reading");
    }
    if (S_ISLNK(info.st_mode)) return add_link(folder, file, name, path, info);
    if (!S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode)) {
      leave_out(path, "is no file, folder or link");
      return {};
    }
    const posix::UniqueFd fd(
        ::openat(folder, file.c_str(),
                 O_RDONLY | (follow ? 0 : O_NOFOLLOW) | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    if (!fd && errno == ENOENT && may_change_) return {};
    if (!fd || ::fstat(fd.get(), &info) != 0) return errno_error(errno, path).with("reading");
    if (is_own(info)) {
      leave_out(path, "is this backup itself");
      return {};
    }
    if (S_ISREG(info.st_mode)) return add_file(fd.get(), name, path, info);
    CR_TRY_VOID(add_entry(name, '5', info, "", 'd'));
    CR_TRY(const std::vector<std::string> names, posix::list_names(fd.get(), path));
    if (!names.empty() && parts->size() == kPartsMax) {
      leave_out(path + "/…", "lies too deep for a backup");
      return {};
    }
    for (const std::string& child : names)
      CR_TRY_VOID(visit(fd.get(), child, name + "/" + child, path + "/" + child, depth + 1));
    return {};
  }

  void leave_out(const std::string& path, const char* why) {
    packed_.remarks.push_back(fmt::format("{} {}: it is left out", path, why));
  }

  // Keeps errno.
  static bool is_dangling(int folder, const std::string& file) {
    const int failed = errno;
    struct stat info{};
    const bool is_link = (failed == ENOENT || failed == ELOOP || failed == ENOTDIR) &&
                         ::fstatat(folder, file.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0 &&
                         S_ISLNK(info.st_mode);
    errno = failed;
    return is_link;
  }

  // A link may lead to where the backup is being written.
  bool is_own(const struct stat& info) const {
    struct stat own{};
    return ::fstat(fd_.get(), &own) == 0 && own.st_dev == info.st_dev && own.st_ino == info.st_ino;
  }

  Result<void> add_link(int folder, const std::string& file, const std::string& name,
                        const std::string& path, const struct stat& info) {
    std::array<char, PATH_MAX> text;
    const ssize_t size = ::readlinkat(folder, file.c_str(), text.data(), text.size());
    if (size < 0) return errno_error(errno, path).with("reading the link");
    return add_entry(name, '2', info, std::string(text.data(), static_cast<std::size_t>(size)),
                     'l');
  }

  Result<void> add_file(int fd, const std::string& name, const std::string& path,
                        const struct stat& info) {
    CR_TRY_VOID(write_entry(name, '0', info, info.st_size, ""));
    Sha256 hash;
    std::int64_t left = info.st_size;
    bool is_short = false;
    while (left > 0) {
      std::size_t want = static_cast<std::size_t>(std::min<std::int64_t>(left, kBuffer));
      ssize_t got = is_short ? 0 : ::read(fd, buffer_.data(), want);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return errno_error(errno, path).with("reading");
      if (got == 0) {
        is_short = true;
        std::fill(buffer_.begin(), buffer_.end(), '\0');
        got = static_cast<ssize_t>(want);
      }
      want = static_cast<std::size_t>(got);
      hash.update({buffer_.data(), want});
      CR_TRY_VOID(write({buffer_.data(), want}));
      left -= got;
      packed_.bytes += got;
      CR_TRY_VOID(on_bytes_(packed_.bytes));
    }
    CR_TRY_VOID(write(std::string(tar_padding(info.st_size), '\0')));
    CR_TRY_VOID(check_unchanged(fd, path, info, is_short));
    manifest_ += to_text({'f', info.st_mode & kModeBits, info.st_size,
                          tar_time(info.st_mtim.tv_sec), hash.finish_hex(), name},
                         kFormat);
    ++packed_.files;
    return {};
  }

  Result<void> check_unchanged(int fd, const std::string& path, const struct stat& before,
                               bool is_short) {
    struct stat after{};
    if (::fstat(fd, &after) != 0) return errno_error(errno, path);
    if (!is_short && after.st_size == before.st_size &&
        after.st_mtim.tv_sec == before.st_mtim.tv_sec &&
        after.st_mtim.tv_nsec == before.st_mtim.tv_nsec)
      return {};
    if (!may_change_) {
      return make_error(Code::kDataLoss,
                        "{} was changed while it was read, and nobody should write there: find out "
                        "who does, then make the backup again",
                        path);
    }
    // A log that grows is whole up to where it was.
    if (is_short || after.st_size <= before.st_size)
      packed_.remarks.push_back(fmt::format("{} was being written: its copy may be mixed", path));
    return {};
  }

  Result<void> add_entry(const std::string& name, char type, const struct stat& info,
                         const std::string& link, char letter) {
    CR_TRY_VOID(write_entry(type == '5' ? name + "/" : name, type, info, 0, link));
    const mode_t mode = letter == 'l' ? kModeBits : info.st_mode & kModeBits;
    manifest_ +=
        to_text({letter, mode, 0, 0, letter == 'l' ? sha256_hex(link) : "-", name}, kFormat);
    return {};
  }

  Result<void> write_entry(const std::string& name, char type, const struct stat& info,
                           std::int64_t size, const std::string& link) {
    return write(tar_header({std::string(kContentPrefix) + name, type, info.st_mode & kModeBits,
                             size, info.st_mtim.tv_sec, link}));
  }

  Result<void> write(std::string_view bytes) {
    written_ += std::ssize(bytes);
    return posix::write_all(fd_.get(), bytes, file_);
  }

  std::string file_;
  Head head_;
  const OnBytes& on_bytes_;
  posix::UniqueFd fd_;
  std::vector<char> buffer_;
  std::string manifest_;
  std::int64_t written_ = 0;
  Packed packed_;
  bool may_change_ = false;
};

Error exists(const std::string& file) {
  return make_error(Code::kAlreadyExists, "{} is there already: name another file, or give --force",
                    file);
}

// In one step; without `replace` only where nothing is.
Result<void> put_in_place(const std::string& from, const std::string& to, bool replace) {
  if (replace) {
    if (::rename(from.c_str(), to.c_str()) != 0) return errno_error(errno, to).with("naming");
  } else {
    const int rc = ::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE);
    if (rc != 0 && errno == EEXIST) return exists(to);
    if (rc != 0) return errno_error(errno, to).with("naming");
  }
  std::string parent = std::filesystem::path(to).parent_path().native();
  if (parent.empty()) parent = ".";
  const posix::UniqueFd folder(::open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder || ::fsync(folder.get()) != 0)
    return errno_error(errno, parent).with("making the backup durable");
  return {};
}

}  // namespace

std::string beside(const std::string& file, std::string_view what) {
  const std::size_t slash = file.rfind('/') + 1;  // 0 where there is none
  return fmt::format("{}.{}.cresset-backup.{}", file.substr(0, slash), file.substr(slash), what);
}

Result<Packed> pack(const std::string& file, const PackOptions& options,
                    const std::vector<Item>& items, const OnBytes& on_bytes) {
  struct stat info{};
  if (!options.replace && ::lstat(file.c_str(), &info) == 0) return exists(file);
  const std::string unfinished = beside(file, "tmp");
  ::unlink(unfinished.c_str());
  const auto write = [&]() -> Result<Packed> {
    Packer packer(unfinished, options.head, on_bytes);
    CR_TRY_VOID(packer.open());
    for (const Item& item : items) CR_TRY_VOID(packer.add(item));
    return packer.finish();
  };
  Result<Packed> packed = write();
  if (packed) {
    if (auto placed = put_in_place(unfinished, file, options.replace); !placed)
      packed = std::move(placed).error();
  }
  if (!packed) ::unlink(unfinished.c_str());
  return packed;
}

}  // namespace cresset::archive
