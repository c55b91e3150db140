#include "cresset/cli/log_reader.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

#include "cresset/base/check.h"
#include "cresset/dag/testing/pipeline_builder.h"
#include "cresset/ports/testing/memory_log_store.h"

namespace cresset::cli {
namespace {

using dag::testing::PipelineBuilder;
using std::chrono::seconds;

constexpr WallTime kStart{std::chrono::hours{24 * 365 * 50}};

// A run of one step that fails twice and says a line each time, but for the second.
struct LogReaderTest : public ::testing::Test {
  LogReaderTest() {
    PipelineBuilder builder;
    builder.root().add("a").retries(2);
    dag::RunContext context;
    context.id = run;
    auto made = dag::Plan::make(builder.build(), {}, std::move(context));
    CHECK(made);
    plan = *std::move(made);
    plan->step(dag::Submitted{}, kStart);
    task = *plan->find("a");
  }
  void begin(std::uint32_t attempt) {
    plan->step(dag::AttemptRunning{task, attempt}, kStart + seconds{10 * attempt});
  }
  void fail(std::uint32_t attempt) {
    plan->step(dag::AttemptFailed{task, attempt, {"exit status 1", ""}},
               kStart + seconds{10 * attempt + 5});
  }
  void say(std::uint32_t attempt, const std::string& line) {
    logs.append({run, task, attempt}, line, kStart);
  }
  std::string read(LogReader& reader) {
    ::testing::internal::CaptureStdout();
    EXPECT_TRUE(reader.read(*plan));
    return ::testing::internal::GetCapturedStdout();
  }

  const model::RunId run{"run"};
  ports::testing::MemoryLogStore logs;
  std::unique_ptr<dag::Plan> plan;
  dag::TaskOrdinal task = 0;
  Terminal terminal{false, false};
};

TEST_F(LogReaderTest, ALineStandsBetweenTheAttemptsOfAStep) {
  for (std::uint32_t attempt = 1; attempt <= 3; ++attempt) {
    begin(attempt);
    fail(attempt);
  }
  say(1, "first\n");
  say(3, "third\n");
  LogReader of_step(logs, terminal, "a", {});
  EXPECT_EQ(read(of_step),
            "first\n"
            "--- attempt 2 of 3, begun at 2019-12-20T00:00:20.000000Z ---\n"
            "--- attempt 3 of 3, begun at 2019-12-20T00:00:30.000000Z ---\n"
            "third\n");
  LogReader prefixed(logs, terminal, "a", {.prefix = true});
  EXPECT_TRUE(read(prefixed).starts_with("a | first\na | --- attempt 2 of 3, begun at "));
  LogReader of_run(logs, terminal, "", {});
  EXPECT_EQ(read(of_run), "first\nthird\n");
}

TEST_F(LogReaderTest, WhoFollowsSeesTheLineWhenTheAttemptSaysSomething) {
  LogReader reader(logs, terminal, "a", {});
  begin(1);
  say(1, "no end");
  EXPECT_EQ(read(reader), "");
  fail(1);
  EXPECT_EQ(read(reader), "no end\n");
  begin(2);
  EXPECT_EQ(read(reader), "");
  say(2, "second\n");
  EXPECT_EQ(read(reader),
            "--- attempt 2, begun at 2019-12-20T00:00:20.000000Z ---\n"
            "second\n");
  say(2, "more\n");
  EXPECT_EQ(read(reader), "more\n");
}

TEST_F(LogReaderTest, AStepWithOneAttemptHasNoLine) {
  begin(1);
  say(1, "first\n");
  plan->step(dag::AttemptSucceeded{task, 1, {}}, kStart + seconds{20});
  LogReader reader(logs, terminal, "a", {});
  EXPECT_EQ(read(reader), "first\n");
}

}  // namespace
}  // namespace cresset::cli
