#include "cresset/adapters/localfs/path_digest.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <filesystem>
#include <vector>

#include "cresset/adapters/localfs/digest_memory.h"
#include "cresset/adapters/localfs/posix_file.h"
#include "cresset/base/digest.h"

namespace cresset::localfs {

namespace {

constexpr int kOpenEntry = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
constexpr std::string_view kFolderHeader = "cresset folder 1\n";

struct Entry {
  std::string path;  // relative to the folder
  char type = 'f';   // f file, x executable file, d folder, l link
  std::int64_t size = 0;
  std::string content;  // digest of a file, text of a link
};

// One digest_path() under way.
class Digester {
 public:
  Digester(const DigestOptions& options, const std::string& path, bool sync)
      : options_(options),
        path_(path),
        sync_(sync),
        known_(options.afresh ? DigestMemory() : load_digest_memory(options.memory_dir, path)) {}

  Result<std::string> digest(int fd, const struct stat& status) {
    CR_TRY(std::string digest, S_ISDIR(status.st_mode) ? digest_folder(fd) : digest_file(fd, ""));
    if (bytes_ >= options_.remember_from_bytes && seen_ != known_)
      save_digest_memory(options_.memory_dir, path_, seen_);
    return digest;
  }

 private:
  std::string shown(std::string_view relative) const {
    return relative.empty() ? path_ : fmt::format("{}/{}", path_, relative);
  }

  // SHA-256 of an open file, from memory when it has not changed since.
  Result<std::string> digest_file(int fd, const std::string& relative) {
    if (sync_) CR_TRY_VOID(sync_fd(fd, shown(relative)));
    const std::int64_t now = coarse_now_ns();
    CR_TRY(const FileIdentity before, identity(fd, relative));
    bytes_ += before.size;
    if (const auto known = known_.find(relative);
        known != known_.end() && known->second.identity == before) {
      seen_.insert(*known);
      return known->second.digest;
    }
    CR_TRY(std::string digest, hash_content(fd, relative));
    CR_TRY(const FileIdentity after, identity(fd, relative));
    if (before == after && is_settled(before, now))
      seen_.emplace(relative, RememberedDigest{before, digest});
    return digest;
  }

  Result<FileIdentity> identity(int fd, const std::string& relative) const {
    struct stat status{};
    if (::fstat(fd, &status) != 0) return errno_error(errno, shown(relative));
    return identity_of(status);
  }

  Result<std::string> hash_content(int fd, const std::string& relative) {
    buffer_.resize(std::size_t{1} << 18);
    Sha256 hash;
    for (;;) {
      CR_TRY(const std::size_t got, read_some(fd, buffer_.data(), buffer_.size(), shown(relative)));
      hash.update({buffer_.data(), got});
      if (got < buffer_.size()) return hash.finish_hex();
    }
  }

  Result<std::string> digest_folder(int fd) {
    CR_TRY_VOID(walk(fd, "", 1));
    std::ranges::sort(entries_, {}, &Entry::path);
    Sha256 hash;
    hash.update(kFolderHeader);
    for (const Entry& entry : entries_) {
      hash.update_field(entry.path);
      hash.update_field({&entry.type, 1});
      hash.update_field(fmt::to_string(entry.size));
      hash.update_field(entry.content);
    }
    return hash.finish_hex();
  }

  Result<void> walk(int folder, const std::string& prefix, int depth) {
    if (depth > options_.depth_max) return too_deep(prefix);
    CR_TRY(const std::vector<std::string> names, list_names(folder, shown(prefix)));
    for (const std::string& name : names)
      CR_TRY_VOID(visit(folder, name, prefix.empty() ? name : prefix + "/" + name, depth));
    if (sync_) CR_TRY_VOID(sync_fd(folder, shown(prefix)));
    return {};
  }

  Result<void> visit(int folder, const std::string& name, const std::string& relative, int depth) {
    if (entries_.size() >= options_.entries_max) return too_many();
    struct stat status{};
    if (::fstatat(folder, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0)
      return errno_error(errno, shown(relative));
    if (S_ISLNK(status.st_mode)) return add_link(folder, name, relative);
    if (!S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode))
      return special_file(shown(relative), status.st_mode);
    const UniqueFd fd(::openat(folder, name.c_str(), kOpenEntry));
    if (!fd || ::fstat(fd.get(), &status) != 0) return errno_error(errno, shown(relative));
    if (S_ISDIR(status.st_mode)) {
      entries_.push_back({relative, 'd', 0, ""});
      return walk(fd.get(), relative, depth + 1);
    }
    if (!S_ISREG(status.st_mode)) return special_file(shown(relative), status.st_mode);
    CR_TRY(std::string digest, digest_file(fd.get(), relative));
    entries_.push_back(
        {relative, (status.st_mode & S_IXUSR) != 0 ? 'x' : 'f', status.st_size, std::move(digest)});
    return {};
  }

  Result<void> add_link(int folder, const std::string& name, const std::string& relative) {
    std::array<char, PATH_MAX> text;
    const ssize_t size = ::readlinkat(folder, name.c_str(), text.data(), text.size());
    if (size < 0) return errno_error(errno, shown(relative)).with("reading the link");
    entries_.push_back(
        {relative, 'l', size, std::string(text.data(), static_cast<std::size_t>(size))});
    return {};
  }

  Error too_deep(const std::string& relative) const {
    return make_error(Code::kResourceExhausted,
                      "{} lies deeper than {} folders below {}: pack it into one file",
                      shown(relative), options_.depth_max, path_);
  }
  Error too_many() const {
    return make_error(Code::kResourceExhausted,
                      "{} holds more than {} files and folders: pack them into fewer", path_,
                      options_.entries_max);
  }

  const DigestOptions& options_;
  const std::string& path_;
  const bool sync_;
  const DigestMemory known_;
  DigestMemory seen_;
  std::int64_t bytes_ = 0;
  std::vector<Entry> entries_;
  std::vector<char> buffer_;
};

// The entry itself is durable only when the folder that names it is.
Result<void> sync_parent(const std::string& path) {
  std::string parent = std::filesystem::path(path).parent_path().native();
  if (parent.empty()) parent = ".";
  const UniqueFd folder(::open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder) return errno_error(errno, parent);
  return sync_fd(folder.get(), parent);
}

}  // namespace

Result<std::optional<std::string>> digest_path(const DigestOptions& options,
                                               const std::string& path, bool sync) {
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) {
    if (is_absent(errno)) return std::optional<std::string>();
    return errno_error(errno, path);
  }
  if (!S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode))
    return special_file(path, status.st_mode);
  const UniqueFd fd(::open(path.c_str(), kOpenEntry & ~O_NOFOLLOW));
  if (!fd || ::fstat(fd.get(), &status) != 0) return errno_error(errno, path);
  if (!S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode))
    return special_file(path, status.st_mode);
  CR_TRY(std::string digest, Digester(options, path, sync).digest(fd.get(), status));
  if (sync) CR_TRY_VOID(sync_parent(path));
  return std::optional(std::move(digest));
}

}  // namespace cresset::localfs
