#include "cresset/adapters/archive/places.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

#include "cresset/adapters/archive/archive.h"
#include "cresset/adapters/posix/folders.h"

namespace cresset::archive {

namespace {

namespace fs = std::filesystem;

constexpr mode_t kPrivate = 0700;

std::string absolute(const std::string& path) {
  std::error_code error;
  const fs::path out = fs::absolute(path, error);
  return error ? path : out.lexically_normal().native();
}

// By where both really are, whatever links lead there.
bool is_inside(const std::string& file, const std::string& folder) {
  std::error_code error;
  const fs::path real = fs::weakly_canonical(file, error);
  const fs::path root = error ? fs::path() : fs::weakly_canonical(folder, error);
  return !error && real.native().starts_with(root.native() + "/");
}

// A folder cannot be renamed to a link; what the link leads to may be absent.
fs::path follow_links(const std::string& path) {
  constexpr int kLinksMax = 40;
  fs::path place = path;
  std::error_code error;
  for (int i = 0; i < kLinksMax && fs::is_symlink(place, error); ++i) {
    const fs::path target = fs::read_symlink(place, error);
    if (error) break;
    place = (place.parent_path() / target).lexically_normal();
  }
  return place;
}

Error not_empty(const std::string& home) {
  return make_error(
      Code::kFailedPrecondition,
      "{} is not empty: set CRESSET_HOME to a folder that does not exist yet, or move "
      "that one away when nobody needs it",
      home);
}

// A home that is there already, and may hold what nobody wants to lose.
Result<void> check_free(const std::string& home) {
  std::error_code error;
  const fs::file_status there = fs::status(home, error);
  if (!fs::exists(there)) return {};
  if (!fs::is_directory(there)) {
    return make_error(Code::kFailedPrecondition,
                      "{} is no folder: set CRESSET_HOME to one that does not exist yet", home);
  }
  if (!fs::is_empty(home, error)) return not_empty(home);
  return {};
}

// With all that its file system still has to write.
Result<void> sync_around(const std::string& path) {
  const posix::UniqueFd folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder || ::syncfs(folder.get()) != 0)
    return errno_error(errno, path).with("making it durable");
  return {};
}

}  // namespace

Result<PlaceLock> PlaceLock::take(const std::string& path, const char* who) {
  posix::UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd) return errno_error(errno, path).with("making the lock");
  struct stat info{};
  const bool held = ::flock(fd.get(), LOCK_EX | LOCK_NB) == 0;
  if (!held && errno != EWOULDBLOCK) return errno_error(errno, path).with("locking");
  // One that ended just now has removed the file: a lock on it keeps nobody out.
  if (!held || ::fstat(fd.get(), &info) != 0 || info.st_nlink == 0)
    return make_error(Code::kFailedPrecondition, "{}: wait for it to end", who);
  return PlaceLock(path, std::move(fd));
}

PlaceLock::~PlaceLock() {
  if (fd_) ::unlink(path_.c_str());
}

Result<DraftFolder> DraftFolder::make(const std::string& path) {
  CR_TRY_VOID(posix::remove_tree(path));
  if (::mkdir(path.c_str(), kPrivate) != 0) return errno_error(errno, path).with("making");
  return DraftFolder(path);
}

DraftFolder::~DraftFolder() {
  // Another try takes it away as well.
  if (!path_.empty()) static_cast<void>(posix::remove_tree(path_));
}

Result<std::string> find_backup_place(const std::string& file, const std::string& home,
                                      bool replace) {
  if (file.empty() || file == "-") {
    return make_error(Code::kInvalidArgument,
                      "\"{}\" is no file that a backup can be written to: name one, for it is "
                      "written beside its place and then put there",
                      file);
  }
  const fs::path place = follow_links(absolute(file));
  std::error_code error;
  if (!fs::is_directory(place.parent_path(), error)) {
    return make_error(Code::kInvalidArgument, "there is no folder {} to write {} to",
                      place.parent_path().native(), place.filename().native());
  }
  struct stat info{};
  if (!replace && ::lstat(place.c_str(), &info) == 0) {
    return make_error(Code::kAlreadyExists,
                      "{} is there already: name another file, or give --force", file);
  }
  if (is_inside(place.native(), home)) {
    return make_error(Code::kInvalidArgument,
                      "{} lies in the home: a backup there is lost with what it is a backup of",
                      file);
  }
  if (::stat(place.c_str(), &info) == 0 && !S_ISREG(info.st_mode))
    return make_error(Code::kInvalidArgument, "{} is no regular file", file);
  return place.native();
}

Result<BackupPlace> BackupPlace::take(const std::string& file) {
  CR_TRY(PlaceLock lock,
         PlaceLock::take(beside(file, "lock"), "another `cresset backup` is writing this file"));
  CR_TRY(DraftFolder folder, DraftFolder::make(beside(file, "d")));
  return BackupPlace{std::move(lock), std::move(folder)};
}

Result<HomePlace> HomePlace::take(const std::string& home) {
  CR_TRY_VOID(check_free(home));
  const fs::path place = follow_links(home);
  const fs::path parent = place.parent_path();
  std::error_code error;
  fs::create_directories(parent, error);
  if (error) return errno_error(error.value(), parent.native()).with("making the folder");
  const std::string unfinished = parent.native() + "/." + place.filename().native() + ".restoring";
  CR_TRY(PlaceLock lock,
         PlaceLock::take(unfinished + ".lock", "another `cresset restore` is making this home"));
  CR_TRY(DraftFolder folder, DraftFolder::make(unfinished));
  return HomePlace(place.native(), std::move(lock), std::move(folder));
}

// rename(2) replaces an empty folder and no other.
Result<void> HomePlace::put_in_place() {
  CR_TRY_VOID(sync_around(folder()));
  if (::rename(folder().c_str(), place_.c_str()) != 0) {
    if (errno == ENOTEMPTY || errno == EEXIST || errno == ENOTDIR) return not_empty(place_);
    if (errno == EBUSY || errno == EXDEV) {
      return make_error(Code::kFailedPrecondition,
                        "{} is a file system of its own, which no folder can replace: set "
                        "CRESSET_HOME to a folder inside it",
                        place_);
    }
    return errno_error(errno, place_).with("naming the restored home");
  }
  folder_.release();
  return sync_around(fs::path(place_).parent_path().native());
}

}  // namespace cresset::archive
