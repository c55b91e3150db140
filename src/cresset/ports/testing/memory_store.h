#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "cresset/ports/metadata_store.h"

namespace cresset::ports::testing {

// What MemoryStores store, and what goes wrong with it. It lives outside the engines of a test, as
// a disk does, and so survives their restarts. One thread.
class MemoryDatabase {
 public:
  // The next commit() of any store returns this error and has written nothing, as often as called.
  void fail_next_commit(Error error) { commit_errors_.push_back(std::move(error)); }
  // Every write fails with kResourceExhausted until it is set back.
  void set_disk_full(bool full) { disk_full_ = full; }
  // The owner of the run, if any, no longer keeps others out: its process hangs and its lock was
  // lost. Its next commit after another acquire() is kAborted.
  void break_lock(const model::RunId& run) { owners_.erase(run); }

  [[nodiscard]] std::uint64_t commits() const { return commits_; }  // that succeeded

 private:
  friend class MemoryStore;
  class HeldLease;
  class Hold;

  struct Run {
    std::uint64_t number = 0;
    RunRecord record;
    RunDefinition definition;
    std::uint64_t token = 0;
    std::vector<StoredEvent> events;
    struct Step {
      std::uint64_t number = 0;
      WallTime at{};
      StepRecord record;
    };
    std::map<std::uint32_t, Step> steps;
    std::vector<StoredCommand> commands;
    std::set<model::RunId> sources;  // whose artifacts it uses
  };

  Result<void> check_writable() const;
  Result<Run*> find(const model::RunId& run);

  std::map<model::RunId, Run> runs_;
  std::map<model::RunId, std::uint64_t> owners_;  // token of the live lease
  int holds_ = 0;                                 // live RemovalHolds
  std::uint64_t last_run_number_ = 0;
  std::uint64_t last_step_number_ = 0;
  std::uint64_t last_command_id_ = 0;
  std::uint64_t commits_ = 0;
  std::uint64_t changes_ = 0;
  std::deque<Error> commit_errors_;
  bool disk_full_ = false;
};

// A MetadataStore in memory: one handle to a database, as each process has its own. The database
// outlives it and its leases.
class MemoryStore final : public MetadataStore {
 public:
  explicit MemoryStore(MemoryDatabase& database) : database_(database) {}

  Result<void> create_run(const RunRecord& record, const RunDefinition& definition) override;
  Result<std::unique_ptr<Lease>> acquire(const model::RunId& run) override;
  Result<bool> is_owned(const model::RunId& run) override;
  Result<void> confirm(const Lease& lease) override;
  Result<void> commit(const Lease& lease, const Commit& commit) override;
  Result<std::vector<RunRecord>> list_runs() override;
  Result<RunRecord> find_run(const model::RunId& run) override;
  Result<StoredDefinition> definition(const model::RunId& run) override;
  Result<std::string> spec(const model::RunId& run) override;
  Result<std::vector<StoredEvent>> events(const model::RunId& run,
                                          std::uint64_t after_seq) override;
  Result<void> remove_run(const model::RunId& run) override;
  Result<std::vector<RunUse>> uses() override;
  Result<std::unique_ptr<RemovalHold>> hold_removals() override;
  std::unique_ptr<ReadScope> read_together() override;
  Result<std::optional<ReusableStep>> find_step(const std::string& pipeline, const std::string& key,
                                                const model::RunId& except) override;
  Result<std::vector<StepMatch>> previous_steps(const std::string& pipeline,
                                                const std::string& path, const model::RunId& before,
                                                std::size_t most) override;
  Result<std::optional<StepRecord>> step(const model::RunId& run, std::uint32_t task) override;
  Result<void> withdraw_step(const model::RunId& run, std::uint32_t task) override;
  Result<void> post(const model::RunId& run, Command command) override;
  Result<std::vector<StoredCommand>> commands(const model::RunId& run,
                                              std::uint64_t after_id) override;
  Result<std::uint64_t> change_counter() override { return database_.changes_; }

 private:
  class CountedScope;

  // Nothing is written while a scope lives, nor another begun.
  void check_no_scope() const;

  MemoryDatabase& database_;
  int scopes_ = 0;
};

}  // namespace cresset::ports::testing
