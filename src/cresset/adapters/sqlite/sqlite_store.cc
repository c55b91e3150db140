#include "cresset/adapters/sqlite/sqlite_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <utility>

#include "cresset/adapters/sqlite/database.h"
#include "cresset/adapters/sqlite/file_lock.h"
#include "cresset/adapters/sqlite/rows.h"
#include "cresset/adapters/sqlite/schema.h"
#include "cresset/base/check.h"
#include "cresset/base/digest.h"
#include "cresset/text/json.h"

// Opening, runs and leases. commit() is in commit.cc, what only reads is in queries.cc.
namespace cresset::sqlite {

namespace {

class HeldLease final : public ports::Lease {
 public:
  HeldLease(model::RunId run, std::uint64_t token, std::unique_ptr<Lock> lock)
      : run_(std::move(run)), token_(token), lock_(std::move(lock)) {}
  [[nodiscard]] const model::RunId& run() const override { return run_; }
  [[nodiscard]] std::uint64_t token() const override { return token_; }

 private:
  model::RunId run_;
  std::uint64_t token_;
  std::unique_ptr<Lock> lock_;
};

class Hold final : public ports::RemovalHold {
 public:
  explicit Hold(std::unique_ptr<Lock> lock) : lock_(std::move(lock)) {}

 private:
  std::unique_ptr<Lock> lock_;
};

Result<void> make_private_folders(const std::filesystem::path& folder) {
  if (folder.empty()) return {};
  std::error_code error;
  if (std::filesystem::is_directory(folder, error)) return {};
  CR_TRY_VOID(make_private_folders(folder.parent_path()));
  if (std::filesystem::create_directory(folder, error)) {
    std::filesystem::permissions(folder, std::filesystem::perms::owner_all, error);
  }
  if (error) return errno_error(error.value(), folder.native()).with("making the folder");
  return {};
}

// Ids name lock files and folders.
Result<void> check_run_id(const model::RunId& run) {
  const std::string& id = run.str();
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
  };
  const bool good =
      !id.empty() && id.size() <= 128 && id.front() != '.' && std::ranges::all_of(id, allowed);
  if (good) return {};
  return make_error(Code::kInvalidArgument,
                    "\"{}\" is no run id: 1 to 128 letters, digits, '-', '_' and '.'", id);
}

Error in_use(const model::RunId& run, const std::vector<std::string>& users) {
  Error error =
      make_error(Code::kFailedPrecondition,
                 "artifacts of run {} are also those of {}, which took them from the "
                 "cache: remove {} first",
                 run.str(), fmt::join(users, ", "), users.size() == 1 ? "that one" : "those");
  error.reason = "run.in_use";
  return error;
}

Error held(const model::RunId& run) {
  Error error =
      make_error(Code::kFailedPrecondition,
                 "run {} stays while a backup is being made: try again when it is done", run.str());
  error.reason = "store.held";
  return error;
}

// Run ids do not begin with a dot, so this name is free. Who removes shares it, who holds removals
// has it alone.
constexpr const char* kRemovals = ".removals";

Error owned(const model::RunId& run) {
  Error error =
      make_error(Code::kFailedPrecondition, "run {} is being driven by another process", run.str());
  error.reason = "run.owned";
  return error;
}

// What a database that is absent or empty has left behind; empty when there is nothing.
std::string remains_in_folders(const StoreOptions& options) {
  std::error_code error;
  for (const std::string& folder : options.filled_after) {
    std::int64_t count = 0;
    for (std::filesystem::directory_iterator at(folder, error), end; !error && at != end;
         at.increment(error))
      ++count;
    if (count > 0)
      return fmt::format("{} holds {} {}", folder, count, count == 1 ? "thing" : "things");
  }
  return {};
}

// The file has its first page before the log has anything.
std::string remains_in_log(const StoreOptions& options) {
  std::error_code error;
  const std::string log = options.database + "-wal";
  const std::uintmax_t size = std::filesystem::file_size(log, error);
  return error || size == 0 ? std::string() : log + " has bytes";
}

Error lost(const std::string& database, std::string_view how, std::string_view remains) {
  Error error = make_error(
      Code::kDataLoss,
      "{} {}, but {}: a new database would know none of it; put the database back from a backup "
      "(`cresset restore` makes a home of one), or move the home away to begin anew",
      database, how, remains);
  error.reason = "store.lost";
  return error;
}

// Before SQLite looks, which removes the log of an empty file. A journal is there only while the
// database is made; what comes of it is seen when it is open.
Result<void> check_not_lost(const StoreOptions& options, const std::string& remains) {
  std::error_code error;
  if (remains.empty() || std::filesystem::exists(options.database + "-journal", error)) return {};
  const std::uintmax_t size = std::filesystem::file_size(options.database, error);
  if (error == std::errc::no_such_file_or_directory)
    return lost(options.database, "is not there", remains);
  if (!error && size == 0) return lost(options.database, "is empty", remains);
  return {};
}

Error unfinished(const model::RunId& run) {
  Error error =
      make_error(Code::kFailedPrecondition,
                 "run {} has not ended: cancel it, or let it end, and remove it then", run.str());
  error.reason = "run.unfinished";
  return error;
}

// The number of that text, which many runs may have. Inside the caller's transaction. One that is
// there is not read: it may be large.
Result<std::int64_t> store_spec(Database& database, const std::string& text) {
  const std::string digest = sha256_hex(text);
  {
    CR_TRY(Statement query, database.prepare("SELECT number FROM spec WHERE digest = ?1"));
    CR_TRY(const bool known, query.bind(digest).step());
    if (known) return query.integer(0);
  }
  CR_TRY(Statement insert,
         database.prepare("INSERT INTO spec (digest, text) VALUES (?1, ?2) RETURNING number"));
  CR_TRY(const bool row, insert.bind(digest, text).step());
  CHECK(row);
  return insert.integer(0);
}

}  // namespace

