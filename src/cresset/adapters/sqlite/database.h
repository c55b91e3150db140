#pragma once

#include <sqlite3.h>

#include <concepts>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "cresset/adapters/sqlite/doubt.h"
#include "cresset/base/result.h"
#include "cresset/base/time.h"

namespace cresset::sqlite {

class Database;

// A prepared statement for the time of one use: bind, step, read columns. Going out of scope resets
// it, so that it can be used again. Texts and blobs that are bound must stay where they are until
// then. Lives shorter than its Database.
class Statement {
 public:
  Statement(sqlite3_stmt* statement, Database& database)
      : statement_(statement), database_(&database) {}
  ~Statement();
  Statement(Statement&& other) noexcept;
  Statement& operator=(Statement&&) = delete;

  // Binds the arguments to ?1, ?2 … The first failure is kept and returned by step().
  template <class... Args>
  Statement& bind(const Args&... args) {
    int index = 0;
    (bind_one(++index, args), ...);
    return *this;
  }

  // True: there is a row to read. False: done.
  Result<bool> step();
  // For statements without rows.
  Result<void> run();
  // Ready for another round of bind and run, in a loop over rows to write.
  void reset();

  [[nodiscard]] std::int64_t integer(int column) const {
    return sqlite3_column_int64(statement_, column);
  }
  [[nodiscard]] bool is_null(int column) const {
    return sqlite3_column_type(statement_, column) == SQLITE_NULL;
  }
  [[nodiscard]] std::string bytes(int column) const;
  [[nodiscard]] WallTime time(int column) const { return WallTime{Duration{integer(column)}}; }
  [[nodiscard]] std::optional<WallTime> optional_time(int column) const;

 private:
  void bind_one(int index, std::integral auto number) {
    bind_integer(index, static_cast<std::int64_t>(number));
  }
  void bind_one(int index, WallTime time) { bind_integer(index, time.time_since_epoch().count()); }
  void bind_one(int index, const std::optional<WallTime>& time);
  void bind_one(int index, const std::string& text) { bind_text(index, text); }
  void bind_one(int index, std::string_view text) { bind_text(index, text); }
  void bind_integer(int index, std::int64_t number);
  void bind_text(int index, std::string_view text);
  void keep(int rc);

  sqlite3_stmt* statement_;
  Database* database_;
  int first_error_ = SQLITE_OK;
};

// One connection to one database file, with the settings that make a commit durable. Not for two
// threads at once.
//
// A failed sync is believed: what it was about may be in the cache of the operating system and
// never reach the disk, and the next sync would not say so. From then on the connection writes
// nothing, and a file beside the database tells whoever writes or opens it next (doubt.h). The same
// without doubt after any other failure of the disk to write.
class Database {
 public:
  // Makes the file, for its owner alone, when it is not there. Refuses what is plainly not ours
  // (schema.h) and until settle_doubt() leaves all as it is. `vfs`: StoreOptions.
  static Result<std::unique_ptr<Database>> open(const std::string& path,
                                                std::chrono::milliseconds busy_timeout,
                                                const std::string& vfs = "");
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  // Prepared when first asked for and kept. `sql` must be a literal: its address is the key.
  Result<Statement> prepare(const char* sql);
  // Several statements without rows.
  Result<void> execute(const char* script);
  Result<std::int64_t> query_integer(const char* sql);

  // Sees to it that what is read is on the disk, unless another process is just writing, which sees
  // to it itself, or nobody can. From then on the last to close moves the log into the database.
  // To be called before the first read.
  Result<void> settle_doubt();
  // For SQL on this connection: sha256(text), 64 hex digits.
  Result<void> define_sha256();
  // Inside a transaction: a change that changes nothing.
  Result<void> write_something();
  // The failure after which this connection writes no more.
  [[nodiscard]] Result<void> check_writable() const;
  void stop_writing(Error why);
  // Looks whether the last error on the connection is one.
  void notice_failure();

  // With true, the last connection to close leaves the -wal file and the database as they are.
  void keep_log_on_close(bool keep);

  DoubtFile& doubt() { return *doubt_; }
  [[nodiscard]] std::int64_t changed_rows() const { return sqlite3_changes64(connection_); }
  [[nodiscard]] bool in_transaction() const { return sqlite3_get_autocommit(connection_) == 0; }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  // Its first bytes; none of one that is new, or whose making was cut off.
  Result<std::string> read_header();
  void checkpoint_when_due(int pages);
  Database(std::string path, sqlite3* connection, std::chrono::milliseconds busy_timeout);

  std::string path_;
  sqlite3* connection_;
  std::chrono::milliseconds busy_timeout_;
  std::unique_ptr<DoubtFile> doubt_;
  std::map<const char*, sqlite3_stmt*> statements_;
  std::optional<Error> failure_;
};

// A write transaction: it takes the write lock at once, settles what is in doubt, and is rolled
// back unless commit() succeeded.
class Transaction {
 public:
  static Result<Transaction> begin(Database& database);
  ~Transaction();
  Transaction(Transaction&& other) noexcept : database_(std::exchange(other.database_, nullptr)) {}
  Transaction& operator=(Transaction&&) = delete;

  Result<void> commit();

 private:
  explicit Transaction(Database& database) : database_(&database) {}

  Database* database_;
};

// The reason of errors that say so.
inline constexpr const char* kDiskFull = "disk.full";

// What SQLite's last answer on this connection means to us, and what the user can do about it.
// `system_errno`: of an answer of its VFS, without a connection.
Error sqlite_error(sqlite3* connection, int rc, std::string_view path, int system_errno = 0);
// Whether that answer means that a sync failed.
bool is_failed_sync(int rc);

}  // namespace cresset::sqlite
