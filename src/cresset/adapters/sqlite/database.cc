#include "cresset/adapters/sqlite/database.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace cresset::sqlite {

namespace {

// SQLite would make the file readable for everyone; it holds the values of parameters. Its -wal and
// -shm files take over the mode. An existing file is left alone: closing a descriptor of it would
// drop the locks that another connection of this process holds.
Result<void> make_private_file(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd >= 0) {
    ::close(fd);
    return {};
  }
  if (errno == EEXIST) return {};
  return errno_error(errno, path).with("making the database");
}

}  // namespace

Statement::Statement(Statement&& other) noexcept
    : statement_(std::exchange(other.statement_, nullptr)),
      path_(other.path_),
      first_error_(other.first_error_) {}

Statement::~Statement() {
  if (statement_ != nullptr) reset();
}

void Statement::reset() {
  sqlite3_reset(statement_);  // repeats the error of the last step, which step() has returned
  sqlite3_clear_bindings(statement_);
}

void Statement::keep(int rc) {
  if (first_error_ == SQLITE_OK) first_error_ = rc;
}

void Statement::bind_integer(int index, std::int64_t number) {
  keep(sqlite3_bind_int64(statement_, index, number));
}

void Statement::bind_text(int index, std::string_view text) {
  const char* data = text.data() == nullptr ? "" : text.data();
  keep(sqlite3_bind_text64(statement_, index, data, text.size(), SQLITE_STATIC, SQLITE_UTF8));
}

void Statement::bind_one(int index, const std::optional<WallTime>& time) {
  if (time) {
    bind_one(index, *time);
  } else {
    keep(sqlite3_bind_null(statement_, index));
  }
}

Result<bool> Statement::step() {
  sqlite3* connection = sqlite3_db_handle(statement_);
  if (first_error_ != SQLITE_OK)
    return sqlite_error(connection, std::exchange(first_error_, SQLITE_OK), path_);
  const int rc = sqlite3_step(statement_);
  if (rc == SQLITE_ROW) return true;
  if (rc == SQLITE_DONE) return false;
  return sqlite_error(connection, rc, path_);
}

Result<void> Statement::run() {
  CR_TRY(const bool row, step());
  CHECK(!row);
  return {};
}

std::string Statement::bytes(int column) const {
  const void* data = sqlite3_column_blob(statement_, column);
  const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement_, column));
  return data == nullptr ? std::string() : std::string(static_cast<const char*>(data), size);
}

std::optional<WallTime> Statement::optional_time(int column) const {
  if (is_null(column)) return std::nullopt;
  return time(column);
}

Result<std::unique_ptr<Database>> Database::open(const std::string& path,
                                                 std::chrono::milliseconds busy_timeout) {
  CR_TRY_VOID(make_private_file(path));
  sqlite3* connection = nullptr;
  constexpr int kFlags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  const int rc = sqlite3_open_v2(path.c_str(), &connection, kFlags, nullptr);
  if (rc != SQLITE_OK) {
    Error error = sqlite_error(connection, rc, path);
    sqlite3_close(connection);
    return error;
  }
  std::unique_ptr<Database> database(new Database(path, connection));
  sqlite3_busy_timeout(connection, static_cast<int>(busy_timeout.count()));
  CR_TRY_VOID(database->execute("PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;"));
  // A log that is there already is written over: syncing it then needs no new blocks, and with them
  // no commit of the whole file system's journal.
  int keep_log = 1;
  sqlite3_file_control(connection, "main", SQLITE_FCNTL_PERSIST_WAL, &keep_log);
  return database;
}

Database::~Database() {
  for (const auto& [sql, statement] : statements_) sqlite3_finalize(statement);
  CHECK(sqlite3_close(connection_) == SQLITE_OK);
}

Result<Statement> Database::prepare(const char* sql) {
  sqlite3_stmt*& statement = statements_[sql];
  if (statement == nullptr) {
    const int rc =
        sqlite3_prepare_v3(connection_, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
    if (rc != SQLITE_OK) return sqlite_error(connection_, rc, path_);
  }
  CHECK(sqlite3_stmt_busy(statement) == 0);
  return Statement(statement, path_);
}

Result<void> Database::execute(const char* script) {
  const int rc = sqlite3_exec(connection_, script, nullptr, nullptr, nullptr);
  if (rc != SQLITE_OK) return sqlite_error(connection_, rc, path_);
  return {};
}

Result<std::int64_t> Database::query_integer(const char* sql) {
  CR_TRY(Statement statement, prepare(sql));
  CR_TRY(const bool row, statement.step());
  CHECK(row);
  return statement.integer(0);
}

Result<Transaction> Transaction::begin(Database& database) {
  CR_TRY_VOID(database.execute("BEGIN IMMEDIATE"));
  return Transaction(database);
}

Transaction::~Transaction() {
  if (database_ == nullptr || !database_->in_transaction()) return;
  // Cannot fail in a way that matters: what is not committed is gone with the connection at the
  // latest.
  static_cast<void>(database_->execute("ROLLBACK"));
}

Result<void> Transaction::commit() { return database_->execute("COMMIT"); }

}  // namespace cresset::sqlite
