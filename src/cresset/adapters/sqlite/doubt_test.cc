#include "cresset/adapters/sqlite/doubt.h"

#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "cresset/adapters/sqlite/database.h"
#include "cresset/adapters/sqlite/sqlite_store.h"
#include "cresset/base/check.h"
#include "cresset/ports/testing/metadata_store_contract.h"
#include "cresset/ports/testing/temp_folder.h"

namespace cresset::sqlite {
namespace {

using ports::testing::make_run_record;
using ports::testing::TempFolder;

// The operating system's files, where syncs of files whose name ends so fail. One at a time.
class FailingSyncs {
 public:
  FailingSyncs() {
    CHECK(current == nullptr);
    current = this;
    vfs_ = *sqlite3_vfs_find(nullptr);
    vfs_.zName = "failing-syncs";
    vfs_.xOpen = open;
    CHECK(sqlite3_vfs_register(&vfs_, 0) == SQLITE_OK);
  }
  ~FailingSyncs() {
    sqlite3_vfs_unregister(&vfs_);
    current = nullptr;
  }
  FailingSyncs(const FailingSyncs&) = delete;
  FailingSyncs& operator=(const FailingSyncs&) = delete;

  static constexpr int kDead = 77;

  void fail(std::string ending) { ending_ = std::move(ending); }
  void heal() { ending_ = "no such name"; }
  // Instead of the next failure.
  void die() { dies_ = true; }
  // Of files with that ending, since it was asked last.
  int syncs(const std::string& ending) {
    int count = 0;
    for (auto& [name, its] : syncs_) {
      if (name.ends_with(ending)) count += std::exchange(its, 0);
    }
    return count;
  }

 private:
  // All files of SQLite's VFS have one of a few tables of methods.
  struct Kind {
    sqlite3_io_methods methods{};
    int (*sync)(sqlite3_file*, int) = nullptr;
  };

  static int open(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags, int* out) {
    const int rc = sqlite3_vfs_find(nullptr)->xOpen(vfs, name, file, flags, out);
    if (rc != SQLITE_OK) return rc;
    Kind& kind = current->kinds_[file->pMethods];
    kind.methods = *file->pMethods;
    kind.sync = file->pMethods->xSync;
    kind.methods.xSync = sync;
    current->names_[file] = {name == nullptr ? "" : name, &kind};
    file->pMethods = &kind.methods;
    return rc;
  }

  static int sync(sqlite3_file* file, int flags) {
    const auto& [name, kind] = current->names_.at(file);
    ++current->syncs_[name];
    if (name.ends_with(current->ending_)) {
      if (current->dies_) ::_exit(kDead);
      return SQLITE_IOERR_FSYNC;
    }
    return kind->sync(file, flags);
  }

  inline static FailingSyncs* current = nullptr;

  sqlite3_vfs vfs_{};
  std::string ending_ = "no such name";
  bool dies_ = false;
  std::map<const sqlite3_io_methods*, Kind> kinds_;
  std::map<sqlite3_file*, std::pair<std::string, const Kind*>> names_;
  std::map<std::string, int> syncs_;
};

class DoubtTest : public ::testing::Test {
 protected:
  std::unique_ptr<SqliteStore> open() {
    Result<std::unique_ptr<SqliteStore>> store = SqliteStore::open(options_);
    EXPECT_TRUE(store) << store.error().text();
    return store ? *std::move(store) : nullptr;
  }
  static Result<void> create(SqliteStore& store, const std::string& id,
                             const std::string& spec = "spec") {
    return store.create_run(make_run_record(id), {"a.yaml", spec, Value::make_struct()});
  }
  // Another process, made before this one opens anything, which dies in the middle of a commit when
  // it is told to.
  std::function<void()> make_dying_writer() {
    int ends[2];
    EXPECT_EQ(::pipe(ends), 0);
    const pid_t child = ::fork();
    if (child == 0) {
      ::close(ends[1]);
      char told = 0;
      if (::read(ends[0], &told, 1) != 1) ::_exit(0);
      const std::unique_ptr<SqliteStore> store = open();
      syncs_.fail("-wal");
      syncs_.die();
      static_cast<void>(create(*store, "r9"));
      ::_exit(0);
    }
    return [child, ends] {
      EXPECT_EQ(::write(ends[1], "x", 1), 1);
      int status = 0;
      EXPECT_EQ(::waitpid(child, &status, 0), child);
      EXPECT_EQ(WEXITSTATUS(status), FailingSyncs::kDead);
      ::close(ends[0]);
      ::close(ends[1]);
    };
  }
  // As docs/formats/database.md describes it.
  [[nodiscard]] bool is_doubtful() const {
    std::array<std::uint64_t, 3> numbers{};
    std::ifstream(folder_ / "c.db-doubt").read(reinterpret_cast<char*>(numbers.data()), 24);
    return numbers[0] != numbers[1] || numbers[2] != 0;
  }

