#pragma once

#include <string_view>

#include "cresset/adapters/sqlite/database.h"
#include "cresset/ports/metadata_store.h"

// Rows to values. A row that makes no sense is kDataLoss: somebody else has written to the file.
namespace cresset::sqlite {

// Columns of read_run, from column 0.
#define CR_SQL_RUN_COLUMNS "id, name, pipeline, state, created_at, started_at, finished_at"
Result<ports::RunRecord> read_run(const Statement& row, std::string_view path);

// Columns of read_step, from `column`.
#define CR_SQL_STEP_COLUMNS \
  "step.task, step.path, step.key, step.reusable, step.parts, step.outputs"
Result<ports::StepRecord> read_step(const Statement& row, int column, std::string_view path);

std::string_view command_name(ports::Command command);
Result<ports::Command> parse_command(std::string_view name, std::string_view path);

Result<Value> parse_stored_json(std::string_view json, std::string_view path);

Error no_such_run(const model::RunId& run);

// Writes that the run with this number uses artifacts of those, inside the caller's transaction:
// remove_run() looks for these rows inside its own. kAborted "run.source_gone".
Result<void> insert_uses(Database& database, std::int64_t user,
                         const std::vector<model::RunId>& sources);

}  // namespace cresset::sqlite
