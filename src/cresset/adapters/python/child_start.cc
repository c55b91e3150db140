#include "cresset/adapters/python/child_start.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "cresset/base/check.h"

namespace cresset::python {

namespace {

// posix_spawn's settings for one start; freed with it.
class SpawnSettings {
 public:
  SpawnSettings() {
    CHECK(::posix_spawn_file_actions_init(&actions_) == 0);
    CHECK(::posix_spawnattr_init(&attributes_) == 0);
    sigset_t none;
    sigset_t all;
    ::sigemptyset(&none);
    ::sigfillset(&all);
    CHECK(::posix_spawnattr_setsigmask(&attributes_, &none) == 0);
    CHECK(::posix_spawnattr_setsigdefault(&attributes_, &all) == 0);
    CHECK(::posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK |
                                                       POSIX_SPAWN_SETSIGDEF) == 0);
  }
  ~SpawnSettings() {
    ::posix_spawn_file_actions_destroy(&actions_);
    ::posix_spawnattr_destroy(&attributes_);
  }
  SpawnSettings(const SpawnSettings&) = delete;
  SpawnSettings& operator=(const SpawnSettings&) = delete;

  void read_nothing() {
    CHECK(::posix_spawn_file_actions_addopen(&actions_, STDIN_FILENO, "/dev/null", O_RDONLY, 0) ==
          0);
  }
  // Clears close-on-exec, also where both are the same.
  void connect(int from, int to) {
    CHECK(::posix_spawn_file_actions_adddup2(&actions_, from, to) == 0);
  }
  int start(pid_t& pid, const std::vector<char*>& argv, const std::vector<char*>& env) {
    return ::posix_spawn(&pid, argv[0], &actions_, &attributes_, argv.data(), env.data());
  }

 private:
  posix_spawn_file_actions_t actions_{};
  posix_spawnattr_t attributes_{};
};

std::vector<char*> pointers_to(const std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (const std::string& text : texts)
    pointers.push_back(const_cast<char*>(text.c_str()));  // execve does not write to them
  pointers.push_back(nullptr);
  return pointers;
}

Error explain_start(int errno_value, const std::string& program) {
  switch (errno_value) {
    case ENOENT:
      return make_error(Code::kNotFound, "there is no {} (or not the loader that it needs)",
                        program);
    case EACCES:
      return make_error(Code::kPermissionDenied, "{} may not be executed", program);
    case ENOEXEC:
      return make_error(Code::kInvalidArgument, "{} is no program that this machine runs", program);
    default:
      return errno_error(errno_value, "starting " + program);
  }
}

}  // namespace

Result<Pipe> make_pipe() {
  int fds[2];
  if (::pipe2(fds, O_CLOEXEC) != 0) return errno_error(errno, "making a pipe");
  Pipe pipe{posix::UniqueFd(fds[0]), posix::UniqueFd(fds[1])};
  CHECK(::fcntl(fds[0], F_SETFL, O_NONBLOCK) == 0);
  return pipe;
}

Result<StartedChild> start_child(const std::vector<std::string>& argv, const Variables& env,
                                 const Streams& streams) {
  CHECK(!argv.empty());
  SpawnSettings settings;
  if (streams.input >= 0) {
    settings.connect(streams.input, STDIN_FILENO);
  } else {
    settings.read_nothing();
  }
  if (streams.output >= 0) settings.connect(streams.output, STDOUT_FILENO);
  if (streams.errors >= 0) settings.connect(streams.errors, STDERR_FILENO);
  if (streams.kept_fd >= 0) settings.connect(streams.kept_fd, streams.kept_fd);
  std::vector<std::string> variables;
  for (const auto& [name, value] : env) variables.push_back(name + "=" + value);
  StartedChild started;
  const int failure = settings.start(started.pid, pointers_to(argv), pointers_to(variables));
  if (failure != 0) return explain_start(failure, argv[0]);
  started.process.reset(static_cast<int>(::syscall(SYS_pidfd_open, started.pid, 0)));
  CHECK(started.process);
  return started;
}

// Before the leader is waited for, its number cannot belong to another group.
int reap_child(pid_t leader) {
  ::kill(-leader, SIGKILL);
  int status = 0;
  while (::waitpid(leader, &status, 0) < 0) CHECK(errno == EINTR);
  return status;
}

int shell_status(int status) {
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace cresset::python
