#include "cresset/adapters/process/mounts.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <set>
#include <utility>

#include "cresset/adapters/posix/unique_fd.h"

namespace cresset::process {

namespace {

namespace fs = std::filesystem;

// A source on a dead network file system must not hold up the keeper for ever.
constexpr int kPatienceMillis = 10'000;

Result<void> write_text(const char* path, const std::string& text) {
  const posix::UniqueFd file(::open(path, O_WRONLY | O_CLOEXEC));
  if (!file || ::write(file.get(), text.data(), text.size()) < 0) return errno_error(errno, path);
  return {};
}

Result<void> enter_namespaces() {
  const uid_t user = ::geteuid();
  const gid_t group = ::getegid();
  if (::unshare(CLONE_NEWNS) != 0) {
    if (::unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) {
      return make_error(Code::kPermissionDenied,
                        "this machine lets you make no mounts (user namespaces: {}): run as root, "
                        "or use a pipeline "
                        "without mounted secrets, config maps and volumes",
                        std::strerror(errno));
    }
    // The kernel allows a group mapping to an unprivileged user only when groups cannot be dropped
    // afterwards.
    CR_TRY_VOID(write_text("/proc/self/setgroups", "deny"));
    CR_TRY_VOID(write_text("/proc/self/uid_map", fmt::format("{0} {0} 1", user)));
    CR_TRY_VOID(write_text("/proc/self/gid_map", fmt::format("{0} {0} 1", group)));
  }
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
    return errno_error(errno, "parting the mounts");
  return {};
}

// A copy of a part of the file tree, with what is mounted in it, that hangs nowhere yet.
Result<posix::UniqueFd> clone_tree(const std::string& path) {
  posix::UniqueFd tree(
      ::open_tree(AT_FDCWD, path.c_str(),
                  OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE | AT_SYMLINK_NOFOLLOW));
  if (!tree) return errno_error(errno, "mounting " + path);
  return tree;
}

Result<void> attach_tree(const posix::UniqueFd& tree, const std::string& target) {
  if (::move_mount(tree.get(), "", AT_FDCWD, target.c_str(), MOVE_MOUNT_F_EMPTY_PATH) != 0) {
    return errno_error(errno, "mounting on " + target);
  }
  return {};
}

Result<void> make_mount_point(const std::string& path, bool folder) {
  if (folder) {
    if (::mkdir(path.c_str(), 0755) != 0 && errno != EEXIST)
      return errno_error(errno, "making " + path);
    return {};
  }
  const posix::UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
  if (!file) return errno_error(errno, "making " + path);
  return {};
}

// One entry of a folder that is about to be covered.
struct Entry {
  std::string name;
  std::string link;  // where it points to; empty = no symbolic link
  bool folder = false;
  posix::UniqueFd tree;  // none for a symbolic link
};

Result<std::vector<Entry>> clone_entries(const std::string& folder) {
  std::vector<Entry> entries;
  std::error_code ec;
  for (fs::directory_iterator it(folder, ec), end; !ec && it != end; it.increment(ec)) {
    Entry& entry = entries.emplace_back();
    entry.name = it->path().filename();
    if (it->is_symlink(ec)) {
      entry.link = fs::read_symlink(it->path(), ec);
      continue;
    }
    entry.folder = it->is_directory(ec);
    CR_TRY(entry.tree, clone_tree(it->path()));
  }
  if (ec) return errno_error(ec.value(), "listing " + folder);
  return entries;
}

Result<void> attach_entries(const std::vector<Entry>& entries, const std::string& folder) {
  for (const Entry& entry : entries) {
    const std::string path = folder + "/" + entry.name;
    if (entry.link.empty()) {
      CR_TRY_VOID(make_mount_point(path, entry.folder));
      CR_TRY_VOID(attach_tree(entry.tree, path));
    } else if (::symlink(entry.link.c_str(), path.c_str()) != 0) {
      return errno_error(errno, "making " + path);
    }
  }
  return {};
}

Result<void> mount_tmpfs(const std::string& folder) {
  if (::mount("tmpfs", folder.c_str(), "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755") != 0) {
    return errno_error(errno, "laying a tmpfs over " + folder);
  }
  return {};
}

// Nothing can be mounted over "/" itself: a new root is put together elsewhere and stepped into.
Result<void> replace_root() {
  CR_TRY(const std::vector<Entry> entries, clone_entries("/"));
  std::string staging;
  for (const Entry& entry : entries) {
    if (entry.folder) staging = "/" + entry.name;
    if (entry.name == "tmp" && entry.folder) break;
  }
  CR_TRY_VOID(mount_tmpfs(staging));
  CR_TRY_VOID(attach_entries(entries, staging));
  if (::chdir(staging.c_str()) != 0 || ::syscall(SYS_pivot_root, ".", ".") != 0 ||
      ::umount2(".", MNT_DETACH) != 0 || ::chdir("/") != 0) {
    return errno_error(errno, "stepping into a root folder with more mount points");
  }
  return {};
}

Result<void> cover(const std::string& folder) {
  if (folder == "/") return replace_root();
  CR_TRY(const std::vector<Entry> entries, clone_entries(folder));
  CR_TRY_VOID(mount_tmpfs(folder));
  return attach_entries(entries, folder);
}

// Makes mount points, each in a folder where that changes nothing for others.
class MountPoints {
 public:
  Result<void> make(const std::string& target, bool folder) {
    struct stat status{};
    if (::stat(target.c_str(), &status) == 0) {
      if (S_ISDIR(status.st_mode) == folder) return {};
      return make_error(Code::kInvalidArgument,
                        "{} is {} on this machine, so {} cannot be mounted there", target,
                        folder ? "a file" : "a folder", folder ? "a folder" : "a file");
    }
    const fs::path path(target);
    CR_TRY_VOID(make_parents(path.parent_path()));
    return make_mount_point(target, folder);
  }

