#include <fmt/core.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <fstream>
#include <string>
#include <thread>

#include "cresset/adapters/posix/system_clock.h"
#include "cresset/adapters/posix/system_random.h"
#include "cresset/base/check.h"
#include "sim/exhaustive.h"
#include "sim/generate.h"
#include "sim/ir.h"
#include "sim/report.h"
#include "sim/shrink.h"
#include "sim/smaller.h"

// cresset-sim: runs the engine in simulated worlds, and says which of them broke a promise.
namespace cresset::sim {

namespace {

constexpr int kFound = 1;
constexpr int kBadUse = 2;
constexpr std::chrono::seconds kShrinkTime{120};

struct Worlds {
  CampaignOptions options;
  std::uint64_t worlds = 0;
  std::int64_t seconds = 0;
  std::int64_t shrink_seconds = 60;
  bool random = false;
  std::string json;
};

struct Replay {
  std::uint64_t seed = 1;
  std::uint64_t pipeline_seed = 0;  // 0: all pipelines of the seed's world
  int pipeline = 0;
  std::string cut;
  bool log = false;
  bool shrinks = false;
  std::string ir;
};

struct Corpus {
  std::string pipeline;
  std::string plan;
  bool pairs = false;
  bool disk = false;
  std::uint64_t stride = 1;
  bool log = false;
  std::string json;
};

void write_file(const std::string& path, const std::string& text) {
  if (path.empty()) return;
  std::ofstream file(path);
  file << text << '\n';
  if (!file.flush()) throw std::runtime_error("cannot write " + path);
}

// Before hours of work that could not be written down.
std::string check_writable(const std::string& path) {
  return std::ofstream(path, std::ios::app) ? "" : "cannot write " + path;
}

// CLI11 takes "-1" for a large number.
std::string check_natural(const std::string& text) {
  return text.starts_with('-') ? text + " is less than 0" : "";
}

int conclude(bool kept) {
  if (kept) fmt::print("no promise was broken\n");
  return kept ? 0 : kFound;
}

// Prints a smaller pipeline that breaks a promise too; false when none does.
bool shrink_world(std::uint64_t seed, std::chrono::seconds at_most, const std::string& ir) {
  posix::SystemClock clock;
  const TimePoint end = clock.now() + at_most;
  const auto go_on = [&clock, end] { return clock.now() < end; };
  for (int number = 0; number < 2; ++number) {
    const Sketch sketch = sketch_of(seed, number);
    const Shrunk shrunk = shrink(seed, sketch, go_on);
    if (shrunk.what.empty()) continue;
    write_file(ir, to_ir(shrunk.sketch));
    fmt::print(
        "  smaller, from {} steps to {}: {}\n  replay: cresset-sim replay --log --seed {} "
        "--pipeline-seed {} --pipeline {}{}{}\n",
        leaves_of(sketch), leaves_of(shrunk.sketch), shrunk.what, shrunk.seed, seed, number,
        shrunk.cut.empty() ? "" : " --cut ", shrunk.cut);
    return true;
  }
  fmt::print("  no pipeline of this world breaks a promise by itself: replay the world as it is\n");
  return false;
}

// In a process of its own: a world may take the one that it is in with it.
void shrink_apart(std::uint64_t seed, std::chrono::seconds at_most) {
  std::fflush(stdout);
  const pid_t child = ::fork();
  CHECK(child >= 0);
  if (child == 0) {
    shrink_world(seed, at_most, {});
    std::fflush(stdout);
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  if (status != 0) fmt::print("  the process ended with it: replay the world as it is\n");
}

int run_worlds(Worlds& asked) {
  if (asked.worlds > 0) asked.options.worlds = asked.worlds;
  if (asked.seconds > 0) asked.options.seconds = std::chrono::seconds(asked.seconds);
  if (!asked.options.worlds && !asked.options.seconds) asked.options.worlds = 1000;
  if (asked.random) asked.options.first_seed = posix::SystemRandom().next() >> 32;
  posix::SystemClock clock;
  fmt::print(stderr, "seeds from {}\n", asked.options.first_seed);
  const CampaignResult result = run_campaign(
      asked.options, clock,
      [](const CampaignResult& so_far) { fmt::print(stderr, "{}\n", progress_line(so_far)); });
  fmt::print("{}", describe(result));
  for (const Finding& finding : result.findings)
    fmt::print("\nseed {}: {}\n  replay: cresset-sim replay --log --seed {}\n", finding.seed,
               finding.what, finding.seed);
  write_file(asked.json, to_json(result, {}));
  if (!result.findings.empty() && asked.shrink_seconds > 0) {
    fmt::print("\nseed {} with less:\n", result.findings.front().seed);
    shrink_apart(result.findings.front().seed, std::chrono::seconds(asked.shrink_seconds));
  }
  return conclude(result.findings.empty());
}

int run_one(WorldOptions options, bool log) {
  const std::string plan = to_string(options.plan);
  if (log) {
    // A world may take the process with it: each line is out before the next.
    std::setvbuf(stdout, nullptr, _IOLBF, BUFSIZ);
    options.on_line = [](std::string_view line) { fmt::print("{}", line); };
  }
  World world(std::move(options));
  const std::optional<Violation> broken = world.try_run();
  if (!broken && world.is_plan_left()) {
    fmt::print(stderr,
               "not all of {} happened: this world has {} calls and {} operations of a disk\n",
               plan, world.extent().calls, world.extent().disk_operations);
    return kBadUse;
  }
  if (broken) fmt::print("{}\n", broken->what());
  fmt::print("digest of the log: {:016x}\n", world.trace().digest());
  return broken ? kFound : 0;
}

int replay(const Replay& asked) {
  if (asked.shrinks) return shrink_world(asked.seed, kShrinkTime, asked.ir) ? kFound : 0;
  WorldOptions options;
  options.seed = asked.seed;
  if (asked.pipeline_seed != 0) {
    Sketch sketch = shrunk(sketch_of(asked.pipeline_seed, asked.pipeline), asked.cut);
    write_file(asked.ir, to_ir(sketch));
    options.sketch = std::make_shared<const Sketch>(std::move(sketch));
  }
  return run_one(std::move(options), asked.log);
}

int replay_plan(const Corpus& asked) {
  const auto plan = parse_plan(asked.plan);
  if (!plan) {
    fmt::print(stderr, "\"{}\" is no plan: crash@12, power_cut@3+,crash@40 …\n", asked.plan);
    return kBadUse;
  }
  for (const auto& [name, sketch] : corpus()) {
    if (name != asked.pipeline) continue;
    WorldOptions options;
    options.sketch = std::make_shared<const Sketch>(sketch);
    options.quiet = true;
    options.plan = *plan;
    options.on_disk = !plan->empty() && is_at_disk(plan->front().how);
    return run_one(std::move(options), asked.log);
  }
  fmt::print(stderr, "the corpus has no pipeline \"{}\"\n", asked.pipeline);
  return kBadUse;
}

int exhaust(const Corpus& asked) {
  if (!asked.plan.empty()) return replay_plan(asked);
  Exhaustion exhaustion(asked.pairs);
  std::vector<Exhausted> done;
  for (const auto& [name, sketch] : corpus()) {
    if (!asked.pipeline.empty() && name != asked.pipeline) continue;
    done.push_back(asked.disk ? exhaustion.exhaust_disk(name, sketch, asked.stride)
                              : exhaustion.exhaust(name, sketch));
    fmt::print(stderr, "{}: {} worlds\n", name, done.back().worlds);
  }
  if (done.empty()) {
    fmt::print(stderr, "the corpus has no pipeline \"{}\"\n", asked.pipeline);
    return kBadUse;
  }
  fmt::print("{}", describe(done));
  constexpr std::size_t kShown = 10;
  const auto& broken = exhaustion.broken();
  for (std::size_t i = 0; i < std::min(broken.size(), kShown); ++i)
    fmt::print("\n{}: {}\n  replay: cresset-sim exhaustive --log --pipeline {} --plan {}\n",
               broken[i].pipeline, broken[i].what, broken[i].pipeline, to_string(broken[i].plan));
  if (broken.size() > kShown) fmt::print("\n… and {} more\n", broken.size() - kShown);
  write_file(asked.json, to_json({}, done));
  return conclude(broken.empty());
}

int run(int argc, char** argv) {
  CLI::App app("Runs the engine in simulated worlds, and says which of them broke a promise.");
  app.require_subcommand(1);
  Worlds worlds;
  worlds.options.jobs = std::max(1u, std::thread::hardware_concurrency());
  CLI::App* const run = app.add_subcommand("worlds", "worlds of many seeds");
  CLI::Option* const first =
      run->add_option("--seed", worlds.options.first_seed, "the first seed")->check(check_natural);
  run->add_flag("--random", worlds.random, "another first seed each time")->excludes(first);
  run->add_option("--count", worlds.worlds, "how many (1000, unless there is --seconds)")
      ->check(CLI::PositiveNumber);
  run->add_option("--seconds", worlds.seconds, "for how long")->check(CLI::PositiveNumber);
  run->add_option("--jobs", worlds.options.jobs, "processes")->check(CLI::Range(1, 1024));
  run->add_option("--findings", worlds.options.findings_max, "stop after so many")
      ->check(CLI::PositiveNumber);
  run->add_option("--shrink-seconds", worlds.shrink_seconds,
                  "for how long to look for a smaller pipeline, when a promise was broken")
      ->check(CLI::NonNegativeNumber);
  run->add_option("--json", worlds.json, "write the figures there")->check(check_writable);

  Replay one;
  CLI::App* const again = app.add_subcommand("replay", "the world of one seed");
  again->add_option("--seed", one.seed, "its seed")->required()->check(check_natural);
  CLI::Option* const of_world =
      again->add_option("--pipeline-seed", one.pipeline_seed, "with a pipeline of that world only")
          ->check(CLI::PositiveNumber);
  again->add_option("--pipeline", one.pipeline, "which one, from 0")
      ->needs(of_world)
      ->check(CLI::NonNegativeNumber);
  again->add_option("--cut", one.cut, "what was taken off it, as --shrink says")->needs(of_world);
  CLI::Option* const log = again->add_flag("--log", one.log, "print what happens");
  again->add_flag("--shrink", one.shrinks, "look for a smaller pipeline that breaks a promise")
      ->excludes(of_world)
      ->excludes(log);
  again->add_option("--ir", one.ir, "write the pipeline there: of --pipeline-seed or --shrink")
      ->check(check_writable);

  Corpus all;
  CLI::App* const every =
      app.add_subcommand("exhaustive", "each fault at each place, on small pipelines");
  CLI::Option* const name = every->add_option("--pipeline", all.pipeline, "this one only");
  CLI::Option* const plan =
      every->add_option("--plan", all.plan, "these faults only: crash@12, power_cut@3+,crash@40 …")
          ->needs(name);
  CLI::Option* const pairs =
      every->add_flag("--pairs", all.pairs, "and each death after each other death")
          ->excludes(plan);
  CLI::Option* const disk =
      every
          ->add_flag("--disk", all.disk, "instead: each operation of the disk under the real store")
          ->excludes(plan)
          ->excludes(pairs);
  every->add_option("--stride", all.stride, "every so many operations")
      ->needs(disk)
      ->check(CLI::PositiveNumber);
  every->add_flag("--log", all.log, "print what happens")->needs(plan);
  every->add_option("--json", all.json, "write the figures there")
      ->excludes(plan)
      ->check(check_writable);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kBadUse;
  }
  if (!one.ir.empty() && !one.shrinks && one.pipeline_seed == 0) {
    fmt::print(stderr, "--ir needs --pipeline-seed or --shrink: a world has several pipelines\n");
    return kBadUse;
  }
  if (run->parsed()) return run_worlds(worlds);
  if (again->parsed()) return replay(one);
  return exhaust(all);
}

}  // namespace

}  // namespace cresset::sim

int main(int argc, char** argv) {
  try {
    return cresset::sim::run(argc, argv);
  } catch (const std::exception& error) {
    fmt::print(stderr, "cresset-sim: {}\n", error.what());
    return 3;
  }
}
