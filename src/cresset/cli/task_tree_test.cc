#include "cresset/cli/task_tree.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace cresset::cli {
namespace {

using model::State;
using model::TaskKind;

dag::TaskBrief brief(std::string path, TaskKind kind, State state) {
  dag::TaskBrief out;
  out.path = std::move(path);
  out.kind = kind;
  out.state = state;
  return out;
}

std::string joined(const std::vector<std::string>& lines) {
  std::string out;
  for (const std::string& line : lines)
    out += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  return out;
}

const Style kPlain(false, false);

TEST(TaskTree, PutsTasksBelowTheirGroups) {
  TaskTree tree;
  tree.update(brief("load", TaskKind::kContainer, State::kSucceeded));
  auto loop = brief("sweep", TaskKind::kLoop, State::kRunning);
  loop.iterations = 2;
  loop.iterations_done = 1;
  tree.update(loop);
  tree.update(brief("sweep[0]/fit", TaskKind::kContainer, State::kSucceeded));
  tree.update(brief("sweep[1]/fit", TaskKind::kContainer, State::kRunning));
  EXPECT_EQ(joined(tree.render({.lines_max = 10}, kPlain)),
            "+ load\n"
            "| sweep      1/2\n"
            "  + [0]/fit\n"
            "  | [1]/fit\n");
}

TEST(TaskTree, LiveLookLeavesOutFinishedIterations) {
  TaskTree tree;
  tree.update(brief("sweep", TaskKind::kLoop, State::kRunning));
  tree.update(brief("sweep[0]/fit", TaskKind::kContainer, State::kSucceeded));
  tree.update(brief("sweep[1]/fit", TaskKind::kContainer, State::kRunning));
  const std::string text = joined(tree.render({.lines_max = 10, .live = true}, kPlain));
  EXPECT_EQ(text.find("[0]"), std::string::npos);
  EXPECT_NE(text.find("[1]"), std::string::npos);
}

TEST(TaskTree, KeepsWhatFailedWhenThereIsNoRoom) {
  TaskTree tree;
  for (int i = 0; i < 50; ++i)
    tree.update(brief("done-" + std::to_string(i), TaskKind::kContainer, State::kSucceeded));
  auto failed = brief("broken", TaskKind::kContainer, State::kFailed);
  failed.error = model::Failure{"exit status 1", "one\ntwo\x1b[2J\n"};
  tree.update(failed);
  const std::vector<std::string> lines = tree.render({.lines_max = 5}, kPlain);
  const std::string text = joined(lines);
  EXPECT_NE(text.find("x broken"), std::string::npos) << text;
  EXPECT_NE(text.find("exit status 1"), std::string::npos);
  EXPECT_NE(text.find("two?[2J"), std::string::npos) << "a step must not control the terminal";
  EXPECT_NE(text.find("47 more tasks"), std::string::npos) << text;
}

TEST(TaskTree, UpdatesInPlace) {
  TaskTree tree;
  tree.update(brief("a", TaskKind::kContainer, State::kPending));
  tree.update(brief("a", TaskKind::kContainer, State::kSucceeded));
  EXPECT_EQ(joined(tree.render({.lines_max = 10}, kPlain)), "+ a\n");
}

TEST(TaskTree, NoteSaysWhatMatters) {
  auto task = brief("a", TaskKind::kContainer, State::kSucceeded);
  task.started_at = WallTime(Duration(0));
  task.finished_at = WallTime(std::chrono::milliseconds(2400));
  task.attempt = 2;
  EXPECT_EQ(task_note(task, WallTime{}), "2.4s  attempt 2");
  task.cached = true;
  task.attempt = 0;
  EXPECT_EQ(task_note(task, WallTime{}), "cached");
  auto skipped = brief("b", TaskKind::kContainer, State::kSkipped);
  skipped.reason = "its condition is false";
  EXPECT_EQ(task_note(skipped, WallTime{}), "its condition is false");
}

TEST(TaskTree, TellsWhatAStepWaitsForOnceItHasWaitedAWhile) {
  TaskTree tree;
  auto task = brief("a", TaskKind::kContainer, State::kRunning);
  task.attempt = 2;
  task.started_at = WallTime(Duration(0));
  task.doing = model::Doing::kStarting;
  task.doing_since = WallTime(std::chrono::seconds(10));
  tree.update(task);
  const auto render = [&](int second) {
    return joined(
        tree.render({.now = WallTime(std::chrono::seconds(second)), .lines_max = 10}, kPlain));
  };
  EXPECT_EQ(render(10), ". a  attempt 2\n");
  EXPECT_EQ(render(12), ". a  waiting to start  2.0s  attempt 2\n");
  tree.note_wait("a", "1 CPU");
  EXPECT_EQ(render(12), ". a  waiting for 1 CPU  2.0s  attempt 2\n");
  task.doing = model::Doing::kRunning;
  tree.update(task);
  EXPECT_EQ(render(12), "| a  12.0s  attempt 2\n");
}

TEST(TaskTree, CountsAsPendingWhatWaitsForItsNextAttempt) {
  EXPECT_EQ(counts_text({.pending = 2, .running = 3, .waiting = 1}, kPlain),
            "2 running - 3 pending");
}

TEST(Style, CutsAndCleansLines) {
  const Style utf8(false, true);
  EXPECT_EQ(printable_line("abcdef", 6, utf8), "abcdef");
  EXPECT_EQ(printable_line("abcdefg", 6, utf8), "abcde…");
  EXPECT_EQ(printable_line("äöüäöüä", 6, utf8), "äöüäö…");
  EXPECT_EQ(printable_line("a\tb\x07", 6, utf8), "a b?");
}

TEST(Style, AlignsByWidthNotBytes) {
  EXPECT_EQ(align({{"ä", "x"}, {"bb", "y"}}), "ä   x\nbb  y\n");
  EXPECT_EQ(width_of("\033[31mred\033[0m"), 3u);
}

TEST(Style, NamesBytes) {
  EXPECT_EQ(bytes_text(0), "0 B");
  EXPECT_EQ(bytes_text(1023), "1023 B");
  EXPECT_EQ(bytes_text(1536), "1.5 KiB");
  EXPECT_EQ(bytes_text(std::int64_t{5} << 40), "5.0 TiB");
}

}  // namespace
}  // namespace cresset::cli
