#include "cresset/cli/progress_lines.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>

#include "cresset/dag/testing/pipeline_builder.h"

namespace cresset::cli {
namespace {

using dag::testing::PipelineBuilder;
using std::chrono::seconds;

// One run, and what is told of it.
struct ProgressLinesTest : public ::testing::Test {
  static WallTime at(int second) {
    return WallTime{std::chrono::hours{24 * 365 * 50}} + seconds{second};
  }

  void begin(const PipelineBuilder& builder) {
    dag::RunContext context;
    context.created_at = at(0);
    auto made = dag::Plan::make(builder.build(), {}, context);
    ASSERT_TRUE(made) << made.error().text();
    plan = *std::move(made);
    feed(dag::Submitted{}, 0);
  }
  void feed(const dag::Event& event, int second) {
    now = at(second);
    std::vector<dag::TaskBrief> briefs;
    for (const dag::TaskOrdinal task : plan->step(event, now).changed)
      briefs.push_back(plan->brief(task));
    if (follows) text += lines.changes(*plan, briefs, now);
  }
  void tick(int second) {
    now = at(second);
    text += lines.waits(*plan, now);
  }
  [[nodiscard]] dag::TaskOrdinal task(const std::string& path) const { return *plan->find(path); }
  void start(const std::string& path, std::uint32_t attempt, int second) {
    feed(dag::AttemptRunning{task(path), attempt}, second);
  }
  void end(const std::string& path, std::uint32_t attempt, int second) {
    feed(dag::AttemptSucceeded{task(path), attempt, {}}, second);
  }
  void lose(const std::string& path, std::uint32_t attempt, int second) {
    feed(dag::AttemptFailed{task(path), attempt, {"its keeper was killed", ""}, true}, second);
  }

  std::unique_ptr<dag::Plan> plan;
  ProgressLines lines;
  WallTime now{};
  bool follows = true;
  std::string text;
};

TEST_F(ProgressLinesTest, TellsOfAStepFromItsStartToItsEnd) {
  PipelineBuilder builder;
  builder.root().add("a");
  begin(builder);
  tick(0);
  start("a", 1, 0);
  end("a", 1, 2);
  EXPECT_EQ(text,
            "    0ms  a: started\n"
            "   2.0s  a: succeeded (2.0s)\n");
}

TEST_F(ProgressLinesTest, TellsWhyAnAttemptWasLostAndWhenTheNextOneReallyRuns) {
  PipelineBuilder builder;
  builder.root().add("a");
  begin(builder);
  start("a", 1, 0);
  lose("a", 1, 5);
  lines.note_wait(task("a"), "1 CPU", now);
  tick(5);
  tick(7);
  tick(9);
  start("a", 2, 20);
  end("a", 2, 21);
  EXPECT_EQ(text,
            "    0ms  a: started\n"
            "   5.0s  a: attempt 1 was lost, attempt 2 follows\n"
            "         its keeper was killed\n"
            "   7.0s  a: waiting for 1 CPU (attempt 2)\n"
            "  20.0s  a: started (attempt 2)\n"
            "  21.0s  a: succeeded (21.0s  attempt 2)\n");
}

TEST_F(ProgressLinesTest, TellsOfAFailureThatIsRetriedAndOfItsBackOff) {
  PipelineBuilder builder;
  builder.root().add("a").retries(1, seconds{10});
  begin(builder);
  start("a", 1, 0);
  feed(dag::AttemptFailed{task("a"), 1, {"exit status 1", ""}}, 1);
  feed(dag::TimerFired{{dag::TimerKind::kRetry, task("a"), 1}}, 11);
  start("a", 2, 11);
  feed(dag::AttemptFailed{task("a"), 2, {"exit status 2", ""}}, 12);
  EXPECT_EQ(text,
            "    0ms  a: started\n"
            "   1.0s  a: attempt 1 failed, attempt 2 follows in 10.0s\n"
            "         exit status 1\n"
            "  11.0s  a: started (attempt 2)\n"
            "  12.0s  a: failed (12.0s  attempt 2)\n"
            "         exit status 2\n");
}

TEST_F(ProgressLinesTest, TellsForWhatAStepWaitsAndAgainWhenThatChanges) {
  PipelineBuilder builder;
  builder.root().add("a");
  begin(builder);
  lines.note_wait(task("a"), "its environment", now);
  tick(1);
  tick(30);
  now = at(60);
  lines.note_wait(task("a"), "2 CPUs", now);
  tick(61);
  EXPECT_EQ(text,
            "   1.0s  a: waiting for its environment\n"
            "  1m01s  a: waiting for 2 CPUs\n");
}

TEST_F(ProgressLinesTest, TellsOfManyThatWaitInAFewLines) {
  PipelineBuilder builder;
  for (int i = 10; i < 60; ++i) builder.root().add("a" + std::to_string(i));
  begin(builder);
  tick(2);
  EXPECT_EQ(std::ranges::count(text, '\n'), 9);
  EXPECT_NE(text.find("a10: waiting to start\n"), std::string::npos) << text;
  EXPECT_NE(text.find("and 42 more wait\n"), std::string::npos) << text;
}

// A loop, of which one iteration has ended and one runs, and a step that waits for an attempt.
TEST_F(ProgressLinesTest, AFollowerIsToldHowARunStandsAndNotThatItBeginsNow) {
  PipelineBuilder builder;
  builder.root().add("a");
  builder.root().add("lost");
  builder.root().add("sweep").loop("[1, 2, 3]", 2);
  begin(builder);
  ASSERT_TRUE(plan->find("sweep[1]"));
  follows = false;
  text.clear();
  start("sweep[0]", 1, 1);
  start("sweep[1]", 1, 1);
  start("lost", 1, 1);
  lose("lost", 1, 3);
  end("sweep[0]", 1, 4);
  lines = {};
  now = at(10);
  text += lines.attach(*plan, now);
  follows = true;
  tick(10);
  end("sweep[1]", 1, 12);
  start("sweep[2]", 1, 12);
  EXPECT_EQ(text,
            "  10.0s  going on: 1 succeeded - 1 running - 3 pending\n"
            "  10.0s  sweep[1]: running for 9.0s\n"
            "  10.0s  a: waiting to start\n"
            "  10.0s  lost: waiting to start (attempt 2)\n"
            "  10.0s  sweep[2]: waiting to start\n"
            "  12.0s  sweep[1]: succeeded (11.0s)\n"
            "  12.0s  sweep[2]: started\n");
}

TEST_F(ProgressLinesTest, WhoTakesARunOverTellsWhatHasChangedSince) {
  PipelineBuilder builder;
  builder.root().add("a");
  builder.root().add("b");
  begin(builder);
  start("a", 1, 0);
  text = lines.attach(*plan, now);
  follows = false;
  end("a", 1, 3);
  text += lines.attach(*plan, at(9));
  EXPECT_EQ(text, "   3.0s  a: succeeded (3.0s)\n");
}

}  // namespace
}  // namespace cresset::cli
