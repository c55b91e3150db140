#include "cresset/adapters/process/admission.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace cresset::process {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

struct AdmissionTest : public ::testing::Test {
  static model::AttemptId id(std::uint32_t task, const std::string& run = "a") {
    return {model::RunId(run), task, 1};
  }
  void ask(std::uint32_t task, const ports::SlotRequest& slots, const std::string& run = "a",
           std::int64_t run_max = 0) {
    admission.enqueue(id(task, run), slots, run_max);
  }
  // "a1 b2": those that may start now.
  std::vector<std::string> grants() {
    std::vector<std::string> names;
    while (const auto grant = admission.next()) {
      names.push_back(grant->id.run.str() + std::to_string(grant->id.task));
      last = *grant;
    }
    return names;
  }
  static constexpr std::int64_t kGib = std::int64_t{1} << 30;
  Admission admission{Machine{4000, 8 * kGib, {"0", "1"}, {1, 100, 100}}};
  Grant last;
};

TEST_F(AdmissionTest, HandsOutEachSlotOnce) {
  for (std::uint32_t task = 1; task <= 5; ++task) ask(task, {2000, 0, 0});
  EXPECT_THAT(grants(), ElementsAre("a1", "a2"));
  admission.release(id(1));
  EXPECT_THAT(grants(), ElementsAre("a3"));
  EXPECT_THAT(grants(), IsEmpty());
}

TEST_F(AdmissionTest, WhatIsPutBackWaitsInItsOldPlace) {
  for (std::uint32_t task = 1; task <= 3; ++task) ask(task, {2000, kGib, 1});
  EXPECT_THAT(grants(), ElementsAre("a1", "a2"));
  admission.put_back(id(1));
  EXPECT_THAT(grants(), ElementsAre("a1"));
  admission.put_back(id(2));
  admission.release(id(1));
  EXPECT_THAT(grants(), ElementsAre("a2", "a3"));
  admission.put_back(id(3));
  EXPECT_TRUE(admission.withdraw(id(3)));
  admission.release(id(2));
  ask(4, {4000, 8 * kGib, 2});
  EXPECT_THAT(grants(), ElementsAre("a4"));
}

TEST_F(AdmissionTest, WhatIsPutBackKeepsItsNotices) {
  ask(1, {8000, 0, 0});
  EXPECT_THAT(grants(), ElementsAre("a1"));
  const std::vector<std::string> notices = last.notices;
  admission.put_back(id(1));
  EXPECT_THAT(grants(), ElementsAre("a1"));
  EXPECT_FALSE(notices.empty());
  EXPECT_EQ(last.notices, notices);
}

TEST_F(AdmissionTest, MemoryIsASlot) {
  ask(1, {0, 5 * kGib, 0});
  ask(2, {0, 5 * kGib, 0});
  EXPECT_THAT(grants(), ElementsAre("a1"));
  admission.release(id(1));
  EXPECT_THAT(grants(), ElementsAre("a2"));
}

TEST_F(AdmissionTest, GpusHaveNames) {
  ask(1, {0, 0, 1});
  EXPECT_THAT(grants(), ElementsAre("a1"));
  EXPECT_THAT(last.gpus, ElementsAre("0"));
  ask(2, {0, 0, 1});
  ask(3, {0, 0, 2});
  EXPECT_THAT(grants(), ElementsAre("a2"));
  EXPECT_THAT(last.gpus, ElementsAre("1"));
  admission.release(id(1));
  EXPECT_THAT(grants(), IsEmpty());
  admission.release(id(2));
  EXPECT_THAT(grants(), ElementsAre("a3"));
  EXPECT_THAT(last.gpus, ElementsAre("0", "1"));
}

TEST_F(AdmissionTest, ClampsWithANoticeForEachKind) {
  ask(1, {8000, 16 * kGib, 3});
  EXPECT_THAT(grants(), ElementsAre("a1"));
  EXPECT_THAT(
      last.notices,
      ElementsAre("asked for 8 CPUs, the machine has 4 CPUs: runs with that",
                  "asked for 16 GiB of memory, the machine has 8 GiB of memory: runs with that",
                  "asked for 3 GPUs, the machine has 2 GPUs: runs with that"));
}

