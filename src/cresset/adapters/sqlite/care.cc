#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>

#include "cresset/adapters/sqlite/database.h"
#include "cresset/adapters/sqlite/schema.h"
#include "cresset/adapters/sqlite/sqlite_store.h"

// Copies of the whole database, and what is wrong with it.
namespace cresset::sqlite {

namespace {

template <class F>
Result<void> for_each_row(Database& database, const char* sql, F&& take) {
  CR_TRY(Statement query, database.prepare(sql));
  for (;;) {
    CR_TRY(const bool row, query.step());
    if (!row) return {};
    take(query);
  }
}

}  // namespace

std::int64_t SqliteStore::newest_schema() { return sqlite::newest_schema(); }

Result<void> SqliteStore::snapshot(const std::string& file) {
  auto made = copy_to(file);
  // It is not the home's disk that has no room.
  if (!made && made.error().reason == kDiskFull) {
    return make_error(Code::kResourceExhausted,
                      "the disk or quota of {} is full, or it may not grow: free some space there, "
                      "or choose another place",
                      file);
  }
  return made;
}

Result<void> SqliteStore::copy_to(const std::string& file) {
  // SQLite fills an empty file; one that it makes itself everybody could read.
  const int fd = ::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) return errno_error(errno, file).with("making the snapshot");
  ::close(fd);
  {
    CR_TRY(Statement copy, database_->prepare("VACUUM INTO ?1"));
    CR_TRY_VOID(copy.bind(file).run());
  }
  // The copy has another journal mode than what it is a copy of.
  CR_TRY(const std::unique_ptr<Database> copy, Database::open(file, options_.busy_timeout));
  copy->keep_log_on_close(false);
  return copy->execute("PRAGMA journal_mode = WAL");
}

Result<std::vector<std::string>> SqliteStore::find_damage() {
  std::vector<std::string> out;
  CR_TRY_VOID(for_each_row(*database_, "PRAGMA integrity_check(20)", [&](const Statement& row) {
    if (const std::string told = row.bytes(0); told != "ok") out.push_back(told);
  }));
  // What follows would only repeat it, or fail.
  if (!out.empty()) return out;
  CR_TRY_VOID(for_each_row(*database_, "PRAGMA foreign_key_check", [&](const Statement& row) {
    out.push_back(
        fmt::format("a row of the table {} belongs to no {}", row.bytes(0), row.bytes(2)));
  }));
  return out;
}

}  // namespace cresset::sqlite
