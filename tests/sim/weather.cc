#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "sim/program.h"
#include "sim/world.h"

// What goes wrong by itself, from time to time.
namespace cresset::sim {

namespace {

using std::chrono::milliseconds;

}  // namespace

void World::begin_weather() {
  stage_.clock.at(stage_.clock.now() + milliseconds(stage_.faults.random().between(50, 700)),
                  [this] { weather(); });
}

// It never ends: an answer that was lost comes on another connection only. But it spares those who
// sleep: what strikes nobody is no fault.
void World::weather() {
  if (is_anything_alive()) {
    Faults& faults = stage_.faults;
    if (stage_.ledger.has_live_steps() && faults.strikes(Fault::kKeeperKill)) {
      faults.note(Fault::kKeeperKill);
      keeper_kill();
    }
    if (faults.strikes(Fault::kClockJump)) set_clock();
    if (!stage_.disk_full && faults.strikes(Fault::kDiskFull)) fill_disk();
    if (faults.strikes(Fault::kArtifactDamaged)) damage_artifact();
    std::erase_if(unheard_,
                  [this](const auto& lost) { return lost.second && !is_heard_of(lost.first); });
    for (const auto& process : processes_) trouble(*process);
    if (is_anything_alive() && faults.strikes(Fault::kPowerCut)) {
      faults.note(Fault::kPowerCut);
      power_cut();
    }
  }
  begin_weather();
}

void World::set_clock() {
  SeededRandom& random = stage_.faults.random();
  const Duration by = random.chance(0.03) ? Duration(std::chrono::hours(1))
                                          : Duration(milliseconds(random.between(1, 90'000)));
  stage_.note(0, "the clock is set");
  stage_.faults.note(Fault::kClockJump);
  stage_.clock.jump_wall(random.chance(0.5) ? by : -by);
  for (const auto& entry : stage_.ledger.entries()) {
    const Traits traits = traits_of(*entry->sketch);
    if ((traits.task_deadlines || traits.run_deadline) && entry->disturbed.empty())
      entry->disturbed = "a clock that was set, and a time limit";
  }
}

void World::fill_disk() {
  stage_.note(0, "the disk is full");
  stage_.disk_full = true;
  stage_.disk_full_met = false;
  stage_.clock.at(stage_.clock.now() + milliseconds(stage_.faults.random().between(100, 15'000)),
                  [this] {
                    stage_.note(0, "the disk has space again");
                    stage_.disk_full = false;
                  });
}

void World::trouble(Process& process) {
  Faults& faults = stage_.faults;
  if (!process.is_engine()) return;
  const bool breaks = faults.strikes(Fault::kConnectionLost);
  const auto waits_in_vain = [&process](const auto& lost) { return process.hears_of(lost.first); };
  constexpr double kImpatience = 0.3;
  if (breaks ||
      (std::ranges::any_of(unheard_, waits_in_vain) && stage_.order.chance(kImpatience))) {
    process.break_connection(breaks);
  }
  if (!process.is_paused() && faults.strikes(Fault::kPause)) {
    faults.note(Fault::kPause);
    process.pause(milliseconds(faults.random().between(100, 30'000)));
  }
  RunEntry& entry = *process.errand().entry;
  const bool alone = std::ranges::count_if(processes_, [&entry](const auto& other) {
                       return other->is_engine() && other->errand().entry == &entry;
                     }) == 1;
  if (alone && !entry.id.str().empty() && faults.strikes(Fault::kLockBroken) &&
      stage_.store->break_lock(entry.id)) {
    stage_.note(0, "a lock is lost");
    faults.note(Fault::kLockBroken);
    start_later({Errand::Kind::kResume, &entry, {}, {}}, milliseconds(10));
  }
}

// Of a run that needs it no more.
void World::damage_artifact() {
  std::vector<std::pair<std::string, RunEntry*>> files;
  for (const auto& entry : stage_.ledger.entries()) {
    if (entry->state != model::State::kSucceeded || entry->removed) continue;
    for (const auto& [path, node] : stage_.files.below(std::string(kHome) + "/artifacts")) {
      const bool is_file = node.type == ports::testing::MemoryFiles::Type::kFile;
      if (is_file && path.find(entry->id.str()) != std::string::npos)
        files.emplace_back(path, entry.get());
    }
  }
  if (files.empty()) return;
  SeededRandom& random = stage_.faults.random();
  const auto& [path, of] = files[random.below(files.size())];
  stage_.note(0, "damaged:", path);
  const std::string content = stage_.files.read(path).value_or("");
  if (content.empty() || random.chance(0.5)) {
    stage_.files.remove(path);
  } else {
    stage_.files.corrupt(path);
  }
  stage_.faults.note(Fault::kArtifactDamaged);
  stage_.ledger.damaged(*of);
}

ports::testing::Script World::script_for(const ports::StartSpec& spec) {
  const unsigned failures = stage_.ledger.begins(spec);
  Faults& faults = stage_.faults;
  const Conduct conduct = conduct_of(spec, failures);
  ports::testing::Script script;
  script.starts_after = milliseconds(stage_.order.between(0, 20));
  if (conduct.missing_program) {
    script.exit.kind = ports::Exit::Kind::kNotStarted;
    script.exit.detail = "command not found: step";
    return script;
  }
  script.runs_for = conduct.runs_for;
  // Where each call is a place to try, those of engines that only wait are few. Elsewhere most
  // steps are short: an engine that waits learns little.
  if (script.runs_for && options_.quiet) {
    script.runs_for = std::min<Duration>(*script.runs_for, milliseconds(30));
  } else if (script.runs_for && stage_.order.chance(0.9)) {
    script.runs_for =
        std::min<Duration>(*script.runs_for, milliseconds(stage_.order.between(1, 2'000)));
  }
  script.output = conduct.prints;
  script.ignores_terminate = conduct.ignores_terminate;
  script.exit.code = conduct.exit_code;
  if (conduct.signal != 0) {
    script.exit.kind = ports::Exit::Kind::kSignaled;
    script.exit.code = conduct.signal;
  }
  const bool ends_well = script.exit.kind == ports::Exit::Kind::kExited && script.exit.code == 0;
  script.work = [this, ends_well, failures](const ports::StartSpec& what,
                                            ports::testing::MemoryFiles& files, ports::Exit& exit) {
    if (!ends_well) return;
    if (stage_.meets_full_disk()) {
      stage_.ledger.disturb(what.id.run, "a step met a full disk");
      exit.code = 1;
      return;
    }
    do_work(what, files, failures);
  };
  Troubles& troubles = troubles_[spec.id];
  troubles = {};
  troubles.killed = faults.strikes(Fault::kStepKilled);
  if (troubles.killed) {
    stage_.ledger.disturb(spec.id.run, "a step was killed");
    script.exit.kind = ports::Exit::Kind::kSignaled;
    script.exit.code = 9;
    script.exit.out_of_memory = faults.random().chance(0.5);
    script.work = {};
    script.runs_for = milliseconds(faults.random().between(0, 500));
  }
  script.loses_running = troubles.loses_running = faults.strikes(Fault::kAnswerLost, 0.5);
  script.loses_exit = troubles.loses_exit = faults.strikes(Fault::kAnswerLost, 0.5);
  if (troubles.loses_running || troubles.loses_exit) unheard_[spec.id] = false;
  script.repeats_answers = troubles.repeats = faults.strikes(Fault::kAnswerRepeated);
  troubles.zombie = conduct.signal == 0 && faults.strikes(Fault::kZombie);
  if (troubles.zombie) script.zombie_for = milliseconds(faults.random().between(10, 5'000));
  return script;
}

bool World::is_heard_of(const model::AttemptId& id) const {
  return std::ranges::any_of(processes_,
                             [&id](const auto& process) { return process->hears_of(id); });
}

namespace {

// What a step has in its working folder while it runs.
std::string belongings(const ports::StartSpec& spec) { return spec.work_dir + "/in-use"; }

}  // namespace

void World::began(const ports::StartSpec& spec) {
  stage_.ledger.executes(spec, stage_.files);
  stage_.files.write(belongings(spec), "while it runs");
  stage_.files.make_durable(belongings(spec));
  if (!options_.quiet && !stage_.faults.healed()) dislike(*stage_.ledger.find(spec.id.run));
  const Troubles& troubles = troubles_[spec.id];
  if (!(troubles.loses_running || troubles.repeats) || !is_heard_of(spec.id)) return;
  stage_.faults.note(troubles.loses_running ? Fault::kAnswerLost : Fault::kAnswerRepeated);
}

void World::gone(const ports::StartSpec& spec, const ports::Exit& exit) {
  stage_.ledger.gone(spec);
  if (!stage_.files.exists(belongings(spec)))
    throw Violation("the working folder of {} went while it ran", model::to_string(spec.id));
  const Troubles troubles = std::exchange(troubles_[spec.id], {});
  const bool is_heard = !in_power_cut_ && is_heard_of(spec.id);
  if (const auto lost = unheard_.find(spec.id); lost != unheard_.end()) {
    lost->second = true;
    if (!is_heard) unheard_.erase(lost);
  }
  if (in_power_cut_) return;
  Faults& faults = stage_.faults;
  const bool signaled = exit.kind == ports::Exit::Kind::kSignaled;
  if (troubles.killed && signaled && !exit.stopped_by_us) faults.note(Fault::kStepKilled);
  if (troubles.zombie && !troubles.killed && signaled && exit.stopped_by_us)
    faults.note(Fault::kZombie);
  if (!(troubles.loses_exit || troubles.repeats) || !is_heard) return;
  faults.note(troubles.loses_exit ? Fault::kAnswerLost : Fault::kAnswerRepeated);
}

}  // namespace cresset::sim
