#include "cresset/adapters/sqlite/sqlite_store.h"

#include <signal.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>

#include "cresset/adapters/sqlite/file_lock.h"
#include "cresset/ports/testing/metadata_store_contract.h"
#include "cresset/ports/testing/temp_folder.h"

namespace cresset::sqlite {
namespace {

using ports::testing::make_run_record;
using ports::testing::make_step;
using ports::testing::TempFolder;
using ::testing::HasSubstr;

StoreOptions options_in(const TempFolder& folder) {
  return {folder / "home/cresset.db", folder / "home/locks", std::chrono::milliseconds{2000}};
}

std::unique_ptr<SqliteStore> open_in(const TempFolder& folder) {
  Result<std::unique_ptr<SqliteStore>> store = SqliteStore::open(options_in(folder));
  EXPECT_TRUE(store) << store.error().text();
  return store ? *std::move(store) : nullptr;
}

struct SqliteWorld {
  std::unique_ptr<ports::MetadataStore> open() { return open_in(folder); }
  // Whoever opens the path from now on locks another file.
  void break_lock(const model::RunId& run) {
    std::filesystem::remove(folder / ("home/locks/" + run.str()));
  }
  TempFolder folder;
};

}  // namespace
}  // namespace cresset::sqlite

namespace cresset::ports::testing {
INSTANTIATE_TYPED_TEST_SUITE_P(Sqlite, MetadataStoreContract, sqlite::SqliteWorld);
}  // namespace cresset::ports::testing