 private:
  // Leaves `folder` existing and private to this namespace.
  Result<void> make_parents(const fs::path& folder) {
    struct stat status{};
    if (::stat(folder.c_str(), &status) != 0) {
      CR_TRY_VOID(make_parents(folder.parent_path()));
      return make_mount_point(folder, true);
    }
    if (private_devices_.contains(status.st_dev)) return {};
    CR_TRY_VOID(cover(folder));
    if (::stat(folder.c_str(), &status) != 0) return errno_error(errno, folder.native());
    private_devices_.insert(status.st_dev);
    return {};
  }

  std::set<dev_t> private_devices_;  // of the tmpfs that were laid
};

struct Source {
  posix::UniqueFd tree;
  bool folder = false;
};

Result<Source> clone_source(const ports::Mount& mount) {
  std::error_code ec;
  const fs::path path = fs::canonical(mount.source, ec);
  if (ec) return errno_error(ec.value(), "mounting " + mount.source);
  CR_TRY(posix::UniqueFd tree, clone_tree(path));
  if (mount.read_only) {
    mount_attr attributes{};
    attributes.attr_set = MOUNT_ATTR_RDONLY;
    if (::mount_setattr(tree.get(), "", AT_EMPTY_PATH | AT_RECURSIVE, &attributes,
                        sizeof attributes) != 0) {
      return errno_error(errno, "mounting " + mount.source + " read-only");
    }
  }
  return Source{std::move(tree), fs::is_directory(path)};
}

Result<void> lay_mounts(const std::vector<ports::Mount>& mounts) {
  // All sources first: a mount may hide the source of a later one.
  std::vector<Source> sources;
  for (const ports::Mount& mount : mounts) {
    CR_TRY(Source source, clone_source(mount));
    sources.push_back(std::move(source));
  }
  MountPoints points;
  for (std::size_t i = 0; i < mounts.size(); ++i) {
    const std::string target = fs::path(mounts[i].target).lexically_normal().string();
    if (!target.starts_with('/') || target == "/") {
      return make_error(Code::kInvalidArgument,
                        "\"{}\" is no place for a mount: name a folder by its absolute path",
                        mounts[i].target);
    }
    const std::string point = target.ends_with('/') ? target.substr(0, target.size() - 1) : target;
    CR_TRY_VOID(points.make(point, sources[i].folder));
    CR_TRY_VOID(attach_tree(sources[i].tree, point));
  }
  return {};
}

Result<void> connect_output(const MountedSpawn& request) {
  if (::dup2(request.null_fd, STDIN_FILENO) < 0 || ::dup2(request.output_fd, STDOUT_FILENO) < 0 ||
      ::dup2(request.output_fd, STDERR_FILENO) < 0) {
    return errno_error(errno, "connecting the output");
  }
  return {};
}

// What the caller ignores, the program would ignore.
void heed_signals() {
  for (int signal = 1; signal <= SIGRTMAX; ++signal) ::signal(signal, SIG_DFL);
}

Result<void> become_program(const MountedSpawn& request) {
  const bool leads_session = request.output_fd >= 0;
  if (leads_session && ::setsid() < 0) return errno_error(errno, "making a session");
  CR_TRY_VOID(enter_namespaces());
  CR_TRY_VOID(lay_mounts(request.mounts));
  if (::chdir(request.work_dir.c_str()) != 0)
    return errno_error(errno, "entering " + request.work_dir);
  if (leads_session) {
    CR_TRY_VOID(connect_output(request));
  } else {
    heed_signals();
  }
  if (request.open_files && ::setrlimit(RLIMIT_NOFILE, &*request.open_files) != 0)
    return errno_error(errno, "setting the limit of open files");
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::execve(request.program.c_str(), request.argv, request.env);
  return errno_error(errno, "starting " + request.program);
}

// Empty when the program runs.
std::string read_complaint(const posix::UniqueFd& pipe) {
  std::string complaint;
  while (true) {
    pollfd waiting{pipe.get(), POLLIN, 0};
    const int ready = ::poll(&waiting, 1, kPatienceMillis);
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) return "laying the mounts takes too long: a source does not answer";
    char buffer[512];
    const ssize_t got = ::read(pipe.get(), buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return complaint;
    complaint.append(buffer, static_cast<std::size_t>(got));
  }
}

}  // namespace

Result<ProcessIdentity> spawn_with_mounts(const MountedSpawn& request) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return errno_error(errno, "making a pipe");
  const posix::UniqueFd reader(ends[0]);
  posix::UniqueFd writer(ends[1]);
  ProcessIdentity process;
  process.ticks_from = ticks_since_boot();
  process.pid = ::fork();
  process.ticks_to = ticks_since_boot();
  if (process.pid < 0) return errno_error(errno, "making a process");
  if (process.pid == 0) {
    const std::string complaint = become_program(request).error().text();
    [[maybe_unused]] const ssize_t ignored =
        ::write(writer.get(), complaint.data(), complaint.size());
    ::_exit(127);
  }
  writer.reset();
  const std::string complaint = read_complaint(reader);
  if (complaint.empty()) return process;
  ::kill(process.pid, SIGKILL);
  ::waitpid(process.pid, nullptr, 0);
  return make_error(Code::kFailedPrecondition, "{}", complaint);
}

}  // namespace cresset::process
