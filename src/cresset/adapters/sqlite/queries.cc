#include "cresset/adapters/sqlite/database.h"
#include "cresset/adapters/sqlite/rows.h"
#include "cresset/adapters/sqlite/sqlite_store.h"
#include "cresset/base/check.h"

// What only reads. Each statement sees one moment of the database, and no answer is put together
// from two.
namespace cresset::sqlite {

namespace {

// Nearly always the answer: the newest one, which is then looked at.
constexpr const char* kNewestStep = R"sql(
SELECT run.id, step.task, step.outputs, run.id <> ?3 AND run.state NOT IN ('PENDING', 'RUNNING')
FROM step CROSS JOIN run ON run.number = step.run
WHERE step.pipeline = ?1 AND step.key = ?2 AND step.reusable = 1 AND step.key <> ''
ORDER BY step.run DESC, step.number DESC LIMIT 1)sql";
constexpr int kNewestStepCounts = 3;

// From the newest run downwards, one index probe a run: a run with thousands of equal steps, all of
// them still out of reach because it has not finished, costs one probe and not thousands.
constexpr const char* kFindStep = R"sql(
WITH RECURSIVE candidate (number) AS (
  SELECT max(run) FROM step WHERE pipeline = ?1 AND key = ?2 AND reusable = 1 AND key <> ''
  UNION ALL
  SELECT (SELECT max(run) FROM step
          WHERE pipeline = ?1 AND key = ?2 AND reusable = 1 AND key <> '' AND run < candidate.number)
  FROM candidate WHERE candidate.number IS NOT NULL
)
SELECT run.id, step.task, step.outputs
FROM candidate CROSS JOIN run ON run.number = candidate.number
  CROSS JOIN step ON step.number = (
    SELECT max(number) FROM step
    WHERE pipeline = ?1 AND key = ?2 AND reusable = 1 AND key <> '' AND run = candidate.number)
WHERE run.id <> ?3 AND run.state NOT IN ('PENDING', 'RUNNING')
LIMIT 1)sql";

constexpr const char* kPreviousSteps = "SELECT run.id, step.at, " CR_SQL_STEP_COLUMNS R"sql(
FROM step JOIN run ON run.number = step.run
WHERE step.pipeline = ?1 AND step.path = ?2 AND step.run < (SELECT number FROM run WHERE id = ?3)
ORDER BY step.run DESC, step.number DESC LIMIT ?4)sql";

// The row that the query is at.
ports::ReusableStep read_reusable(const Statement& query) {
  return {model::RunId(query.bytes(0)), static_cast<std::uint32_t>(query.integer(1)),
          query.bytes(2)};
}

class ReadTransaction final : public ports::ReadScope {
 public:
  explicit ReadTransaction(Database& database) : database_(database) {
    CHECK(!database_.in_transaction());
    static_cast<void>(database_.execute("BEGIN"));
  }
  ~ReadTransaction() override {
    // SQLite may have ended it by itself after a failure.
    if (database_.in_transaction()) static_cast<void>(database_.execute("COMMIT"));
  }
  ReadTransaction(const ReadTransaction&) = delete;
  ReadTransaction& operator=(const ReadTransaction&) = delete;

 private:
  Database& database_;
};

}  // namespace

std::unique_ptr<ports::ReadScope> SqliteStore::read_together() {
  return std::make_unique<ReadTransaction>(*database_);
}

Result<std::vector<ports::RunRecord>> SqliteStore::list_runs() {
  CR_TRY(Statement query, database_->prepare("SELECT " CR_SQL_RUN_COLUMNS
                                             " FROM run ORDER BY created_at DESC, number DESC"));
  std::vector<ports::RunRecord> records;
  for (;;) {
    CR_TRY(const bool row, query.step());
    if (!row) return records;
    CR_TRY(ports::RunRecord record, read_run(query, database_->path()));
    records.push_back(std::move(record));
  }
}

Result<ports::RunRecord> SqliteStore::find_run(const model::RunId& run) {
  CR_TRY(Statement query,
         database_->prepare("SELECT " CR_SQL_RUN_COLUMNS " FROM run WHERE id = ?1"));
  CR_TRY(const bool found, query.bind(run.str()).step());
  if (!found) return no_such_run(run);
  return read_run(query, database_->path());
}

Result<ports::StoredDefinition> SqliteStore::definition(const model::RunId& run) {
  CR_TRY(Statement query,
         database_->prepare("SELECT file_name, digest, options FROM definition JOIN spec ON "
                            "spec.number = spec_number "
                            "WHERE run = (SELECT number FROM run WHERE id = ?1)"));
  CR_TRY(const bool found, query.bind(run.str()).step());
  if (!found) return no_such_run(run);
  CR_TRY(Value options, parse_stored_json(query.bytes(2), database_->path()));
  return ports::StoredDefinition{query.bytes(0), query.bytes(1), std::move(options)};
}