TEST_F(AdmissionTest, TheLimitOfARunClampsAndMayExceedTheMachine) {
  ask(1, {3000, 0, 0}, "a", 1000);
  EXPECT_THAT(grants(), ElementsAre("a1"));
  EXPECT_THAT(last.notices, ElementsAre("asked for 3 CPUs, the run may use 1 CPU: runs with that"));
  admission.release(id(1));
  for (std::uint32_t task = 1; task <= 9; ++task) ask(task, {1000, 0, 0}, "b", 6000);
  EXPECT_THAT(grants(), ElementsAre("b1", "b2", "b3", "b4", "b5", "b6"));
  ask(1, {1000, 0, 0}, "c");
  EXPECT_THAT(grants(), IsEmpty());
}

TEST_F(AdmissionTest, NegativeRequestsAreNone) {
  ask(1, {-5, -5, -5});
  EXPECT_THAT(grants(), ElementsAre("a1"));
  EXPECT_THAT(last.notices, IsEmpty());
}

TEST_F(AdmissionTest, RunsTakeTurns) {
  for (std::uint32_t task = 1; task <= 4; ++task) ask(task, {1000, 0, 0}, "a");
  ask(1, {1000, 0, 0}, "b");
  ask(2, {1000, 0, 0}, "b");
  EXPECT_THAT(grants(), ElementsAre("a1", "b1", "a2", "b2"));
}

TEST_F(AdmissionTest, ALargeRequestIsPassedOnlySoOften) {
  ask(1, {1000, 0, 0}, "small");
  EXPECT_THAT(grants(), ElementsAre("small1"));
  ask(1, {4000, 0, 0}, "large");
  std::uint32_t task = 1;
  int passes = 0;
  while (true) {
    ask(++task, {1000, 0, 0}, "small");
    const auto granted = grants();
    if (granted.empty()) break;
    ++passes;
    admission.release(id(task, "small"));
    ASSERT_LE(passes, Admission::kPassesMax);
  }
  EXPECT_EQ(passes, Admission::kPassesMax);
  admission.release(id(1, "small"));
  EXPECT_THAT(grants(), ElementsAre("large1"));
  admission.release(id(1, "large"));
  EXPECT_THAT(grants(), ElementsAre("small" + std::to_string(task)));
}

TEST_F(AdmissionTest, WithdrawsOnlyWhatWaits) {
  ask(1, {4000, 0, 0});
  ask(2, {4000, 0, 0});
  ask(3, {4000, 0, 0});
  EXPECT_THAT(grants(), ElementsAre("a1"));
  EXPECT_FALSE(admission.withdraw(id(1)));
  EXPECT_TRUE(admission.withdraw(id(2)));
  EXPECT_FALSE(admission.withdraw(id(2)));
  EXPECT_FALSE(admission.withdraw(id(9, "none")));
  EXPECT_TRUE(admission.has_waiting(id(1).run));
  EXPECT_FALSE(admission.has_waiting(id(9, "none").run));
  admission.release(id(1));
  EXPECT_THAT(grants(), ElementsAre("a3"));
  EXPECT_FALSE(admission.has_waiting(id(1).run));
}

TEST_F(AdmissionTest, StaysWithinWhatOpenFilesAllow) {
  Admission narrow(Machine{4000, kGib, {}, {1, 2, 2}});
  for (std::uint32_t task = 1; task <= 3; ++task) narrow.enqueue(id(task), {0, 0, 0}, 0);
  EXPECT_EQ(narrow.next()->id, id(1));
  EXPECT_EQ(narrow.next()->id, id(2));
  EXPECT_FALSE(narrow.next());
  narrow.release(id(2));
  EXPECT_EQ(narrow.next()->id, id(3));
}

}  // namespace
}  // namespace cresset::process
