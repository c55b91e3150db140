#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cresset/base/result.h"
#include "cresset/base/time.h"
#include "cresset/base/value.h"
#include "cresset/model/run.h"

namespace cresset::ports {

struct RunRecord {
  model::RunId id;
  std::string name;      // display name
  std::string pipeline;  // pipelineInfo.name: the cache's scope
  model::State state = model::State::kPending;
  WallTime created_at{};
  std::optional<WallTime> started_at;
  std::optional<WallTime> finished_at;
};

// All that is needed to run it again from nothing. Immutable.
struct RunDefinition {
  std::string file_name;  // where the spec came from, for messages
  std::string spec;       // the IR text as it was read
  Value options;          // engine options and resolved inputs (app/run_options.h)
  // Runs whose artifacts are among its inputs: kept as uses().
  std::vector<model::RunId> uses{};
};

// A definition as it is given back, all but its spec.
struct StoredDefinition {
  std::string file_name;
  std::string spec_digest;  // SHA-256 of the spec, 64 hex digits: runs with equal ones share it
  Value options;
};

// One event of a run, in the encoding of app/event_codec.h. seq counts from 1 without gaps.
struct StoredEvent {
  std::uint64_t seq = 0;
  WallTime at{};
  std::string payload;
};

// What a leaf task that ran is remembered by: for the cache and for `explain`. One that took its
// outputs from another run has none: that other step's is as good.
struct StepRecord {
  std::uint32_t task = 0;  // ordinal in its run
  std::string path;
  std::string key;        // cache key; empty when caching was off for it
  Value parts;            // struct: name of each ingredient of the key -> its digest or short text
  bool reusable = false;  // succeeded by running: others may hit it
  std::string outputs;    // encoded Bindings (JSON)
};

struct StepMatch {
  model::RunId run;
  WallTime at{};
  StepRecord step;
};

// A step whose outputs another run may take.
struct ReusableStep {
  model::RunId run;
  std::uint32_t task = 0;
  std::string outputs;  // StepRecord::outputs
};

// A wish of another process, for the engine that owns the run.
enum class Command { kCancel, kKill };
struct StoredCommand {
  std::uint64_t id = 0;
  Command command = Command::kCancel;
};

// The right to be a run's engine: one live owner at a time on this machine, and a token that grows
// with each owner. Dropped when destroyed, and when its process dies.
class Lease {
 public:
  virtual ~Lease() = default;
  [[nodiscard]] virtual const model::RunId& run() const = 0;
  [[nodiscard]] virtual std::uint64_t token() const = 0;
};

// Artifacts of `source` are also `user`'s: a cache hit copies no bytes.
struct RunUse {
  model::RunId user;
  model::RunId source;
  auto operator<=>(const RunUse&) const = default;
};

// While it lives, no run is removed by anybody: what its owner found stays where it is. Dropped
// when destroyed, and when its process dies.
class RemovalHold {
 public:
  virtual ~RemovalHold() = default;
};

// While it lives, many reads through the store that gave it cost less than each alone, and may all
// be of one moment, without what others commit meanwhile. Nothing is to be written through that
// store, and no other scope begun.
class ReadScope {
 public:
  virtual ~ReadScope() = default;
};

struct Commit {
  std::vector<StoredEvent> events;
  std::optional<RunRecord> record;  // state and times of the run after these events
  std::vector<StepRecord> steps;
  std::uint64_t commands_taken = 0;  // highest StoredCommand::id that these events answer; 0 = none
  std::vector<model::RunId> uses{};  // runs whose artifacts these events take over
};

// Runs, their event logs and what was computed. Contract (ports/testing/metadata_store_contract.h):
// - A call that returns success is durable (it survives power loss); one that fails has changed
// nothing. Only after kDataLoss (the disk failed) it may have: that shows when the store is opened
// anew, and the object that failed so writes no more.
// - commit() is one transaction. kAborted: the lease's token is no longer the run's highest,
// nothing was written, and the
//   engine must stop. kAborted with reason "run.source_gone": a run of `uses` has been removed,
//   nothing was written; whoever loads the run again finds no such hit.
//   kResourceExhausted (disk full): nothing was written. kDataLoss: it may have been, as a whole.
//   With both the engine must stop as well.
// - Reads see every finished commit of every process. Any thread may call; calls do not overlap
// within one object.
class MetadataStore {
 public:
  virtual ~MetadataStore() = default;

