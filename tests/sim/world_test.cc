#include "sim/world.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sim/exhaustive.h"
#include "sim/generate.h"

namespace cresset::sim {
namespace {

WorldOptions of_seed(std::uint64_t seed) {
  WorldOptions options;
  options.seed = seed;
  return options;
}

std::string log_of(std::uint64_t seed, std::uint64_t& digest) {
  std::string log;
  WorldOptions options = of_seed(seed);
  options.on_line = [&log](std::string_view line) { log += line; };
  World world(std::move(options));
  world.run();
  digest = world.trace().digest();
  return log;
}

TEST(WorldTest, TheSameSeedGivesTheSameLog) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    std::uint64_t first = 0;
    std::uint64_t second = 0;
    EXPECT_EQ(log_of(seed, first), log_of(seed, second));
    World silent(of_seed(seed));
    silent.run();
    EXPECT_EQ(first, silent.trace().digest());
    EXPECT_EQ(second, silent.trace().digest());
  }
}

TEST(WorldTest, KeepsItsPromises) {
  Totals totals;
  for (std::uint64_t seed = 2'000; seed < 2'200; ++seed) {
    World world(of_seed(seed));
    if (const auto broken = world.try_run())
      ADD_FAILURE() << "seed " << seed << ": " << broken->what();
    totals += world.totals();
  }
  EXPECT_GT(totals.ledger.exact_ends, 100u);
  EXPECT_GT(totals.fault_count(), 1'000u);
  for (std::size_t i = 0; i < kFaultKinds; ++i)
    EXPECT_GT(totals.faults[i], 0u) << to_string(static_cast<Fault>(i));
}

TEST(ExhaustionTest, TriesEveryPlace) {
  const auto pipelines = corpus();
  ASSERT_FALSE(pipelines.empty());
  const auto& [name, sketch] = pipelines.front();
  Exhaustion exhaustion(false);
  const Exhausted done = exhaustion.exhaust(name, sketch);
  EXPECT_EQ(done.worlds, 1 + done.calls * 2 * 3 + done.writes * 3 + done.halves);
  EXPECT_GE(done.totals.fault_count(), done.calls * 2 * 3);
  for (const Broken& broken : exhaustion.broken())
    ADD_FAILURE() << broken.pipeline << " " << to_string(broken.plan) << ": " << broken.what;
}

TEST(ExhaustionTest, TriesEveryOperationOfTheDisk) {
  const auto pipelines = corpus();
  const auto& [name, sketch] = pipelines.front();
  Exhaustion exhaustion(false);
  constexpr std::uint64_t kStride = 10;
  const Exhausted done = exhaustion.exhaust_disk(name, sketch, kStride);
  EXPECT_GT(done.disk_operations, 200u);
  EXPECT_GT(done.disk_writes, 20u);
  EXPECT_GE(done.worlds, 1 + (done.disk_operations / kStride) * 2);
  EXPECT_EQ(done.totals.disk.deaths, done.worlds - 1);
  for (const Broken& broken : exhaustion.broken())
    ADD_FAILURE() << broken.pipeline << " " << to_string(broken.plan) << ": " << broken.what;
}

TEST(PlanTest, IsReadAsItIsWritten) {
  for (const char* text : {"half@4", "disk_during@17", "", "crash@0", "crash@12+",
                           "power_cut@3+,keeper_kill@40", "kept@7"}) {
    const auto plan = parse_plan(text);
    ASSERT_TRUE(plan) << text;
    EXPECT_EQ(to_string(*plan), text);
  }
  for (const char* text : {"crash", "crash@", "crash@x", "smash@1", "@1", "crash@1-"})
    EXPECT_FALSE(parse_plan(text)) << text;
}

}  // namespace
}  // namespace cresset::sim
