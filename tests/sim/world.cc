#include "sim/world.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace cresset::sim {

namespace {

using std::chrono::hours;

// Far more than any world needs that comes to an end: the longest wait is one for a retry, with a
// clock that was set back meanwhile.
constexpr std::uint64_t kTurnsMax = 30'000'000;
constexpr Duration kSilenceMax = hours(5);

FaultRates rates_of(const WorldOptions& options) {
  if (options.quiet) return {};
  SeededRandom random(options.seed, "rates");
  return Faults::random_rates(random);
}

bool is_on_disk(const WorldOptions& options) {
  if (options.on_disk || options.quiet) return options.on_disk.value_or(false);
  constexpr double kShare = 0.15;
  return SeededRandom(options.seed, "store").chance(kShare);
}

StoreFaults store_faults_of(const WorldOptions& options) {
  StoreFaults faults;
  SeededRandom random(options.seed, "store faults");
  if (options.quiet || random.chance(0.2)) return faults;
  const auto maybe = [&random](double rate) { return random.chance(0.4) ? rate : 0.0; };
  faults.sync = maybe(0.06);
  faults.write = maybe(0.02);
  faults.read = maybe(0.01);
  faults.space = maybe(0.02);
  faults.death = maybe(0.005);
  return faults;
}

// An event that changes very many tasks is rare here, and a turn of its own to an engine.
std::size_t changes_max_of(const WorldOptions& options) {
  constexpr double kShare = 0.2;
  constexpr std::size_t kFew = 2;
  if (options.quiet || !SeededRandom(options.seed, "changes").chance(kShare))
    return app::RunService::Ports::kChangesMax;
  return kFew;
}

}  // namespace

Totals& Totals::operator+=(const Totals& other) {
  worlds += other.worlds;
  ledger.runs += other.ledger.runs;
  ledger.commits += other.ledger.commits;
  ledger.events += other.ledger.events;
  ledger.steps += other.ledger.steps;
  ledger.checks += other.ledger.checks;
  ledger.exact_ends += other.ledger.exact_ends;
  ledger.disturbed_ends += other.ledger.disturbed_ends;
  for (std::size_t i = 0; i < kFaultKinds; ++i) faults[i] += other.faults[i];
  processes += other.processes;
  calls += other.calls;
  simulated += other.simulated;
  disk_worlds += other.disk_worlds;
  disk.operations += other.disk.operations;
  disk.syncs_failed += other.disk.syncs_failed;
  disk.writes_failed += other.disk.writes_failed;
  disk.reads_failed += other.disk.reads_failed;
  disk.writes_without_space += other.disk.writes_without_space;
  disk.deaths += other.disk.deaths;
  disk.writes_torn_or_lost += other.disk.writes_torn_or_lost;
  return *this;
}

std::uint64_t Totals::fault_count() const {
  std::uint64_t sum = 0;
  for (const std::uint64_t count : faults) sum += count;
  return sum + disk.syncs_failed + disk.writes_failed + disk.reads_failed +
         disk.writes_without_space + disk.deaths;
}

World::World(WorldOptions options)
    : options_(std::move(options)),
      stage_(options_.seed, rates_of(options_), is_on_disk(options_), options_.on_line),
      users_(options_.seed, "users") {
  stage_.plan = options_.plan;
  if (!stage_.plan.empty() && is_at_disk(stage_.plan.front().how)) {
    const Strike strike = stage_.plan.front();
    stage_.plan.pop_front();
    stage_.store->die_at(strike.call,
                         strike.how == Strike::How::kDiskBefore   ? SimDisk::When::kBefore
                         : strike.how == Strike::How::kDiskDuring ? SimDisk::When::kDuring
                                                                  : SimDisk::When::kAfter);
  }
  stage_.changes_max = changes_max_of(options_);
  stage_.store_faults = store_faults_of(options_);
  stage_.store->set_faults(stage_.store_faults);
  stage_.machine.set_script([this](const ports::StartSpec& spec) { return script_for(spec); });
  stage_.machine.set_watch(
      {[this](const ports::StartSpec& spec) { began(spec); },
       [this](const ports::StartSpec& spec, const ports::Exit& exit) { gone(spec, exit); }});
}

std::optional<Violation> World::try_run() {
  try {
    run();
  } catch (const Violation& violation) {
    return violation;
  } catch (const std::exception& error) {
    return Violation("nobody caught an exception: {}", error.what());
  }
  return std::nullopt;
}

void World::run() {
  invite_users();
  if (!options_.quiet) {
    begin_weather();
    constexpr std::int64_t kShortest = 5'000;
    constexpr std::int64_t kLongest = 60'000;
    go_on_until(stage_.clock.now() +
                std::chrono::milliseconds(users_.between(kShortest, kLongest)));
    stage_.note(0, "nothing goes wrong any more");
    stage_.faults.heal();
    stage_.store->set_faults({});
    stage_.disk_full = false;
  }
  finish_all();
  extent_ = {stage_.calls, stage_.store->counts().operations};
  look_at_all();
  if (!options_.quiet) retry_all();
}

bool World::is_plan_left() const {
  const bool at_disk = !options_.plan.empty() && is_at_disk(options_.plan.front().how);
  return !stage_.plan.empty() || (at_disk && stage_.store->counts().deaths == 0);
}

