#include "sim/again.h"

#include <gtest/gtest.h>

namespace cresset::sim {
namespace {

Task step(std::string name, std::vector<std::string> after = {}) {
  Task task;
  task.name = std::move(name);
  task.body = Step{};
  task.after = std::move(after);
  return task;
}

Task group(std::string name, std::vector<Task> tasks, std::vector<std::string> after = {}) {
  Task task = step(std::move(name), std::move(after));
  Dag dag;
  dag.tasks = std::move(tasks);
  task.body = std::move(dag);
  return task;
}

class AgainTest : public ::testing::Test {
 protected:
  AgainTest() {
    Task exit = step("exit", {"bad"});
    exit.ignores_failures = true;
    Task tried = group("tried", {step("x")});
    tried.retry = Retry{};
    sketch.root.tasks = {step("a"),
                         step("b", {"a"}),
                         step("bad"),
                         exit,
                         step("tail", {"exit"}),
                         group("g", {step("x")}, {"exit"}),
                         group("h", {step("x")}, {"b"}),
                         tried};
  }

  Sketch sketch;
  const Paths done{"a", "b", "exit", "tail", "g/x", "h/x"};
};

TEST_F(AgainTest, WhatWaitsForSuccessIsKept) {
  for (const char* path : {"a", "b", "h/x", "h[3]/x"})
    EXPECT_FALSE(may_run_again(sketch, path, done)) << path;
}

TEST_F(AgainTest, WhatWaitsForOneThatFailedIsDoneAgainAndAllBehindIt) {
  for (const char* path : {"exit", "tail", "g/x"})
    EXPECT_TRUE(may_run_again(sketch, path, done)) << path;
  Paths all = done;
  all.insert("bad");
  for (const char* path : {"exit", "tail", "g/x"})
    EXPECT_FALSE(may_run_again(sketch, path, all)) << path;
}

TEST_F(AgainTest, AGroupWithARetryBeginsAnew) {
  EXPECT_TRUE(is_in_retried_group(sketch, "tried/x"));
  EXPECT_FALSE(is_in_retried_group(sketch, "h/x"));
  EXPECT_FALSE(is_in_retried_group(sketch, "a"));
}

}  // namespace
}  // namespace cresset::sim
