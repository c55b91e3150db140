#pragma once

#include <sqlite3.h>

#include <concepts>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "cresset/base/result.h"
#include "cresset/base/time.h"

namespace cresset::sqlite {

// A prepared statement for the time of one use: bind, step, read columns. Going out of scope resets
// it, so that it can be used again. Texts and blobs that are bound must stay where they are until
// then. Lives shorter than its Database.
class Statement {
 public:
  Statement(sqlite3_stmt* statement, std::string_view path) : statement_(statement), path_(path) {}
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
  std::string_view path_;
  int first_error_ = SQLITE_OK;
};

// One connection to one database file, with the settings that make a commit durable. Not for two
// threads at once.
class Database {
 public:
  // Makes the file, for its owner alone, when it is not there.
  static Result<std::unique_ptr<Database>> open(const std::string& path,
                                                std::chrono::milliseconds busy_timeout);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  // Prepared when first asked for and kept. `sql` must be a literal: its address is the key.
  Result<Statement> prepare(const char* sql);
  // Several statements without rows.
  Result<void> execute(const char* script);
  Result<std::int64_t> query_integer(const char* sql);

  [[nodiscard]] std::int64_t changed_rows() const { return sqlite3_changes64(connection_); }
  [[nodiscard]] bool in_transaction() const { return sqlite3_get_autocommit(connection_) == 0; }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  Database(std::string path, sqlite3* connection)
      : path_(std::move(path)), connection_(connection) {}

  std::string path_;
  sqlite3* connection_;
  std::map<const char*, sqlite3_stmt*> statements_;
};

// A write transaction: it takes the write lock at once, and is rolled back unless commit()
// succeeded.
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

// What SQLite's last answer on this connection means to us, and what the user can do about it.
Error sqlite_error(sqlite3* connection, int rc, std::string_view path);

}  // namespace cresset::sqlite
