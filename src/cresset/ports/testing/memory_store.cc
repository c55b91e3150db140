#include "cresset/ports/testing/memory_store.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "cresset/base/check.h"
#include "cresset/base/digest.h"

namespace cresset::ports::testing {

namespace {

Error make_reasoned(Code code, std::string reason, const model::RunId& run) {
  Error error = make_error(code, "run {}: {}", run.str(), reason);
  error.reason = std::move(reason);
  return error;
}

bool names_a_file(const std::string& id) {
  constexpr std::string_view kAllowed =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
  return !id.empty() && id.size() <= 128 && id.front() != '.' &&
         id.find_first_not_of(kAllowed) == std::string::npos;
}

}  // namespace

class MemoryDatabase::HeldLease final : public Lease {
 public:
  HeldLease(MemoryDatabase& database, model::RunId run, std::uint64_t token)
      : database_(database), run_(std::move(run)), token_(token) {
    database_.owners_[run_] = token_;
  }
  ~HeldLease() override {
    const auto owner = database_.owners_.find(run_);
    if (owner != database_.owners_.end() && owner->second == token_) database_.owners_.erase(owner);
  }
  HeldLease(const HeldLease&) = delete;
  HeldLease& operator=(const HeldLease&) = delete;

  [[nodiscard]] const model::RunId& run() const override { return run_; }
  [[nodiscard]] std::uint64_t token() const override { return token_; }

 private:
  MemoryDatabase& database_;
  model::RunId run_;
  std::uint64_t token_;
};

class MemoryDatabase::Hold final : public RemovalHold {
 public:
  explicit Hold(MemoryDatabase& database) : database_(database) { ++database_.holds_; }
  ~Hold() override { --database_.holds_; }
  Hold(const Hold&) = delete;
  Hold& operator=(const Hold&) = delete;

