#include "cresset/adapters/sqlite/schema.h"

#include <array>

#include "cresset/adapters/sqlite/file_lock.h"

namespace cresset::sqlite {

namespace {

// "Crst": how a database of ours is told from any other.
constexpr std::int64_t kApplicationId = 0x43727374;

// Entry n leads from schema n to n + 1. Entries are never changed once released: add one.
constexpr std::array<const char*, 1> kMigrations{
    R"sql(
CREATE TABLE run (
  number INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  pipeline TEXT NOT NULL,
  state TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  started_at INTEGER,
  finished_at INTEGER,
  token INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX run_by_age ON run (created_at, number);

CREATE TABLE definition (
  run INTEGER PRIMARY KEY REFERENCES run (number) ON DELETE CASCADE,
  file_name TEXT NOT NULL,
  spec TEXT NOT NULL,
  options TEXT NOT NULL
) STRICT;

CREATE TABLE event (
  run INTEGER NOT NULL REFERENCES run (number) ON DELETE CASCADE,
  seq INTEGER NOT NULL,
  at INTEGER NOT NULL,
  payload TEXT NOT NULL,
  PRIMARY KEY (run, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE step (
  number INTEGER PRIMARY KEY,
  run INTEGER NOT NULL REFERENCES run (number) ON DELETE CASCADE,
  task INTEGER NOT NULL,
  path TEXT NOT NULL,
  pipeline TEXT NOT NULL,
  key TEXT NOT NULL,
  reusable INTEGER NOT NULL,
  at INTEGER NOT NULL,
  parts TEXT NOT NULL,
  outputs TEXT NOT NULL,
  UNIQUE (run, task)
) STRICT;
CREATE INDEX step_by_key ON step (pipeline, key, run) WHERE reusable = 1 AND key <> '';
CREATE INDEX step_by_path ON step (pipeline, path, run);

CREATE TABLE command (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  run INTEGER NOT NULL REFERENCES run (number) ON DELETE CASCADE,
  command TEXT NOT NULL
) STRICT;
CREATE INDEX command_by_run ON command (run, id);

PRAGMA application_id = 1131574132;
PRAGMA user_version = 1;
)sql",
};
static_assert(kApplicationId == 1131574132);

Result<std::int64_t> schema_version(Database& database) {
  CR_TRY(const std::int64_t version, database.query_integer("PRAGMA user_version"));
  CR_TRY(const std::int64_t application, database.query_integer("PRAGMA application_id"));
  CR_TRY(const std::int64_t tables, database.query_integer("SELECT count(*) FROM sqlite_schema"));
  if (application != kApplicationId && (application != 0 || version != 0 || tables != 0)) {
    Error error = make_error(
        Code::kFailedPrecondition,
        "{} is a database of another program: set CRESSET_HOME to another folder", database.path());
    error.reason = "store.foreign";
    return error;
  }
  if (version > newest_schema()) {
    Error error = make_error(
        Code::kFailedPrecondition,
        "{} was written by a newer Cresset (schema {}, this one knows up to {}): use that one, or "
        "set CRESSET_HOME to another folder",
        database.path(), version, newest_schema());
    error.reason = "store.newer_schema";
    return error;
  }
  return version;
}

// Takes the blocks that the log will use between two checkpoints now, in one go: see
// Database::open(). Only speed is lost where that fails: on a disk that is nearly full, or when
// another process is faster.
void grow_log(Database& database) {
  auto transaction = Transaction::begin(database);
  if (!transaction) return;
  const auto grown = database.execute(
      "CREATE TABLE growth (bytes BLOB); INSERT INTO growth VALUES (zeroblob(4194304));"
      " DROP TABLE growth;");
  if (grown) [[maybe_unused]]
    const auto done = transaction->commit();
}

Result<void> migrate(Database& database, const std::string& locks_dir) {
  // Run ids do not begin with a dot, so this name is free.
  CR_TRY(const FileLock lock, FileLock::wait(locks_dir + "/.schema"));
  // Cannot be inside a transaction, and SQLite gives up at once, without its busy timeout, when two
  // processes try.
  CR_TRY_VOID(database.execute("PRAGMA journal_mode = WAL"));
  CR_TRY(Transaction transaction, Transaction::begin(database));
  CR_TRY(std::int64_t version, schema_version(database));
  const bool is_new = version == 0;
  for (; version < newest_schema(); ++version) {
    CR_TRY_VOID(database.execute(kMigrations.at(static_cast<std::size_t>(version))));
  }
  CR_TRY_VOID(transaction.commit());
  if (is_new) grow_log(database);
  return {};
}

}  // namespace

std::int64_t newest_schema() { return static_cast<std::int64_t>(kMigrations.size()); }

Result<void> prepare_schema(Database& database, const std::string& locks_dir) {
  CR_TRY(const std::int64_t version, schema_version(database));
  if (version == newest_schema()) return {};
  return migrate(database, locks_dir);
}

}  // namespace cresset::sqlite
