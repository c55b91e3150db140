#include "cresset/cli/timeline.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "cresset/text/json.h"

namespace cresset::cli {
namespace {

using model::State;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

const Style kPlain(false, false);

WallTime at(std::int64_t millis) { return WallTime(std::chrono::milliseconds(millis)); }

struct Times {
  std::int64_t ready, asked, started, exited, known;  // milliseconds
};

model::TaskView step(std::uint32_t ordinal, const std::string& path, Times times,
                     std::optional<std::uint32_t> released_by = {}) {
  model::TaskView task;
  task.ordinal = ordinal;
  task.path = task.name = path;
  task.state = State::kSucceeded;
  task.attempts = 1;
  task.ready_at = at(times.ready);
  task.started_at = at(times.started);
  task.finished_at = at(times.exited);
  task.released_by = released_by;
  task.spent = {at(times.asked) - at(times.ready), at(times.started) - at(times.asked),
                at(times.exited) - at(times.started), at(times.known) - at(times.exited)};
  return task;
}

model::RunView run_of(std::vector<model::TaskView> tasks, std::int64_t millis) {
  model::RunView run;
  run.id = model::RunId("0123456789abcdef");
  run.name = "digits";
  run.state = State::kSucceeded;
  run.started_at = at(0);
  run.finished_at = at(millis);
  run.tasks = std::move(tasks);
  return run;
}

// load → {train, check} → report, of which training takes longest.
model::RunView diamond() {
  model::TaskView group;
  group.ordinal = 9;
  group.path = "group";
  group.kind = model::TaskKind::kDag;
  group.started_at = at(0);
  return run_of({group, step(0, "load", {0, 100, 200, 1000, 1100}),
                 step(1, "check", {1100, 1100, 1300, 2000, 2000}, 0),
                 step(2, "train", {1100, 1300, 1500, 8000, 8500}, 0),
                 step(3, "report", {8500, 8500, 9000, 10000, 10000}, 2)},
                10000);
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> out;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) out.push_back(line);
  return out;
}

TEST(Timeline, TheCriticalPathLeadsBackFromTheLastToEnd) {
  const Timeline timeline = make_timeline(diamond(), at(99999));
  EXPECT_EQ(timeline.steps.size(), 4u) << "a group is no step";
  std::vector<std::string> path;
  for (const std::size_t i : timeline.critical) path.push_back(timeline.steps[i].path);
  EXPECT_THAT(path, ElementsAre("load", "train", "report"));
}

TEST(Timeline, LooksLikeThis) {
  const std::string text =
      timeline_text(make_timeline(diamond(), at(99999)), {.columns = 60}, kPlain);
  EXPECT_EQ(text,
            "Run 01234567 (digits) SUCCEEDED in 10.0s\n"
            "            0                                 10.0s\n"
            "+ load      ####%                                      1.1s\n"
            "+ check         :###                                  900ms\n"
            "+ train         .###########################%%         7.4s\n"
            "+ report                                     ::####    1.5s\n"
            ". wait  : start  # run  % finish  = cached\n"
            "Critical path: 10.0s of 10.0s\n"
            "             wait   start     run  finish\n"
            "load        100ms   100ms   800ms   100ms\n"
            "train       200ms   200ms    6.5s   500ms\n"
            "report        0ms   500ms    1.0s     0ms\n"
            "all of it   300ms   800ms    8.3s   600ms\n");
}

TEST(Timeline, FitsIntoEveryWidth) {
  model::RunView run = diamond();
  run.tasks[1].path = "sweep-of-all-settings[12]/another-group/and-one-more/try-setting";
  run.tasks[2].path = "größer[1]/größer/größer/größer/größer/größer/größer";
  run.tasks[3].attempts = 3;
  for (const bool utf8 : {false, true}) {
    const Style style(true, utf8);
    for (std::size_t columns = 1; columns < 200; ++columns) {
      const std::string text =
          timeline_text(make_timeline(run, at(99999)), {.columns = columns}, style);
      for (const std::string& line : lines_of(text))
        ASSERT_LE(width_of(line), std::max<std::size_t>(columns, 44)) << columns << ": " << line;
      EXPECT_THAT(text, HasSubstr("tting "));
    }
  }
}

TEST(Timeline, HundredsOfStepsAreTheLongestOnes) {
  std::vector<model::TaskView> tasks;
  for (std::uint32_t i = 0; i < 500; ++i) {
    const std::int64_t begin = i * 10;
    tasks.push_back(step(i, fmt::format("loop[{}]/fit", i),
                         {begin, begin, begin, begin + i, begin + i},
                         i == 0 ? std::nullopt : std::optional(i - 1)));
  }
  const Timeline timeline = make_timeline(run_of(std::move(tasks), 6000), at(6000));
  EXPECT_EQ(timeline.critical.size(), 500u);
  const std::string text = timeline_text(timeline, {.columns = 80, .steps_max = 10}, kPlain);
  EXPECT_THAT(text, HasSubstr("+ loop[490]/fit"));
  EXPECT_THAT(text, Not(HasSubstr("loop[489]/fit")));
  EXPECT_THAT(text, HasSubstr("... 490 shorter steps, of at most 489ms\n"));
  EXPECT_LT(lines_of(text).size(), 30u);
}

TEST(Timeline, WhatGoesOnEndsNow) {
  model::RunView run = run_of({step(0, "done", {0, 0, 0, 1000, 1000})}, 0);
  run.state = State::kRunning;
  run.finished_at.reset();
  model::TaskView live;
  live.ordinal = 1;
  live.path = "live";
  live.state = State::kRunning;
  live.ready_at = at(1000);
  live.started_at = at(1500);
  live.released_by = 0;
  live.spent.starting = std::chrono::milliseconds(500);
  live.doing = model::Doing::kRunning;
  live.doing_since = at(1500);
  run.tasks.push_back(live);
  model::TaskView queued;
  queued.ordinal = 2;
  queued.path = "queued";
  queued.ready_at = at(1000);
  queued.doing = model::Doing::kStarting;
  queued.doing_since = at(1000);
  run.tasks.push_back(queued);
  model::TaskView blocked;
  blocked.ordinal = 3;
  blocked.path = "blocked";
  run.tasks.push_back(blocked);

  const Timeline timeline = make_timeline(run, at(4000));
  ASSERT_EQ(timeline.steps.size(), 3u);
  EXPECT_EQ(timeline.end, at(4000));
  EXPECT_EQ(timeline.steps[1].spent.running, std::chrono::milliseconds(2500));
  EXPECT_EQ(timeline.steps[2].spent.starting, std::chrono::seconds(3));
  const std::string text = timeline_text(timeline, {.columns = 60}, kPlain);
  EXPECT_THAT(text, HasSubstr("RUNNING for 4.0s"));
  EXPECT_THAT(text, HasSubstr("queued             ::::::::"));
}

TEST(Timeline, RunsOfOlderProgramsHaveBarsAndNoReasons) {
  model::RunView run = diamond();
  for (model::TaskView& task : run.tasks) {
    task.ready_at.reset();
    task.released_by.reset();
    task.spent = {};
  }
  const Timeline timeline = make_timeline(run, at(99999));
  ASSERT_EQ(timeline.steps.size(), 4u);
  EXPECT_EQ(timeline.steps[3].path, "report");
  EXPECT_EQ(timeline.critical, std::vector<std::size_t>{3});
  EXPECT_THAT(timeline_text(timeline, {}, kPlain), HasSubstr("####"));
}

TEST(Timeline, NothingHasBegun) {
  EXPECT_EQ(timeline_text(make_timeline(run_of({}, 0), at(0)), {}, kPlain),
            "Run 01234567 (digits) SUCCEEDED in 0ms\nNo step has begun.\n");
}

TEST(Timeline, AsAValue) {
  model::RunView run = diamond();
  run.tasks[4].cached = true;
  const Value value = timeline_value(make_timeline(run, at(99999)));
  EXPECT_EQ(text::to_json(*value.find("critical_path")), R"(["load","train","report"])");
  EXPECT_EQ(
      text::to_json(value.find("steps")->as_list()[3]),
      R"({"path":"report","state":"SUCCEEDED","cached":true,"attempts":1,"critical":true,)"
      R"("ready_at":"1970-01-01T00:00:08.500000Z","started_at":"1970-01-01T00:00:09.000000Z",)"
      R"("ended_at":"1970-01-01T00:00:10.000000Z","waiting":0,"starting":0.5,"running":1,)"
      R"("finishing":0})");
}

}  // namespace
}  // namespace cresset::cli
