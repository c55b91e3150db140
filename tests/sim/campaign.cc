#include "sim/campaign.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstring>

#include "cresset/base/check.h"

namespace cresset::sim {

namespace {

constexpr std::size_t kTextBytes = 2500;
constexpr int kLookMillis = 1000;
constexpr std::chrono::minutes kWorldMax{5};

// What a worker says: short enough to be written to a pipe in one piece.
struct Report {
  enum class Kind { kDone, kFound, kStarted };
  Kind kind = Kind::kDone;
  unsigned worker = 0;
  std::uint64_t seed = 0;
  Totals totals;
  std::array<char, kTextBytes> text{};
};
static_assert(sizeof(Report) < 4096);  // PIPE_BUF
static_assert(std::is_trivially_copyable_v<Report>);

void send(int pipe, const Report& report) {
  const ssize_t written = ::write(pipe, &report, sizeof report);
  CHECK(written == static_cast<ssize_t>(sizeof report));
}

std::string text_of_death(int status, bool hangs) {
  if (!WIFSIGNALED(status))
    return fmt::format("the world ended its process with status {}", WEXITSTATUS(status));
  if (hangs && WTERMSIG(status) == SIGKILL)
    return fmt::format("the world did not end within {} minutes", kWorldMax.count());
  return fmt::format("the world died of signal {} ({})", WTERMSIG(status),
                     ::strsignal(WTERMSIG(status)));
}

// One world; nothing when all promises were kept.
std::optional<std::string> run_world(std::uint64_t seed, Totals& totals) {
  WorldOptions options;
  options.seed = seed;
  World world(std::move(options));
  const std::optional<Violation> broken = world.try_run();
  totals += world.totals();
  return broken ? std::optional<std::string>(broken->what()) : std::nullopt;
}

class Worker {
 public:
  Worker(const CampaignOptions& options, unsigned number, int pipe, TimePoint end,
         ports::Clock& clock)
      : options_(options), number_(number), pipe_(pipe), end_(end), clock_(clock) {}

  void work() {
    Report report;
    report.worker = number_;
    TimePoint told = clock_.now();
    for (std::uint64_t i = number_; !options_.worlds || i < *options_.worlds; i += options_.jobs) {
      if (clock_.now() >= end_) break;
      report.seed = options_.first_seed + i;
      // The parent names this seed when the worker dies of it.
      note_start(report.seed);
      if (const auto what = run_world(report.seed, report.totals)) {
        Report found = report;
        found.kind = Report::Kind::kFound;
        found.totals = {};
        std::memcpy(found.text.data(), what->data(), std::min(what->size(), kTextBytes - 1));
        send(pipe_, found);
      }
      if (clock_.now() - told < std::chrono::milliseconds(500)) continue;
      told = clock_.now();
      send(pipe_, report);
      report.totals = {};
    }
    send(pipe_, report);
  }

 private:
  void note_start(std::uint64_t seed) {
    Report start;
    start.kind = Report::Kind::kStarted;
    start.worker = number_;
    start.seed = seed;
    send(pipe_, start);
  }

  const CampaignOptions& options_;
  unsigned number_;
  int pipe_;
  TimePoint end_;
  ports::Clock& clock_;
};

}  // namespace

CampaignResult run_campaign(const CampaignOptions& options, ports::Clock& clock,
                            const std::function<void(const CampaignResult&)>& progress) {
  const TimePoint begin = clock.now();
  const TimePoint end = options.seconds ? begin + *options.seconds : TimePoint::max();
  std::array<int, 2> pipe{};
  CHECK(::pipe2(pipe.data(), O_CLOEXEC) == 0);
  std::vector<pid_t> workers;
  for (unsigned number = 0; number < options.jobs; ++number) {
    const pid_t pid = ::fork();
    CHECK(pid >= 0);
    if (pid == 0) {
      ::close(pipe[0]);
      Worker(options, number, pipe[1], end, clock).work();
      ::_exit(0);
    }
    workers.push_back(pid);
  }
  ::close(pipe[1]);
  CampaignResult result;
  std::vector<std::uint64_t> at(options.jobs, options.first_seed);
  std::vector<TimePoint> heard(options.jobs, begin);
  std::vector<bool> hangs(options.jobs, false);
  const auto end_what_hangs = [&] {
    for (unsigned number = 0; number < options.jobs; ++number) {
      if (clock.now() - heard[number] < kWorldMax || hangs[number]) continue;
      hangs[number] = true;
      ::kill(workers[number], SIGKILL);
    }
  };
  TimePoint told = begin;
  Report report;
  while (true) {
    end_what_hangs();
    pollfd waiting{pipe[0], POLLIN, 0};
    if (::poll(&waiting, 1, kLookMillis) == 0) continue;
    if (::read(pipe[0], &report, sizeof report) != static_cast<ssize_t>(sizeof report)) break;
    heard[report.worker] = clock.now();
    at[report.worker] = report.seed;
    result.next_seed = std::max(result.next_seed, report.seed + 1);
    if (report.kind == Report::Kind::kFound)
      result.findings.push_back({report.seed, report.text.data()});
    if (report.kind == Report::Kind::kDone) result.totals += report.totals;
    result.took = std::chrono::duration_cast<std::chrono::milliseconds>(clock.now() - begin);
    if (clock.now() - told > std::chrono::seconds(1)) {
      told = clock.now();
      progress(result);
    }
    if (result.findings.size() < options.findings_max) continue;
    for (const pid_t pid : workers) ::kill(pid, SIGKILL);
    break;
  }
  ::close(pipe[0]);
  for (unsigned number = 0; number < workers.size(); ++number) {
    int status = 0;
    ::waitpid(workers[number], &status, 0);
    const bool stopped_by_us = result.findings.size() >= options.findings_max;
    if (status != 0 && !stopped_by_us)
      result.findings.push_back({at[number], text_of_death(status, hangs[number])});
  }
  std::ranges::sort(result.findings, {}, &Finding::seed);
  return result;
}

}  // namespace cresset::sim
