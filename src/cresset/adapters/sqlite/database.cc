#include "cresset/adapters/sqlite/database.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "cresset/adapters/sqlite/schema.h"
#include "cresset/base/digest.h"

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
      database_(other.database_),
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
    return sqlite_error(connection, std::exchange(first_error_, SQLITE_OK), database_->path());
  const bool writes = sqlite3_txn_state(connection, nullptr) == SQLITE_TXN_WRITE;
  const int rc = sqlite3_step(statement_);
  if (rc == SQLITE_ROW) return true;
  if (rc == SQLITE_DONE) return false;
  Error error = sqlite_error(connection, rc, database_->path());
  // At once: SQLite may have rolled the transaction back by itself.
  if (writes || is_failed_sync(rc)) database_->notice_failure();
  return error;
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
                                                 std::chrono::milliseconds busy_timeout,
                                                 const std::string& vfs) {
  sqlite3* connection = nullptr;
  int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  if (vfs.empty()) {
    CR_TRY_VOID(make_private_file(path));
  } else {
    flags |= SQLITE_OPEN_CREATE;
  }
  const int rc =
      sqlite3_open_v2(path.c_str(), &connection, flags, vfs.empty() ? nullptr : vfs.c_str());
  if (rc != SQLITE_OK) {
    Error error = sqlite_error(connection, rc, path);
    sqlite3_close(connection);
    return error;
  }
  std::unique_ptr<Database> database(new Database(path, connection, busy_timeout));
  const auto after_commit = [](void* self, sqlite3*, const char*, int pages) {
    auto* database = static_cast<Database*>(self);
    // Others may be writing by now: to them it would be a doubt as long as a checkpoint takes.
    database->doubt_->end();
    database->checkpoint_when_due(pages);
    return SQLITE_OK;
  };
  sqlite3_wal_hook(connection, after_commit, database.get());
  database->keep_log_on_close(true);
  CR_TRY(const std::string header, database->read_header());
  CR_TRY_VOID(check_header(header, path));
  sqlite3_busy_timeout(connection, static_cast<int>(busy_timeout.count()));
  // The cache holds the index of a hundred thousand steps' keys, which are as random as can be:
  // with SQLite's 2 MB each look-up reads a page of the file. In KiB, as a negative number.
  CR_TRY_VOID(database->execute(
      "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA cache_size = -16384;"));
  // A log that is there already is written over: syncing it then needs no new blocks, and with them
  // no commit of the whole file system's journal.
  int keep_log = 1;
  sqlite3_file_control(connection, "main", SQLITE_FCNTL_PERSIST_WAL, &keep_log);
  return database;
}

Database::Database(std::string path, sqlite3* connection, std::chrono::milliseconds busy_timeout)
    : path_(std::move(path)),
      connection_(connection),
      busy_timeout_(busy_timeout),
      doubt_(std::make_unique<DoubtFile>(connection, path_)) {}

Database::~Database() {
  doubt_.reset();
  for (const auto& [sql, statement] : statements_) sqlite3_finalize(statement);
  CHECK(sqlite3_close(connection_) == SQLITE_OK);
}

// Through SQLite's own descriptor: to close another one would drop the locks of this process.
Result<std::string> Database::read_header() {
  // A journal is there only while the database is made. Whoever died of it may have left half a
  // header, which SQLite takes back when it is first asked for something.
  sqlite3_vfs* vfs = nullptr;
  int in_the_making = 0;
  int rc = sqlite3_file_control(connection_, "main", SQLITE_FCNTL_VFS_POINTER, &vfs);
  if (rc == SQLITE_OK)
    rc = vfs->xAccess(vfs, (path_ + "-journal").c_str(), SQLITE_ACCESS_EXISTS, &in_the_making);
  if (rc == SQLITE_OK && in_the_making != 0) return std::string();
  sqlite3_file* file = nullptr;
  sqlite3_int64 size = 0;
  if (rc == SQLITE_OK)
    rc = sqlite3_file_control(connection_, "main", SQLITE_FCNTL_FILE_POINTER, &file);
  if (rc == SQLITE_OK) rc = file->pMethods->xFileSize(file, &size);
  std::string header(std::min(static_cast<std::size_t>(size), kHeaderBytes), '\0');
  if (rc == SQLITE_OK && !header.empty())
    rc = file->pMethods->xRead(file, header.data(), static_cast<int>(header.size()), 0);
  if (rc != SQLITE_OK) return sqlite_error(nullptr, rc, path_);
  return header;
}

void Database::keep_log_on_close(bool keep) {
  sqlite3_db_config(connection_, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, keep ? 1 : 0, nullptr);
}