Totals World::totals() {
  Totals totals;
  totals.worlds = 1;
  totals.ledger = stage_.ledger.counts();
  totals.faults = stage_.faults.counts();
  totals.processes = last_process_;
  totals.calls = stage_.calls;
  totals.disk_worlds = is_on_disk(options_) ? 1 : 0;
  totals.disk = stage_.store->counts();
  totals.simulated = stage_.clock.now().time_since_epoch();
  return totals;
}

void World::go_on_until(TimePoint end) {
  const auto over = std::make_shared<bool>(false);  // the timer may come after all is over
  stage_.clock.at(end, [over] { *over = true; });
  while (!*over && !is_at_rest() && go_on()) {
  }
}

// Nothing is left that something could go wrong with.
bool World::is_at_rest() const {
  return processes_.empty() && errands_to_come_ == 0 && !stage_.ledger.has_live_steps() &&
         std::ranges::all_of(stage_.ledger.entries(), [](const auto& entry) {
           return entry->removed ||
                  (entry->id.str().empty() ? entry->rerun_of != nullptr : is_final(entry->state));
         });
}

// One turn of a process, or the next thing that happens. False when nothing is left to happen.
bool World::go_on() {
  const bool stuck = stage_.clock.now() - stage_.ledger.last_commit() > kSilenceMax;
  if (++turns_ > kTurnsMax || (stuck && stage_.faults.healed()))
    throw Violation("the runs do not come to an end: {}", unfinished_business());
  if (Process* process = next_process()) {
    let_run(*process);
    return true;
  }
  std::optional<TimePoint> due;
  for (const auto& process : processes_) {
    if (const auto mine = process->due(); mine && (!due || *mine < *due)) due = mine;
  }
  const std::optional<TimePoint> next = stage_.clock.next();
  if (next && (!due || *next <= *due)) {
    stage_.clock.do_next();
    kill_doomed();
  } else if (due) {
    stage_.clock.advance_to(*due);
    kill_doomed();
  } else if (!processes_.empty()) {
    throw Violation("a process waits for what never comes");
  } else {
    return false;
  }
  return true;
}

std::string World::unfinished_business() const {
  std::string out = fmt::format("{} turns, {} errands to come", turns_, errands_to_come_);
  for (const auto& process : processes_)
    out += fmt::format(", process {} ({}) lives", process->number(),
                       to_string(process->errand().kind));
  for (const model::AttemptId& id : stage_.machine.running())
    out += fmt::format(", {} runs", model::to_string(id));
  for (const model::AttemptId& id : stage_.machine.queued())
    out += fmt::format(", {} is queued", model::to_string(id));
  for (const auto& entry : stage_.ledger.entries())
    out += fmt::format(", run {} is {}", entry->number, to_string(entry->state));
  return out;
}

Process* World::next_process() {
  std::size_t ready = 0;
  for (const auto& process : processes_) ready += process->may_run() ? 1 : 0;
  if (ready == 0) return nullptr;
  std::size_t chosen = ready == 1 ? 0 : stage_.order.below(ready);
  for (const auto& process : processes_) {
    if (process->may_run() && chosen-- == 0) return process.get();
  }
  return nullptr;
}

void World::let_run(Process& process) {
  process.resume();
  for (RunEntry* used : stage_.ledger.take_newly_used()) tidy_away(*used);
  reap(process);
  if (stage_.struck) carry_out_strike();
}

void World::reap(Process& process) {
  if (process.end() == Process::End::kNone) return;
  const auto found =
      std::ranges::find(processes_, &process, [](const auto& owned) { return owned.get(); });
  const std::unique_ptr<Process> dead = std::move(*found);
  processes_.erase(found);
  stage_.store->kill(dead->number());
  on_end(*dead);
}

void World::kill_doomed() {
  if (!stage_.doomed) return;
  const ProcessId doomed = *std::exchange(stage_.doomed, std::nullopt);
  const auto found = std::ranges::find(processes_, doomed, &Process::number);
  if (found == processes_.end()) return;
  (*found)->kill();
  reap(**found);
}

void World::carry_out_strike() {
  const Strike::How how = *std::exchange(stage_.struck, std::nullopt);
  if (how == Strike::How::kKeeperKill) keeper_kill();
  if (how == Strike::How::kPowerCut) power_cut();
}

bool World::is_anything_alive() const {
  return !processes_.empty() || stage_.ledger.has_live_steps();
}

void World::keeper_kill() {
  stage_.note(0, "the keeper dies");
  stage_.machine.lose_all_running();
}

void World::power_cut() {
  stage_.note(0, "the power goes");
  for (const auto& process : processes_) process->kill();
  std::vector<std::unique_ptr<Process>> dead = std::exchange(processes_, {});
  for (const auto& process : dead) {
    stage_.store->kill(process->number());
    on_end(*process);
  }
  dead.clear();
  in_power_cut_ = true;
  stage_.machine.power_cut();
  in_power_cut_ = false;
  Faults& faults = stage_.faults;
  std::vector<std::string> unsynced;
  stage_.files.power_failure([&](const std::string& path, std::string& content) {
    unsynced.push_back(path);
    const bool torn = options_.quiet || faults.strikes(Fault::kTornFile);
    if (content.empty() || !torn) return;
    faults.note(Fault::kTornFile);
    content.resize(options_.quiet ? content.size() / 2 : faults.random().below(content.size()));
  });
  // What there is when the power comes back is on disk.
  for (const std::string& path : unsynced) stage_.files.make_durable(path);
  stage_.store->power_cut();
  stage_.ledger.power_cut();
}

}  // namespace cresset::sim
