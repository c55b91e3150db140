#include <gtest/gtest.h>

#include "cresset/model/run.h"

namespace cresset::model {
namespace {

TEST(AttemptId, RoundTrip) {
  const AttemptId id{RunId("3f2c-aa"), 17, 2};
  EXPECT_EQ(to_string(id), "3f2c-aa/17.2");
  EXPECT_EQ(parse_attempt_id("3f2c-aa/17.2"), id);
  EXPECT_FALSE(parse_attempt_id("3f2c-aa/17"));
  EXPECT_FALSE(parse_attempt_id("3f2c.aa/17"));
  EXPECT_FALSE(parse_attempt_id("x/-1.2"));
}

TEST(State, NamesRoundTrip) {
  for (State state : {State::kPending, State::kRunning, State::kSucceeded, State::kFailed,
                      State::kSkipped, State::kCanceled}) {
    EXPECT_EQ(parse_state(to_string(state)), state);
  }
  EXPECT_FALSE(parse_state("pending"));
}

}  // namespace
}  // namespace cresset::model