// In place of SQLite's own, which keeps it to itself when the disk fails. That the log is in use by
// a reader, or that there is no space, is a matter for the next time.
void Database::checkpoint_when_due(int pages) {
  constexpr int kPagesMax = 1000;
  if (pages < kPagesMax) return;
  const int rc =
      sqlite3_wal_checkpoint_v2(connection_, "main", SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
  if (rc != SQLITE_OK) notice_failure();
}

void Database::notice_failure() {
  const int rc = sqlite3_extended_errcode(connection_);
  if (failure_ || (rc & 0xff) != SQLITE_IOERR) return;
  Error error = sqlite_error(connection_, rc, path_);
  if (error.code != Code::kDataLoss) return;
  if (is_failed_sync(rc)) doubt_->raise();
  stop_writing(std::move(error));
}

void Database::stop_writing(Error why) {
  failure_ = std::move(why).with("writing no more after a failure of the disk");
  keep_log_on_close(true);
}

Result<void> Database::check_writable() const {
  if (failure_) return *failure_;
  return {};
}

Result<void> Database::settle_doubt() {
  CR_TRY(const bool doubt, doubt_->is_doubtful());
  if (doubt) {
    // Settles it, and is dropped without a change.
    sqlite3_busy_timeout(connection_, 0);
    const Result<Transaction> transaction = Transaction::begin(*this);
    sqlite3_busy_timeout(connection_, static_cast<int>(busy_timeout_.count()));
    if (!transaction) {
      const Error& error = transaction.error();
      // Another process is writing; or nobody can, for want of space or rights.
      const bool may_read = error.code == Code::kUnavailable ||
                            error.code == Code::kPermissionDenied || error.reason == kDiskFull;
      return may_read ? Result<void>() : Result<void>(error);
    }
  }
  keep_log_on_close(false);
  return {};
}

Result<void> Database::define_sha256() {
  const auto sha256 = [](sqlite3_context* context, int, sqlite3_value** arguments) {
    const void* text = sqlite3_value_blob(arguments[0]);
    const auto size = static_cast<std::size_t>(sqlite3_value_bytes(arguments[0]));
    const std::string digest =
        sha256_hex(text == nullptr ? "" : std::string_view(static_cast<const char*>(text), size));
    sqlite3_result_text(context, digest.c_str(), static_cast<int>(digest.size()), SQLITE_TRANSIENT);
  };
  const int rc =
      sqlite3_create_function_v2(connection_, "sha256", 1, SQLITE_UTF8 | SQLITE_DETERMINISTIC,
                                 nullptr, sha256, nullptr, nullptr, nullptr);
  if (rc != SQLITE_OK) return sqlite_error(connection_, rc, path_);
  return {};
}

Result<void> Database::write_something() {
  CR_TRY(const std::int64_t version, query_integer("PRAGMA user_version"));
  return execute(fmt::format("PRAGMA user_version = {}", version).c_str());
}

Result<Statement> Database::prepare(const char* sql) {
  sqlite3_stmt*& statement = statements_[sql];
  if (statement == nullptr) {
    const int rc =
        sqlite3_prepare_v3(connection_, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
    if (rc != SQLITE_OK) return sqlite_error(connection_, rc, path_);
  }
  CHECK(sqlite3_stmt_busy(statement) == 0);
  return Statement(statement, *this);
}

Result<void> Database::execute(const char* script) {
  const int rc = sqlite3_exec(connection_, script, nullptr, nullptr, nullptr);
  if (rc == SQLITE_OK) return {};
  Error error = sqlite_error(connection_, rc, path_);
  notice_failure();
  return error;
}

Result<std::int64_t> Database::query_integer(const char* sql) {
  CR_TRY(Statement statement, prepare(sql));
  CR_TRY(const bool row, statement.step());
  CHECK(row);
  return statement.integer(0);
}

Result<Transaction> Transaction::begin(Database& database) {
  CHECK(!database.in_transaction());
  CR_TRY_VOID(database.check_writable());
  for (bool settled = false;; settled = true) {
    CR_TRY_VOID(database.execute("BEGIN IMMEDIATE"));
    Transaction transaction(database);
    const Result<bool> was_in_doubt = database.doubt().begin();
    if (!was_in_doubt) {
      if (was_in_doubt.error().code == Code::kDataLoss) database.stop_writing(was_in_doubt.error());
      return was_in_doubt.error();
    }
    if (!*was_in_doubt || settled) return transaction;
    // What a failed commit has left in the log, and nobody has seen, must not come to light when
    // the log is read anew: something is written over it, before anything else may fail.
    CR_TRY_VOID(database.write_something());
    CR_TRY_VOID(transaction.commit());
  }
}

Transaction::~Transaction() {
  if (database_ == nullptr) return;
  database_->notice_failure();
  // Cannot fail in a way that matters: what is not committed is gone with the connection at the
  // latest.
  if (database_->in_transaction()) static_cast<void>(database_->execute("ROLLBACK"));
  database_->doubt().end();
}

Result<void> Transaction::commit() {
  CR_TRY_VOID(database_->execute("COMMIT"));
  database_->doubt().end();
  return {};
}

}  // namespace cresset::sqlite
