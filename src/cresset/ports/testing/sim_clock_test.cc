#include "cresset/ports/testing/sim_clock.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace cresset::ports::testing {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

struct SimClockTest : public ::testing::Test {
  TimePoint in(Duration delay) { return clock.now() + delay; }
  void note(Duration delay, const std::string& what) {
    clock.at(in(delay), [this, what] { happened += what; });
  }
  SimClock clock;
  SimReactor reactor{clock};
  std::string happened;
};

TEST_F(SimClockTest, ThingsHappenInOrderAtTheirInstant) {
  note(seconds(2), "c");
  note(seconds(1), "a");
  note(seconds(1), "b");
  note(seconds(3), "d");
  clock.advance(seconds(2));
  EXPECT_EQ(happened, "abc");
  EXPECT_EQ(clock.next(), in(seconds(1)));
}

TEST_F(SimClockTest, AnActionMayAskForAnother) {
  clock.at(in(seconds(1)), [&] {
    EXPECT_EQ(clock.now().time_since_epoch(), seconds(1));
    note(seconds(1), "later");
    note(-seconds(9), "now");
  });
  clock.advance(seconds(5));
  EXPECT_EQ(happened, "nowlater");
  EXPECT_EQ(clock.now().time_since_epoch(), seconds(5));
}

TEST_F(SimClockTest, TheCalendarJumpsAndTimeDoesNot) {
  const WallTime before = clock.wall_now();
  clock.jump_wall(-hours(2));
  EXPECT_EQ(clock.wall_now(), before - hours(2));
  EXPECT_EQ(clock.now(), TimePoint{});
}

TEST_F(SimClockTest, AWaitEndsAtItsDeadlineOrWhenWoken) {
  clock.at(in(seconds(1)), [&] { happened += "silent"; });
  clock.at(in(seconds(2)), [&] { reactor.wake(); });
  reactor.wait(in(seconds(9)));
  EXPECT_EQ(clock.now().time_since_epoch(), seconds(2));
  EXPECT_EQ(happened, "silent");
  reactor.wait(in(seconds(9)));
  EXPECT_EQ(clock.now().time_since_epoch(), seconds(11));
  reactor.wake();
  reactor.wait(std::nullopt);
  EXPECT_EQ(clock.now().time_since_epoch(), seconds(11));
  EXPECT_EQ(reactor.waits(), 3);
}

TEST_F(SimClockTest, AWaitForNothingIsFound) {
  EXPECT_THROW(reactor.wait(std::nullopt), StuckForEver);
  reactor.before_wait([] { throw std::runtime_error("the engine dies"); });
  EXPECT_THROW(reactor.wait(in(seconds(1))), std::runtime_error);
}

}  // namespace
}  // namespace cresset::ports::testing