namespace cresset::sqlite {
namespace {

// Runs SQL on the file, as another program would.
void execute(const std::string& path, const char* sql) {
  sqlite3* database = nullptr;
  ASSERT_EQ(sqlite3_open(path.c_str(), &database), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(database, sql, nullptr, nullptr, nullptr), SQLITE_OK)
      << sqlite3_errmsg(database);
  sqlite3_close(database);
}

std::string content_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void write(const std::string& path, const std::string& content) {
  std::ofstream(path, std::ios::binary) << content;
}

// A store with one run that has events and a step.
void fill(const TempFolder& folder) {
  const std::unique_ptr<SqliteStore> store = open_in(folder);
  ASSERT_TRUE(store->create_run(make_run_record("r1"), {"a.yaml", "spec", Value::make_struct()}));
  const auto lease = store->acquire(model::RunId("r1")).value();
  ports::Commit commit;
  commit.events = {{1, WallTime{Duration{10}}, "{}"}};
  commit.steps = {make_step(1, "train", "k")};
  ASSERT_TRUE(store->commit(*lease, commit));
}

TEST(SqliteStore, IsForItsOwnerAlone) {
  const TempFolder folder;
  const mode_t before = ::umask(0);
  fill(folder);
  ::umask(before);
  for (const char* name : {"home", "home/locks", "home/cresset.db"}) {
    struct stat status{};
    ASSERT_EQ(::stat((folder / name).c_str(), &status), 0) << name;
    EXPECT_EQ(status.st_mode & 077, 0u) << name;
  }
}

TEST(SqliteStore, OpensWhatItHasMade) {
  const TempFolder folder;
  fill(folder);
  const std::unique_ptr<SqliteStore> store = open_in(folder);
  EXPECT_EQ(store->events(model::RunId("r1"), 0)->size(), 1u);
  EXPECT_TRUE(store->step(model::RunId("r1"), 1)->has_value());
}

std::int64_t count(const std::string& path, const std::string& table) {
  sqlite3* connection = nullptr;
  EXPECT_EQ(sqlite3_open(path.c_str(), &connection), SQLITE_OK);
  sqlite3_stmt* query = nullptr;
  const std::string sql = "SELECT count(*) FROM " + table;
  EXPECT_EQ(sqlite3_prepare_v2(connection, sql.c_str(), -1, &query, nullptr), SQLITE_OK);
  EXPECT_EQ(sqlite3_step(query), SQLITE_ROW);
  const std::int64_t rows = sqlite3_column_int64(query, 0);
  sqlite3_finalize(query);
  sqlite3_close(connection);
  return rows;
}

TEST(SqliteStore, KeepsEachSpecOnceAndAsLongAsARunHasIt) {
  const TempFolder folder;
  const std::unique_ptr<SqliteStore> store = open_in(folder);
  const auto create = [&](const std::string& id, const std::string& spec) {
    ports::RunRecord record = make_run_record(id);
    record.state = model::State::kSucceeded;
    ASSERT_TRUE(store->create_run(record, {"a.yaml", spec, Value::make_struct()}));
  };
  const std::string path = folder / "home/cresset.db";
  create("r1", "shared");
  create("r2", "shared");
  create("r3", "another");
  EXPECT_EQ(count(path, "spec"), 2);
  ASSERT_TRUE(store->remove_run(model::RunId("r1")));
  EXPECT_EQ(count(path, "spec"), 2);
  ASSERT_TRUE(store->remove_run(model::RunId("r2")));
  EXPECT_EQ(count(path, "spec"), 1);
}

TEST(SqliteStore, ReadsTogetherFromOneMoment) {
  const TempFolder folder;
  fill(folder);
  const std::unique_ptr<SqliteStore> store = open_in(folder);
  const std::unique_ptr<SqliteStore> other = open_in(folder);
  const auto create = [&](const std::string& id) {
    ASSERT_TRUE(other->create_run(make_run_record(id), {"a.yaml", "spec", Value::make_struct()}));
  };
  {
    const std::unique_ptr<ports::ReadScope> together = store->read_together();
    EXPECT_EQ(store->list_runs()->size(), 1u);
    create("r2");
    EXPECT_EQ(store->list_runs()->size(), 1u);
  }
  EXPECT_EQ(store->list_runs()->size(), 2u);
  EXPECT_TRUE(store->create_run(make_run_record("r3"), {"a", "b", Value::make_struct()}));
}

// What schema 2 added is worked out from the events that are there.
TEST(SqliteStore, BringsTheFirstSchemaUpToDate) {
  const TempFolder folder;
  {
    const std::unique_ptr<SqliteStore> store = open_in(folder);
    for (const char* id : {"source", "user", "other"}) {
      ASSERT_TRUE(store->create_run(make_run_record(id), {"a.yaml", "spec", Value::make_struct()}));
      const auto lease = store->acquire(model::RunId(id)).value();
      ports::Commit commit;
      const std::string artifacts = id == std::string("user") ? R"({"data":[{}]})" : "{}";
      commit.events = {
          {1, WallTime{Duration{10}}, R"({"event":"submitted"})"},
          {2, WallTime{Duration{10}}, "no JSON"},
          {3, WallTime{Duration{10}},
           R"({"event":"cache_hit","task":0,"from":"source","outputs":{"parameters":{},"artifacts":)" +
               artifacts + "}}"}};
      commit.record = make_run_record(id);
      commit.record->state = model::State::kSucceeded;
      ASSERT_TRUE(store->commit(*lease, commit));
    }
  }
  execute(folder / "home/cresset.db", R"sql(
    DROP TABLE artifact_use;
    CREATE TABLE old (run INTEGER PRIMARY KEY REFERENCES run (number) ON DELETE CASCADE,
      file_name TEXT NOT NULL, spec TEXT NOT NULL, options TEXT NOT NULL) STRICT;
    INSERT INTO old SELECT run, file_name,
      CASE run WHEN 3 THEN 'its own' ELSE (SELECT text FROM spec WHERE number = spec_number) END,
      options FROM definition;
    PRAGMA foreign_keys = OFF;
    INSERT INTO old VALUES (99, 'of no run', 'lost', '{}');
    DROP TABLE definition;
    ALTER TABLE old RENAME TO definition;
    DROP TABLE spec;
    DROP INDEX step_by_key;
    CREATE INDEX step_by_key ON step (pipeline, key, run) WHERE reusable = 1 AND key <> '';
    PRAGMA user_version = 1;
  )sql");
  const std::unique_ptr<SqliteStore> store = open_in(folder);
  EXPECT_EQ(store->spec(model::RunId("source")).value(), "spec");
  EXPECT_EQ(store->spec(model::RunId("user")).value(), "spec");
  EXPECT_EQ(store->spec(model::RunId("other")).value(), "its own");
  EXPECT_EQ(store->definition(model::RunId("other"))->file_name, "a.yaml");
  EXPECT_EQ(count(folder / "home/cresset.db", "spec"), 2);
  EXPECT_THAT(*store->uses(),
              ::testing::ElementsAre(ports::RunUse{model::RunId("user"), model::RunId("source")}));
  EXPECT_EQ(store->remove_run(model::RunId("source")).error().reason, "run.in_use");
}

// The log of a newer program that was killed may hold what the file does not yet: neither changes.
TEST(SqliteStore, LeavesTheLogOfANewerCressetAlone) {
  const TempFolder folder;
  const std::string path = folder / "home/cresset.db";
  fill(folder);
  sqlite3* newer = nullptr;
  ASSERT_EQ(sqlite3_open(path.c_str(), &newer), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(newer, "PRAGMA wal_autocheckpoint = 0; PRAGMA user_version = 999;",
                         nullptr, nullptr, nullptr),
            SQLITE_OK);
  const TempFolder copies;  // as after a power cut: a log without the process that wrote it
  std::filesystem::create_directories(copies / "home");
  for (const char* name : {"home/cresset.db", "home/cresset.db-wal"})
    std::filesystem::copy_file(folder / name, copies / name);
  sqlite3_close(newer);

  const std::string copy = copies / "home/cresset.db";
  const std::string file = content_of(copy);
  const std::string log = content_of(copy + "-wal");
  ASSERT_FALSE(log.empty());
  const auto store = SqliteStore::open(options_in(copies));
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().reason, "store.newer_schema");
  EXPECT_TRUE(content_of(copy) == file);
  EXPECT_TRUE(content_of(copy + "-wal") == log);
  EXPECT_FALSE(std::filesystem::exists(copies / "home/locks"));
}

TEST(SqliteStore, ASnapshotHoldsWhatIsCommitted) {
  const TempFolder folder;
  fill(folder);
  const std::unique_ptr<SqliteStore> store = open_in(folder);
  const std::string copy = folder / "copy/cresset.db";
  std::filesystem::create_directories(folder / "copy");
  ASSERT_TRUE(store->snapshot(copy));
  struct stat info{};
  ASSERT_EQ(::stat(copy.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  ASSERT_TRUE(store->create_run(make_run_record("r2"), {"a.yaml", "spec", Value::make_struct()}));
  const auto opened = SqliteStore::open({copy, folder / "copy/locks"});
  ASSERT_TRUE(opened) << opened.error().text();
  EXPECT_EQ((*opened)->list_runs()->size(), 1u);
  EXPECT_EQ((*opened)->events(model::RunId("r1"), 0)->size(), 1u);
  EXPECT_THAT(*(*opened)->find_damage(), ::testing::IsEmpty());
  EXPECT_FALSE(store->snapshot(copy)) << "a file that is there is not written over";
}

TEST(SqliteStore, ASnapshotThatFindsNoRoomNamesItsOwnPlace) {
  const TempFolder folder;
  fill(folder);
  const std::unique_ptr<SqliteStore> store = open_in(folder);
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  ::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{8192, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const Result<void> made = store->snapshot(folder / "copy.db");
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, Code::kResourceExhausted);
  EXPECT_THAT(made.error().text(), HasSubstr(folder / "copy.db"));
  EXPECT_THAT(made.error().text(), ::testing::Not(HasSubstr("resume")));
  EXPECT_TRUE(store->snapshot(folder / "other.db")) << "the store itself is well";
}

// Files as they are, but none can be removed.
class LastingLocks final : public Locks {
 public:
  explicit LastingLocks(std::string folder) : locks_(std::move(folder)) {}
  Result<std::unique_ptr<Lock>> try_lock(const std::string& name) override {
    CR_TRY(std::unique_ptr<Lock> lock, locks_.try_lock(name));
    return std::unique_ptr<Lock>(std::make_unique<Lasting>(std::move(lock)));
  }
  Result<std::unique_ptr<Lock>> try_share(const std::string& name) override {
    return locks_.try_share(name);
  }
  Result<std::unique_ptr<Lock>> wait(const std::string& name) override { return locks_.wait(name); }
  Result<bool> is_locked(const std::string& name) override { return locks_.is_locked(name); }

 private:
  class Lasting final : public Lock {
   public:
    explicit Lasting(std::unique_ptr<Lock> lock) : lock_(std::move(lock)) {}
    Result<void> remove_name() override { return make_error(Code::kPermissionDenied, "no"); }

   private:
    std::unique_ptr<Lock> lock_;
  };

  FileLocks locks_;
};

TEST(SqliteStore, ARunIsRemovedThoughItsLockFileCannotBe) {
  const TempFolder folder;
  fill(folder);
  StoreOptions options = options_in(folder);
  options.locks = std::make_shared<LastingLocks>(options.locks_dir);
  const auto store = SqliteStore::open(options);
  ASSERT_TRUE(store) << store.error().text();
  ports::RunRecord record = make_run_record("r2");
  record.state = model::State::kSucceeded;
  ASSERT_TRUE((*store)->create_run(record, {"a.yaml", "spec", Value::make_struct()}));
  const auto removed = (*store)->remove_run(record.id);
  EXPECT_TRUE(removed) << removed.error().text();
  EXPECT_FALSE((*store)->find_run(record.id));
}

TEST(SqliteStore, FindsWhatIsWrong) {
  const TempFolder folder;
  fill(folder);
  EXPECT_THAT(*open_in(folder)->find_damage(), ::testing::IsEmpty());
  execute(folder / "home/cresset.db", "INSERT INTO command (run, command) VALUES (99, 'kill')");
  EXPECT_THAT(*open_in(folder)->find_damage(), ::testing::Contains(HasSubstr("table command")));
}

TEST(SqliteStore, FindsADamagedIndex) {
  const TempFolder folder;
  fill(folder);
  execute(folder / "home/cresset.db",
          "PRAGMA writable_schema = ON;"
          "UPDATE sqlite_schema SET sql = replace(sql, 'created_at', 'finished_at') "
          "WHERE name = 'run_by_age'");
  EXPECT_THAT(*open_in(folder)->find_damage(), ::testing::Contains(HasSubstr("run_by_age")));
}

TEST(SqliteStore, IsNotMadeBesideWhatWasStoredWithAnotherOne) {
  const auto open = [](const TempFolder& folder) {
    StoreOptions options{.database = folder / "home/cresset.db",
                         .locks_dir = folder / "home/locks"};
    options.filled_after = {folder / "home/runs"};
    return SqliteStore::open(std::move(options));
  };
  for (const bool is_empty : {false, true}) {
    for (const char* left : {"runs/r1", "cresset.db-wal"}) {
      const TempFolder folder;
      std::filesystem::create_directories(folder / "home/runs");
      if (is_empty) std::ofstream{std::string(folder / "home/cresset.db")};
      std::ofstream(std::string(folder / "home" + "/" + left)) << "bytes";
      const auto opened = open(folder);
      ASSERT_FALSE(opened) << left;
      EXPECT_EQ(opened.error().code, Code::kDataLoss);
      EXPECT_EQ(opened.error().reason, "store.lost");
      EXPECT_THAT(opened.error().message, HasSubstr(is_empty ? "is empty" : "is not there"));
      EXPECT_THAT(opened.error().message, HasSubstr(folder / "home"));
      EXPECT_EQ(std::filesystem::exists(std::string(folder / "home/cresset.db")), is_empty);
      EXPECT_TRUE(std::filesystem::exists(folder / "home" + "/" + left));
    }
  }
  const TempFolder folder;
  std::filesystem::create_directories(folder / "home/runs");
  EXPECT_TRUE(open(folder)) << "nothing was stored";
  std::ofstream(std::string(folder / "home/runs/r1")) << "bytes";
  EXPECT_TRUE(open(folder)) << "the database is there";
}

TEST(SqliteStore, IsMadeOnceByManyAtATime) {
  constexpr int kRounds = 40;
  constexpr int kProcesses = 6;
  for (int round = 0; round < kRounds; ++round) {
    const TempFolder folder;
    std::filesystem::create_directories(folder / "home/runs");
    std::vector<pid_t> children;
    for (int i = 0; i < kProcesses; ++i) {
      const pid_t child = ::fork();
      if (child == 0) {
        StoreOptions options = options_in(folder);
        options.filled_after = {folder / "home/runs"};
        const auto opened = SqliteStore::open(std::move(options));
        EXPECT_TRUE(opened) << opened.error().text();
        ::_exit(opened ? 0 : 1);
      }
      children.push_back(child);
    }
    for (const pid_t child : children) {
      int status = 1;
      ASSERT_EQ(::waitpid(child, &status, 0), child);
      EXPECT_EQ(status, 0) << "in round " << round;
    }
  }
}

TEST(SqliteStore, IsSetUpAnewFromAnEmptyFile) {
  const TempFolder folder;
  std::filesystem::create_directories(folder / "home");
  write(folder / "home/cresset.db", "");
  fill(folder);
  EXPECT_EQ(open_in(folder)->list_runs()->size(), 1u);
}

TEST(SqliteStore, RefusesTheFileOfANewerCressetAndLeavesItAlone) {
  const TempFolder folder;
  fill(folder);
  const std::string path = folder / "home/cresset.db";
  execute(path, "PRAGMA user_version = 999");
  const std::string before = content_of(path);
  const auto store = SqliteStore::open(options_in(folder));
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code, Code::kFailedPrecondition);
  EXPECT_EQ(store.error().reason, "store.newer_schema");
  EXPECT_THAT(store.error().text(), HasSubstr("schema 999"));
  EXPECT_TRUE(content_of(path) == before);
}

TEST(SqliteStore, RefusesTheDatabaseOfAnotherProgramAndLeavesItAlone) {
  const char* foreign[] = {
      "CREATE TABLE cats (name TEXT)",
      "PRAGMA application_id = 12345",
      "PRAGMA user_version = 1",
  };
  for (const char* sql : foreign) {
    SCOPED_TRACE(sql);
    const TempFolder folder;
    std::filesystem::create_directories(folder / "home");
    const std::string path = folder / "home/cresset.db";
    execute(path, sql);
    const std::string before = content_of(path);
    const auto store = SqliteStore::open(options_in(folder));
    ASSERT_FALSE(store);
    EXPECT_EQ(store.error().reason, "store.foreign");
    EXPECT_TRUE(content_of(path) == before);
  }
}

TEST(SqliteStore, SaysThatAFileIsNoDatabase) {
  const TempFolder folder;
  std::filesystem::create_directories(folder / "home");
  write(folder / "home/cresset.db", std::string(8192, 'x'));
  const auto store = SqliteStore::open(options_in(folder));
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code, Code::kDataLoss);
  EXPECT_THAT(store.error().text(), HasSubstr("cresset.db"));
}

// Whatever is damaged, there is an answer: data, or an error that says so.
TEST(SqliteStore, SurvivesADamagedPage) {
  const TempFolder folder;
  fill(folder);
  const std::string path = folder / "home/cresset.db";
  execute(path, "PRAGMA wal_checkpoint(TRUNCATE)");
  const std::string whole = content_of(path);
  ASSERT_GT(whole.size(), 4096u * 4);
  int refused = 0;
  for (std::size_t page = 0; page < whole.size() / 4096; ++page) {
    std::string damaged = whole;
    damaged.replace(page * 4096 + (page == 0 ? 100 : 0), 600, std::string(600, '\xa5'));
    write(path, damaged);
    const auto store = SqliteStore::open(options_in(folder));
    if (!store) {
      EXPECT_EQ(store.error().code, Code::kDataLoss) << store.error().text();
      ++refused;
      continue;
    }
    for (const Code code : {(*store)->list_runs() ? Code::kOk : (*store)->list_runs().error().code,
                            (*store)->events(model::RunId("r1"), 0)
                                ? Code::kOk
                                : (*store)->events(model::RunId("r1"), 0).error().code}) {
      EXPECT_TRUE(code == Code::kOk || code == Code::kDataLoss || code == Code::kNotFound);
      if (code == Code::kDataLoss) ++refused;
    }
  }
  EXPECT_GT(refused, 0);
}

TEST(SqliteStore, SaysWhichValueMakesNoSense) {
  const TempFolder folder;
  fill(folder);
  const std::string path = folder / "home/cresset.db";
  execute(path, "UPDATE run SET state = 'DANCING'");
  EXPECT_EQ(open_in(folder)->list_runs().error().code, Code::kDataLoss);
  execute(path,
          "UPDATE run SET state = 'RUNNING'; UPDATE definition SET options = '{';"
          "UPDATE step SET parts = 'x';");
  const std::unique_ptr<SqliteStore> store = open_in(folder);
  EXPECT_EQ(store->definition(model::RunId("r1")).error().code, Code::kDataLoss);
  EXPECT_EQ(store->step(model::RunId("r1"), 1).error().code, Code::kDataLoss);
}

TEST(SqliteStore, SaysThatItsFolderCannotBeMade) {
  const TempFolder folder;
  write(folder / "home", "a file");
  const auto store = SqliteStore::open(options_in(folder));
  ASSERT_FALSE(store);
  EXPECT_THAT(store.error().text(), HasSubstr("home"));
}

TEST(SqliteStore, WaitsForAnotherCommitAndGivesUpInTime) {
  const TempFolder folder;
  fill(folder);
  StoreOptions options = options_in(folder);
  options.busy_timeout = std::chrono::milliseconds{20};
  const auto store = SqliteStore::open(options).value();
  sqlite3* other = nullptr;
  ASSERT_EQ(sqlite3_open((folder / "home/cresset.db").c_str(), &other), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(other, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr), SQLITE_OK);
  EXPECT_EQ(store->create_run(make_run_record("r2"), {}).error().code, Code::kUnavailable);
  EXPECT_EQ(store->list_runs()->size(), 1u) << "readers do not wait";
  sqlite3_exec(other, "ROLLBACK", nullptr, nullptr, nullptr);
  sqlite3_close(other);
  EXPECT_TRUE(store->create_run(make_run_record("r2"), {}));
}

TEST(SqliteStore, RollsBackACommitThatFailsHalfWay) {
  const TempFolder folder;
  fill(folder);
  execute(folder / "home/cresset.db",
          "CREATE TRIGGER no_step BEFORE INSERT ON step BEGIN SELECT raise(ABORT, 'no'); END");
  const std::unique_ptr<SqliteStore> store = open_in(folder);
  const auto lease = store->acquire(model::RunId("r1")).value();
  ports::Commit commit;
  commit.events = {{2, WallTime{Duration{20}}, "{}"}};
  commit.steps = {make_step(2, "eval", "e")};
  EXPECT_FALSE(store->commit(*lease, commit));
  EXPECT_EQ(store->events(model::RunId("r1"), 0)->size(), 1u);
  commit.steps.clear();
  EXPECT_TRUE(store->commit(*lease, commit)) << "the store is usable afterwards";
}

// ---- Several processes ----

// A process that runs `body` and exits with its answer; it owns nothing of its parent's.
class Child {
 public:
  explicit Child(const std::function<int(int ready)>& body) {
    int pipe[2];
    EXPECT_EQ(::pipe(pipe), 0);
    pid_ = ::fork();
    if (pid_ == 0) {
      ::close(pipe[0]);
      ::_exit(body(pipe[1]));
    }
    ::close(pipe[1]);
    ready_ = pipe[0];
  }
  ~Child() {
    kill();
    ::close(ready_);
  }
  void wait_until_ready() const {
    char byte = 0;
    EXPECT_EQ(::read(ready_, &byte, 1), 1);
  }
  int join() {
    int status = 0;
    EXPECT_EQ(::waitpid(std::exchange(pid_, 0), &status, 0) > 0, true);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  void kill() {
    if (pid_ == 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(std::exchange(pid_, 0), nullptr, 0);
  }

 private:
  pid_t pid_ = 0;
  int ready_ = -1;
};

void say_ready(int descriptor) {
  if (::write(descriptor, "r", 1) != 1) ::_exit(9);
}

TEST(SqliteStoreProcesses, ALeaseEndsWithItsProcess) {
  const TempFolder folder;
  fill(folder);
  Child child([&](int ready) {
    const auto store = SqliteStore::open(options_in(folder));
    if (!store) return 1;
    const auto lease = (*store)->acquire(model::RunId("r1"));
    if (!lease) return 2;
    ports::Commit commit;
    commit.events = {{2, WallTime{Duration{20}}, "of the child"}};
    if (!(*store)->commit(**lease, commit)) return 3;
    say_ready(ready);
    while (true) ::pause();
  });
  child.wait_until_ready();
  const std::unique_ptr<SqliteStore> store = open_in(folder);
  EXPECT_EQ(store->acquire(model::RunId("r1")).error().reason, "run.owned");
  EXPECT_EQ(store->remove_run(model::RunId("r1")).error().reason, "run.owned");
  EXPECT_EQ(store->events(model::RunId("r1"), 0)->back().payload, "of the child");
  child.kill();
  const auto lease = store->acquire(model::RunId("r1"));
  ASSERT_TRUE(lease) << lease.error().text();
  EXPECT_EQ((*lease)->token(), 3u) << "the second owner after fill()";
}

TEST(SqliteStoreProcesses, SaysThatItCannotWrite) {
  constexpr uid_t kNobody = 65534;
  const TempFolder folder;
  fill(folder);
  ASSERT_EQ(::chmod((folder / "home/cresset.db").c_str(), 0400), 0);
  ASSERT_EQ(::chmod((folder / "home").c_str(), 0500), 0);
  const bool is_root = ::geteuid() == 0;
  if (is_root) {
    for (const char* name : {".", "home", "home/locks", "home/cresset.db"})
      ASSERT_EQ(::chown((folder / name).c_str(), kNobody, kNobody), 0);
  }
  Child child([&](int) {
    if (is_root && ::setuid(kNobody) != 0) return 50;
    const auto store = SqliteStore::open(options_in(folder));
    const Result<void> created =
        store ? (*store)->create_run(make_run_record("r2"), {}) : Result<void>(store.error());
    return created ? 51 : static_cast<int>(created.error().code);
  });
  EXPECT_EQ(child.join(), static_cast<int>(Code::kPermissionDenied));
  ::chmod((folder / "home").c_str(), 0700);
}

TEST(SqliteStoreProcesses, ManyMeetAtAnEmptyHome) {
  const TempFolder folder;
  std::vector<std::unique_ptr<Child>> children;
  for (int i = 0; i < 6; ++i) {
    children.push_back(std::make_unique<Child>([&folder, i](int) {
      StoreOptions options = options_in(folder);
      options.busy_timeout = std::chrono::seconds{60};
      const auto store = SqliteStore::open(options);
      if (!store) return 1;
      const std::string id = "run" + std::to_string(i);
      if (!(*store)->create_run(make_run_record(id), {"a", "b", Value::make_struct()})) return 2;
      const auto lease = (*store)->acquire(model::RunId(id));
      if (!lease) return 3;
      for (std::uint64_t seq = 1; seq <= 20; ++seq) {
        ports::Commit commit;
        commit.events = {{seq, WallTime{Duration{static_cast<std::int64_t>(seq)}}, "{}"}};
        if (!(*store)->commit(**lease, commit)) return 4;
      }
      return 0;
    }));
  }
  for (const auto& child : children) EXPECT_EQ(child->join(), 0);
  const std::unique_ptr<SqliteStore> store = open_in(folder);
  const std::vector<ports::RunRecord> runs = store->list_runs().value();
  ASSERT_EQ(runs.size(), 6u);
  for (const ports::RunRecord& run : runs) EXPECT_EQ(store->events(run.id, 0)->size(), 20u);
}

// A commit is there whole or not at all, wherever its process is killed.
TEST(SqliteStoreProcesses, AKilledProcessLeavesWholeCommits) {
  const TempFolder folder;
  fill(folder);
  std::uint64_t last = 1;
  for (int round = 0; round < 5; ++round) {
    Child child([&](int ready) {
      const auto store = SqliteStore::open(options_in(folder));
      if (!store) return 1;
      const auto lease = (*store)->acquire(model::RunId("r1"));
      if (!lease) return 2;
      for (std::uint64_t seq = last + 1;; seq += 3) {
        ports::Commit commit;
        for (std::uint64_t i = seq; i < seq + 3; ++i)
          commit.events.push_back({i, WallTime{}, std::string(5000, 'e')});
        if (!(*store)->commit(**lease, commit)) return 3;
        if (seq == last + 1 + std::uint64_t{15} * static_cast<unsigned>(round)) say_ready(ready);
      }
    });
    child.wait_until_ready();
    child.kill();
    const std::unique_ptr<SqliteStore> store = open_in(folder);
    const auto events = store->events(model::RunId("r1"), 0);
    ASSERT_TRUE(events) << events.error().text();
    ASSERT_GE(events->size(), last + 3);
    EXPECT_EQ((events->size() - 1) % 3, 0u);
    last = events->size();
  }
}

}  // namespace
}  // namespace cresset::sqlite
