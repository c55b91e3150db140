#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "cresset/base/result.h"
#include "cresset/ports/metadata_store.h"

namespace cresset::sqlite {

class Database;
class Locks;
class Statement;

struct StoreOptions {
  std::string database;   // path of the file; its folder is made when absent, for its owner alone
  std::string locks_dir;  // one lock file a run; made when absent. On the same machine's disk for
                          // all that share it
  std::chrono::milliseconds busy_timeout{10'000};  // how long to wait for another process's commit
  // For tests and special file systems: a VFS registered with SQLite, which then makes the file of
  // the database too; its folder is not made. Empty = the operating system's files.
  std::string vfs{};
  // Instead of files in locks_dir, which is not looked at then.
  std::shared_ptr<Locks> locks{};
  // Folders that fill only once a database is there: with something in them a new one is not made.
  std::vector<std::string> filled_after{};
};

// The embedded store: one SQLite file (docs/formats/database.md), shared by all processes of a
// home. A lease is a flock on <locks_dir>/<run id>, which ends with its process, and a token in the
// database, which fences off an owner that the lock could not stop. A hold on removals is a flock
// on <locks_dir>/.removals. Threads as the port says. A Lease may outlive the store.
class SqliteStore final : public ports::MetadataStore {
 public:
  // Beyond the port's errors: kFailedPrecondition for a file of a newer Cresset or of another
  // program, kDataLoss for a damaged one and, with reason "store.lost", for one that is absent or
  // empty beside what was stored with it, kPermissionDenied where it cannot be written,
  // kUnavailable when the busy timeout has passed.
  static Result<std::unique_ptr<SqliteStore>> open(StoreOptions options);

  // The number of the newest schema that this program knows.
  static std::int64_t newest_schema();

  // Writes all that is committed at this moment to a database of its own; `file` must not exist.
  // Others go on committing meanwhile. Not synced.
  Result<void> snapshot(const std::string& file);
  // What is wrong with the file, one sentence each: with SQLite's pages and indexes, and with rows
  // that belong to none. Reads all of it. Whether a run's events make one shows who replays them.
  Result<std::vector<std::string>> find_damage();
  ~SqliteStore() override;

  Result<void> create_run(const ports::RunRecord& record,
                          const ports::RunDefinition& definition) override;
  Result<std::unique_ptr<ports::Lease>> acquire(const model::RunId& run) override;
  Result<bool> is_owned(const model::RunId& run) override;
  Result<void> confirm(const ports::Lease& lease) override;
  Result<void> commit(const ports::Lease& lease, const ports::Commit& commit) override;
  Result<std::vector<ports::RunRecord>> list_runs() override;
  Result<ports::RunRecord> find_run(const model::RunId& run) override;
  Result<ports::StoredDefinition> definition(const model::RunId& run) override;
  Result<std::string> spec(const model::RunId& run) override;
  Result<std::vector<ports::StoredEvent>> events(const model::RunId& run,
                                                 std::uint64_t after_seq) override;
  Result<void> remove_run(const model::RunId& run) override;
  Result<std::vector<ports::RunUse>> uses() override;
  Result<std::unique_ptr<ports::RemovalHold>> hold_removals() override;
  std::unique_ptr<ports::ReadScope> read_together() override;
  Result<std::optional<ports::ReusableStep>> find_step(const std::string& pipeline,
                                                       const std::string& key,
                                                       const model::RunId& except) override;
  Result<std::vector<ports::StepMatch>> previous_steps(const std::string& pipeline,
                                                       const std::string& path,
                                                       const model::RunId& before,
                                                       std::size_t most) override;
  Result<std::optional<ports::StepRecord>> step(const model::RunId& run,
                                                std::uint32_t task) override;
  Result<void> withdraw_step(const model::RunId& run, std::uint32_t task) override;
  Result<void> post(const model::RunId& run, ports::Command command) override;
  Result<std::vector<ports::StoredCommand>> commands(const model::RunId& run,
                                                     std::uint64_t after_id) override;
  Result<std::uint64_t> change_counter() override;

 private:
  SqliteStore(StoreOptions options, std::unique_ptr<Database> database);

  Result<void> copy_to(const std::string& file);
  Result<void> check_finished(const model::RunId& run);
  Result<void> check_unused(const model::RunId& run);
  Result<std::int64_t> number_of(const model::RunId& run);
  Result<std::uint64_t> next_token(const model::RunId& run);

  StoreOptions options_;
  std::unique_ptr<Database> database_;
};

}  // namespace cresset::sqlite
