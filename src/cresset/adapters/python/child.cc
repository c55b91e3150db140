#include "cresset/adapters/python/child.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "cresset/adapters/posix/system_clock.h"
#include "cresset/base/check.h"

namespace cresset::python {

namespace {

constexpr std::size_t kKeptBytes = 1 << 20;

int to_millis(Duration duration) {
  constexpr std::int64_t kLongest = 60'000;  // waits are repeated
  const auto millis = std::chrono::ceil<std::chrono::milliseconds>(duration).count();
  return static_cast<int>(std::clamp<std::int64_t>(millis, 0, kLongest));
}

struct Pipe {
  posix::UniqueFd read_end;
  posix::UniqueFd write_end;
};

Result<Pipe> make_pipe() {
  int fds[2];
  if (::pipe2(fds, O_CLOEXEC) != 0) return errno_error(errno, "making a pipe");
  Pipe pipe{posix::UniqueFd(fds[0]), posix::UniqueFd(fds[1])};
  CHECK(::fcntl(fds[0], F_SETFL, O_NONBLOCK) == 0);
  return pipe;
}

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
    CHECK(::posix_spawn_file_actions_addopen(&actions_, STDIN_FILENO, "/dev/null", O_RDONLY, 0) ==
          0);
  }
  ~SpawnSettings() {
    ::posix_spawn_file_actions_destroy(&actions_);
    ::posix_spawnattr_destroy(&attributes_);
  }
  SpawnSettings(const SpawnSettings&) = delete;
  SpawnSettings& operator=(const SpawnSettings&) = delete;

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

// A program that was started and not yet waited for.
class Child {
 public:
  static Result<Child> start(const ChildSpec& spec) {
    CR_TRY(Pipe output, make_pipe());
    CR_TRY(Pipe errors, make_pipe());
    SpawnSettings settings;
    settings.connect(output.write_end.get(), STDOUT_FILENO);
    settings.connect(errors.write_end.get(), STDERR_FILENO);
    if (spec.kept_fd >= 0) settings.connect(spec.kept_fd, spec.kept_fd);  // clears close-on-exec
    std::vector<std::string> env;
    for (const auto& [name, value] : spec.env) env.push_back(name + "=" + value);
    pid_t pid = 0;
    const int failure = settings.start(pid, pointers_to(spec.argv), pointers_to(env));
    if (failure != 0) return explain_start(failure, spec.argv[0]);
    posix::UniqueFd process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    CHECK(process);
    return Child(pid, std::move(process), std::move(output.read_end), std::move(errors.read_end));
  }

  Result<ChildEnd> run(const ChildSpec& spec, const StopSignal& stop) {
    posix::SystemClock clock;
    const TimePoint begin = clock.now();
    for (;;) {
      const Duration left = spec.limit ? *spec.limit - (clock.now() - begin) : Duration::max();
      if (left <= Duration(0)) {
        reap();
        return make_error(Code::kDeadlineExceeded, "{} did not end within {}", spec.argv[0],
                          to_short_text(*spec.limit));
      }
      pollfd ready[] = {{stop.fd(), POLLIN, 0},
                        {process_.get(), POLLIN, 0},
                        {output_.get(), POLLIN, 0},
                        {errors_.get(), POLLIN, 0}};
      if (::poll(ready, std::size(ready), to_millis(left)) < 0) {
        CHECK(errno == EINTR);
        continue;
      }
      read_all(output_, end_.output);
      read_all(errors_, end_.errors);
      if (ready[0].revents != 0) {
        reap();
        return make_error(Code::kCancelled, "{} was stopped", spec.argv[0]);
      }
      if (ready[1].revents != 0) return finish();
    }
  }

 private:
  Child(pid_t pid, posix::UniqueFd process, posix::UniqueFd output, posix::UniqueFd errors)
      : pid_(pid),
        process_(std::move(process)),
        output_(std::move(output)),
        errors_(std::move(errors)) {}

  // Before the leader is waited for, its number cannot belong to another group.
  int reap() {
    ::kill(-pid_, SIGKILL);
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0) CHECK(errno == EINTR);
    return status;
  }

  ChildEnd finish() {
    const int status = reap();
    read_all(output_, end_.output);
    read_all(errors_, end_.errors);
    end_.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return std::move(end_);
  }

  // What is there now; a pipe at its end is closed, so that poll() does not report it again.
  static void read_all(posix::UniqueFd& pipe, std::string& kept) {
    char buffer[1 << 16];
    while (pipe) {
      const ssize_t got = ::read(pipe.get(), buffer, sizeof buffer);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0 && errno == EAGAIN) return;
      if (got <= 0) return pipe.reset();
      kept.append(buffer, static_cast<std::size_t>(got));
      if (kept.size() > 2 * kKeptBytes) kept.erase(0, kept.size() - kKeptBytes);
    }
  }

  pid_t pid_;
  posix::UniqueFd process_;
  posix::UniqueFd output_;
  posix::UniqueFd errors_;
  ChildEnd end_;
};

}  // namespace

StopSignal::StopSignal() : event_(::eventfd(0, EFD_CLOEXEC)) { CHECK(event_); }

void StopSignal::raise() { CHECK(::eventfd_write(event_.get(), 1) == 0); }

bool StopSignal::wait(Duration limit) const {
  pollfd ready{event_.get(), POLLIN, 0};
  return ::poll(&ready, 1, to_millis(limit)) > 0;
}

Result<ChildEnd> run_child(const ChildSpec& spec, const StopSignal& stop) {
  CHECK(!spec.argv.empty());
  CR_TRY(Child child, Child::start(spec));
  return child.run(spec, stop);
}

std::string last_lines(const ChildEnd& end, std::size_t lines_max) {
  std::string_view text = end.errors.find_first_not_of(" \n") == std::string::npos
                              ? std::string_view(end.output)
                              : std::string_view(end.errors);
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const std::size_t cut = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, cut);
    if (line.find_first_not_of(" \t\r") != std::string_view::npos) lines.push_back(line);
    text.remove_prefix(std::min(cut + 1, text.size()));
  }
  std::string out;
  for (std::size_t i = lines.size() - std::min(lines.size(), lines_max); i < lines.size(); ++i)
    out += fmt::format("\n  {}", lines[i]);
  return out;
}

}  // namespace cresset::python
