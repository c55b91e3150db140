#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "cresset/app/testing/engine_world.h"

namespace cresset::app {
namespace {

using testing::EngineProcess;
using testing::EngineWorld;
using ::testing::IsEmpty;
using testing::kLargePipeline;

struct UpkeepTest : public ::testing::Test {
  // Calls `meanwhile` while the `moment`-th file job of `process` waits. False: there is none.
  bool collect(int moment, const std::function<void()>& meanwhile) {
    int jobs = 0;
    process.worker.hold();
    process.reactor.before_wait([&] {
      if (process.worker.waiting() == 0) return;
      if (jobs++ == moment) meanwhile();
      process.worker.release_one();
    });
    const Result<std::vector<Garbage>> removed = process.service.collect_garbage(false);
    EXPECT_TRUE(removed) << removed.error().text();
    process.reactor.before_wait([] {});
    process.worker.release_all();
    if (removed) items = *removed;
    return jobs > moment;
  }
  std::string work_of(const model::RunId& run) const {
    return process.service.home().work_dir({run, 1, 2}) + "/file";
  }

  EngineWorld world;
  EngineProcess process{world};
  std::vector<Garbage> items;
};

TEST_F(UpkeepTest, ARunThatIsReopenedMeanwhileKeepsItsWorkingFolders) {
  for (int moment = 0;; ++moment) {
    const model::RunId run = process.run(kLargePipeline).id;
    world.files.write(work_of(run), "old");
    bool is_live = false;
    const bool in_time = collect(moment, [&] {
      if (!process.service.reopen(run)) return;  // it is being removed just now: refused
      is_live = true;
      world.files.write(work_of(run), "new");
    });
    if (!in_time) break;
    if (is_live) {
      EXPECT_EQ(world.files.read(work_of(run)), "new") << "at file job " << moment;
      EXPECT_THAT(items, IsEmpty());
      process.finish(run);
    }
    ASSERT_TRUE(process.service.remove(run));
  }
}

TEST_F(UpkeepTest, ARunThatAnotherProcessDrivesKeepsItsWorkingFolders) {
  const model::RunId run = process.run(kLargePipeline).id;
  world.files.write(work_of(run), "of a step");
  const Result<std::unique_ptr<ports::Lease>> lease = process.store.acquire(run);
  ASSERT_TRUE(lease);
  collect(-1, [] {});
  EXPECT_THAT(items, IsEmpty());
  EXPECT_TRUE(world.files.exists(work_of(run)));
}

TEST_F(UpkeepTest, WorkingFoldersOfAFinishedRunGoAndNothingElseOfIt) {
  const model::RunId run = process.run(kLargePipeline).id;
  world.files.write(work_of(run), "of a step");
  const std::string log = process.service.home().run_dir(run) + "/logs/1.1.log";
  world.files.write(log, "said");
  collect(-1, [] {});
  ASSERT_EQ(items.size(), 1u);
  EXPECT_EQ(items.front().run, run);
  EXPECT_FALSE(world.files.exists(work_of(run)));
  EXPECT_TRUE(world.files.exists(log));
}

TEST_F(UpkeepTest, WhatARemovalThatWasCutOffHasLeftIsMeasuredAndTakenAway) {
  const auto leftovers = [&] {
    const Result<SpaceUse> use = process.service.measure_space();
    EXPECT_TRUE(use);
    for (const auto& [name, bytes] : use->parts) {
      if (name == SpaceUse::kLeftovers) return bytes;
    }
    return std::int64_t{-1};
  };
  const model::RunId run = process.run(kLargePipeline).id;
  EXPECT_EQ(leftovers(), 0);
  const Home& home = process.service.home();
  const std::string log = home.run_dir(run) + "/logs/1.1.log";
  const std::string artifact = home.artifacts_dir() + "/large/" + run.str() + "/made/1.1/data";
  ASSERT_TRUE(process.service.remove(run));
  world.files.write(log, std::string(100, 'x'));
  world.files.write(artifact, std::string(200, 'x'));
  EXPECT_GE(leftovers(), 300);
  collect(-1, [] {});
  EXPECT_EQ(items.size(), 2u);
  EXPECT_FALSE(world.files.exists(log) || world.files.exists(artifact));
  EXPECT_EQ(leftovers(), 0);
}

}  // namespace
}  // namespace cresset::app
