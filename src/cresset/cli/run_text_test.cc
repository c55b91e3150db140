#include "cresset/cli/run_text.h"

#include <gtest/gtest.h>

namespace cresset::cli {
namespace {

using model::State;

const Style kPlain(false, false);

model::RunView finished(State state) {
  model::RunView run;
  run.id = model::RunId("0123456789abcdef");
  run.name = "digits";
  run.state = state;
  run.started_at = WallTime(Duration(0));
  run.finished_at = WallTime(std::chrono::seconds(3));
  return run;
}

TEST(RunText, SummaryOfSuccess) {
  model::RunView run = finished(State::kSucceeded);
  run.outputs.parameters.emplace("accuracy", Value(0.5));
  EXPECT_EQ(summary_text(run, WallTime{}, kPlain),
            "Run 01234567 (digits) SUCCEEDED in 3.0s\n"
            "  accuracy = 0.5\n"
            "See: cresset show 01234567 - cresset artifacts 01234567 - cresset logs 01234567\n");
}

TEST(RunText, SummaryOfFailureSaysHowToGoOn) {
  model::RunView run = finished(State::kFailed);
  run.error = model::Failure{"train: exit status 1", ""};
  const std::string text = summary_text(run, WallTime{}, kPlain);
  EXPECT_NE(text.find("  train: exit status 1\n"), std::string::npos);
  EXPECT_NE(text.find("cresset retry 01234567"), std::string::npos);
}

TEST(RunText, ShowHasInputsOutputsAndTasks) {
  model::RunView run = finished(State::kSucceeded);
  run.inputs.parameters.emplace("lr", Value(0.1));
  model::Artifact artifact;
  artifact.name = "model";
  artifact.uri = "file:///m";
  artifact.type.schema_title = "system.Model";
  artifact.metadata = Value::make_struct({{"framework", "torch"}});
  run.outputs.artifacts["model"] = {artifact};
  model::TaskView task;
  task.path = task.name = "train";
  task.state = State::kSucceeded;
  run.tasks.push_back(task);
  const std::string text = show_run_text(run, WallTime{}, 80, kPlain);
  for (const char* part : {"lr = 0.1", "model: file:///m  system.Model", "framework = \"torch\"",
                           "+ train", "State    SUCCEEDED in 3.0s"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
  }
}

TEST(RunText, ShowTaskHasErrorAndLog) {
  model::TaskView task;
  task.path = "train";
  task.state = State::kFailed;
  task.attempts = 2;
  task.error = model::Failure{"exit status 3", "line 1\nline 2\n"};
  const std::string text = show_task_text(task, {}, WallTime{}, kPlain);
  EXPECT_NE(text.find("Error     exit status 3\n  | line 1\n  | line 2\n"), std::string::npos)
      << text;
  EXPECT_NE(text.find("Attempts  2"), std::string::npos);
}

TEST(RunText, ShowTaskTellsHowEachAttemptWent) {
  const auto at = [](int second) { return WallTime(std::chrono::seconds(second)); };
  model::TaskView task;
  task.path = "train";
  task.state = State::kRunning;
  task.attempts = 3;
  const std::string text =
      show_task_text(task,
                     {{State::kFailed, true, "its keeper was killed", at(0), at(2)},
                      {State::kFailed, false, "exit status 1", at(3), at(4)},
                      {State::kPending, false, {}, {}, {}}},
                     at(9), kPlain);
  EXPECT_NE(
      text.find(
          "By attempt: state, start, end, time, why\n"
          "  1  LOST     1970-01-01T00:00:00.000000Z  1970-01-01T00:00:02.000000Z  2.0s         "
          "its keeper was killed\n"
          "  2  FAILED   1970-01-01T00:00:03.000000Z  1970-01-01T00:00:04.000000Z  1.0s         "
          "exit status 1\n"
          "  3  WAITING  -                            -                            not started"),
      std::string::npos)
      << text;
}

}  // namespace
}  // namespace cresset::cli
