#include "cresset/ports/testing/memory_store.h"

#include "cresset/ports/testing/metadata_store_contract.h"

namespace cresset::ports::testing {
namespace {

struct MemoryWorld {
  MemoryDatabase database;
  std::unique_ptr<MetadataStore> open() { return std::make_unique<MemoryStore>(database); }
  void break_lock(const model::RunId& run) { database.break_lock(run); }
};
INSTANTIATE_TYPED_TEST_SUITE_P(Memory, MetadataStoreContract, MemoryWorld);

struct MemoryStoreTest : public ::testing::Test {
  void SetUp() override {
    ASSERT_TRUE(store.create_run(make_run_record("r1"), RunDefinition{}));
    lease = store.acquire(model::RunId("r1")).value();
  }
  static Commit one_event(std::uint64_t seq) { return Commit{{{seq, WallTime{}, "e"}}, {}, {}, 0}; }

  MemoryDatabase database;
  MemoryStore store{database};
  std::unique_ptr<Lease> lease;
};

TEST_F(MemoryStoreTest, FailsCommitsAsToldAndWritesNothing) {
  database.fail_next_commit(make_error(Code::kUnavailable, "first"));
  database.fail_next_commit(make_error(Code::kDataLoss, "second"));
  EXPECT_EQ(store.commit(*lease, one_event(1)).error().code, Code::kUnavailable);
  EXPECT_EQ(store.commit(*lease, one_event(1)).error().code, Code::kDataLoss);
  EXPECT_EQ(store.events(model::RunId("r1"), 0)->size(), 0u);
  EXPECT_TRUE(store.commit(*lease, one_event(1)));
  EXPECT_EQ(database.commits(), 1u);
}

TEST_F(MemoryStoreTest, AFullDiskRefusesEveryWriteAndNoRead) {
  database.set_disk_full(true);
  EXPECT_EQ(store.commit(*lease, one_event(1)).error().code, Code::kResourceExhausted);
  EXPECT_EQ(store.post(model::RunId("r1"), Command::kKill).error().code, Code::kResourceExhausted);
  EXPECT_EQ(store.create_run(make_run_record("r2"), RunDefinition{}).error().code,
            Code::kResourceExhausted);
  EXPECT_EQ(store.list_runs()->size(), 1u);
  database.set_disk_full(false);
  EXPECT_TRUE(store.commit(*lease, one_event(1)));
}

TEST_F(MemoryStoreTest, NothingIsWrittenWhileAScopeLives) {
  const std::unique_ptr<ReadScope> together = store.read_together();
  EXPECT_DEATH(static_cast<void>(store.commit(*lease, one_event(1))), "scopes");
  EXPECT_DEATH(static_cast<void>(store.read_together()), "scopes");
}

}  // namespace
}  // namespace cresset::ports::testing