 private:
  MemoryDatabase& database_;
};

Result<void> MemoryDatabase::check_writable() const {
  if (!disk_full_) return {};
  return make_error(Code::kResourceExhausted, "the disk is full");
}

Result<MemoryDatabase::Run*> MemoryDatabase::find(const model::RunId& run) {
  const auto found = runs_.find(run);
  if (found == runs_.end()) return make_reasoned(Code::kNotFound, "run.not_found", run);
  return &found->second;
}

Result<void> MemoryStore::create_run(const RunRecord& record, const RunDefinition& definition) {
  check_no_scope();
  if (!names_a_file(record.id.str()))
    return make_error(Code::kInvalidArgument, "\"{}\" is no run id", record.id.str());
  CR_TRY_VOID(database_.check_writable());
  for (const model::RunId& source : definition.uses) {
    if (!database_.runs_.contains(source))
      return make_reasoned(Code::kFailedPrecondition, "run.source_gone", source);
  }
  MemoryDatabase::Run run;
  run.number = database_.last_run_number_ + 1;
  run.record = record;
  run.definition = definition;
  run.definition.uses.clear();
  run.sources.insert(definition.uses.begin(), definition.uses.end());
  if (!database_.runs_.emplace(record.id, std::move(run)).second) {
    return make_reasoned(Code::kAlreadyExists, "run.exists", record.id);
  }
  ++database_.last_run_number_;
  ++database_.changes_;
  return {};
}

Result<std::unique_ptr<Lease>> MemoryStore::acquire(const model::RunId& run) {
  check_no_scope();
  CR_TRY(MemoryDatabase::Run * found, database_.find(run));
  if (database_.owners_.contains(run))
    return make_reasoned(Code::kFailedPrecondition, "run.owned", run);
  CR_TRY_VOID(database_.check_writable());
  ++database_.changes_;
  return std::unique_ptr<Lease>(
      std::make_unique<MemoryDatabase::HeldLease>(database_, run, ++found->token));
}

Result<bool> MemoryStore::is_owned(const model::RunId& run) {
  CR_TRY_VOID(database_.find(run));
  return database_.owners_.contains(run);
}

Result<void> MemoryStore::confirm(const Lease& lease) {
  const Result<MemoryDatabase::Run*> found = database_.find(lease.run());
  if (found && (*found)->token == lease.token()) return {};
  return make_reasoned(Code::kAborted, "run.taken_over", lease.run());
}

Result<void> MemoryStore::commit(const Lease& lease, const Commit& commit) {
  check_no_scope();
  CHECK(!commit.record || commit.record->id == lease.run());
  Result<MemoryDatabase::Run*> found = database_.find(lease.run());
  if (!found || (*found)->token != lease.token())
    return make_reasoned(Code::kAborted, "run.taken_over", lease.run());
  CR_TRY_VOID(database_.check_writable());
  if (!database_.commit_errors_.empty()) {
    Error error = std::move(database_.commit_errors_.front());
    database_.commit_errors_.pop_front();
    return error;
  }
  for (const model::RunId& source : commit.uses) {
    if (!database_.runs_.contains(source))
      return make_reasoned(Code::kAborted, "run.source_gone", source);
  }
  MemoryDatabase::Run& run = **found;
  run.sources.insert(commit.uses.begin(), commit.uses.end());
  for (const StoredEvent& event : commit.events) {
    CHECK(event.seq == run.events.size() + 1);
    run.events.push_back(event);
  }
  const WallTime at = commit.events.empty() ? run.record.created_at : commit.events.back().at;
  for (const StepRecord& step : commit.steps)
    run.steps[step.task] = {++database_.last_step_number_, at, step};
  if (commit.record) {
    run.record.name = commit.record->name;
    run.record.state = commit.record->state;
    run.record.started_at = commit.record->started_at;
    run.record.finished_at = commit.record->finished_at;
  }
  std::erase_if(run.commands,
                [&](const StoredCommand& command) { return command.id <= commit.commands_taken; });
  ++database_.commits_;
  ++database_.changes_;
  return {};
}

Result<std::vector<RunRecord>> MemoryStore::list_runs() {
  std::vector<const MemoryDatabase::Run*> runs;
  for (const auto& [id, run] : database_.runs_) runs.push_back(&run);
  std::ranges::sort(runs, std::greater<>(), [](const MemoryDatabase::Run* run) {
    return std::tuple(run->record.created_at, run->number);
  });
  std::vector<RunRecord> records;
  for (const MemoryDatabase::Run* run : runs) records.push_back(run->record);
  return records;
}

Result<RunRecord> MemoryStore::find_run(const model::RunId& run) {
  CR_TRY(const MemoryDatabase::Run* found, database_.find(run));
  return found->record;
}

Result<StoredDefinition> MemoryStore::definition(const model::RunId& run) {
  CR_TRY(const MemoryDatabase::Run* found, database_.find(run));
  const RunDefinition& stored = found->definition;
  return StoredDefinition{stored.file_name, sha256_hex(stored.spec), stored.options};
}

Result<std::string> MemoryStore::spec(const model::RunId& run) {
  CR_TRY(const MemoryDatabase::Run* found, database_.find(run));
  return found->definition.spec;
}

Result<std::vector<StoredEvent>> MemoryStore::events(const model::RunId& run,
                                                     std::uint64_t after_seq) {
  CR_TRY(const MemoryDatabase::Run* found, database_.find(run));
  std::vector<StoredEvent> events;
  for (const StoredEvent& event : found->events) {
    if (event.seq > after_seq) events.push_back(event);
  }
  return events;
}

Result<void> MemoryStore::remove_run(const model::RunId& run) {
  check_no_scope();
  CR_TRY(const MemoryDatabase::Run* found, database_.find(run));
  if (database_.owners_.contains(run))
    return make_reasoned(Code::kFailedPrecondition, "run.owned", run);
  if (database_.holds_ > 0) return make_reasoned(Code::kFailedPrecondition, "store.held", run);
  if (!model::is_final(found->record.state))
    return make_reasoned(Code::kFailedPrecondition, "run.unfinished", run);
  for (const auto& [id, other] : database_.runs_) {
    if (!other.sources.contains(run)) continue;
    Error error = make_reasoned(Code::kFailedPrecondition, "run.in_use", run);
    error.message += " by " + id.str();
    return error;
  }
  CR_TRY_VOID(database_.check_writable());
  database_.runs_.erase(run);
  ++database_.changes_;
  return {};
}

Result<std::vector<RunUse>> MemoryStore::uses() {
  std::vector<RunUse> out;
  for (const auto& [id, run] : database_.runs_) {
    for (const model::RunId& source : run.sources) out.push_back({id, source});
  }
  return out;
}

Result<std::unique_ptr<RemovalHold>> MemoryStore::hold_removals() {
  return std::unique_ptr<RemovalHold>(std::make_unique<MemoryDatabase::Hold>(database_));
}

class MemoryStore::CountedScope final : public ReadScope {
 public:
  explicit CountedScope(int& scopes) : scopes_(scopes) { ++scopes_; }
  ~CountedScope() override { --scopes_; }
  CountedScope(const CountedScope&) = delete;
  CountedScope& operator=(const CountedScope&) = delete;

