#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <filesystem>
#include <system_error>

#include "cresset/adapters/localfs/files.h"
#include "cresset/adapters/localfs/posix_file.h"
#include "cresset/adapters/posix/folders.h"

namespace cresset::localfs {

namespace {

// A walk holds two descriptors a level.
constexpr int kDepthMax = 100;

constexpr int kOpenFolder = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
constexpr int kOpenSource = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;

// Walks by descriptors: a folder that is swapped for a link meanwhile leads nowhere.
class Copier {
 public:
  // `root` is the source with all links resolved.
  explicit Copier(std::filesystem::path root) : root_(std::move(root)) {}

  Result<void> copy_file(int from, const struct stat& status, int to_folder, const std::string& to,
                         const std::string& shown) {
    const UniqueFd target(
        ::openat(to_folder, to.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!target) return errno_error(errno, shown).with("copying");
    CR_TRY_VOID(copy_bytes(from, target.get(), shown));
    if (::fchmod(target.get(), status.st_mode & 0777) != 0)
      return errno_error(errno, shown).with("copying");
    return {};
  }

  Result<void> copy_folder(int from, const struct stat& status, int to_folder,
                           const std::string& to, const std::filesystem::path& shown, int depth) {
    if (depth > kDepthMax) {
      return make_error(Code::kResourceExhausted, "{} lies deeper than {} folders", shown.native(),
                        kDepthMax);
    }
    if (::mkdirat(to_folder, to.c_str(), 0700) != 0)
      return errno_error(errno, shown.native()).with("copying");
    const UniqueFd target(::openat(to_folder, to.c_str(), kOpenFolder));
    if (!target) return errno_error(errno, shown.native()).with("copying");
    CR_TRY(const std::vector<std::string> names, list_names(from, shown.native()));
    for (const std::string& name : names)
      CR_TRY_VOID(copy_entry(from, name, target.get(), shown / name, depth + 1));
    // Last: the folder may deny writing.
    if (::fchmod(target.get(), status.st_mode & 0777) != 0)
      return errno_error(errno, shown.native()).with("copying");
    return {};
  }

 private:
  Result<void> copy_entry(int from_folder, const std::string& name, int to_folder,
                          const std::filesystem::path& shown, int depth) {
    struct stat status{};
    if (::fstatat(from_folder, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0)
      return errno_error(errno, shown.native());
    if (S_ISLNK(status.st_mode)) return copy_link(from_folder, name, to_folder, shown);
    if (!S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode))
      return special_file(shown.native(), status.st_mode);
    const UniqueFd source(::openat(from_folder, name.c_str(), kOpenSource));
    if (!source || ::fstat(source.get(), &status) != 0)
      return errno_error(errno, shown.native()).with("copying");
    if (S_ISDIR(status.st_mode))
      return copy_folder(source.get(), status, to_folder, name, shown, depth);
    if (!S_ISREG(status.st_mode)) return special_file(shown.native(), status.st_mode);
    return copy_file(source.get(), status, to_folder, name, shown.native());
  }

  Result<void> copy_link(int from_folder, const std::string& name, int to_folder,
                         const std::filesystem::path& shown) {
    std::array<char, PATH_MAX> buffer;
    const ssize_t size = ::readlinkat(from_folder, name.c_str(), buffer.data(), buffer.size());
    if (size < 0) return errno_error(errno, shown.native()).with("reading the link");
    const std::string text(buffer.data(), static_cast<std::size_t>(size));
    if (!stays_inside(text, shown)) {
      return make_error(Code::kFailedPrecondition,
                        "the symbolic link {} leads out of what is copied, to {}: put a copy "
                        "of its target there",
                        shown.native(), text);
    }
    if (::symlinkat(text.c_str(), to_folder, name.c_str()) != 0)
      return errno_error(errno, shown.native()).with("copying");
    return {};
  }

  // Resolved through the links on its way: each of a chain of links can look harmless by its text
  // alone.
  bool stays_inside(const std::string& text, const std::filesystem::path& shown) const {
    if (text.starts_with('/')) return false;
    std::error_code error;
    const std::filesystem::path target =
        std::filesystem::weakly_canonical(shown.parent_path() / text, error);
    if (error) return false;
    const std::filesystem::path relative = target.lexically_relative(root_);
    return !relative.empty() && *relative.begin() != "..";
  }

  static Result<void> copy_bytes(int from, int to, const std::string& shown) {
    if (::ioctl(to, FICLONE, from) == 0) return {};
    for (;;) {
      const ssize_t copied = ::copy_file_range(from, nullptr, to, nullptr, std::size_t{1} << 30, 0);
      if (copied == 0) return {};
      if (copied < 0 && errno == EINTR) continue;
      if (copied < 0 &&
          (errno == EXDEV || errno == EINVAL || errno == ENOSYS || errno == EOPNOTSUPP))
        break;
      if (copied < 0) return errno_error(errno, shown).with("copying");
    }
    std::vector<char> buffer(std::size_t{1} << 20);
    for (;;) {
      CR_TRY(const std::size_t got, read_some(from, buffer.data(), buffer.size(), shown));
      if (got == 0) return {};
      CR_TRY_VOID(write_all(to, {buffer.data(), got}, shown));
    }
  }

  std::filesystem::path root_;
};

Result<void> copy_to_new(const std::string& source, const std::string& target) {
  std::error_code error;
  const std::filesystem::path root = std::filesystem::canonical(source, error);
  if (error) return errno_error(error.value(), source).with("copying");
  struct stat status{};
  if (::stat(root.c_str(), &status) != 0) return errno_error(errno, source).with("copying");
  if (!S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode))
    return special_file(source, status.st_mode);
  const UniqueFd from(::open(root.c_str(), kOpenSource));
  if (!from) return errno_error(errno, source).with("copying");
  Copier copier(root);
  if (S_ISDIR(status.st_mode))
    return copier.copy_folder(from.get(), status, AT_FDCWD, target, root, 0);
  return copier.copy_file(from.get(), status, AT_FDCWD, target, source);
}

// Puts `made` in the place of `target`, whatever is there.
Result<void> put_in_place(const std::string& made, const std::string& target) {
  if (::rename(made.c_str(), target.c_str()) == 0) return {};
  // A folder that is not empty, or a file in the place of a folder, does not give way to a rename.
  if (::renameat2(AT_FDCWD, made.c_str(), AT_FDCWD, target.c_str(), RENAME_EXCHANGE) == 0)
    return posix::remove_tree(made);
  CR_TRY_VOID(posix::remove_tree(target));
  if (::rename(made.c_str(), target.c_str()) != 0)
    return errno_error(errno, target).with("replacing");
  return {};
}

}  // namespace

Result<void> copy_tree(const std::string& source, const std::string& target) {
  const std::string parent = std::filesystem::path(target).parent_path().native();
  if (!parent.empty()) CR_TRY_VOID(make_folder(parent));
  const std::string made = temporary_sibling(target);
  Result<void> copied = copy_to_new(source, made);
  if (copied) copied = put_in_place(made, target);
  if (!copied)
    static_cast<void>(posix::remove_tree(made));  // the first error says more than one of this
  return copied;
}

}  // namespace cresset::localfs
