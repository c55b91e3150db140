#include "sim/disk_trials.h"

#include <fmt/core.h>

#include <algorithm>
#include <functional>
#include <optional>
#include <utility>

#include "cresset/base/check.h"

namespace cresset::sim {

namespace {

using Kind = Call::Kind;
using When = SimDisk::When;
using Operation = SimDisk::Operation;
using Fault = SimDisk::Fault;

// A disk with its players.
struct World {
  World(std::uint64_t seed, const SimDisk::Image& image, std::size_t n)
      : random(seed), disk(random, image), players(disk, n) {}
  World(const TrialPlan& plan, std::uint64_t number) : World(plan.seed + number, plan.image, 2) {
    disk.lie(plan.lying);
  }

  // From the same state, what a power cut leaves, and what another one leaves of what is done
  // after it.
  void try_power_cut(TrialTally& tally) {
    World after(random.next(), disk.power_cut_image(), 0);
    after.players.expect(players.possible());
    after.players.check();
    after.disk.power_cut();
    after.players.check();
    after.add_to(tally);
  }
  void add_to(TrialTally& tally) const {
    ++tally.worlds;
    tally.players += players.tally();
    tally.disk += disk.counters();
  }

  SeededRandom random;
  SimDisk disk;
  Players players;
};

// Adds to a broken promise how to come to it.
template <class Body>
void explain(const std::string& how, Body&& body) {
  try {
    body();
  } catch (const BrokenPromise& broken) {
    throw BrokenPromise(how + ": " + broken.what());
  }
}

std::vector<Operation> operations_of(const TrialPlan& plan) {
  World world(plan, 0);
  std::vector<Operation> operations;
  world.disk.on_operation(
      [&](ProcessId, Operation operation, std::uint64_t) { operations.push_back(operation); });
  for (const Call& call : plan.script) {
    const Result<void> done = world.players.play(call);
    if (!done) throw BrokenPromise(to_string(call) + ": " + done.error().text());
  }
  return operations;
}

std::uint64_t count(const std::vector<Operation>& operations, Operation wanted) {
  return static_cast<std::uint64_t>(std::ranges::count(operations, wanted));
}

// What the script's calls up to the one at which something went wrong need of their players.
struct Standing {
  std::optional<std::size_t> failed;  // index in the script
  std::optional<Error> error;
};

Standing play_until_failure(World& world, const Script& script, std::size_t from = 0) {
  for (std::size_t i = from; i < script.size(); ++i) {
    Result<void> done = world.players.play(script[i]);
    if (!done) return {i, std::move(done).error()};
    if (world.players.dead(script[i].player)) return {i, std::nullopt};
  }
  return {};
}

// What the other player does, if it is there, after one has gone: it must get through.
void go_on(World& world, const Script& script, std::size_t failed) {
  const std::size_t other = 1 - script[failed].player;
  if (!world.players.has_store(other)) return;
  const std::string run = fmt::format("other-{}", failed);
  for (const Call& call :
       Script{{other, Kind::kCreate, run}, {other, Kind::kPost, run}, {other, Kind::kRead}}) {
    if (const Result<void> done = world.players.play(call); !done)
      throw BrokenPromise(to_string(call) + ": " + done.error().text());
  }
}

void die(const TrialPlan& plan, std::uint64_t at, When when, bool all, TrialTally& tally) {
  World world(plan, at);
  world.disk.die_at(at, when);
  const Standing standing = play_until_failure(world, plan.script);
  CHECK(standing.failed.has_value());
  const std::size_t gone = plan.script[*standing.failed].player;
  if (!world.players.dead(gone)) throw BrokenPromise(standing.error->text());
  if (all) {
    for (std::size_t i = 0; i < plan.outcomes; ++i) world.try_power_cut(tally);
    world.players.replace(1 - gone);
  }
  world.players.replace(gone);
  if (!all) go_on(world, plan.script, *standing.failed);
  world.players.check();
  for (std::size_t i = 0; i < plan.outcomes; ++i) world.try_power_cut(tally);
  world.add_to(tally);
}

void fail_sync(const TrialPlan& plan, std::uint64_t skip, std::uint64_t times, bool all,
               TrialTally& tally) {
  World world(plan, skip);
  world.disk.fail_next(Fault::kSyncFailure, skip, times);
  const Standing standing = play_until_failure(world, plan.script);
  if (!standing.failed) {
    // Nobody is told when the last one to close cannot tidy up; nor does it matter.
    world.disk.fail_next(Fault::kSyncFailure, 0, 0);
    world.players.check();
    world.add_to(tally);
    return;
  }
  const Call& call = plan.script[*standing.failed];
  if (standing.error->code != Code::kDataLoss) throw BrokenPromise(standing.error->text());
  world.disk.fail_next(Fault::kSyncFailure, 0, 0);
  if (world.players.has_store(call.player)) {
    const Call again{call.player, Kind::kCreate, "again"};
    if (world.players.play(again)) throw BrokenPromise("a commit after a failed sync went through");
  }
  for (std::size_t i = 0; i < plan.outcomes; ++i) world.try_power_cut(tally);
  if (all) world.players.replace(1 - call.player);
  world.players.replace(call.player);
  world.players.check();
  for (std::size_t i = 0; i < plan.outcomes; ++i) world.try_power_cut(tally);
  world.add_to(tally);
}

// Plays the script; a call that finds no space must work when there is some.
std::uint64_t play_through(World& world, const Script& script) {
  std::uint64_t refused = 0;
  for (std::size_t next = 0;;) {
    const Standing standing = play_until_failure(world, script, next);
    if (!standing.failed) return refused;
    ++refused;
    if (standing.error->code != Code::kResourceExhausted)
      throw BrokenPromise(to_string(script[*standing.failed]) + ": " + standing.error->text());
    if (refused > 1) throw BrokenPromise("no space though there is: " + standing.error->text());
    world.disk.set_space(std::nullopt);
    next = *standing.failed;
  }
}

}  // namespace

TrialTally& TrialTally::operator+=(const TrialTally& other) {
  operations += other.operations;
  points += other.points;
  worlds += other.worlds;
  players += other.players;
  disk += other.disk;
  return *this;
}

std::string to_string(const TrialTally& tally) {
  return fmt::format(
             "operations of the script: {}\npoints: {}\nworlds: {}\n"
             "calls: done {}, failed {}, cut short {}\n"
             "calls in doubt: applied {}, gone {}\nchecks: {}\n",
             tally.operations, tally.points, tally.worlds, tally.players.calls,
             tally.players.failed, tally.players.cut_short, tally.players.doubts_applied,
             tally.players.doubts_gone, tally.players.checks) +
         to_string(tally.disk);
}

Script short_script() {
  return {
      {0, Kind::kOpen},
      {0, Kind::kCreate, "r1"},
      {0, Kind::kAcquire, "r1"},
      {0, Kind::kCommit, "r1", 2},
      {1, Kind::kOpen},
      {1, Kind::kRead},
      {1, Kind::kPost, "r1"},
      {0, Kind::kCommit, "r1", 1, 40, true, true},
      {1, Kind::kCreate, "r2"},
      {1, Kind::kAcquire, "r2"},
      {1, Kind::kCommit, "r2", 3, 5000},
      {0, Kind::kRead},
      {0, Kind::kCommit, "r1", 1, 40, true, false, true},
      {0, Kind::kRelease, "r1"},
      {1, Kind::kRemove, "r1"},
      {0, Kind::kClose},
      {1, Kind::kCommit, "r2", 1, 40, true},
      {1, Kind::kClose},
      {0, Kind::kOpen},
      {0, Kind::kAcquire, "r2"},
      {0, Kind::kCommit, "r2", 1, 40, false, false, true},
      {0, Kind::kClose},
  };
}

Script long_script() {
  Script script{{0, Kind::kOpen},          {1, Kind::kOpen},         {0, Kind::kCreate, "r1"},
                {0, Kind::kAcquire, "r1"}, {1, Kind::kCreate, "r2"}, {1, Kind::kAcquire, "r2"}};
  for (int i = 0; i < 12; ++i) {
    script.push_back({0, Kind::kCommit, "r1", 20, 20'000, true});
    script.push_back({1, Kind::kCommit, "r2", 2, 300, true});
    script.push_back({1, Kind::kRead});
  }
  for (const std::size_t player : {std::size_t{0}, std::size_t{1}})
    script.push_back({player, Kind::kClose});
  return script;
}

TrialTally try_deaths(const TrialPlan& plan) {
  TrialTally tally;
  const std::vector<Operation> operations = operations_of(plan);
  tally.operations = operations.size();
  for (std::uint64_t at = 1 + plan.seed % plan.stride; at <= operations.size(); at += plan.stride) {
    for (const When when : {When::kBefore, When::kDuring, When::kAfter}) {
      if (when == When::kDuring && operations[at - 1] != Operation::kWrite) continue;
      ++tally.points;
      for (const bool all : {false, true}) {
        explain(fmt::format("seed {}, death {} ({}) at operation {} ({})", plan.seed,
                            static_cast<int>(when), all ? "of all" : "of one", at,
                            to_string(operations[at - 1])),
                [&] { die(plan, at, when, all, tally); });
      }
    }
  }
  return tally;
}

TrialTally try_failed_syncs(const TrialPlan& plan) {
  TrialTally tally;
  const std::vector<Operation> operations = operations_of(plan);
  tally.operations = operations.size();
  const std::uint64_t syncs = count(operations, Operation::kSync);
  for (std::uint64_t skip = plan.seed % plan.stride; skip < syncs; skip += plan.stride) {
    for (const std::uint64_t times : {std::uint64_t{1}, std::uint64_t{1000}}) {
      ++tally.points;
      for (const bool all : {false, true}) {
        explain(fmt::format("seed {}, sync {} fails {} times, {} die", plan.seed, skip, times,
                            all ? "all" : "one"),
                [&] { fail_sync(plan, skip, times, all, tally); });
      }
    }
  }
  return tally;
}

TrialTally try_full_disk(const TrialPlan& plan) {
  TrialTally tally;
  const std::vector<Operation> operations = operations_of(plan);
  tally.operations = operations.size();
  const auto try_one = [&](const std::string& how, const std::function<void(SimDisk&)>& arrange) {
    ++tally.points;
    explain(how, [&] {
      World world(plan, 0);
      arrange(world.disk);
      play_through(world, plan.script);
      world.disk.set_space(std::nullopt);
      world.players.check();
      for (std::size_t i = 0; i < plan.outcomes; ++i) world.try_power_cut(tally);
      world.add_to(tally);
    });
  };
  const std::uint64_t writes = count(operations, Operation::kWrite);
  for (std::uint64_t skip = plan.seed % plan.stride; skip < writes; skip += plan.stride) {
    try_one(fmt::format("seed {}, no space at write {}", plan.seed, skip),
            [&](SimDisk& disk) { disk.fail_next(Fault::kNoSpace, skip, 1); });
  }
  constexpr std::int64_t kMost = 400'000;
  const auto step = static_cast<std::int64_t>(1777 * plan.stride);
  for (std::int64_t bytes = 0; bytes < kMost; bytes += step) {
    try_one(fmt::format("seed {}, {} bytes of space", plan.seed, bytes),
            [&](SimDisk& disk) { disk.set_space(bytes); });
  }
  return tally;
}

namespace {

// Two players who do anything that they may, on a disk where anything happens.
class RandomTrial {
 public:
  explicit RandomTrial(std::uint64_t seed)
      : dice_(~seed), world_(seed, SimDisk::prepared(), 2), rates_(random_rates()) {
    world_.disk.set_rates(rates_);
  }

  TrialTally play(std::size_t calls) {
    for (std::size_t i = 0; i < calls; ++i) step();
    recover(true);
    TrialTally tally;
    tally.points = 1;
    world_.add_to(tally);
    return tally;
  }

 private:
  std::uint64_t below(std::uint64_t bound) { return dice_.below(bound); }

  // Mostly few kinds of faults, so that there is something left to go wrong.
  SimDisk::Rates random_rates() {
    constexpr double kRates[] = {0, 0, 0.0003, 0.002, 0.01};
    SimDisk::Rates rates;
    for (double& rate : rates.faults) rate = kRates[below(5)];
    // There are far fewer syncs than reads and writes.
    rates.faults[static_cast<std::size_t>(Fault::kSyncFailure)] *= 20;
    rates.death = kRates[below(4)] / 3;
    return rates;
  }

  void step() {
    if (below(40) == 0) return recover(below(2) == 0);
    if (below(60) == 0)
      world_.disk.set_space(static_cast<std::int64_t>(below(3) == 0 ? 0 : below(200'000)));
    const std::size_t player = below(2);
    Players& players = world_.players;
    if (failed_[player] && below(2) == 0) replace(player);
    if (!players.has_store(player)) return attempt({player, Kind::kOpen});
    attempt(random_call(player));
  }

  Call random_call(std::size_t player) {
    Call call{player, Kind::kRead, "r" + std::to_string(below(3))};
    const auto& runs = world_.players.possible().front().runs;
    if (!runs.contains(call.run)) {
      call.kind = Kind::kCreate;
      return call;
    }
    const bool mine = world_.players.holds(player, call.run);
    switch (below(12)) {
      case 0:
        break;
      case 1:
        call.kind = Kind::kPost;
        break;
      case 2:
        call.kind = below(3) == 0 ? Kind::kClose : Kind::kPost;
        break;
      case 3:
        call.kind = mine ? Kind::kRelease : Kind::kRemove;
        break;
      default:
        call.kind = mine ? Kind::kCommit : Kind::kAcquire;
        call.events = below(4);
        call.bytes = below(10) == 0 ? 300'000 + below(900'000) : below(6000);
        call.step = below(2) == 0;
        call.takes_commands = below(3) == 0;
        call.ends = below(3) == 0;
    }
    return call;
  }

  void attempt(const Call& call) {
    const bool was_failed = failed_[call.player];
    const bool doubt = world_.players.possible().size() > 1;
    const Result<void> done = world_.players.play(call);
    if (world_.players.dead(call.player)) return replace(call.player);
    const bool writes = call.kind == Kind::kCreate || call.kind == Kind::kCommit ||
                        call.kind == Kind::kPost || call.kind == Kind::kAcquire;
    if (done) {
      if (call.kind == Kind::kClose) failed_[call.player] = false;
      if (was_failed && writes) throw BrokenPromise(to_string(call) + " went on after a failure");
      return;
    }
    const Error& error = done.error();
    switch (error.code) {
      case Code::kResourceExhausted:
        if (below(2) == 0) world_.disk.set_space(std::nullopt);
        return;
      case Code::kDataLoss:
        // What failed to be read may be read the next time; what failed to be written is final.
        if (error.text().find("writing no more") != std::string::npos) failed_[call.player] = true;
        return;
      case Code::kUnavailable:
        return;
      case Code::kFailedPrecondition:
        if (error.reason == "run.owned" || error.reason == "run.unfinished") return;
        break;
      case Code::kNotFound:
      case Code::kAlreadyExists:
        if (doubt) return;
        break;
      default:
        break;
    }
    throw BrokenPromise(to_string(call) + ": " + error.text());
  }

  void replace(std::size_t player) {
    world_.players.replace(player);
    failed_[player] = false;
  }

  // All faults stop for a look, after the death of all or a power cut, or with those who live.
  void recover(bool power) {
    world_.disk.set_rates({});
    world_.disk.set_space(std::nullopt);
    if (power) {
      world_.disk.power_cut();
      replace(0);
      replace(1);
    } else if (below(2) == 0) {
      replace(0);
      replace(1);
    }
    world_.players.check();
    if (power) {
      world_.disk.power_cut();
      world_.players.check();
    }
    world_.disk.set_rates(rates_);
  }

  SeededRandom dice_;
  World world_;
  SimDisk::Rates rates_;
  bool failed_[2] = {false, false};
};

}  // namespace

TrialTally try_random(std::uint64_t seed, std::size_t calls) {
  TrialTally tally;
  explain(fmt::format("seed {}", seed), [&] { tally = RandomTrial(seed).play(calls); });
  return tally;
}

}  // namespace cresset::sim
