#include "sim/fiber.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <vector>

namespace cresset::sim {
namespace {

TEST(FiberTest, TakesTurns) {
  std::vector<std::string> said;
  Fiber* self = nullptr;
  Fiber other([&] {
    said.emplace_back("b1");
    self->yield();
    said.emplace_back("b2");
  });
  self = &other;
  said.emplace_back("a1");
  other.resume();
  said.emplace_back("a2");
  EXPECT_FALSE(other.is_done());
  other.resume();
  EXPECT_TRUE(other.is_done());
  EXPECT_THAT(said, ::testing::ElementsAre("a1", "b1", "a2", "b2"));
}

TEST(FiberTest, HandsOutWhatItsBodyThrows) {
  Fiber* self = nullptr;
  Fiber thrower([&] {
    self->yield();
    throw std::runtime_error("from inside");
  });
  self = &thrower;
  thrower.resume();
  EXPECT_THROW(thrower.resume(), std::runtime_error);
  EXPECT_TRUE(thrower.is_done());
}

TEST(FiberTest, UnwindsABodyWhoseYieldThrows) {
  struct Death {};
  bool unwound = false;
  bool caught = false;
  bool killed = false;
  Fiber* self = nullptr;
  Fiber victim([&] {
    struct Guard {
      bool& flag;
      ~Guard() { flag = true; }
    };
    try {
      const Guard guard{unwound};
      self->yield();
      if (killed) throw Death{};
    } catch (const Death&) {
      caught = true;
    }
  });
  self = &victim;
  victim.resume();
  killed = true;
  victim.resume();
  EXPECT_TRUE(unwound);
  EXPECT_TRUE(caught);
  EXPECT_TRUE(victim.is_done());
}

TEST(FiberTest, ManyLiveAtOnce) {
  constexpr int kFibers = 100;
  constexpr int kTurns = 50;
  int sum = 0;
  std::vector<std::unique_ptr<Fiber>> fibers;
  for (int i = 0; i < kFibers; ++i) {
    fibers.push_back(std::make_unique<Fiber>([&, i] {
      for (int turn = 0; turn < kTurns; ++turn) {
        ++sum;
        fibers[static_cast<std::size_t>(i)]->yield();
      }
    }));
  }
  for (int turn = 0; turn <= kTurns; ++turn) {
    for (const auto& fiber : fibers) fiber->resume();
  }
  EXPECT_EQ(sum, kFibers * kTurns);
  for (const auto& fiber : fibers) EXPECT_TRUE(fiber->is_done());
}

TEST(FiberTest, ExceptionsInsideDoNotMixWithThoseOutside) {
  Fiber* self = nullptr;
  std::string inside;
  Fiber fiber([&] {
    try {
      throw std::runtime_error("inside");
    } catch (const std::runtime_error& error) {
      inside = error.what();
    }
    self->yield();
    try {
      throw std::runtime_error("again");
    } catch (const std::runtime_error& error) {
      inside = error.what();
    }
  });
  self = &fiber;
  try {
    throw std::logic_error("outside");
  } catch (const std::logic_error& error) {
    fiber.resume();
    EXPECT_EQ(inside, "inside");
    fiber.resume();
    EXPECT_STREQ(error.what(), "outside");
  }
  EXPECT_EQ(inside, "again");
}

}  // namespace
}  // namespace cresset::sim
