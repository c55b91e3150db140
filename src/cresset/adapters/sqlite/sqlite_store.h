#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "cresset/base/result.h"
#include "cresset/ports/metadata_store.h"

namespace cresset::sqlite {

class Database;
class Statement;

struct StoreOptions {
  std::string database;   // path of the file; its folder is made when absent, for its owner alone
  std::string locks_dir;  // one lock file a run; made when absent. On the same machine's disk for
                          // all that share it
  std::chrono::milliseconds busy_timeout{10'000};  // how long to wait for another process's commit
};

// The embedded store: one SQLite file (docs/formats/database.md), shared by all processes of a
// home. A lease is a flock on <locks_dir>/<run id>, which ends with its process, and a token in the
// database, which fences off an owner that the lock could not stop. Threads as the port says. A
// Lease may outlive the store.
class SqliteStore final : public ports::MetadataStore {
 public:
  // Beyond the port's errors: kFailedPrecondition for a file of a newer Cresset or of another
  // program, kDataLoss for a damaged one, kPermissionDenied where it cannot be written,
  // kUnavailable when the busy timeout has passed.
  static Result<std::unique_ptr<SqliteStore>> open(StoreOptions options);
  ~SqliteStore() override;

  Result<void> create_run(const ports::RunRecord& record,
                          const ports::RunDefinition& definition) override;
  Result<std::unique_ptr<ports::Lease>> acquire(const model::RunId& run) override;
  Result<void> commit(const ports::Lease& lease, const ports::Commit& commit) override;
  Result<std::vector<ports::RunRecord>> list_runs() override;
  Result<ports::RunRecord> find_run(const model::RunId& run) override;
  Result<ports::RunDefinition> definition(const model::RunId& run) override;
  Result<std::vector<ports::StoredEvent>> events(const model::RunId& run,
                                                 std::uint64_t after_seq) override;
  Result<void> remove_run(const model::RunId& run) override;
  Result<std::optional<ports::StepMatch>> find_step(const std::string& pipeline,
                                                    const std::string& key,
                                                    const model::RunId& except) override;
  Result<std::optional<ports::StepMatch>> previous_step(const std::string& pipeline,
                                                        const std::string& path,
                                                        const model::RunId& before) override;
  Result<std::optional<ports::StepRecord>> step(const model::RunId& run,
                                                std::uint32_t task) override;
  Result<void> post(const model::RunId& run, ports::Command command) override;
  Result<std::vector<ports::StoredCommand>> commands(const model::RunId& run,
                                                     std::uint64_t after_id) override;
  Result<std::uint64_t> change_counter() override;

 private:
  SqliteStore(StoreOptions options, std::unique_ptr<Database> database);

  [[nodiscard]] std::string lock_path(const model::RunId& run) const;
  Result<std::int64_t> number_of(const model::RunId& run);
  Result<std::uint64_t> next_token(const model::RunId& run);

  StoreOptions options_;
  std::unique_ptr<Database> database_;
};

}  // namespace cresset::sqlite
