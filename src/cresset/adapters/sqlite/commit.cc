#include "cresset/adapters/sqlite/database.h"
#include "cresset/adapters/sqlite/rows.h"
#include "cresset/adapters/sqlite/sqlite_store.h"
#include "cresset/text/json.h"

// The one transaction that everything an engine learns goes through.
namespace cresset::sqlite {

namespace {

struct Fence {
  std::int64_t run = 0;  // number
  std::uint64_t last_seq = 0;
  std::string pipeline;
  WallTime created_at{};
};

Error fenced_off(const ports::Lease& lease) {
  Error error = make_error(Code::kAborted,
                           "run {} has another engine by now (or was removed): this one stops",
                           lease.run().str());
  error.reason = "run.taken_over";
  return error;
}

// In commit(), inside the transaction, so that nobody can take the run over between this look and
// the commit.
Result<Fence> check_fence(Database& database, const ports::Lease& lease) {
  CR_TRY(Statement query,
         database.prepare(
             "SELECT number, token, pipeline, created_at, (SELECT coalesce(max(seq), 0) FROM "
             "event WHERE event.run = run.number) FROM run WHERE id = ?1"));
  CR_TRY(const bool found, query.bind(lease.run().str()).step());
  if (!found || static_cast<std::uint64_t>(query.integer(1)) != lease.token())
    return fenced_off(lease);
  return Fence{query.integer(0), static_cast<std::uint64_t>(query.integer(4)), query.bytes(2),
               query.time(3)};
}

Result<void> insert_events(Database& database, const Fence& fence,
                           const std::vector<ports::StoredEvent>& events) {
  CR_TRY(Statement insert, database.prepare("INSERT INTO event VALUES (?1, ?2, ?3, ?4)"));
  std::uint64_t seq = fence.last_seq;
  for (const ports::StoredEvent& event : events) {
    CHECK(event.seq == ++seq);
    CR_TRY_VOID(insert.bind(fence.run, event.seq, event.at, event.payload).run());
    insert.reset();
  }
  return {};
}

// A step that is recorded again (after `retry`) is a new step: it gets a new number.
Result<void> insert_steps(Database& database, const Fence& fence, WallTime at,
                          const std::vector<ports::StepRecord>& steps) {
  CR_TRY(Statement insert, database.prepare("INSERT OR REPLACE INTO step (run, task, path, "
                                            "pipeline, key, reusable, at, parts, outputs) "
                                            "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)"));
  for (const ports::StepRecord& step : steps) {
    const std::string parts = text::to_json(step.parts);
    CR_TRY_VOID(insert
                    .bind(fence.run, step.task, step.path, fence.pipeline, step.key, step.reusable,
                          at, parts, step.outputs)
                    .run());
    insert.reset();
  }
  return {};
}

Result<void> update_record(Database& database, const Fence& fence, const ports::RunRecord& record) {
  CR_TRY(Statement update, database.prepare("UPDATE run SET name = ?2, state = ?3, started_at = "
                                            "?4, finished_at = ?5 WHERE number = ?1"));
  return update
      .bind(fence.run, record.name, model::to_string(record.state), record.started_at,
            record.finished_at)
      .run();
}

Result<void> drop_commands(Database& database, const Fence& fence, std::uint64_t up_to) {
  CR_TRY(Statement remove, database.prepare("DELETE FROM command WHERE run = ?1 AND id <= ?2"));
  return remove.bind(fence.run, up_to).run();
}

}  // namespace

// Inside the transaction: remove_run() looks for these rows inside its own.
Result<void> insert_uses(Database& database, std::int64_t user,
                         const std::vector<model::RunId>& sources) {
  for (const model::RunId& source : sources) {
    CR_TRY(Statement insert,
           database.prepare("INSERT OR REPLACE INTO artifact_use (user, source) SELECT ?1, number "
                            "FROM run WHERE id = ?2 RETURNING source"));
    CR_TRY(const bool there, insert.bind(user, source.str()).step());
    if (there) continue;
    Error error = make_error(Code::kAborted,
                             "run {}, whose artifacts were to be used, has been removed "
                             "meanwhile",
                             source.str());
    error.reason = "run.source_gone";
    return error;
  }
  return {};
}

Result<void> SqliteStore::confirm(const ports::Lease& lease) {
  CR_TRY([[maybe_unused]] const Fence fence, check_fence(*database_, lease));
  return {};
}

Result<void> SqliteStore::commit(const ports::Lease& lease, const ports::Commit& commit) {
  CHECK(!commit.record || commit.record->id == lease.run());
  CR_TRY(Transaction transaction, Transaction::begin(*database_));
  CR_TRY(const Fence fence, check_fence(*database_, lease));
  const WallTime at = commit.events.empty() ? fence.created_at : commit.events.back().at;
  CR_TRY_VOID(insert_events(*database_, fence, commit.events));
  CR_TRY_VOID(insert_steps(*database_, fence, at, commit.steps));
  CR_TRY_VOID(insert_uses(*database_, fence.run, commit.uses));
  if (commit.record) CR_TRY_VOID(update_record(*database_, fence, *commit.record));
  if (commit.commands_taken > 0)
    CR_TRY_VOID(drop_commands(*database_, fence, commit.commands_taken));
  return transaction.commit();
}

}  // namespace cresset::sqlite
