#include "sim/process.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <utility>

#include "cresset/app/read_pipeline.h"
#include "cresset/base/check.h"
#include "cresset/codec/parameters.h"
#include "cresset/codec/run_json.h"
#include "cresset/text/json.h"
#include "sim/program.h"

namespace cresset::sim {

namespace {

std::string runtime_folder() { return "/srv/runtime"; }

}  // namespace

std::string_view to_string(Errand::Kind kind) {
  switch (kind) {
    case Errand::Kind::kSubmit:
      return "submit";
    case Errand::Kind::kResume:
      return "resume";
    case Errand::Kind::kRetry:
      return "retry";
    case Errand::Kind::kCancel:
      return "cancel";
    case Errand::Kind::kKill:
      return "kill";
    case Errand::Kind::kRemove:
      return "rm";
    case Errand::Kind::kRerun:
      return "rerun";
    case Errand::Kind::kCollectGarbage:
      return "gc";
    case Errand::Kind::kExpire:
      return "gc --keep-last";
    case Errand::Kind::kDoctor:
      return "doctor";
    case Errand::Kind::kBackup:
      return "backup";
    case Errand::Kind::kLook:
      return "look";
    case Errand::Kind::kCompare:
      return "compare";
  }
  return "?";
}

Process::Process(Stage& its_stage, ProcessId its_id, Errand errand)
    : Caller(its_stage, its_id),
      errand_(std::move(errand)),
      store_(*this),
      executor_(*this),
      files_(*this),
      environments_([this] { wake(); }),
      service_(app::Home(kHome), {stage.clock,
                                  *this,
                                  *this,
                                  store_,
                                  executor_,
                                  files_,
                                  environments_,
                                  [] { return Result<std::string>(runtime_folder()); },
                                  {},
                                  stage.changes_max}),
      fiber_([this] { carry_out(); }) {
  environments_.add_program(std::string(kProgram), {"/usr/bin/step", "step 1"});
  stage.note(id, to_string(errand_.kind), errand_.entry ? errand_.entry->id.str() : "");
}

Process::~Process() {
  if (!fiber_.is_done() && end_ == End::kNone) {
    killed_ = true;
    fiber_.resume();
  }
}

void Process::resume() {
  woken_ = false;
  deaf_ = false;
  due_.reset();
  fiber_.resume();
}

bool Process::may_run() const {
  if (fiber_.is_done()) return false;
  const TimePoint now = stage.clock.now();
  if (now < paused_until_) return false;
  return (woken_ && !deaf_) || (due_ && *due_ <= now);
}

std::optional<TimePoint> Process::due() const {
  if (fiber_.is_done()) return std::nullopt;
  const TimePoint now = stage.clock.now();
  if (now < paused_until_) return paused_until_;
  return due_;
}

void Process::kill() {
  if (fiber_.is_done()) return;
  stage.note(id, "is killed");
  killed_ = true;
  fiber_.resume();
}

void Process::pause(Duration duration) {
  stage.note(id, "is stopped for", to_short_text(duration));
  paused_until_ = stage.clock.now() + duration;
}

bool Process::is_engine() const {
  return errand_.kind == Errand::Kind::kSubmit || errand_.kind == Errand::Kind::kRerun ||
         errand_.kind == Errand::Kind::kResume || errand_.kind == Errand::Kind::kRetry;
}

void Process::stand_still() {
  if (!killed_) fiber_.yield();
  if (killed_) throw Crash{};
}

void Process::stand_still_for(Duration duration) {
  deaf_ = true;
  due_ = stage.clock.now() + duration;
  stand_still();
}

void Process::wait(std::optional<TimePoint> until) {
  if (std::exchange(woken_, false)) return;
  due_ = until;
  stand_still();
}

std::optional<model::RunId> Process::run() const {
  if (errand_.entry == nullptr || errand_.entry->id.str().empty()) return std::nullopt;
  return errand_.entry->id;
}

void Process::carry_out() {
  try {
    if (killed_) throw Crash{};  // before it did anything
    Result<void> done = obey();
    if (!done) {
      error_ = std::move(done).error();
      stage.note(id, "fails:", error_->text());
    } else {
      stage.note(id, "ends");
    }
    end_ = End::kEnded;
  } catch (const Crash&) {
    end_ = End::kCrashed;
  } catch (...) {
    end_ = End::kCrashed;
    throw;
  }
}

Result<void> Process::obey() {
  CR_TRY_VOID(store_.open());
  switch (errand_.kind) {
    case Errand::Kind::kSubmit:
      return submit();
    case Errand::Kind::kRerun:
      return rerun();
    case Errand::Kind::kResume:
      return drive(errand_.entry->id);
    case Errand::Kind::kRetry:
      CR_TRY_VOID(service_.reopen(errand_.entry->id));
      return drive(errand_.entry->id);
    case Errand::Kind::kCancel:
    case Errand::Kind::kKill:
      return service_.cancel(errand_.entry->id, errand_.kind == Errand::Kind::kKill);
    case Errand::Kind::kRemove:
      return service_.remove(errand_.entry->id);
    case Errand::Kind::kCollectGarbage: {
      CR_TRY(const std::vector<app::Garbage> garbage, service_.collect_garbage(false));
      return {};
    }
    case Errand::Kind::kExpire:
      return expire();
    case Errand::Kind::kLook:
      return look();
    case Errand::Kind::kDoctor: {
      CR_TRY(const std::vector<app::Finding> findings,
             service_.examine(true, [](std::size_t, std::size_t) {}));
      return {};
    }
    case Errand::Kind::kBackup:
      return back_up();
    case Errand::Kind::kCompare:
      return compare();
  }
  return {};
}

Result<void> Process::submit() {
  codec::ReadResult read = app::read_and_check(errand_.spec, "sim.json");
  if (!read.pipeline) throw Violation("the generated pipeline is refused");
  app::RunRequest request;
  request.file_name = "sim.json";
  request.spec = errand_.spec;
  request.pipeline = *std::move(read.pipeline);
  CR_TRY(request.inputs.parameters,
         codec::resolve_inputs(request.pipeline.root, run_inputs(*errand_.entry->sketch)));
  request.options = errand_.options;
  store_.submits(*errand_.entry);
  CR_TRY(const model::RunId run, service_.create(std::move(request)));
  return drive(run);
}

Result<void> Process::rerun() {
  RunEntry& entry = *errand_.entry;
  CR_TRY(const model::RunView view, service_.view(entry.rerun_of->id));
  std::vector<std::string> steps;
  for (const model::TaskView& task : view.tasks) {
    if (task.kind == model::TaskKind::kContainer && task.started_at) steps.push_back(task.path);
  }
  if (steps.empty()) return make_error(Code::kFailedPrecondition, "nothing has run yet");
  Ledger::rerun_begins(entry, steps[stage.order.below(steps.size())]);
  CR_TRY(app::RunRequest request, service_.make_rerun(entry.rerun_of->id, entry.rerun_path, {}));
  for (const model::RunId& source : request.uses) entry.found_in.insert(source);
  store_.submits(entry);
  CR_TRY(const model::RunId run, service_.create(std::move(request)));
  return drive(run);
}

Result<void> Process::expire() {
  app::Retention retention;
  if (stage.order.chance(0.5)) {
    retention.keep_last = stage.order.below(3);
  } else {
    retention.bytes_max = stage.order.between(0, 3'000);
  }
  CR_TRY(const std::vector<app::StoredRun> gone,
         service_.expire(retention, false, [](const app::StoredRun&) {}));
  for (const app::StoredRun& run : gone) stage.note(id, "lets go", run.record.id.str());
  return {};
}

// As main/home_backup.cc does, but for the copying.
Result<void> Process::back_up() {
  CR_TRY(const std::unique_ptr<ports::RemovalHold> hold, store_.hold_removals());
  const Ledger::Hold held(stage.ledger);
  CR_TRY(const app::BackupContents contents, service_.backup_contents(*this));
  for (int i = 0; i < 3; ++i) {
    for (const app::BackupItem& item : contents.items) {
      const bool is_damaged = std::ranges::any_of(stage.ledger.entries(), [&](const auto& entry) {
        return entry->damaged && item.name.find(entry->id.str()) != std::string::npos;
      });
      if (!item.may_change && !is_damaged &&
          !stage.files.exists(std::string(kHome) + "/" + item.name))
        throw Violation("{} goes while a backup needs it", item.name);
    }
    stand_still_for(std::chrono::milliseconds(stage.order.between(10, 1'500)));
  }
  return {};
}

Result<void> Process::drive(const model::RunId& run) {
  CR_TRY(view_, service_.drive(run, *this, *this));
  return {};
}

Result<void> Process::look() {
  CR_TRY(const std::vector<ports::RunRecord> runs, service_.list());
  for (const ports::RunRecord& run : runs) {
    auto view = service_.view(run.id);
    if (!view && view.error().code == Code::kNotFound) continue;  // removed meanwhile
    if (!view) return std::move(view).error();
    RunEntry* entry = stage.ledger.find(run.id);
    if (entry == nullptr) continue;  // its creation failed, and it was submitted again
    settle(stage, *entry);
    stage.ledger.check_times(*view);
    if (is_final(view->state)) stage.ledger.check_end(*view, stage.files);
    for (const model::TaskView& task : view->tasks) {
      if (model::is_final(task.state) && task.kind == model::TaskKind::kContainer) {
        auto explained = service_.explain(run.id, task.path);
        if (explained) stage.note(id, "explains", explained->verdict);
        break;
      }
    }
  }
  return {};
}

// What is not whole, and has not been damaged on purpose.
void Process::examine() {
  const auto findings = service_.examine(false, [](std::size_t, std::size_t) {});
  if (!findings) throw Violation("the home cannot be examined: {}", findings.error().text());
  for (const app::Finding& finding : *findings) {
    const bool known = std::ranges::any_of(stage.ledger.entries(), [&](const auto& entry) {
      return entry->damaged && finding.finding.find(entry->id.str()) != std::string::npos;
    });
    if (finding.verdict == app::Finding::Verdict::kBad && !known)
      throw Violation("the home is not whole: {}", finding.finding);
  }
}

// All that was ever accepted, when nothing goes on and nothing goes wrong any more.
Result<void> Process::compare() {
  const auto must = [](auto answer) {
    if (!answer) throw Violation("the home cannot be read: {}", answer.error().text());
    return *std::move(answer);
  };
  std::map<model::RunId, model::RunView> kept;
  for (const ports::RunRecord& run : must(service_.list())) {
    model::RunView view = must(service_.view(run.id));
    if (view.started_at != run.started_at || view.finished_at != run.finished_at)
      throw Violation("run {} is listed with other times than its events say", run.id.str());
    if (view.state != run.state)
      throw Violation("run {} is listed as {}, and its events say {}", run.id.str(),
                      to_string(run.state), to_string(view.state));
    kept.emplace(run.id, std::move(view));
  }
  for (const auto& entry : stage.ledger.entries()) {
    settle(stage, *entry);
    if (entry->id.str().empty()) continue;  // a rerun that came to nothing
    const auto view = kept.find(entry->id);
    stage.ledger.check_kept(*entry, view == kept.end() ? nullptr : &view->second);
    if (view != kept.end()) stage.ledger.check_end(view->second, stage.files);
  }
  examine();
  return {};
}

// What a restart would make of the store must be what this engine has in memory.
void Process::on_changes(const dag::Plan& plan, const std::vector<dag::TaskBrief>&) {
  constexpr double kShare = 0.01;
  if (!stage.order.chance(kShare)) return;
  Observer look(stage);
  app::RunService observer(
      app::Home(kHome), {stage.clock, *this, *this, look.store(), executor_, files_, environments_,
                         [] { return Result<std::string>(runtime_folder()); }});
  const Result<model::RunView> stored = observer.view(plan.context().id);
  if (!stored) {
    // Another engine may have taken it over meanwhile, and it may be gone since.
    if (stored.error().code == Code::kNotFound) return;
    throw Violation("the run cannot be read back: {}", stored.error().text());
  }
  const std::string there = text_of(*stored);
  const std::string here = text_of(plan.view());
  if (there != here)
    throw Violation("a restart gives another plan:\n{}\ninstead of\n{}", there, here);
}

std::string text_of(const model::RunView& view) {
  std::string out;
  auto to = std::back_inserter(out);
  fmt::format_to(to, "{} {} {}\n", to_string(view.state), view.error ? view.error->message : "",
                 text::to_json(codec::encode(view.outputs)));
  for (const model::TaskView& task : view.tasks) {
    fmt::format_to(to, "{} {} {} cached={} attempts={} {} {} {}/{} in {} out {}\n", task.ordinal,
                   task.path, to_string(task.state), task.cached, task.attempts, task.reason,
                   task.error ? task.error->message : "", task.iterations_done, task.iterations,
                   text::to_json(codec::encode(task.inputs)),
                   text::to_json(codec::encode(task.outputs)));
  }
  return out;
}

}  // namespace cresset::sim
