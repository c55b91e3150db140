#include "cresset/adapters/sqlite/schema.h"

#include <array>
#include <cstdint>
#include <string_view>

#include "cresset/base/check.h"

namespace cresset::sqlite {

namespace {

// "Crst": how a database of ours is told from any other.
constexpr std::int64_t kApplicationId = 0x43727374;

// Entry n leads from schema n to n + 1. Entries are never changed once released: add one.
constexpr std::array<const char*, 3> kMigrations{
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
    // Which runs hold artifacts of which: so far only their events told.
    R"sql(
CREATE TABLE artifact_use (
  user INTEGER NOT NULL REFERENCES run (number) ON DELETE CASCADE,
  source INTEGER NOT NULL REFERENCES run (number),
  PRIMARY KEY (user, source)
) STRICT, WITHOUT ROWID;
CREATE INDEX artifact_use_by_source ON artifact_use (source, user);
INSERT INTO artifact_use (user, source)
  SELECT DISTINCT hit.run, source.number
  FROM (SELECT run, payload FROM event
        WHERE CASE WHEN json_valid(payload) THEN json_extract(payload, '$.event') END = 'cache_hit'
          AND json_extract(payload, '$.outputs.artifacts') <> '{}') AS hit
    JOIN run AS source ON source.id = json_extract(hit.payload, '$.from');

PRAGMA user_version = 2;
)sql",
    // Each text once, however many runs have it; and keys, which differ in their first bytes,
    // before what many of them share. sha256() is ours. Rows of no run, which somebody else has
    // left, stay behind.
    R"sql(
CREATE TABLE spec (
  number INTEGER PRIMARY KEY,
  digest TEXT NOT NULL UNIQUE,
  text TEXT NOT NULL
) STRICT;
INSERT OR IGNORE INTO spec (digest, text)
  SELECT sha256(spec), spec FROM definition WHERE run IN (SELECT number FROM run) ORDER BY run;
CREATE TABLE new_definition (
  run INTEGER PRIMARY KEY REFERENCES run (number) ON DELETE CASCADE,
  file_name TEXT NOT NULL,
  spec_number INTEGER NOT NULL REFERENCES spec (number),
  options TEXT NOT NULL
) STRICT;
INSERT INTO new_definition
  SELECT run, file_name, (SELECT number FROM spec WHERE digest = sha256(definition.spec)), options
  FROM definition WHERE run IN (SELECT number FROM run);
DROP TABLE definition;
ALTER TABLE new_definition RENAME TO definition;
CREATE INDEX definition_by_spec ON definition (spec_number);

DROP INDEX step_by_key;
CREATE INDEX step_by_key ON step (key, pipeline, run) WHERE reusable = 1 AND key <> '';

PRAGMA user_version = 3;
)sql",
};
static_assert(kApplicationId == 1131574132);

Error foreign(const std::string& path) {
  Error error =
      make_error(Code::kFailedPrecondition,
                 "{} is a database of another program: set CRESSET_HOME to another folder", path);
  error.reason = "store.foreign";
  return error;
}

Error newer(const std::string& path, std::int64_t version) {
  Error error = make_error(
      Code::kFailedPrecondition,
      "{} was written by a newer Cresset (schema {}, this one knows up to {}): use that one, or "
      "set CRESSET_HOME to another folder",
      path, version, newest_schema());
  error.reason = "store.newer_schema";
  return error;
}

// Big-endian, as SQLite writes them.
std::int64_t number_at(std::string_view bytes) {
  std::uint32_t number = 0;
  for (const char byte : bytes.substr(0, 4)) number = number << 8 | static_cast<std::uint8_t>(byte);
  return number;
}

Result<std::int64_t> schema_version(Database& database) {
  // In one statement: another process may be making the database between two.
  CR_TRY(Statement query,
         database.prepare("SELECT user_version, application_id, (SELECT count(*) FROM "
                          "sqlite_schema) FROM pragma_user_version, pragma_application_id"));
  CR_TRY(const bool row, query.step());
  CHECK(row);
  const std::int64_t version = query.integer(0);
  const std::int64_t application = query.integer(1);
  const std::int64_t tables = query.integer(2);
  if (application != kApplicationId && (application != 0 || version != 0 || tables != 0))
    return foreign(database.path());
  if (version > newest_schema()) return newer(database.path(), version);
  if (version < 0 || (version == 0 && tables != 0))
    return sqlite_error(nullptr, SQLITE_CORRUPT, database.path());
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

Result<void> migrate(Database& database, Locks& locks) {
  // Run ids do not begin with a dot, so this name is free.
  CR_TRY(const std::unique_ptr<Lock> lock, locks.wait(".schema"));
  // Cannot be inside a transaction, and SQLite gives up at once, without its busy timeout, when two
  // processes try.
  CR_TRY_VOID(database.execute("PRAGMA journal_mode = WAL"));
  CR_TRY_VOID(database.define_sha256());
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

Result<void> check_header(std::string_view header, const std::string& path) {
  constexpr std::string_view kMagic("SQLite format 3\0", 16);
  constexpr std::size_t kVersionAt = 60;
  constexpr std::size_t kApplicationAt = 68;
  if (header.empty()) return {};
  if (header.size() < kHeaderBytes || !header.starts_with(kMagic))
    return sqlite_error(nullptr, SQLITE_NOTADB, path);
  // SQLite has kept them zero ever since.
  constexpr std::size_t kReservedAt = 72;
  constexpr std::size_t kReservedBytes = 20;
  if (header.substr(kReservedAt, kReservedBytes).find_first_not_of('\0') != std::string_view::npos)
    return sqlite_error(nullptr, SQLITE_CORRUPT, path);
  const std::int64_t application = number_at(header.substr(kApplicationAt));
  const std::int64_t version = number_at(header.substr(kVersionAt));
  if (application != 0 && application != kApplicationId) return foreign(path);
  if (application == kApplicationId && version > newest_schema()) return newer(path, version);
  return {};
}

Result<bool> check_schema(Database& database) {
  CR_TRY(const std::int64_t version, schema_version(database));
  return version == 0;
}

Result<void> prepare_schema(Database& database, Locks& locks) {
  CR_TRY(const std::int64_t version, schema_version(database));
  if (version == newest_schema()) return {};
  return migrate(database, locks);
}

}  // namespace cresset::sqlite
