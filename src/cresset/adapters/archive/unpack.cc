#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <iterator>
#include <memory>
#include <utility>

#include "cresset/adapters/archive/archive.h"
#include "cresset/adapters/archive/archive_error.h"
#include "cresset/adapters/archive/entry_name.h"
#include "cresset/adapters/posix/unique_fd.h"
#include "cresset/adapters/posix/write_all.h"
#include "cresset/base/digest.h"

namespace cresset::archive {

namespace {

struct CloseArchive {
  void operator()(struct ::archive* archive) const { archive_free(archive); }
};
using ArchivePtr = std::unique_ptr<struct ::archive, CloseArchive>;

constexpr std::size_t kBlock = 64 << 10;
constexpr std::size_t kHeadBytesMax = 1 << 20;
constexpr mode_t kModeBits = 0777;
constexpr int kFolder = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

// One archive being read.
class Unpacker {
 public:
  Unpacker(const std::string& file, const UnpackOptions& options, const OnBytes& on_bytes)
      : file_(file), options_(options), on_bytes_(on_bytes), buffer_(kBlock) {}

  Result<void> open(const std::string& folder) {
    fd_.reset(::open(file_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!fd_) {
      Error error = errno_error(errno, "cannot read " + file_);
      error.code = Code::kInvalidArgument;
      return error;
    }
    struct stat info{};
    if (::fstat(fd_.get(), &info) != 0) return errno_error(errno, file_);
    if (!S_ISREG(info.st_mode))
      return make_error(Code::kInvalidArgument, "{} is no regular file", file_);
    file_bytes_ = info.st_size;
    CR_TRY(is_like_a_backup_, begins_like_a_backup());
    root_.reset(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!root_) return errno_error(errno, folder);
    in_.reset(archive_read_new());
    if (archive_read_support_format_tar(in_.get()) != ARCHIVE_OK ||
        archive_read_open(in_.get(), this, nullptr, &read_file, nullptr) != ARCHIVE_OK)
      return reading_error();
    return {};
  }

  Result<Unpacked> run() {
    CR_TRY_VOID(read_head());
    for (std::size_t entries = 0;; ++entries) {
      if (entries > options_.entries_max) return damaged("more entries than a backup may have");
      CR_TRY(struct ::archive_entry * entry, next());
      if (entry == nullptr) return broken("its end is missing");
      const std::string name = name_of(entry);
      if (name == kManifestName) break;
      if (auto made = make(entry, name); !made) return std::move(made).error();
    }
    CR_TRY_VOID(check_manifest());
    CR_TRY_VOID(close_folders());
    CR_TRY_VOID(on_bytes_(unpacked_.bytes));
    if (::syncfs(root_.get()) != 0)
      return errno_error(errno, "the restored files").with("making durable");
    return std::move(unpacked_);
  }

 private:
  Error damaged(std::string_view why) const { return damaged_archive(file_, why); }

  // Of what cannot be read on. Where all of the file has been read, and nothing says that this is
  // all of it, the rest is missing.
  Error broken(std::string_view why) const {
    if (!has_ended_ || is_whole_ || !is_like_a_backup_) return damaged(why);
    return cut_off_archive(file_, fmt::format("{} bytes, {}", file_bytes_, place_));
  }

  // Of the library's last failure.
  Error reading_error() const {
    const int code = archive_errno(in_.get());
    if (code == EIO || code == EACCES || code == ENOMEM) return errno_error(code, file_);
    const char* text = archive_error_string(in_.get());
    return broken(text == nullptr ? "no reason given" : text);
  }

  static la_ssize_t read_file(struct ::archive* in, void* self, const void** block) {
    auto& unpacker = *static_cast<Unpacker*>(self);
    ssize_t got = 0;
    do {
      got = ::read(unpacker.fd_.get(), unpacker.buffer_.data(), unpacker.buffer_.size());
    } while (got < 0 && errno == EINTR);
    if (got < 0) archive_set_error(in, errno, "it cannot be read");
    if (got == 0) unpacker.has_ended_ = true;
    *block = unpacker.buffer_.data();
    return got;
  }

  // As far as it goes.
  Result<bool> begins_like_a_backup() const {
    std::array<char, kHeadName.size()> begin;
    const ssize_t got = ::pread(fd_.get(), begin.data(), begin.size(), 0);
    if (got < 0) return errno_error(errno, file_);
    return kHeadName.starts_with(std::string_view(begin.data(), static_cast<std::size_t>(got)));
  }

  static std::string name_of(struct ::archive_entry* entry) {
    const char* name = archive_entry_pathname(entry);
    return name == nullptr ? std::string() : std::string(name);
  }

  // Nothing at the end.
  Result<struct ::archive_entry*> next() {
    CR_TRY_VOID(on_bytes_(unpacked_.bytes));
    struct ::archive_entry* entry = nullptr;
    if (!last_.empty()) place_ = "after entry " + escaped_name(last_);
    const int rc = archive_read_next_header(in_.get(), &entry);
    if (rc == ARCHIVE_EOF) return static_cast<struct ::archive_entry*>(nullptr);
    if (rc != ARCHIVE_OK) return reading_error();
    last_ = name_of(entry);
    place_ = "inside entry " + escaped_name(last_);
    return entry;
  }

  Result<void> read_head() {
    CR_TRY(struct ::archive_entry * entry, next());
    if (entry == nullptr) return broken("its head is missing");
    if (name_of(entry) != kHeadName || archive_entry_filetype(entry) != AE_IFREG)
      return damaged("its head is missing");
    CR_TRY(const std::string text, read_text(kHeadBytesMax));
    CR_TRY(const HeadRead head, parse_head(text, options_.schema_max, file_));
    format_ = head.format;
    is_whole_ = head.bytes && file_bytes_ >= *head.bytes;
    if (head.bytes && !is_whole_)
      return cut_off_archive(file_, fmt::format("{} of {} bytes", file_bytes_, *head.bytes));
    if (format_ > 1) list({'h', 0600, std::ssize(text), 0, sha256_hex(text), kHeadName});
    return {};
  }

  void list(const ManifestLine& line) { manifest_ += to_text(line, format_); }

  Result<std::string> read_text(std::size_t bytes_max) {
    std::string text;
    CR_TRY_VOID(read_blocks([&](std::string_view block, std::int64_t offset) -> Result<void> {
      if (static_cast<std::size_t>(offset) != text.size()) return damaged("it has holes");
      if (text.size() + block.size() > bytes_max) return damaged("an entry is too long");
      text += block;
      return {};
    }));
    return text;
  }

  template <class F>
  Result<void> read_blocks(F&& take) {
    while (true) {
      const void* data = nullptr;
      std::size_t size = 0;
      la_int64_t offset = 0;
      const int rc = archive_read_data_block(in_.get(), &data, &size, &offset);
      if (rc == ARCHIVE_EOF) return {};
      if (rc != ARCHIVE_OK) return reading_error();
      if (size > 0)
        CR_TRY_VOID(take(std::string_view(static_cast<const char*>(data), size), offset));
    }
  }

  Result<void> make(struct ::archive_entry* entry, const std::string& name) {
    auto split = split_entry_name(name);
    if (!split) return damaged(split.error().message);
    const std::vector<std::string>& parts = *split;
    if (archive_entry_hardlink(entry) != nullptr) return damaged("it holds a hard link");
    CR_TRY(const posix::UniqueFd parent, open_parent(parts));
    const std::string shown = name.substr(kContentPrefix.size());
    switch (archive_entry_filetype(entry)) {
      case AE_IFDIR:
        return make_folder(entry, parent.get(), parts, shown);
      case AE_IFLNK:
        return make_link(entry, parent.get(), parts, shown);
      case AE_IFREG:
        return make_file(entry, parent.get(), parts.back(), shown);
      default:
        return damaged("it holds an entry that is no file, folder or link");
    }
  }

  // Each step without following a link: what the archive made before must not lead out.
  Result<posix::UniqueFd> open_parent(const std::vector<std::string>& parts) {
    posix::UniqueFd at(::fcntl(root_.get(), F_DUPFD_CLOEXEC, 0));
    if (!at) return errno_error(errno, "restoring");
    for (std::size_t i = 0; i + 1 < parts.size(); ++i) {
      if (::mkdirat(at.get(), parts[i].c_str(), 0700) != 0 && errno != EEXIST)
        return errno_error(errno, parts[i]).with("restoring");
      posix::UniqueFd below(::openat(at.get(), parts[i].c_str(), kFolder));
      if (!below) {
        if (errno == ELOOP || errno == ENOTDIR)
          return damaged("an entry lies below a file or link");
        return errno_error(errno, parts[i]).with("restoring");
      }
      at = std::move(below);
    }
    return at;
  }

  Result<void> make_folder(struct ::archive_entry* entry, int parent,
                           const std::vector<std::string>& parts, const std::string& shown) {
    const std::string bare = shown.ends_with('/') ? shown.substr(0, shown.size() - 1) : shown;
    if (::mkdirat(parent, parts.back().c_str(), 0700) != 0) {
      struct stat info{};
      if (errno != EEXIST) return errno_error(errno, bare).with("restoring");
      if (::fstatat(parent, parts.back().c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0 ||
          !S_ISDIR(info.st_mode))
        return damaged("two entries have one name");
    }
    const mode_t mode = archive_entry_perm(entry) & kModeBits;
    // Its own mode comes last: it may deny what has to be done inside.
    if (mode != 0700) folder_modes_.emplace_back(parts, mode);
    list({'d', mode, 0, 0, "-", bare});
    return {};
  }

  Result<void> make_link(struct ::archive_entry* entry, int parent,
                         const std::vector<std::string>& parts, const std::string& shown) {
    const char* text = archive_entry_symlink(entry);
    if (text == nullptr || *text == '\0') return damaged("a link leads nowhere");
    if (!may_be_link(parts)) return damaged("it holds a link where Cresset has none");
    if (::symlinkat(text, parent, parts.back().c_str()) != 0) {
      if (errno == EEXIST) return damaged("two entries have one name");
      return errno_error(errno, shown).with("restoring");
    }
    list({'l', kModeBits, 0, 0, sha256_hex(text), shown});
    return {};
  }

  Result<void> make_file(struct ::archive_entry* entry, int parent, const std::string& file,
                         const std::string& shown) {
    const std::int64_t size = archive_entry_size(entry);
    // Nothing is compressed: more than the file holds can only be holes that would fill the disk.
    if (size < 0) return damaged("an entry has no length");
    if (size > file_bytes_ - unpacked_.bytes) {
      has_ended_ = true;
      return broken("an entry says that it is longer than the file");
    }
    const mode_t mode = archive_entry_perm(entry) & kModeBits;
    const posix::UniqueFd fd(
        ::openat(parent, file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!fd && errno == EEXIST) return damaged("two entries have one name");
    if (!fd) return errno_error(errno, shown).with("restoring");
    Sha256 hash;
    std::int64_t at = 0;
    CR_TRY_VOID(read_blocks([&](std::string_view block, std::int64_t offset) -> Result<void> {
      if (offset != at) return damaged("it has holes");
      at += std::ssize(block);
      if (at > size) return damaged("an entry is longer than it says");
      hash.update(block);
      if (auto put = posix::write_all(fd.get(), block, shown); !put)
        return std::move(put).error().with("restoring");
      unpacked_.bytes += std::ssize(block);
      return on_bytes_(unpacked_.bytes);
    }));
    if (at != size) return broken("an entry is cut off");
    if (::fchmod(fd.get(), mode) != 0) return errno_error(errno, shown).with("restoring");
    const std::int64_t mtime = archive_entry_mtime(entry);
    const timespec times[2] = {{0, UTIME_OMIT}, {mtime, 0}};
    if (::futimens(fd.get(), times) != 0) return errno_error(errno, shown).with("restoring");
    list({'f', mode, size, mtime, hash.finish_hex(), shown});
    ++unpacked_.files;
    return {};
  }

  Result<void> check_manifest() {
    CR_TRY(const std::string told, read_text(manifest_.size()));
    if (told == manifest_) return {};
    const auto [mine, theirs] =
        std::mismatch(manifest_.begin(), manifest_.end(), told.begin(), told.end());
    const std::size_t at = static_cast<std::size_t>(mine - manifest_.begin());
    if (at == manifest_.size()) return damaged("its list of contents is longer than the contents");
    const std::size_t begin = at == 0 ? 0 : manifest_.rfind('\n', at - 1) + 1;
    const std::string line = manifest_.substr(begin, manifest_.find('\n', at) - begin);
    return damaged(
        fmt::format("not as it was written: {}", line.substr(line.find_last_of(' ') + 1)));
  }

  Result<void> close_folders() {
    for (auto folder = folder_modes_.rbegin(); folder != folder_modes_.rend(); ++folder) {
      CR_TRY(const posix::UniqueFd parent, open_parent(folder->first));
      const posix::UniqueFd fd(::openat(parent.get(), folder->first.back().c_str(), kFolder));
      if (!fd || ::fchmod(fd.get(), folder->second) != 0)
        return errno_error(errno, folder->first.back()).with("restoring");
    }
    return {};
  }

  const std::string& file_;
  const UnpackOptions& options_;
  const OnBytes& on_bytes_;
  posix::UniqueFd fd_;
  posix::UniqueFd root_;
  std::int64_t file_bytes_ = 0;
  std::vector<char> buffer_;
  bool is_like_a_backup_ = false;  // its first bytes are those of one
  bool is_whole_ = false;          // it is as long as its head says
  bool has_ended_ = false;         // all of it has been read, and more was asked for
  std::string last_;               // entry
  std::string place_ = "before its first entry";
  std::int64_t format_ = 0;
  ArchivePtr in_;
  std::string manifest_;
  std::vector<std::pair<std::vector<std::string>, mode_t>> folder_modes_;
  Unpacked unpacked_;
};

}  // namespace

Result<Unpacked> unpack(const std::string& file, const std::string& folder,
                        const UnpackOptions& options, const OnBytes& on_bytes) {
  Unpacker unpacker(file, options, on_bytes);
  CR_TRY_VOID(unpacker.open(folder));
  return unpacker.run();
}

}  // namespace cresset::archive
