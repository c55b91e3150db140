#include "sim/sim_disk.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "cresset/ports/testing/metadata_store_contract.h"
#include "sim/disk_trials.h"

namespace cresset::sim {
namespace {

struct DiskWorld {
  std::unique_ptr<ports::MetadataStore> open() {
    auto store = disk.open_store(++last);
    EXPECT_TRUE(store) << store.error().text();
    return store ? *std::move(store) : nullptr;
  }
  void break_lock(const model::RunId& run) { disk.break_lock(run); }

  SeededRandom random{1};
  SimDisk disk{random};
  ProcessId last = 0;
};

}  // namespace
}  // namespace cresset::sim

namespace cresset::ports::testing {
INSTANTIATE_TYPED_TEST_SUITE_P(SimDisk, MetadataStoreContract, sim::DiskWorld);
}  // namespace cresset::ports::testing

namespace cresset::sim {
namespace {

using ports::testing::make_run_record;
using When = SimDisk::When;
using Operation = SimDisk::Operation;

class SimDiskTest : public ::testing::Test {
 protected:
  std::unique_ptr<ports::MetadataStore> open(ProcessId process) {
    auto store = disk_.open_store(process);
    EXPECT_TRUE(store) << store.error().text();
    return store ? *std::move(store) : nullptr;
  }
  static Result<void> create(ports::MetadataStore& store, const std::string& id) {
    return store.create_run(make_run_record(id), {"f", "spec", Value::make_struct()});
  }
  static std::size_t runs(ports::MetadataStore& store) { return store.list_runs()->size(); }