SqliteStore::SqliteStore(StoreOptions options, std::unique_ptr<Database> database)
    : options_(std::move(options)), database_(std::move(database)) {}
SqliteStore::~SqliteStore() = default;

Result<std::unique_ptr<SqliteStore>> SqliteStore::open(StoreOptions options) {
  // Looked at before the file: who makes it now has filled none of them yet.
  const std::string remains = remains_in_folders(options);
  if (options.vfs.empty()) {
    CR_TRY_VOID(check_not_lost(options, remains.empty() ? remains_in_log(options) : remains));
    CR_TRY_VOID(make_private_folders(std::filesystem::path(options.database).parent_path()));
  }
  CR_TRY(std::unique_ptr<Database> database,
         Database::open(options.database, options.busy_timeout, options.vfs));
  // Until the file is known to be ours nothing is made and nothing is written.
  CR_TRY(const bool is_new, check_schema(*database));
  if (is_new && !remains.empty()) return lost(options.database, "is empty", remains);
  if (options.locks == nullptr) {
    CR_TRY_VOID(make_private_folders(options.locks_dir));
    options.locks = std::make_shared<FileLocks>(options.locks_dir);
  }
  CR_TRY_VOID(database->settle_doubt());
  CR_TRY_VOID(prepare_schema(*database, *options.locks));
  return std::unique_ptr<SqliteStore>(new SqliteStore(std::move(options), std::move(database)));
}

Result<std::int64_t> SqliteStore::number_of(const model::RunId& run) {
  CR_TRY(Statement query, database_->prepare("SELECT number FROM run WHERE id = ?1"));
  CR_TRY(const bool found, query.bind(run.str()).step());
  if (!found) return no_such_run(run);
  return query.integer(0);
}

Result<void> SqliteStore::create_run(const ports::RunRecord& record,
                                     const ports::RunDefinition& definition) {
  CR_TRY_VOID(check_run_id(record.id));
  const std::string options = text::to_json(definition.options);
  CR_TRY(Transaction transaction, Transaction::begin(*database_));
  {
    CR_TRY(Statement insert,
           database_->prepare(
               "INSERT INTO run (id, name, pipeline, state, created_at, started_at, "
               "finished_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO NOTHING"));
    CR_TRY_VOID(insert
                    .bind(record.id.str(), record.name, record.pipeline,
                          model::to_string(record.state), record.created_at, record.started_at,
                          record.finished_at)
                    .run());
    if (database_->changed_rows() == 0) {
      return make_error(Code::kAlreadyExists, "there is a run {} already", record.id.str());
    }
  }
  CR_TRY(const std::int64_t number, number_of(record.id));
  CR_TRY(const std::int64_t spec, store_spec(*database_, definition.spec));
  {
    CR_TRY(Statement insert, database_->prepare("INSERT INTO definition VALUES (?1, ?2, ?3, ?4)"));
    CR_TRY_VOID(insert.bind(number, definition.file_name, spec, options).run());
  }
  if (auto used = insert_uses(*database_, number, definition.uses); !used) {
    Error error = std::move(used).error();
    // Nobody's lease was lost: what the run is to be made of is not there.
    if (error.reason == "run.source_gone") error.code = Code::kFailedPrecondition;
    return error;
  }
  return transaction.commit();
}

Result<std::uint64_t> SqliteStore::next_token(const model::RunId& run) {
  CR_TRY(Transaction transaction, Transaction::begin(*database_));
  std::uint64_t token = 0;
  {
    CR_TRY(Statement update,
           database_->prepare("UPDATE run SET token = token + 1 WHERE id = ?1 RETURNING token"));
    CR_TRY(const bool found, update.bind(run.str()).step());
    if (!found) return no_such_run(run);
    token = static_cast<std::uint64_t>(update.integer(0));
  }
  CR_TRY_VOID(transaction.commit());
  return token;
}