  TempFolder folder_;
  FailingSyncs syncs_;
  StoreOptions options_{folder_ / "c.db", folder_ / "locks", std::chrono::milliseconds{2000},
                        "failing-syncs"};
};

TEST_F(DoubtTest, NothingIsWrittenAfterAFailedSync) {
  const std::unique_ptr<SqliteStore> store = open();
  ASSERT_TRUE(create(*store, "r1"));
  EXPECT_FALSE(is_doubtful());
  syncs_.fail("-wal");
  const Result<void> failed = create(*store, "r2");
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, Code::kDataLoss);
  EXPECT_THAT(failed.error().text(), ::testing::HasSubstr("whether the last change is kept"));

  syncs_.heal();
  const Result<void> later = create(*store, "r3");
  ASSERT_FALSE(later) << "as if the sync had not failed";
  EXPECT_EQ(later.error().code, Code::kDataLoss);
  EXPECT_EQ(store->acquire(model::RunId("r1")).error().code, Code::kDataLoss);
  EXPECT_TRUE(store->find_run(model::RunId("r1"))) << "it may be read";
  EXPECT_TRUE(is_doubtful());
}

TEST_F(DoubtTest, TheNextToOpenWritesTheLogAgain) {
  std::unique_ptr<SqliteStore> store = open();
  ASSERT_TRUE(create(*store, "r1"));
  syncs_.fail("-wal");
  ASSERT_FALSE(create(*store, "r2"));
  store.reset();
  EXPECT_FALSE(SqliteStore::open(options_)) << "the disk still fails";
  EXPECT_TRUE(is_doubtful());

  syncs_.heal();
  syncs_.syncs("-wal");
  store = open();
  ASSERT_NE(store, nullptr);
  EXPECT_EQ(syncs_.syncs("-wal"), 2) << "before anything else is committed";
  EXPECT_FALSE(is_doubtful());
  EXPECT_TRUE(store->find_run(model::RunId("r1")));
  EXPECT_TRUE(create(*store, "r3"));

  store.reset();
  syncs_.syncs("-wal");
  store = open();
  EXPECT_EQ(syncs_.syncs("-wal"), 0) << "no doubt, no work";
}

// Nobody was told of a sync that failed: the process died of it, before it could do anything.
TEST_F(DoubtTest, WhoeverWritesAfterADeathWritesTheLogAgain) {
  const std::function<void()> die = make_dying_writer();
  const std::unique_ptr<SqliteStore> store = open();
  ASSERT_TRUE(create(*store, "r1"));
  die();
  EXPECT_TRUE(is_doubtful());
  syncs_.syncs("-wal");
  ASSERT_TRUE(create(*store, "r2"));
  EXPECT_EQ(syncs_.syncs("-wal"), 3) << "of the log as it was, of what settles it, of the commit";
  EXPECT_FALSE(is_doubtful());
}

TEST_F(DoubtTest, WhoeverOpensAfterADeathWritesTheLogAgain) {
  const std::function<void()> die = make_dying_writer();
  ASSERT_TRUE(create(*open(), "r1"));
  die();
  EXPECT_TRUE(is_doubtful());
  syncs_.syncs("-wal");
  const std::unique_ptr<SqliteStore> store = open();
  EXPECT_EQ(syncs_.syncs("-wal"), 2) << "before anything is read";
  EXPECT_FALSE(is_doubtful());
}

// Readers that have the database open do not see the commit whose sync failed; who opens it when
// they have gone reads the log, where it is.
TEST_F(DoubtTest, WhatWasNotThereDoesNotComeToLightLater) {
  std::unique_ptr<SqliteStore> reader = open();
  ASSERT_TRUE(create(*reader, "r1"));
  {
    const std::unique_ptr<SqliteStore> writer = open();
    syncs_.fail("-wal");
    ASSERT_FALSE(create(*writer, "r2"));
    syncs_.heal();
  }
  const bool seen = open()->find_run(model::RunId("r2")).has_value();
  reader.reset();
  EXPECT_EQ(open()->find_run(model::RunId("r2")).has_value(), seen);
}

TEST_F(DoubtTest, ATransactionThatIsUnderWayKeepsNobodyWaiting) {
  const std::unique_ptr<SqliteStore> store = open();
  ASSERT_TRUE(create(*store, "r1"));
  options_.busy_timeout = std::chrono::minutes(10);
  const auto other = Database::open(options_.database, options_.busy_timeout, options_.vfs);
  ASSERT_TRUE(other);
  const Result<Transaction> writing = Transaction::begin(**other);
  ASSERT_TRUE(writing);
  EXPECT_TRUE(is_doubtful());
  const std::unique_ptr<SqliteStore> reader = open();
  ASSERT_NE(reader, nullptr);
  EXPECT_TRUE(reader->find_run(model::RunId("r1")));
}

TEST_F(DoubtTest, AFailedCheckpointStopsTheConnectionToo) {
  const std::unique_ptr<SqliteStore> store = open();
  ASSERT_TRUE(create(*store, "r1"));
  syncs_.fail("c.db");
  ASSERT_TRUE(create(*store, "r2", std::string(5 << 20, 'x')))
      << "it is in the log, which was synced";
  EXPECT_TRUE(is_doubtful());
  syncs_.heal();
  EXPECT_EQ(create(*store, "r3").error().code, Code::kDataLoss);
  EXPECT_TRUE(create(*open(), "r4"));
  EXPECT_EQ(open()->list_runs()->size(), 3u);
}

// More than the page cache takes is written before the commit: the first of it syncs the log's
// header, and when that fails SQLite has rolled back by itself.
TEST_F(DoubtTest, ASyncThatFailsInTheMiddleOfATransactionStopsTheConnectionToo) {
  const std::unique_ptr<SqliteStore> store = open();
  // So large that a checkpoint follows: the log begins anew.
  ASSERT_TRUE(create(*store, "r1", std::string(5 << 20, 'x')));
  syncs_.fail("-wal");
  syncs_.syncs("-wal");
  EXPECT_EQ(create(*store, "r2", std::string(5 << 20, 'x')).error().code, Code::kDataLoss);
  EXPECT_EQ(syncs_.syncs("-wal"), 1);
  EXPECT_TRUE(is_doubtful());
  syncs_.heal();
  EXPECT_EQ(create(*store, "r3").error().code, Code::kDataLoss) << "as if no sync had failed";
  EXPECT_TRUE(create(*open(), "r4"));
}

TEST_F(DoubtTest, ARefusalLeavesNoDoubt) {
  const std::unique_ptr<SqliteStore> store = open();
  ASSERT_TRUE(create(*store, "r1"));
  ASSERT_FALSE(create(*store, "r1"));
  EXPECT_TRUE(create(*store, "r2"));
  EXPECT_FALSE(is_doubtful());
}

}  // namespace
}  // namespace cresset::sqlite
