#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "cresset/base/check.h"
#include "sim/generate.h"
#include "sim/ir.h"
#include "sim/world.h"

// Those who use the home of a world, and what they do about what they see.
namespace cresset::sim {

namespace {

using std::chrono::milliseconds;

constexpr int kFailedResumesMax = 20;
constexpr int kRetriesMax = 3;

}  // namespace

void World::put_files(const Sketch& sketch) {
  for (const auto& [path, content] : files_needed(sketch)) {
    const std::string whole = path.starts_with('/') ? path : fmt::format("{}/{}", kHome, path);
    stage_.files.write(whole, content);
    stage_.files.make_durable(whole);
  }
}

void World::invite_users() {
  if (options_.quiet) {
    CHECK(options_.sketch != nullptr);
    put_files(*options_.sketch);
    return submit_later(stage_.ledger.add(options_.sketch, false), Duration(0));
  }
  const int pipelines = options_.sketch || users_.chance(0.7) ? 1 : 2;
  for (int i = 0; i < pipelines; ++i) {
    std::shared_ptr<const Sketch> sketch = options_.sketch;
    if (!sketch) sketch = std::make_shared<const Sketch>(sketch_of(options_.seed, i));
    put_files(*sketch);
    constexpr std::size_t kGiant = 300;
    const std::int64_t runs = leaves_of(*sketch) > kGiant ? 1 : users_.between(1, 3);
    for (std::int64_t run = 0; run < runs; ++run) {
      RunEntry& entry = stage_.ledger.add(sketch, users_.chance(0.1));
      submit_later(entry, milliseconds(run == 0 ? 0 : users_.between(0, 20'000)));
    }
  }
  constexpr std::int64_t kVisitsMax = 3;
  for (std::int64_t visits = users_.between(0, kVisitsMax); visits > 0; --visits) {
    constexpr std::array kKinds{Errand::Kind::kLook,   Errand::Kind::kLook,
                                Errand::Kind::kLook,   Errand::Kind::kCollectGarbage,
                                Errand::Kind::kDoctor, Errand::Kind::kBackup};
    Errand::Kind kind = kKinds[users_.below(kKinds.size())];
    if (kind == Errand::Kind::kLook && users_.chance(0.1)) kind = Errand::Kind::kExpire;
    const std::int64_t latest = users_.chance(0.5) ? 3'000 : 40'000;
    start_later({kind, nullptr, {}, {}}, milliseconds(users_.between(0, latest)));
  }
}

void World::submit_later(RunEntry& entry, Duration delay) {
  Errand errand{Errand::Kind::kSubmit, &entry, {}, to_ir(*entry.sketch)};
  errand.options.python = "/usr/bin/python3";
  errand.options.fail_fast = entry.fail_fast;
  if (!options_.quiet) {
    errand.options.use_cache = users_.chance(0.9);
    errand.options.jobs = users_.chance(0.7) ? 0 : users_.between(1, 4);
  }
  start_later(std::move(errand), delay);
  if (options_.quiet) return;
  auto maybe = [&](double probability, Errand::Kind kind) {
    if (!users_.chance(probability)) return;
    // While it runs, or at any time.
    const std::int64_t latest = users_.chance(0.5) ? 1'500 : 15'000;
    start_later({kind, &entry, {}, {}}, delay + milliseconds(users_.between(0, latest)));
  };
  maybe(0.18, Errand::Kind::kCancel);
  maybe(0.06, Errand::Kind::kKill);
  maybe(0.10, Errand::Kind::kResume);  // a second engine, which follows the first
  maybe(0.25, Errand::Kind::kRetry);
  maybe(0.08, Errand::Kind::kRemove);
  maybe(0.10, Errand::Kind::kRerun);
  maybe(0.05, Errand::Kind::kCollectGarbage);
  if (users_.chance(0.1)) {
    stage_.clock.at(stage_.clock.now() + delay + milliseconds(users_.between(0, 10'000)),
                    [this, &entry] { press_ctrl_c(entry); });
  }
}

void World::press_ctrl_c(RunEntry& entry) {
  for (const auto& process : processes_) {
    if (!process->is_engine() || process->errand().entry != &entry) continue;
    stage_.note(process->number(), "is interrupted");
    Ledger::interrupted(entry);
    return process->interrupt();
  }
}

// What people do when a run has ended: they run the pipeline once more, which takes from the cache;
// they tidy up; they try again.
void World::react(RunEntry& entry, model::State end) {
  constexpr std::size_t kRunsMax = 6;
  const std::size_t runs = stage_.ledger.entries().size();
  if (entry.rerun_of == nullptr && end == model::State::kSucceeded && runs < kRunsMax &&
      users_.chance(0.3))
    submit_later(stage_.ledger.add(entry.sketch, false), milliseconds(users_.between(0, 1'000)));
  if (users_.chance(0.05))
    start_later({Errand::Kind::kRemove, &entry, {}, {}}, milliseconds(users_.between(0, 1'000)));
  if (end == model::State::kSucceeded || !users_.chance(0.3)) return;
  start_later({Errand::Kind::kCollectGarbage, nullptr, {}, {}}, Duration(0));
  start_later({Errand::Kind::kRetry, &entry, {}, {}},
              milliseconds(users_.between(0, users_.chance(0.5) ? 3 : 3'000)));
}

// Somebody removes a run while another one begins to use what it made.
void World::tidy_away(RunEntry& entry) {
  if (options_.quiet || stage_.faults.healed() || !users_.chance(0.7)) return;
  start_later({Errand::Kind::kRemove, &entry, {}, {}}, milliseconds(users_.between(0, 500)));
}

// Somebody sees a step run, and does not want it.
void World::dislike(RunEntry& entry) {
  constexpr double kShare = 0.03;
  if (!users_.chance(kShare)) return;
  const Duration delay = milliseconds(users_.between(0, 50));
  if (users_.chance(0.2)) return start_later({Errand::Kind::kCancel, &entry, {}, {}}, delay);
  stage_.clock.at(stage_.clock.now() + delay, [this, &entry] { press_ctrl_c(entry); });
}

void World::start_later(Errand errand, Duration delay) {
  ++errands_to_come_;
  stage_.clock.at(stage_.clock.now() + delay, [this, errand = std::move(errand)]() mutable {
    --errands_to_come_;
    start(std::move(errand));
  });
}

// A run is submitted once, and nobody can name one before that.
void World::start(Errand errand) {
  RunEntry* entry = errand.entry;
  if (errand.kind == Errand::Kind::kRerun) {
    if (entry->removed || entry->id.str().empty()) return;
    errand.entry = entry = &stage_.ledger.add_rerun(*entry);
  }
  if (errand.kind == Errand::Kind::kCollectGarbage) errand.entry = entry = nullptr;
  const bool submits = errand.kind == Errand::Kind::kSubmit || errand.kind == Errand::Kind::kRerun;
  if (entry != nullptr && (entry->removed || entry->id.str().empty() != submits)) return;
  processes_.push_back(std::make_unique<Process>(stage_, ++last_process_, std::move(errand)));
}

// A user who sees a run stop resumes it after a while, and submits again what was not taken.
void World::on_end(const Process& process) {
  if (process.view()) {
    stage_.ledger.check_end(*process.view(), stage_.files);
    if (!options_.quiet && !stage_.faults.healed())
      react(*process.errand().entry, process.view()->state);
  }
  if (process.errand().kind == Errand::Kind::kCompare)
    compared_ = process.end() == Process::End::kEnded && !process.error();
  RunEntry* entry = process.errand().entry;
  if (entry != nullptr) settle(stage_, *entry);
  const bool stopped = process.end() == Process::End::kCrashed || process.error();
  if (entry == nullptr || entry->removed || !stopped || !process.is_engine()) return;
  if (is_final(entry->state)) return;
  if (stage_.faults.healed() && process.error() && ++failed_resumes_ > kFailedResumesMax)
    throw Violation("run {} cannot go on though nothing is wrong: {}", entry->number,
                    process.error()->text());
  const Duration pause = milliseconds(users_.between(10, 20'000));
  if (has_engine(*entry)) return;
  if (!entry->id.str().empty()) return start_later({Errand::Kind::kResume, entry, {}, {}}, pause);
  if (entry->rerun_of != nullptr) return;  // who asked for it asks for something else
  start_later(process.errand(), pause);
}

bool World::has_engine(const RunEntry& entry) const {
  return std::ranges::any_of(processes_, [&](const auto& process) {
    return process->is_engine() && process->errand().entry == &entry;
  });
}

// Every run that was accepted ends.
void World::finish_all() {
  const auto unfinished = [](const RunEntry& entry) {
    return !entry.id.str().empty() && !entry.removed && !is_final(entry.state);
  };
  while (true) {
    bool over = processes_.empty() && errands_to_come_ == 0;
    // What a process wrote before it died of it may show only when nobody has the store open.
    if (over) {
      for (const auto& entry : stage_.ledger.entries()) settle(stage_, *entry);
    }
    for (const auto& entry : stage_.ledger.entries()) {
      if (!unfinished(*entry)) continue;
      over = false;
      if (errands_to_come_ == 0 && !has_engine(*entry))
        start({Errand::Kind::kResume, entry.get(), {}, {}});
    }
    if (over || !go_on()) break;
  }
  for (const auto& entry : stage_.ledger.entries()) {
    if (entry->id.str().empty() && entry->rerun_of == nullptr)
      throw Violation("a run was never accepted");
    if (unfinished(*entry)) throw Violation("run {} does not end", entry->number);
  }
}

void World::look_at_all() {
  // A planned death may strike this one too.
  for (compared_ = false; !compared_;) {
    start({Errand::Kind::kCompare, nullptr, {}, {}});
    finish_all();
  }
}

// Without disturbance, a run that is tried again comes to what its pipeline says.
void World::retry_all() {
  for (int round = 0; round < kRetriesMax; ++round) {
    for (const auto& entry : stage_.ledger.entries()) {
      const bool failed =
          entry->state == model::State::kFailed || entry->state == model::State::kCanceled;
      if (failed && !entry->removed && !entry->spoiled)
        start({Errand::Kind::kRetry, entry.get(), {}, {}});
    }
    if (processes_.empty()) return;
    finish_all();
  }
  look_at_all();
}

Sketch sketch_of(std::uint64_t seed, int number) {
  SeededRandom random(seed, fmt::format("sketch {}", number));
  Taste taste;
  // Small ones meet as many kinds of faults, and more of them in the same time.
  if (random.chance(0.7)) taste.leaves_max = 5;
  taste.tens = 20;
  // One world with thousands of tasks takes minutes.
  if (!random.chance(0.02)) taste.thousands_in_ten_thousand = 0;
  return make_sketch(random, taste);
}

}  // namespace cresset::sim
