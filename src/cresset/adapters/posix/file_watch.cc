#include "cresset/adapters/posix/file_watch.h"

#include <sys/inotify.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace cresset::posix {

namespace {

std::string folder_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == 0 || slash == std::string::npos ? "/" : path.substr(0, slash);
}

}  // namespace

Result<FileWatch> FileWatch::make() {
  UniqueFd inotify(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  if (!inotify && errno == EMFILE) {
    return make_error(Code::kResourceExhausted,
                      "this user's programs watch as many files as they may: raise "
                      "fs.inotify.max_user_instances, or end one of them");
  }
  if (!inotify) return errno_error(errno, "watching files (inotify)");
  return FileWatch(std::move(inotify));
}

Result<void> FileWatch::watch(const std::vector<std::string>& files, const std::string& ending) {
  files_ = std::set<std::string>(files.begin(), files.end());
  ending_ = ending;
  std::map<int, std::string> wanted;
  for (const std::string& file : files_) {
    const std::string folder = folder_of(file);
    // The same folder gives the same number again, and a new one where it was replaced.
    const int number = ::inotify_add_watch(inotify_.get(), folder.c_str(),
                                           IN_CLOSE_WRITE | IN_MOVED_TO | IN_ONLYDIR);
    if (number < 0 && errno == ENOSPC) {
      return make_error(Code::kResourceExhausted,
                        "this user's programs watch as many folders as they may: raise "
                        "fs.inotify.max_user_watches, or end one of them");
    }
    if (number < 0) return errno_error(errno, folder).with("watching the folder");
    wanted.emplace(number, folder);
  }
  for (const auto& [number, folder] : folders_) {
    if (!wanted.contains(number)) ::inotify_rm_watch(inotify_.get(), number);
  }
  folders_ = std::move(wanted);
  return {};
}

bool FileWatch::counts(int folder, const std::string& name) const {
  const auto found = folders_.find(folder);
  if (found == folders_.end()) return false;
  if (!ending_.empty() && name.ends_with(ending_)) return true;
  const std::string& path = found->second;
  return files_.contains(path == "/" ? path + name : path + "/" + name);
}

bool FileWatch::poll() {
  bool changed = false;
  alignas(inotify_event) char buffer[16 << 10];
  while (true) {
    const ssize_t got = ::read(inotify_.get(), buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return changed;
    for (ssize_t at = 0; at < got;) {
      inotify_event event{};
      std::memcpy(&event, buffer + at, sizeof event);
      const std::string name = event.len > 0 ? buffer + at + sizeof event : "";
      at += static_cast<ssize_t>(sizeof event + event.len);
      // What was missed may have been one of them; and a folder that went away may be back.
      const bool is_lost = (event.mask & IN_Q_OVERFLOW) != 0 ||
                           ((event.mask & IN_IGNORED) != 0 && folders_.contains(event.wd));
      changed = changed || is_lost || counts(event.wd, name);
    }
  }
}

}  // namespace cresset::posix
