#include "cresset/adapters/python/child.h"

#include <poll.h>
#include <sys/eventfd.h>
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

// A program that was started and not yet waited for.
class Child {
 public:
  static Result<Child> start(const ChildSpec& spec) {
    CR_TRY(Pipe output, make_pipe());
    CR_TRY(Pipe errors, make_pipe());
    CR_TRY(StartedChild started,
           start_child(spec.argv, spec.env,
                       {-1, output.write_end.get(), errors.write_end.get(), spec.kept_fd}));
    return Child(started.pid, std::move(started.process), std::move(output.read_end),
                 std::move(errors.read_end));
  }

  Result<ChildEnd> run(const ChildSpec& spec, const StopSignal& stop) {
    posix::SystemClock clock;
    const TimePoint begin = clock.now();
    for (;;) {
      const Duration left = spec.limit ? *spec.limit - (clock.now() - begin) : Duration::max();
      if (left <= Duration(0)) {
        reap_child(pid_);
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
        reap_child(pid_);
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

  ChildEnd finish() {
    const int status = reap_child(pid_);
    read_all(output_, end_.output);
    read_all(errors_, end_.errors);
    end_.status = shell_status(status);
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
