#include "cresset/adapters/sqlite/sqlite_store.h"

#include <algorithm>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <utility>

#include "cresset/adapters/sqlite/database.h"
#include "cresset/adapters/sqlite/file_lock.h"
#include "cresset/adapters/sqlite/rows.h"
#include "cresset/adapters/sqlite/schema.h"
#include "cresset/text/json.h"

// Opening, runs and leases. commit() is in commit.cc, what only reads is in queries.cc.
namespace cresset::sqlite {

namespace {

class HeldLease final : public ports::Lease {
 public:
  HeldLease(model::RunId run, std::uint64_t token, FileLock lock)
      : run_(std::move(run)), token_(token), lock_(std::move(lock)) {}
  [[nodiscard]] const model::RunId& run() const override { return run_; }
  [[nodiscard]] std::uint64_t token() const override { return token_; }

 private:
  model::RunId run_;
  std::uint64_t token_;
  FileLock lock_;
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

Error owned(const model::RunId& run) {
  Error error =
      make_error(Code::kFailedPrecondition, "run {} is being driven by another process", run.str());
  error.reason = "run.owned";
  return error;
}

}  // namespace

SqliteStore::SqliteStore(StoreOptions options, std::unique_ptr<Database> database)
    : options_(std::move(options)), database_(std::move(database)) {}
SqliteStore::~SqliteStore() = default;

Result<std::unique_ptr<SqliteStore>> SqliteStore::open(StoreOptions options) {
  CR_TRY_VOID(make_private_folders(std::filesystem::path(options.database).parent_path()));
  CR_TRY_VOID(make_private_folders(options.locks_dir));
  CR_TRY(std::unique_ptr<Database> database,
         Database::open(options.database, options.busy_timeout));
  CR_TRY_VOID(prepare_schema(*database, options.locks_dir));
  return std::unique_ptr<SqliteStore>(new SqliteStore(std::move(options), std::move(database)));
}

std::string SqliteStore::lock_path(const model::RunId& run) const {
  return options_.locks_dir + "/" + run.str();
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
  {
    CR_TRY(Statement insert, database_->prepare("INSERT INTO definition VALUES (?1, ?2, ?3, ?4)"));
    CR_TRY_VOID(insert.bind(number, definition.file_name, definition.spec, options).run());
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
  CR_TRY(std::optional<FileLock> lock, FileLock::try_lock(lock_path(run)));
  if (!lock) return owned(run);
  CR_TRY(const std::uint64_t token, next_token(run));
  return std::unique_ptr<ports::Lease>(std::make_unique<HeldLease>(run, token, std::move(*lock)));
}

Result<void> SqliteStore::remove_run(const model::RunId& run) {
  CR_TRY_VOID(number_of(run));
  CR_TRY(std::optional<FileLock> lock, FileLock::try_lock(lock_path(run)));
  if (!lock) return owned(run);
  CR_TRY(Transaction transaction, Transaction::begin(*database_));
  {
    CR_TRY(Statement remove, database_->prepare("DELETE FROM run WHERE id = ?1"));
    CR_TRY_VOID(remove.bind(run.str()).run());
  }
  CR_TRY_VOID(transaction.commit());
  return lock->remove_file();
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
