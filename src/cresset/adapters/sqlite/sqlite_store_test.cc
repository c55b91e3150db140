#include "cresset/adapters/sqlite/sqlite_store.h"

#include <signal.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>

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
          "UPDATE step SET parts = 'x'");
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
