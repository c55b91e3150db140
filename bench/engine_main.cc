// cresset-bench-engine: measures the engine without processes; bench/run reads what it prints.
#include <fmt/core.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <csignal>
#include <fstream>
#include <string>
#include <string_view>
#include <system_error>

#include "bench/engine_bench.h"
#include "cresset/base/check.h"

namespace cresset::bench {

namespace {

double seconds_since(TimePoint start, TimePoint now) {
  return std::chrono::duration<double>(now - start).count();
}

// Not that of getrusage(2), in which the process that began this one counts too.
long peak_kib() {
  std::ifstream status("/proc/self/status");
  long peak = 0;
  for (std::string word; peak == 0 && status >> word;) {
    if (word == "VmHWM:") status >> peak;
  }
  CHECK(peak > 0);
  return peak;
}

double processor_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

Result<void> expect_success(const dag::Plan& plan) {
  if (plan.state() == model::State::kSucceeded) return {};
  return make_error(Code::kInternal, "the run ended as {}: {}", model::to_string(plan.state()),
                    plan.error() ? plan.error()->message : "no reason given");
}

// A ParallelFor whose steps end at once.
Result<void> loop(const std::string& home, std::int64_t items) {
  CR_TRY(const auto process, open_process(home, BenchExecutor::End::kAtOnce));
  const TimePoint begun = process->clock.now();
  CR_TRY(const model::RunId run, create_loop(*process, items));
  const TimePoint created = process->clock.now();
  CR_TRY(const auto plan, process->service.drive_plan(run, *process, *process));
  const TimePoint ended = process->clock.now();
  CR_TRY_VOID(expect_success(*plan));
  fmt::print(
      "{{\"steps\": {}, \"create_seconds\": {}, \"drive_seconds\": {}, \"processor_seconds\": {}, "
      "\"peak_kib\": {}}}\n",
      items, seconds_since(begun, created), seconds_since(created, ended), processor_seconds(),
      peak_kib());
  return {};
}

// The engine that is to be killed: drives a run of steps that do not end, and says so in `told`
// once all of them are live and stored as such.
Result<void> drive_until_killed(const std::string& home, std::int64_t steps, int told) {
  CR_TRY(const auto process, open_process(home, BenchExecutor::End::kWhenReleased));
  CR_TRY(const model::RunId run, create_loop(*process, steps));
  std::int64_t running = 0;
  process->on_stored = [&](const std::vector<dag::TaskBrief>& changes) {
    running += std::ranges::count_if(changes, [](const dag::TaskBrief& task) {
      return task.kind == model::TaskKind::kContainer && task.state == model::State::kRunning;
    });
    if (running == steps && ::write(told, run.str().data(), run.str().size()) < 0) ::_exit(1);
  };
  CR_TRY(const auto plan, process->service.drive_plan(run, *process, *process));
  return expect_success(*plan);
}

// The one that takes the run over.
Result<void> take_over(const std::string& home, const model::RunId& run, std::int64_t steps) {
  posix::SystemClock clock;
  const TimePoint begun = clock.now();
  CR_TRY(const auto process, open_process(home, BenchExecutor::End::kWhenReleased));
  TimePoint found = begun;
  bool all_given = false;
  process->executor.before_poll = [&] {
    if (found != begun) return;
    if (all_given) {
      found = clock.now();
      process->executor.release();
    }
    all_given = process->executor.live() == steps;
  };
  CR_TRY(const auto plan, process->service.drive_plan(run, *process, *process));
  const TimePoint ended = clock.now();
  CR_TRY_VOID(expect_success(*plan));
  fmt::print("{{\"steps\": {}, \"found_seconds\": {}, \"ended_seconds\": {}, \"peak_kib\": {}}}\n",
             steps, seconds_since(begun, found), seconds_since(begun, ended), peak_kib());
  return {};
}

// kill -9 of an engine with so many live steps.
Result<void> takeover(const std::string& home, std::int64_t steps) {
  int ends[2];
  if (::pipe(ends) != 0) return errno_error(errno, "pipe");
  const pid_t child = ::fork();
  if (child < 0) return errno_error(errno, "fork");
  if (child == 0) {
    ::close(ends[0]);
    const auto driven = drive_until_killed(home, steps, ends[1]);
    if (!driven) fmt::print(stderr, "{}\n", driven.error().text());
    ::_exit(1);
  }
  ::close(ends[1]);
  char id[64];
  const ssize_t size = ::read(ends[0], id, sizeof id);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  if (size <= 0) return make_error(Code::kInternal, "the engine ended before it was killed");
  return take_over(home, model::RunId(std::string(id, static_cast<std::size_t>(size))), steps);
}

int run(int argc, char** argv) {
  const std::string_view what = argc == 4 ? argv[1] : "";
  if (what != "loop" && what != "takeover") {
    fmt::print(stderr, "usage: cresset-bench-engine loop|takeover STEPS HOME\n");
    return 2;
  }
  std::int64_t steps = 0;
  const std::string_view number = argv[2];
  const auto read = std::from_chars(number.data(), number.data() + number.size(), steps);
  if (read.ec != std::errc{} || steps <= 0) {
    fmt::print(stderr, "cresset-bench-engine: {}: give a number of steps\n", number);
    return 2;
  }
  const auto done = what == "loop" ? loop(argv[3], steps) : takeover(argv[3], steps);
  if (done) return 0;
  fmt::print(stderr, "cresset-bench-engine: {}\n", done.error().text());
  return 1;
}

}  // namespace

}  // namespace cresset::bench

int main(int argc, char** argv) { return cresset::bench::run(argc, argv); }
