#include "sim/ledger.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "cresset/base/check.h"
#include "cresset/text/json.h"
#include "sim/again.h"
#include "sim/difference.h"
#include "sim/program.h"

namespace cresset::sim {

namespace {

template <class... Args>
[[noreturn]] void violate(const RunEntry& entry, fmt::format_string<Args...> format,
                          Args&&... args) {
  const fmt::string_view kind = format;
  throw Violation(fmt::format("run {} ({}): {}", entry.number, entry.id.str(),
                              fmt::format(format, std::forward<Args>(args)...)),
                  kind);
}

std::string variable(const ports::StartSpec& spec, std::string_view wanted) {
  for (const auto& [name, value] : spec.env) {
    if (name == wanted) return value;
  }
  return {};
}

std::uint32_t number(const Value& event, std::string_view field) {
  const Value* value = event.find(field);
  CHECK(value != nullptr && value->is_number());
  return static_cast<std::uint32_t>(value->as_number());
}

bool is_true(const Value& event, std::string_view field) {
  const Value* value = event.find(field);
  return value != nullptr && value->is_bool() && value->as_bool();
}

// The loops that a path leads through, each with the iteration that it is in: "a/l[3]/b" is in
// "a/l", iteration "a/l[3]".
std::vector<std::pair<std::string, std::string>> loops_of(const std::string& path) {
  std::vector<std::pair<std::string, std::string>> loops;
  for (std::size_t at = path.find('['); at != std::string::npos; at = path.find('[', at + 1)) {
    const std::size_t end = path.find(']', at);
    CHECK(end != std::string::npos);
    loops.emplace_back(path.substr(0, at), path.substr(0, end + 1));
  }
  return loops;
}

bool is_event(const ports::StoredEvent& event, std::string_view wanted) {
  const Result<Value> parsed = text::parse_json(event.payload);
  const Value* kind = parsed ? parsed->find("event") : nullptr;
  return kind != nullptr && kind->is_string() && kind->as_string() == wanted;
}

bool is_retry(const ports::StoredEvent& event) { return is_event(event, "retry"); }

// A retry keeps what has succeeded, but for what waits for something that it does again.
void keep_what_is_done(RunEntry& entry) {
  if (entry.rerun_of != nullptr) return;  // one step, and nothing else
  std::set<std::uint32_t> kept;
  for (const std::uint32_t task : entry.completed) {
    const auto path = entry.paths.find(task);
    if (entry.hits.contains(task)) continue;
    if (path != entry.paths.end() && !may_run_again(*entry.sketch, path->second, entry.done))
      kept.insert(task);
  }
  std::set<std::string, std::less<>> done;
  for (const std::string& path : entry.done) {
    if (!may_run_again(*entry.sketch, path, entry.done)) done.insert(path);
  }
  entry.completed = std::move(kept);
  entry.hits.clear();
  entry.done = std::move(done);
}

}  // namespace

RunEntry& Ledger::add(std::shared_ptr<const Sketch> sketch, bool fail_fast) {
  auto entry = std::make_unique<RunEntry>();
  entry->number = entries_.size() + 1;
  entry->sketch = std::move(sketch);
  entry->fail_fast = fail_fast;
  begin_generation(*entry);
  entries_.push_back(std::move(entry));
  return *entries_.back();
}

RunEntry& Ledger::add_rerun(const RunEntry& of) {
  auto entry = std::make_unique<RunEntry>();
  entry->number = entries_.size() + 1;
  entry->sketch = of.sketch;
  entry->rerun_of = &of;
  begin_generation(*entry);
  entries_.push_back(std::move(entry));
  return *entries_.back();
}

void Ledger::rerun_begins(RunEntry& entry, const std::string& path) {
  const RunEntry& of = *entry.rerun_of;
  entry.rerun_path = path;
  const auto foreseen = of.outcome->tasks.find(path);
  const bool is_known = foreseen != of.outcome->tasks.end() && of.rerun_of == nullptr &&
                        foreseen->second.fate == Fate::kSucceeded && of.disturbed.empty() &&
                        !of.spoiled && !of.damaged;
  if (is_known) entry.rerun_expected.emplace(foreseen->second.inputs, foreseen->second.outputs);
}

RunEntry* Ledger::find(const model::RunId& run) {
  const auto found = by_id_.find(run);
  return found == by_id_.end() ? nullptr : found->second;
}

void Ledger::begin_generation(RunEntry& entry) {
  entry.disturbed.clear();
  entry.cancel_asked = std::exchange(entry.cancels_next, false);
  if (entry.rerun_of != nullptr) {
    entry.outcome.emplace();
    entry.disturbed = "a rerun";
    return;
  }
  entry.outcome = foresee(*entry.sketch, entry.failures);
  const bool fails = std::ranges::any_of(
      entry.outcome->tasks, [](const auto& task) { return task.second.fate == Fate::kFailed; });
  if (entry.fail_fast && fails) entry.disturbed = "--fail-fast";
  if (!entry.outcome->exact) entry.disturbed = "a time-out of the run";
  if (entry.cancel_asked) entry.disturbed = "cancel";
}

void Ledger::created(RunEntry& entry, const ports::RunRecord& record,
                     const std::vector<model::RunId>& uses) {
  if (!entry.id.str().empty()) violate(entry, "was created twice");
  entry.uncertain.reset();
  entry.id = record.id;
  by_id_[record.id] = &entry;
  entry.uses.insert(uses.begin(), uses.end());
  ++counts_.runs;
}

void Ledger::removed(const model::RunId& run, bool now) {
  RunEntry* entry = find(run);
  CHECK(entry != nullptr);
  if (now && holds_ > 0) violate(*entry, "was removed while a backup held it");
  for (const auto& other : entries_) {
    const bool may_be_gone =
        other->removed || (other->uncertain && other->uncertain->kind == Uncertain::Kind::kRemoval);
    if (other->uses.contains(run) && other.get() != entry && !may_be_gone)
      violate(*entry, "was removed, and run {} needs its artifacts", other->number);
  }
  if (!is_final(entry->state)) violate(*entry, "was removed before its end");
  entry->removed = true;
  entry->uncertain.reset();  // what was not written before cannot be any more
}

void Ledger::disturb(const model::RunId& run, const char* why) {
  RunEntry* entry = find(run);
  if (entry != nullptr && entry->disturbed.empty()) entry->disturbed = why;
}

void Ledger::cancel_asked(const model::RunId& run) {
  if (RunEntry* entry = find(run)) cancel_asked(*entry);
}

void Ledger::cancel_asked(RunEntry& entry) {
  entry.cancel_asked = true;
  const bool reopens = entry.reopenings > 0 || entry.uncertain;
  if (is_final(entry.state) && reopens) entry.cancels_next = true;
  if (entry.disturbed.empty()) entry.disturbed = "cancel";
}

void Ledger::interrupted(RunEntry& entry) {
  const Reopening reopening(entry);
  cancel_asked(entry);
}

void Ledger::found(const model::RunId& run, const model::RunId& source) {
  RunEntry* entry = find(run);
  if (entry != nullptr) entry->found_in.insert(source);
}

// What is damaged from here on is not taken any more: whoever takes a hit looks at it first.
void Ledger::damaged(RunEntry& entry) {
  entry.damaged = true;
  for (const auto& other : entries_) {
    if (other->found_in.contains(entry.id)) spoil(*other);
  }
}

void Ledger::spoil(RunEntry& entry) {
  if (std::exchange(entry.spoiled, true)) return;
  for (const auto& other : entries_) {
    if (other->found_in.contains(entry.id)) spoil(*other);
  }
}

// ---- What is committed ----

void Ledger::committed(const model::RunId& run, const ports::Commit& commit) {
  RunEntry* entry = find(run);
  CHECK(entry != nullptr);
  entry->uncertain.reset();
  ++counts_.commits;
  last_commit_ = clock_.now();
  if (is_final(entry->state) && !commit.events.empty() && !is_retry(commit.events.front()))
    violate(*entry, "goes on after its end: {}", commit.events.front().payload);
  for (const ports::StoredEvent& event : commit.events) {
    if (event.seq != ++entry->seq)
      violate(*entry, "event {} follows event {}", event.seq, entry->seq - 1);
    take_event(*entry, event);
  }
  // A retry takes away what the generation before it was told.
  const auto answers = [](const ports::StoredEvent& event) {
    return is_event(event, "cancel") || is_event(event, "kill") || is_retry(event);
  };
  if (commit.commands_taken > 0 && std::ranges::none_of(commit.events, answers))
    violate(*entry, "takes a command away without an answer");
  if (!commit.record) return;
  const bool reopened = is_final(entry->state) && !is_final(commit.record->state);
  if (is_final(entry->state) && !reopened && commit.record->state != entry->state)
    violate(*entry, "changed from {} to {}", to_string(entry->state),
            to_string(commit.record->state));
  if (reopened && (commit.events.empty() || !is_retry(commit.events.front())))
    violate(*entry, "was reopened by no retry");
  entry->state = commit.record->state;
}

void Ledger::take_event(RunEntry& entry, const ports::StoredEvent& stored) {
  ++counts_.events;
  Result<Value> parsed = text::parse_json(stored.payload);
  if (!parsed) violate(entry, "event {} is no JSON: {}", stored.seq, stored.payload);
  const Value* kind = parsed->find("event");
  if (kind == nullptr || !kind->is_string()) violate(entry, "event {} has no kind", stored.seq);
  const std::string& name = kind->as_string();
  if (name == "retry") {
    if (!is_final(entry.state)) violate(entry, "is retried before its end");
    ++entry.generation;
    entry.state = model::State::kRunning;
    keep_what_is_done(entry);
    begin_generation(entry);
  } else if (name == "cancel" || name == "kill") {
    if (!entry.cancel_asked) violate(entry, "is cancelled, which nobody has asked for");
  } else if (name == "succeeded") {
    take_end(entry, *parsed, true);
  } else if (name == "failed") {
    take_end(entry, *parsed, false);
  } else if (name == "cache_hit") {
    take_hit(entry, *parsed);
  } else if (name == "running") {
    entry.running.emplace(number(*parsed, "task"), number(*parsed, "attempt"));
  }
}

void Ledger::take_hit(RunEntry& entry, const Value& event) {
  const std::uint32_t task = number(event, "task");
  if (!entry.completed.insert(task).second) violate(entry, "task {} was done twice", task);
  entry.hits.insert(task);
  const Value* from = event.find("from");
  CHECK(from != nullptr && from->is_string());
  const model::RunId source(from->as_string());
  found(entry.id, source);
  RunEntry* other = find(source);
  const Value* outputs = event.find("outputs");
  const Value* artifacts = outputs == nullptr ? nullptr : outputs->find("artifacts");
  const bool has_artifacts =
      artifacts != nullptr && artifacts->is_struct() && !artifacts->as_struct().empty();
  if (has_artifacts && entry.uses.insert(source).second && other != nullptr)
    newly_used_.push_back(other);
  if (other != nullptr && other->spoiled) spoil(entry);
}

void Ledger::take_end(RunEntry& entry, const Value& event, bool succeeded) {
  const std::uint32_t task = number(event, "task");
  const std::uint32_t attempt = number(event, "attempt");
  if (!entry.ended.emplace(task, attempt).second)
    violate(entry, "attempt {}.{} ended twice", task, attempt);
  if (succeeded) {
    entry.losses.erase(task);
    if (!entry.completed.insert(task).second) violate(entry, "task {} was done twice", task);
    if (const auto path = entry.paths.find(task); path != entry.paths.end())
      entry.done.insert(path->second);
  } else if (is_true(event, "lost")) {
    constexpr std::uint32_t kLossesMax = 5;  // docs/guide.md: then a step counts as the cause
    if (++entry.losses[task] >= kLossesMax && entry.disturbed.empty())
      entry.disturbed = "an attempt was lost again and again";
  } else {
    entry.losses.erase(task);
    if (const auto path = entry.paths.find(task); path != entry.paths.end()) {
      ++entry.failures[path->second];
    } else {
      entry.has_unplaced_failure = true;
    }
  }
}

// ---- What runs ----

unsigned Ledger::begins(const ports::StartSpec& spec) {
  RunEntry* entry = find(spec.id.run);
  CHECK(entry != nullptr);
  const std::string path = variable(spec, "CRESSET_TASK");
  entry->paths[spec.id.task] = path;
  const auto found = entry->failures.find(path);
  return found == entry->failures.end() ? 0 : found->second;
}

void Ledger::executes(const ports::StartSpec& spec, const ports::testing::MemoryFiles& files) {
  RunEntry& entry = *find(spec.id.run);
  const std::string& path = entry.paths.at(spec.id.task);
  ++counts_.steps;
  ++counts_.checks;
  if (is_final(entry.state)) violate(entry, "{} begins after the run's end", path);
  if (!entry.executed.emplace(spec.id.task, spec.id.attempt).second)
    violate(entry, "attempt {}.{} of {} began twice", spec.id.task, spec.id.attempt, path);
  if (entry.ended.contains({spec.id.task, spec.id.attempt}))
    violate(entry, "attempt {}.{} of {} has ended and begins", spec.id.task, spec.id.attempt, path);
  if (entry.completed.contains(spec.id.task) ||
      (entry.done.contains(path) && entry.rerun_of == nullptr &&
       !is_in_retried_group(*entry.sketch, path)))
    violate(entry, "{} is done and runs again", path);
  if (!entry.live.emplace(path, spec.id.task).second)
    violate(entry, "{} runs twice at the same time", path);
  for (const auto& [loop, iteration] : loops_of(path)) {
    auto& live = entry.iterations[loop];
    ++live[iteration];
    const auto limit = entry.outcome->limits.find(loop);
    if (limit != entry.outcome->limits.end() &&
        std::ssize(live) > static_cast<std::int64_t>(limit->second))
      violate(entry, "{} iterations of {} run, {} may", live.size(), loop, limit->second);
  }
  if (!entry.disturbed.empty() || entry.spoiled) return;
  if (!entry.outcome->starts.contains(path)) violate(entry, "{} begins: no such step should", path);
  const Received received = received_by(spec, files);
  if (const std::string why = objection(*entry.outcome, path, received.inputs, received.env);
      !why.empty())
    violate(entry, "{} begins: {}", path, why);
}

void Ledger::forgotten(const std::vector<model::AttemptId>& attempts) {
  for (const model::AttemptId& id : attempts) {
    const RunEntry* entry = find(id.run);
    if (entry != nullptr && !entry->ended.contains({id.task, id.attempt}))
      violate(*entry, "attempt {}.{} is forgotten before its end is stored", id.task, id.attempt);
  }
}

void Ledger::gone(const ports::StartSpec& spec) {
  RunEntry& entry = *find(spec.id.run);
  const std::string& path = entry.paths.at(spec.id.task);
  entry.live.erase(path);
  for (const auto& [loop, iteration] : loops_of(path)) {
    auto& live = entry.iterations[loop];
    if (--live[iteration] == 0) live.erase(iteration);
  }
}

// An attempt whose start nobody had committed as running may be started once more after a power
// cut: its first process is gone with everything that knew of it.
void Ledger::power_cut() {
  for (const auto& entry : entries_) {
    std::erase_if(entry->executed,
                  [&](const auto& attempt) { return !entry->running.contains(attempt); });
  }
}

bool Ledger::has_live_steps() const {
  return std::ranges::any_of(entries_, [](const auto& entry) { return !entry->live.empty(); });
}

// ---- What the user sees ----

void Ledger::check_end(const model::RunView& view, const ports::testing::MemoryFiles& files) {
  RunEntry* entry = find(view.id);
  CHECK(entry != nullptr);
  ++counts_.checks;
  check_times(view);
  if (!is_final(view.state) || view.state != entry->state)
    violate(*entry, "is told to be {}, and is {} in the store", to_string(view.state),
            to_string(entry->state));
  if (!entry->live.empty())
    violate(*entry, "has ended, and {} still runs", entry->live.begin()->first);
  if (entry->rerun_of != nullptr) return check_rerun(*entry, view, files);
  const Outcome& outcome = *entry->outcome;
  // What disturbed a run that has come to a good end all the same may have cost attempts, and
  // nothing else.
  const bool disturbed = !entry->disturbed.empty();
  const bool all_the_same =
      view.state == model::State::kSucceeded && outcome.run == Fate::kSucceeded && outcome.exact;
  if (entry->damaged || entry->spoiled || (disturbed && !all_the_same)) {
    ++counts_.disturbed_ends;
    return;
  }
  ++counts_.exact_ends;
  const model::State expected =
      outcome.run == Fate::kSucceeded ? model::State::kSucceeded : model::State::kFailed;
  if (view.state != expected)
    violate(*entry, "is {}, and should be {}: {}", to_string(view.state), to_string(expected),
            view.error ? view.error->message : "no error");
  if (const std::string why = difference(outcome, view, files); !why.empty())
    violate(*entry, "{}", why);
  if (disturbed) return;
  for (const auto& [path, foreseen] : outcome.failures_after) {
    const auto task = outcome.tasks.find(path);
    // Of what is no process, nobody but the engine counts.
    const bool is_step = task != outcome.tasks.end() && task->second.kind == TaskFate::Kind::kStep;
    if (!is_step || task->second.caching) continue;
    const auto found = entry->failures.find(path);
    const unsigned failures = found == entry->failures.end() ? 0 : found->second;
    if (failures == 0 && entry->has_unplaced_failure) continue;
    if (failures != foreseen)
      violate(*entry, "{} failed {} times, and should have {}", path, failures, foreseen);
  }
}

// The step gives what it gave there.
void Ledger::check_rerun(const RunEntry& entry, const model::RunView& view,
                         const ports::testing::MemoryFiles& files) {
  if (view.tasks.size() != 1) violate(entry, "has {} tasks, and is a rerun", view.tasks.size());
  const bool is_known = entry.rerun_expected && !entry.spoiled && !entry.damaged;
  if (view.state != model::State::kSucceeded || !is_known) {
    ++counts_.disturbed_ends;
    return;
  }
  ++counts_.exact_ends;
  const auto& [expected_inputs, expected_outputs] = *entry.rerun_expected;
  const auto check = [&](std::string_view what, const Data& expected, const Data& real) {
    if (!same(expected, real))
      violate(entry, "is {} of run {} again, and {} {} instead of {}", entry.rerun_path,
              entry.rerun_of->number, what, to_text(real), to_text(expected));
  };
  check("was given", expected_inputs, data_of(view.tasks.front().inputs, files));
  check("gave", expected_outputs, data_of(view.tasks.front().outputs, files));
}

void Ledger::check_times(const model::RunView& view) {
  const RunEntry* entry = find(view.id);
  CHECK(entry != nullptr);
  if (is_final(view.state) && !(view.started_at && view.finished_at))
    violate(*entry, "has ended, and it is not told when");
  const auto check = [&](std::string_view what, const auto& of) {
    if (of.started_at && *of.started_at < view.created_at)
      violate(*entry, "{} began before the run was made", what);
    if (of.started_at && of.finished_at && *of.finished_at < *of.started_at)
      violate(*entry, "{} ended before it began", what);
  };
  check("it", view);
  for (const model::TaskView& task : view.tasks) check(task.path, task);
}

void Ledger::check_kept(const RunEntry& entry, const model::RunView* view) {
  ++counts_.checks;
  if (entry.removed && view != nullptr) violate(entry, "was removed, and is there");
  if (entry.removed) return;
  if (view == nullptr) violate(entry, "was accepted, and is not there");
  if (view->state != entry.state)
    violate(entry, "is told to be {}, and is {} in the store", to_string(view->state),
            to_string(entry.state));
}

}  // namespace cresset::sim