Result<std::unique_ptr<ports::Lease>> SqliteStore::acquire(const model::RunId& run) {
  CR_TRY_VOID(number_of(run));  // before a lock file is made for it
  CR_TRY(std::unique_ptr<Lock> lock, options_.locks->try_lock(run.str()));
  if (lock == nullptr) return owned(run);
  CR_TRY(const std::uint64_t token, next_token(run));
  return std::unique_ptr<ports::Lease>(std::make_unique<HeldLease>(run, token, std::move(lock)));
}

Result<bool> SqliteStore::is_owned(const model::RunId& run) {
  CR_TRY_VOID(number_of(run));
  return options_.locks->is_locked(run.str());
}

Result<std::unique_ptr<ports::RemovalHold>> SqliteStore::hold_removals() {
  std::unique_ptr<Lock> lock;
  auto locked = options_.locks->wait(kRemovals);
  // Where nothing can be written, nothing is removed.
  if (!locked && locked.error().reason != "disk.read_only") return std::move(locked).error();
  if (locked) lock = *std::move(locked);
  return std::unique_ptr<ports::RemovalHold>(std::make_unique<Hold>(std::move(lock)));
}

Result<void> SqliteStore::check_finished(const model::RunId& run) {
  CR_TRY(Statement query, database_->prepare("SELECT 1 FROM run WHERE id = ?1 AND state IN "
                                             "('PENDING', 'RUNNING')"));
  CR_TRY(const bool goes_on, query.bind(run.str()).step());
  if (goes_on) return unfinished(run);
  return {};
}

Result<void> SqliteStore::check_unused(const model::RunId& run) {
  CR_TRY(Statement query,
         database_->prepare("SELECT user.id FROM artifact_use JOIN run AS user ON user.number = "
                            "artifact_use.user JOIN run AS source ON source.number = "
                            "artifact_use.source WHERE source.id = ?1 ORDER BY user.number"));
  query.bind(run.str());
  std::vector<std::string> users;
  for (;;) {
    CR_TRY(const bool row, query.step());
    if (!row) break;
    users.push_back(query.bytes(0));
  }
  if (users.empty()) return {};
  return in_use(run, users);
}

Result<void> SqliteStore::remove_run(const model::RunId& run) {
  CR_TRY_VOID(number_of(run));
  CR_TRY(const std::unique_ptr<Lock> share, options_.locks->try_share(kRemovals));
  if (share == nullptr) return held(run);
  CR_TRY(const std::unique_ptr<Lock> lock, options_.locks->try_lock(run.str()));
  if (lock == nullptr) return owned(run);
  CR_TRY(Transaction transaction, Transaction::begin(*database_));
  // Inside the transaction: a retry or a hit that was committed before it is seen, a later one
  // fails.
  CR_TRY_VOID(check_finished(run));
  CR_TRY_VOID(check_unused(run));
  {
    CR_TRY(Statement remove, database_->prepare("DELETE FROM run WHERE id = ?1"));
    CR_TRY_VOID(remove.bind(run.str()).run());
  }
  {
    CR_TRY(Statement remove,
           database_->prepare("DELETE FROM spec WHERE NOT EXISTS (SELECT 1 FROM definition WHERE "
                              "spec_number = spec.number)"));
    CR_TRY_VOID(remove.run());
  }
  CR_TRY_VOID(transaction.commit());
  // The run is gone, whatever becomes of the file: gc finds one that nobody's run needs.
  static_cast<void>(lock->remove_name());
  return {};
}

Result<void> SqliteStore::withdraw_step(const model::RunId& run, std::uint32_t task) {
  CR_TRY(Transaction transaction, Transaction::begin(*database_));
  CR_TRY(const std::int64_t number, number_of(run));
  {
    CR_TRY(Statement update,
           database_->prepare("UPDATE step SET reusable = 0 WHERE run = ?1 AND task = ?2"));
    CR_TRY_VOID(update.bind(number, task).run());
  }
  return transaction.commit();
}

Result<void> SqliteStore::post(const model::RunId& run, ports::Command command) {
  CR_TRY(Transaction transaction, Transaction::begin(*database_));
  CR_TRY(const std::int64_t number, number_of(run));
  {
    CR_TRY(Statement insert,
           database_->prepare("INSERT INTO command (run, command) VALUES (?1, ?2)"));
    CR_TRY_VOID(insert.bind(number, command_name(command)).run());
  }
  return transaction.commit();
}

}  // namespace cresset::sqlite
