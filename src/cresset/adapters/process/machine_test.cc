#include "cresset/adapters/process/machine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cresset::process {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(MachineTest, ReadsAControlGroupsCpuLimit) {
  EXPECT_EQ(parse_cpu_max("150000 100000"), 1500);
  EXPECT_EQ(parse_cpu_max("1 100000"), 1);
  for (const char* none : {"", "max 100000", "100000", "x 100000", "-1 100000", "5 0", "5 x"})
    EXPECT_EQ(parse_cpu_max(none), std::nullopt) << none;
}

TEST(MachineTest, ReadsVisibleDevicesAsTheDriverDoes) {
  EXPECT_THAT(parse_visible_devices("0,2"), ElementsAre("0", "2"));
  EXPECT_THAT(parse_visible_devices(" GPU-ab , 1"), ElementsAre("GPU-ab", "1"));
  EXPECT_THAT(parse_visible_devices("0,-1,2"), ElementsAre("0"));
  EXPECT_THAT(parse_visible_devices("0,,2"), ElementsAre("0"));
  EXPECT_THAT(parse_visible_devices(""), IsEmpty());
  EXPECT_THAT(parse_visible_devices("-1"), IsEmpty());
}

TEST(MachineTest, FindsWhatThisMachineHas) {
  MachineOptions options;
  options.gpus = 3;
  const Machine machine = probe_machine(options);
  EXPECT_GT(machine.cpu_millis, 0);
  EXPECT_GT(machine.memory_bytes, 1 << 20);
  EXPECT_GE(machine.files.attempts, 1u);
  EXPECT_THAT(machine.gpus, ElementsAre("0", "1", "2"));
}

TEST(MachineTest, OpenFilesLimitHowManyStepsRunAtOnce) {
  for (const std::uint64_t limit : {0UL, 10UL, 64UL, 1024UL, 20'000UL, 1UL << 20}) {
    const FileShares shares = share_open_files(limit);
    EXPECT_GE(shares.clients, 1u);
    EXPECT_GE(shares.attempts, 1u);
    EXPECT_GE(shares.attempts, shares.attempts_roomy);
    const std::uint64_t frugal = shares.attempts - shares.attempts_roomy;
    const std::uint64_t used = shares.clients + 4 * shares.attempts_roomy + frugal;
    EXPECT_LE(used, std::max<std::uint64_t>(limit, 3)) << limit;
  }
  EXPECT_GE(share_open_files(64).attempts, 16u);
  EXPECT_GE(share_open_files(20'000).attempts, 10'000u);
}

}  // namespace
}  // namespace cresset::process