  SeededRandom random_{7};
  SimDisk disk_{random_, SimDisk::prepared()};
};

TEST_F(SimDiskTest, KeepsWhatIsSyncedThroughAPowerCut) {
  {
    const auto store = open(1);
    ASSERT_TRUE(create(*store, "r1"));
    disk_.power_cut();
    EXPECT_TRUE(disk_.dead(1));
    EXPECT_FALSE(create(*store, "r2"));
  }
  EXPECT_EQ(runs(*open(2)), 1u);
  EXPECT_EQ(disk_.counters().power_cuts, 1u);
  EXPECT_FALSE(disk_.open_store(1)) << "it is dead";
}

TEST_F(SimDiskTest, LosesWhatIsNotSynced) {
  disk_.lie(true);
  {
    const auto store = open(1);
    ASSERT_TRUE(create(*store, "r1"));
    EXPECT_EQ(runs(*open(2)), 1u) << "all see it";
  }
  int lost = 0;
  for (int i = 0; i < 20; ++i) {
    SimDisk after(random_, disk_.power_cut_image());
    const auto store = after.open_store(1);
    if (!store) {
      ++lost;
      continue;
    }
    const auto listed = (*store)->list_runs();
    if (!listed || listed->empty()) ++lost;
  }
  EXPECT_GT(lost, 0);
}

TEST_F(SimDiskTest, ADeadProcessLeavesItsLocksAndWritesNothing) {
  const auto other = open(2);
  const auto store = open(1);
  ASSERT_TRUE(create(*store, "r1"));
  const auto lease = store->acquire(model::RunId("r1"));
  ASSERT_TRUE(lease);
  EXPECT_EQ(other->acquire(model::RunId("r1")).error().reason, "run.owned");

  bool killed = false;
  // It holds the lock of writers by then.
  disk_.on_operation([&](ProcessId process, Operation operation, std::uint64_t) {
    if (process == 1 && operation == Operation::kWrite && !killed) {
      killed = true;
      disk_.kill(process);
    }
  });
  EXPECT_FALSE(create(*store, "r2"));
  EXPECT_TRUE(killed);
  EXPECT_TRUE(other->acquire(model::RunId("r1"))) << "though the lease is still there";
  EXPECT_TRUE(create(*other, "r3"));
  EXPECT_FALSE(store->list_runs());
  EXPECT_EQ(runs(*other), 2u);
}

TEST_F(SimDiskTest, AWriterThatIsNotDoneKeepsOthersOut) {
  const auto other = open(2);
  const auto store = open(1);
  Result<void> refused;
  int depth = 0;
  disk_.on_operation([&](ProcessId process, Operation operation, std::uint64_t) {
    if (process != 1 || operation != Operation::kSync || depth++ > 0) return;
    refused = create(*other, "r2");
  });
  EXPECT_TRUE(create(*store, "r1"));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kUnavailable);
  EXPECT_TRUE(create(*other, "r2"));
}

TEST_F(SimDiskTest, DiesAtTheOperationThatWasNamed) {
  const std::uint64_t before = disk_.operations();
  for (const When when : {When::kBefore, When::kDuring, When::kAfter}) {
    const ProcessId process = 10 + static_cast<ProcessId>(when);
    disk_.die_at(disk_.operations() + 20, when);
    EXPECT_FALSE(disk_.open_store(process)) << static_cast<int>(when);
    EXPECT_TRUE(disk_.dead(process));
  }
  EXPECT_EQ(disk_.operations(), before + 60) << "the dead do none";
  EXPECT_EQ(disk_.counters().deaths, 3u);
}

TEST_F(SimDiskTest, SpaceRunsOutAndComesBack) {
  const auto store = open(1);
  disk_.set_space(5000);
  Result<void> done;
  int made = 0;
  while ((done = create(*store, "r" + std::to_string(made)))) ASSERT_LT(++made, 100);
  EXPECT_EQ(done.error().code, Code::kResourceExhausted);
  disk_.set_space(std::nullopt);
  EXPECT_TRUE(create(*store, "more"));
}

TEST_F(SimDiskTest, TheSameSeedGivesTheSameBytes) {
  const auto end_of = [] {
    SeededRandom random(99);
    SimDisk disk(random);
    disk.set_rates({.faults = {0, 0, 0, 0.01}, .death = 0.001});
    std::string text;
    for (ProcessId process = 1; process < 20; ++process) {
      const auto store = disk.open_store(process);
      if (store) text += create(**store, "r" + std::to_string(process)) ? "+" : "-";
    }
    disk.power_cut();
    for (const std::string& name : disk.files()) text += name + disk.content(name);
    return text + to_string(disk.counters());
  };
  EXPECT_TRUE(end_of() == end_of());
}

TEST_F(SimDiskTest, DamageIsSeen) {
  const std::string name = disk_.files().at(0);
  std::string bytes = disk_.content(name);
  ASSERT_GT(bytes.size(), 4096u);
  disk_.set_content(name, std::string_view(bytes).substr(0, 4000));
  EXPECT_FALSE(disk_.open_store(1));
  disk_.set_content(name, bytes);
  EXPECT_TRUE(disk_.open_store(2));
  disk_.remove(name);
  EXPECT_TRUE(disk_.content(name).empty());
}

// --- trials: a part of each here, all of them with cresset-sim-disk ---

void tell(const TrialTally& tally) {
  ::testing::Test::RecordProperty("tried", to_string(tally));
  EXPECT_GT(tally.points, 0u);
  EXPECT_GT(tally.players.checks, tally.points);
}

TEST(SimDiskTrials, AProcessDiesAtAnyOperation) {
  const TrialTally tally = try_deaths({short_script(), SimDisk::prepared(), 11, 3});
  tell(tally);
  EXPECT_GT(tally.players.doubts_applied, 0u);
  EXPECT_GT(tally.players.doubts_gone, 0u);
}

TEST(SimDiskTrials, AProcessDiesWhileTheStoreIsMade) {
  tell(try_deaths({short_script(), {}, 1499, 20}));
}

// Half a header may be all that there is, and a journal that takes it back.
TEST(SimDiskTrials, APowerCutTearsADatabaseThatIsBeingMade) {
  // Of the transaction that makes the first page.
  constexpr std::uint64_t kFirst = 20;
  constexpr std::uint64_t kLast = 50;
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    for (std::uint64_t operation = kFirst; operation <= kLast; ++operation) {
      for (const When when : {When::kBefore, When::kDuring, When::kAfter}) {
        SeededRandom random{seed * 1000 + operation};
        SimDisk disk(random);
        disk.die_at(operation, when);
        {
          const auto ignored = disk.open_store(1);
        }
        disk.power_cut();
        const auto store = disk.open_store(2);
        ASSERT_TRUE(store) << "operation " << operation << ": " << store.error().text();
        EXPECT_TRUE((*store)->list_runs()->empty());
      }
    }
  }
}

TEST(SimDiskTrials, ASyncFails) {
  const TrialTally tally = try_failed_syncs({short_script(), SimDisk::prepared(), 2, 1});
  tell(tally);
  EXPECT_GT(tally.disk.faults[static_cast<std::size_t>(SimDisk::Fault::kSyncFailure)],
            tally.points);
  EXPECT_GT(tally.players.failed, tally.points);
}

TEST(SimDiskTrials, ASyncFailsWhileTheStoreIsMade) {
  tell(try_failed_syncs({short_script(), {}, 5, 1}));
}

TEST(SimDiskTrials, ThereIsNoSpace) {
  const TrialTally tally = try_full_disk({short_script(), SimDisk::prepared(), 11, 1});
  tell(tally);
  EXPECT_GT(tally.players.failed, 0u);
}

TEST(SimDiskTrials, AnythingHappens) {
  TrialTally tally;
  for (std::uint64_t seed = 1; seed <= 60; ++seed) tally += try_random(seed, 60);
  tell(tally);
}

TEST(SimDiskTrials, ADiskThatLiesIsFoundOut) {
  EXPECT_THROW(try_deaths({short_script(), SimDisk::prepared(), 23, 3, 2, true}), BrokenPromise);
  EXPECT_THROW(try_full_disk({short_script(), SimDisk::prepared(), 11, 1, 2, true}), BrokenPromise);
}

}  // namespace
}  // namespace cresset::sim
