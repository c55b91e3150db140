#include "cresset/app/doctor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "cresset/app/testing/engine_world.h"

namespace cresset::app {
namespace {

using testing::EngineProcess;
using testing::EngineWorld;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::kLargePipeline;
using testing::kSmallPipeline;

std::vector<std::string> findings_of(EngineProcess& process) {
  const auto found = process.service.examine(false, [](std::size_t, std::size_t) {});
  EXPECT_TRUE(found) << found.error().text();
  std::vector<std::string> out;
  for (const Finding& finding : *found) {
    if (finding.verdict != Finding::Verdict::kGood)
      out.push_back(finding.name + ": " + finding.finding);
  }
  return out;
}

TEST(Doctor, ARunThatEndsWhileItIsLookedAtIsWell) {
  EngineWorld world;
  EngineProcess process(world);
  const model::RunId run = process.create(kSmallPipeline);
  bool ended = false;
  process.store.before_definition = [&] {
    if (std::exchange(ended, true)) return;
    EngineProcess engine(world);
    engine.finish(run);
  };
  EXPECT_THAT(findings_of(process), IsEmpty());
  EXPECT_TRUE(ended);
}

// That the disk could not be read says nothing against the run.
TEST(Doctor, ARunWhoseTextCannotBeReadNowIsNotGivenUp) {
  EngineWorld world;
  EngineProcess creator(world);
  const model::RunId run = creator.create(kSmallPipeline);
  EngineProcess process(world);
  process.store.before_spec = [] {
    return Result<void>(make_error(Code::kDataLoss, "a disk error"));
  };
  EXPECT_EQ(process.service.view(run).error().reason, "");
  EXPECT_FALSE(process.service.remove(run));
  process.store.before_spec = [] { return Result<void>(); };
  EXPECT_EQ(process.service.view(run)->state, model::State::kPending);
}

// Tasks that are entered while the run is read stand in no plan that was made before.
TEST(Doctor, WhatIsAddedToARunWhileItIsLookedAtIsLeftOut) {
  EngineWorld world;
  EngineProcess process(world);
  const model::RunId run = process.create(kLargePipeline);
  int reads = 0;
  process.store.before_events = [&] {
    if (++reads != 2) return;
    EngineProcess engine(world);
    engine.finish(run);
  };
  const auto lost = process.service.lost_logs(run);
  ASSERT_TRUE(lost) << lost.error().text();
  EXPECT_THAT(*lost, IsEmpty());
  EXPECT_EQ(reads, 2);
}

TEST(Doctor, ARunThatNobodyDrivesIsTold) {
  EngineWorld world;
  EngineProcess process(world);
  process.create(kSmallPipeline);
  EXPECT_THAT(findings_of(process), ::testing::ElementsAre(HasSubstr("no process drives it")));
}

}  // namespace
}  // namespace cresset::app
