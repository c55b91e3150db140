#include "cresset/adapters/process/keeper_main.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <optional>
#include <string>
#include <utility>

#include "cresset/adapters/posix/system_clock.h"
#include "cresset/adapters/posix/unique_fd.h"
#include "cresset/adapters/process/journal.h"
#include "cresset/adapters/process/keeper.h"
#include "cresset/adapters/process/unix_socket.h"

namespace cresset::process {

namespace {

constexpr off_t kLogBytesMax = 1 << 20;

// What a keeper must not keep from the engine that happened to start it: its terminal, pipes,
// sockets, signals.
Result<void> part_from_starter(const posix::UniqueFd& dir) {
  const posix::UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  const posix::UniqueFd log(
      ::openat(dir.get(), "keeper.log", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  if (!null || !log) return errno_error(errno, "opening keeper.log");
  if (::lseek(log.get(), 0, SEEK_END) > kLogBytesMax && ::ftruncate(log.get(), 0) != 0) {
    return errno_error(errno, "shortening keeper.log");
  }
  if (::dup2(null.get(), STDIN_FILENO) < 0 || ::dup2(null.get(), STDOUT_FILENO) < 0 ||
      ::dup2(log.get(), STDERR_FILENO) < 0 || ::chdir("/") != 0) {
    return errno_error(errno, "parting from the terminal");
  }
  // Ignored signals would be ignored by the steps as well: programs inherit that.
  for (int signal = 1; signal <= SIGRTMAX; ++signal) ::signal(signal, SIG_DFL);
  return {};
}

// Nothing when another keeper is there, or is just leaving: whoever finds none listening tries
// again.
Result<std::optional<posix::UniqueFd>> lock(const posix::UniqueFd& dir) {
  posix::UniqueFd file(::openat(dir.get(), "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!file) return errno_error(errno, "opening the keeper's lock");
  if (::flock(file.get(), LOCK_EX | LOCK_NB) == 0) return std::optional(std::move(file));
  if (errno != EWOULDBLOCK) return errno_error(errno, "locking the keeper's lock");
  return std::optional<posix::UniqueFd>();
}

// Each running step takes some descriptors of the keeper; the steps themselves get the limit that
// they would have had.
rlimit raise_open_files() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) limit = {RLIM_INFINITY, RLIM_INFINITY};
  const rlimit raised{limit.rlim_max, limit.rlim_max};
  ::setrlimit(RLIMIT_NOFILE, &raised);  // without it fewer steps run at once
  return limit;
}

Result<void> serve(const KeeperOptions& options) {
  // An engine's descriptors beyond the first three are none of ours; this also makes room below the
  // limit.
  ::close_range(STDERR_FILENO + 1, ~0U, 0);
  CR_TRY(posix::UniqueFd dir, open_private_dir(options.dir));
  CR_TRY_VOID(part_from_starter(dir));
  CR_TRY(const auto lock_file, lock(dir));
  if (!lock_file) return {};
  CR_TRY(posix::UniqueFd listener, listen_in(dir));
  // The socket takes connections from here on: whoever waits for this process may connect.
  if (const pid_t child = ::fork(); child != 0) {
    if (child < 0) return errno_error(errno, "making the keeper's process");
    ::_exit(0);
  }
  if (::setsid() < 0) return errno_error(errno, "making a session");
  CR_TRY(Journal::Opened opened, Journal::open(dir));
  const rlimit step_open_files = raise_open_files();
  posix::SystemClock clock;
  Keeper(std::move(listener), std::move(opened), probe_machine(options.machine),
         options.dir + "/scratch", options.dir + "/warm", step_open_files, clock)
      .run();
  return {};
}

}  // namespace

int run_keeper(const KeeperOptions& options) {
  const Result<void> served = serve(options);
  if (served) return 0;
  const std::string line = "cresset keeper: " + served.error().text() + "\n";
  [[maybe_unused]] const ssize_t ignored = ::write(STDERR_FILENO, line.data(), line.size());
  return 1;
}

}  // namespace cresset::process