Result<std::string> SqliteStore::spec(const model::RunId& run) {
  CR_TRY(Statement query,
         database_->prepare("SELECT text FROM definition JOIN spec ON spec.number = spec_number "
                            "WHERE run = (SELECT number FROM run WHERE id = ?1)"));
  CR_TRY(const bool found, query.bind(run.str()).step());
  if (!found) return no_such_run(run);
  return query.bytes(0);
}

Result<std::vector<ports::StoredEvent>> SqliteStore::events(const model::RunId& run,
                                                            std::uint64_t after_seq) {
  CR_TRY(const std::int64_t number, number_of(run));
  CR_TRY(Statement query,
         database_->prepare(
             "SELECT seq, at, payload FROM event WHERE run = ?1 AND seq > ?2 ORDER BY seq"));
  query.bind(number, after_seq);
  std::vector<ports::StoredEvent> events;
  for (;;) {
    CR_TRY(const bool row, query.step());
    if (!row) return events;
    events.push_back({static_cast<std::uint64_t>(query.integer(0)), query.time(1), query.bytes(2)});
  }
}

Result<std::vector<ports::RunUse>> SqliteStore::uses() {
  CR_TRY(Statement query,
         database_->prepare("SELECT user.id, source.id FROM artifact_use JOIN run AS user ON "
                            "user.number = artifact_use.user JOIN run AS source ON source.number "
                            "= artifact_use.source ORDER BY user.id, source.id"));
  std::vector<ports::RunUse> uses;
  for (;;) {
    CR_TRY(const bool row, query.step());
    if (!row) return uses;
    uses.push_back({model::RunId(query.bytes(0)), model::RunId(query.bytes(1))});
  }
}

Result<std::optional<ports::ReusableStep>> SqliteStore::find_step(const std::string& pipeline,
                                                                  const std::string& key,
                                                                  const model::RunId& except) {
  {
    CR_TRY(Statement newest, database_->prepare(kNewestStep));
    CR_TRY(const bool found, newest.bind(pipeline, key, except.str()).step());
    if (!found) return std::optional<ports::ReusableStep>();
    if (newest.integer(kNewestStepCounts) != 0) return std::optional(read_reusable(newest));
  }
  CR_TRY(Statement query, database_->prepare(kFindStep));
  CR_TRY(const bool found, query.bind(pipeline, key, except.str()).step());
  if (!found) return std::optional<ports::ReusableStep>();
  return std::optional(read_reusable(query));
}

Result<std::vector<ports::StepMatch>> SqliteStore::previous_steps(const std::string& pipeline,
                                                                  const std::string& path,
                                                                  const model::RunId& before,
                                                                  std::size_t most) {
  CR_TRY(Statement query, database_->prepare(kPreviousSteps));
  query.bind(pipeline, path, before.str(), most);
  std::vector<ports::StepMatch> matches;
  for (;;) {
    CR_TRY(const bool row, query.step());
    if (!row) return matches;
    CR_TRY(ports::StepRecord step, read_step(query, 2, database_->path()));
    matches.push_back({model::RunId(query.bytes(0)), query.time(1), std::move(step)});
  }
}

Result<std::optional<ports::StepRecord>> SqliteStore::step(const model::RunId& run,
                                                           std::uint32_t task) {
  CR_TRY(const std::int64_t number, number_of(run));
  CR_TRY(Statement query, database_->prepare("SELECT " CR_SQL_STEP_COLUMNS
                                             " FROM step WHERE run = ?1 AND task = ?2"));
  CR_TRY(const bool found, query.bind(number, task).step());
  if (!found) return std::optional<ports::StepRecord>();
  CR_TRY(ports::StepRecord step, read_step(query, 0, database_->path()));
  return std::optional(std::move(step));
}

Result<std::vector<ports::StoredCommand>> SqliteStore::commands(const model::RunId& run,
                                                                std::uint64_t after_id) {
  CR_TRY(const std::int64_t number, number_of(run));
  CR_TRY(
      Statement query,
      database_->prepare("SELECT id, command FROM command WHERE run = ?1 AND id > ?2 ORDER BY id"));
  query.bind(number, after_id);
  std::vector<ports::StoredCommand> commands;
  for (;;) {
    CR_TRY(const bool row, query.step());
    if (!row) return commands;
    CR_TRY(const ports::Command command, parse_command(query.bytes(1), database_->path()));
    commands.push_back({static_cast<std::uint64_t>(query.integer(0)), command});
  }
}

Result<std::uint64_t> SqliteStore::change_counter() {
  CR_TRY(const std::int64_t version, database_->query_integer("PRAGMA data_version"));
  return static_cast<std::uint64_t>(version);
}

}  // namespace cresset::sqlite