 private:
  int& scopes_;
};

void MemoryStore::check_no_scope() const { CHECK(scopes_ == 0); }

std::unique_ptr<ReadScope> MemoryStore::read_together() {
  check_no_scope();
  return std::make_unique<CountedScope>(scopes_);
}

Result<std::optional<ReusableStep>> MemoryStore::find_step(const std::string& pipeline,
                                                           const std::string& key,
                                                           const model::RunId& except) {
  std::optional<ReusableStep> newest;
  std::tuple<std::uint64_t, std::uint64_t> newest_order;
  for (const auto& [id, run] : database_.runs_) {
    if (id == except || run.record.pipeline != pipeline || !model::is_final(run.record.state))
      continue;
    for (const auto& [task, step] : run.steps) {
      const std::tuple order(run.number, step.number);
      if (key.empty() || step.record.key != key || !step.record.reusable || order <= newest_order)
        continue;
      newest = ReusableStep{id, task, step.record.outputs};
      newest_order = order;
    }
  }
  return newest;
}

Result<std::vector<StepMatch>> MemoryStore::previous_steps(const std::string& pipeline,
                                                           const std::string& path,
                                                           const model::RunId& before,
                                                           std::size_t most) {
  std::vector<StepMatch> matches;
  const auto limit = database_.runs_.find(before);
  if (limit == database_.runs_.end()) return matches;
  std::map<std::tuple<std::uint64_t, std::uint64_t>, StepMatch, std::greater<>> newest_first;
  for (const auto& [id, run] : database_.runs_) {
    if (run.record.pipeline != pipeline || run.number >= limit->second.number) continue;
    for (const auto& [task, step] : run.steps) {
      if (step.record.path == path)
        newest_first.emplace(std::tuple(run.number, step.number),
                             StepMatch{id, step.at, step.record});
    }
  }
  for (auto& [order, match] : newest_first) {
    if (matches.size() == most) break;
    matches.push_back(std::move(match));
  }
  return matches;
}

Result<std::optional<StepRecord>> MemoryStore::step(const model::RunId& run, std::uint32_t task) {
  CR_TRY(const MemoryDatabase::Run* found, database_.find(run));
  const auto step = found->steps.find(task);
  if (step == found->steps.end()) return std::optional<StepRecord>();
  return std::optional(step->second.record);
}

Result<void> MemoryStore::withdraw_step(const model::RunId& run, std::uint32_t task) {
  check_no_scope();
  CR_TRY(MemoryDatabase::Run * found, database_.find(run));
  CR_TRY_VOID(database_.check_writable());
  const auto step = found->steps.find(task);
  if (step != found->steps.end()) step->second.record.reusable = false;
  ++database_.changes_;
  return {};
}

Result<void> MemoryStore::post(const model::RunId& run, Command command) {
  check_no_scope();
  CR_TRY(MemoryDatabase::Run * found, database_.find(run));
  CR_TRY_VOID(database_.check_writable());
  found->commands.push_back({++database_.last_command_id_, command});
  ++database_.changes_;
  return {};
}

Result<std::vector<StoredCommand>> MemoryStore::commands(const model::RunId& run,
                                                         std::uint64_t after_id) {
  CR_TRY(const MemoryDatabase::Run* found, database_.find(run));
  std::vector<StoredCommand> commands;
  for (const StoredCommand& command : found->commands) {
    if (command.id > after_id) commands.push_back(command);
  }
  return commands;
}

}  // namespace cresset::ports::testing