  // kFailedPrecondition with reason "run.source_gone" when a run that the definition uses is not
  // there.
  virtual Result<void> create_run(const RunRecord& record, const RunDefinition& definition) = 0;
  // kFailedPrecondition with reason "run.owned" when another live process is the run's engine.
  virtual Result<std::unique_ptr<Lease>> acquire(const model::RunId& run) = 0;
  // Whether a live process is the run's engine. Only looks: no owner is disturbed, no token spent.
  virtual Result<bool> is_owned(const model::RunId& run) = 0;
  // kAborted with reason "run.taken_over" when another engine owns the run, or the run is gone:
  // what commit() would say, for an owner that waits and may have been replaced meanwhile.
  virtual Result<void> confirm(const Lease& lease) = 0;
  virtual Result<void> commit(const Lease& lease, const Commit& commit) = 0;

  virtual Result<std::vector<RunRecord>> list_runs() = 0;  // newest first
  virtual Result<RunRecord> find_run(const model::RunId& run) = 0;
  virtual Result<StoredDefinition> definition(const model::RunId& run) = 0;
  // As it is now: whether it is what was stored, its digest tells.
  virtual Result<std::string> spec(const model::RunId& run) = 0;
  virtual Result<std::vector<StoredEvent>> events(const model::RunId& run,
                                                  std::uint64_t after_seq) = 0;
  // Removes the run and all that the store knows of it, in one transaction. kFailedPrecondition,
  // with a reason, when it may not go: "run.owned" while it is owned, "run.unfinished" while its
  // record is not final (whoever reopens a run may rely on it before an engine owns it),
  // "run.in_use" while another run uses its artifacts (the message names them), "store.held" while
  // somebody holds removals.
  virtual Result<void> remove_run(const model::RunId& run) = 0;
  // Of all runs, sorted. A user's go with it.
  virtual Result<std::vector<RunUse>> uses() = 0;
  // Waits for a hold of another process to end.
  virtual Result<std::unique_ptr<RemovalHold>> hold_removals() = 0;

  // Always gives one; where the database is not well, it is the reads that tell.
  virtual std::unique_ptr<ReadScope> read_together() = 0;
  // Newest reusable step of that pipeline with that key from a finished run other than `except`.
  virtual Result<std::optional<ReusableStep>> find_step(const std::string& pipeline,
                                                        const std::string& key,
                                                        const model::RunId& except) = 0;
  // Steps at that path of earlier runs of that pipeline, newest first, at most `most`: what
  // `explain` compares with.
  virtual Result<std::vector<StepMatch>> previous_steps(const std::string& pipeline,
                                                        const std::string& path,
                                                        const model::RunId& before,
                                                        std::size_t most) = 0;
  virtual Result<std::optional<StepRecord>> step(const model::RunId& run, std::uint32_t task) = 0;
  // find_step() no longer answers with it: what it made is gone or was changed. Fine when there is
  // no such step.
  virtual Result<void> withdraw_step(const model::RunId& run, std::uint32_t task) = 0;

  virtual Result<void> post(const model::RunId& run, Command command) = 0;
  virtual Result<std::vector<StoredCommand>> commands(const model::RunId& run,
                                                      std::uint64_t after_id) = 0;
  // A number that changes whenever another process has committed something: a cheap poll before the
  // reads above.
  virtual Result<std::uint64_t> change_counter() = 0;
};

}  // namespace cresset::ports
