#include "cresset/app/start_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace cresset::app {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Start = StartQueue::Start;

std::vector<dag::TaskOrdinal> take_all(StartQueue& queue) {
  std::vector<dag::TaskOrdinal> out;
  while (const auto next = queue.take()) out.push_back(next->task);
  return out;
}

TEST(StartQueue, GivesInOrderAndOnlySoManyUntilOneHasBegun) {
  const model::Component component;
  StartQueue queue(2);
  for (dag::TaskOrdinal task = 1; task <= 4; ++task) queue.add(component, {task, 1});
  EXPECT_THAT(take_all(queue), ElementsAre(1, 2));
  queue.on_begun(component);
  EXPECT_THAT(take_all(queue), ElementsAre(3));
  queue.on_begun(component);
  queue.on_begun(component);
  EXPECT_THAT(take_all(queue), ElementsAre(4));
}

TEST(StartQueue, AComponentThatWaitsKeepsNoOtherFromStarting) {
  const model::Component large;
  const model::Component small;
  StartQueue queue(1);
  queue.add(large, {1, 1});
  queue.add(large, {2, 1});
  EXPECT_THAT(take_all(queue), ElementsAre(1));
  queue.add(small, {3, 1});
  EXPECT_THAT(take_all(queue), ElementsAre(3));
  queue.on_begun(small);
  EXPECT_THAT(take_all(queue), IsEmpty());
  queue.on_begun(large);
  EXPECT_THAT(take_all(queue), ElementsAre(2));
}

TEST(StartQueue, WhatIsTakenOutIsNotGiven) {
  const model::Component component;
  StartQueue queue(1);
  for (dag::TaskOrdinal task = 1; task <= 3; ++task) queue.add(component, {task, 1});
  EXPECT_THAT(take_all(queue), ElementsAre(1));
  EXPECT_FALSE(queue.remove(component, {1, 1})) << "was given out";
  EXPECT_FALSE(queue.remove(component, {2, 2})) << "another attempt";
  EXPECT_TRUE(queue.remove(component, {2, 1}));
  queue.on_begun(component);
  EXPECT_THAT(take_all(queue), ElementsAre(3));
}

}  // namespace
}  // namespace cresset::app
