#include "cresset/adapters/sqlite/database.h"
#include "cresset/adapters/sqlite/rows.h"
#include "cresset/adapters/sqlite/sqlite_store.h"

// What only reads. Each statement sees one moment of the database, and no answer is put together
// from two.
namespace cresset::sqlite {

namespace {

// Nearly always the answer: the newest one, which is then looked at.
constexpr const char* kNewestStep = "SELECT run.id, step.at, " CR_SQL_STEP_COLUMNS R"sql(,
  run.id <> ?3 AND run.state NOT IN ('PENDING', 'RUNNING')
FROM step CROSS JOIN run ON run.number = step.run
WHERE step.pipeline = ?1 AND step.key = ?2 AND step.reusable = 1 AND step.key <> ''
ORDER BY step.run DESC, step.number DESC LIMIT 1)sql";
constexpr int kNewestStepCounts = 8;

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
SELECT run.id, step.at, )sql" CR_SQL_STEP_COLUMNS R"sql(
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
Result<ports::StepMatch> read_match(const Statement& query, std::string_view path) {
  CR_TRY(ports::StepRecord step, read_step(query, 2, path));
  return ports::StepMatch{model::RunId(query.bytes(0)), query.time(1), std::move(step)};
}

}  // namespace

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

Result<ports::RunDefinition> SqliteStore::definition(const model::RunId& run) {
  CR_TRY(Statement query, database_->prepare("SELECT file_name, spec, options FROM definition "
                                             "WHERE run = (SELECT number FROM run WHERE id = ?1)"));
  CR_TRY(const bool found, query.bind(run.str()).step());
  if (!found) return no_such_run(run);
  CR_TRY(Value options, parse_stored_json(query.bytes(2), database_->path()));
  return ports::RunDefinition{query.bytes(0), query.bytes(1), std::move(options)};
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

Result<std::optional<ports::StepMatch>> SqliteStore::find_step(const std::string& pipeline,
                                                               const std::string& key,
                                                               const model::RunId& except) {
  {
    CR_TRY(Statement newest, database_->prepare(kNewestStep));
    CR_TRY(const bool found, newest.bind(pipeline, key, except.str()).step());
    if (!found) return std::optional<ports::StepMatch>();
    if (newest.integer(kNewestStepCounts) != 0) {
      CR_TRY(ports::StepMatch match, read_match(newest, database_->path()));
      return std::optional(std::move(match));
    }
  }
  CR_TRY(Statement query, database_->prepare(kFindStep));
  CR_TRY(const bool found, query.bind(pipeline, key, except.str()).step());
  if (!found) return std::optional<ports::StepMatch>();
  CR_TRY(ports::StepMatch match, read_match(query, database_->path()));
  return std::optional(std::move(match));
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
    CR_TRY(ports::StepMatch match, read_match(query, database_->path()));
    matches.push_back(std::move(match));
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
