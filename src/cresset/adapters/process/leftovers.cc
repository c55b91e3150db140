#include "cresset/adapters/process/leftovers.h"

#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>
#include <optional>
#include <set>

#include "cresset/adapters/posix/unique_fd.h"

namespace cresset::process {

namespace {

constexpr int kRounds = 20;
constexpr int kRoundMillis = 200;

posix::UniqueFd open_pidfd(pid_t pid) {
  return posix::UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
}

void wait_until_gone(std::vector<posix::UniqueFd>& processes) {
  for (const posix::UniqueFd& process : processes) {
    pollfd waiting{process.get(), POLLIN, 0};
    ::poll(&waiting, 1, kRoundMillis);
  }
}

class LostAttempts {
 public:
  explicit LostAttempts(const std::vector<std::pair<model::AttemptId, ProcessIdentity>>& attempts) {
    for (const auto& [id, process] : attempts) {
      ids_.insert(model::to_string(id));
      // Whoever is in the session of a process that is still the one we started belongs to it.
      if (is_same_process(process)) sessions_.insert(process.pid);
    }
  }

  [[nodiscard]] bool owns(pid_t pid) const {
    if (pid == ::getpid()) return false;
    const auto stat = read_stat(pid);
    if (!stat || stat->state == 'Z' || stat->state == 'X') return false;
    if (sessions_.contains(stat->session)) return true;
    const auto id = read_environment_variable(pid, kAttemptVariable);
    return id && ids_.contains(*id);
  }

 private:
  std::set<std::string> ids_;
  std::set<pid_t> sessions_;
};

}  // namespace

bool kill_stray_children(const LiveAttempts& live) {
  bool strays = false;
  for (const pid_t child : list_children()) {
    if (live.is_live_process(child)) continue;
    strays = true;
    const auto stat = read_stat(child);
    if (!stat || stat->state == 'Z' || live.is_live_process(stat->session)) continue;
    const auto id = read_environment_variable(child, kAttemptVariable);
    const bool unknown = !id || id->empty();
    if (unknown ? live.any_live : live.is_live_attempt(*id)) continue;
    // Our own child: its number cannot have gone to another process before we reap it.
    ::kill(child, SIGKILL);
    if (stat->session == child) ::kill(-child, SIGKILL);
  }
  return strays;
}

void kill_lost_attempts(const std::vector<std::pair<model::AttemptId, ProcessIdentity>>& attempts) {
  if (attempts.empty()) return;
  const LostAttempts lost(attempts);
  for (int round = 0; round < kRounds; ++round) {
    std::vector<posix::UniqueFd> killed;
    for (const pid_t pid : list_processes()) {
      posix::UniqueFd process = open_pidfd(pid);
      // Asked after the pidfd was opened, so that the answer is about the process that the pidfd
      // names.
      if (!process || !lost.owns(pid)) continue;
      ::syscall(SYS_pidfd_send_signal, process.get(), SIGKILL, nullptr, 0);
      killed.push_back(std::move(process));
    }
    if (killed.empty()) return;
    wait_until_gone(killed);
  }
}

}  // namespace cresset::process
