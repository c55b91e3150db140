#include "cresset/adapters/python/child.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <charconv>
#include <thread>

#include "cresset/adapters/python/testing/python_world.h"

namespace cresset::python {
namespace {

constexpr Duration kLong = std::chrono::seconds(60);

ChildSpec shell(const std::string& script, std::optional<Duration> limit = kLong) {
  return {{"/bin/sh", "-c", script}, {{"PATH", "/usr/bin:/bin"}, {"WORD", "x y"}}, limit};
}

// A killed process takes a moment to die, and stays until its parent, whoever that is by now, has
// waited for it.
bool comes_to_an_end(const std::string& pid) {
  const StopSignal never;
  for (int i = 0; i < 2000; ++i) {
    const std::string stat = read_text("/proc/" + pid + "/stat");
    if (stat.empty() || stat.substr(stat.rfind(')') + 2, 1) == "Z") return true;
    static_cast<void>(never.wait(std::chrono::milliseconds(5)));
  }
  return false;
}

TEST(Child, HandsOverItsOutputAndStatus) {
  StopSignal stop;
  const auto end = run_child(shell("echo out $WORD; echo err >&2; cat; exit 3"), stop);
  ASSERT_TRUE(end) << end.error().text();
  EXPECT_EQ(end->status, 3);
  EXPECT_EQ(end->output, "out x y\n");
  EXPECT_EQ(end->errors, "err\n");
}

TEST(Child, CountsSignalsAsTheShellDoes) {
  StopSignal stop;
  EXPECT_EQ(run_child(shell("kill -9 $$"), stop)->status, 128 + 9);
}

TEST(Child, KeepsTheEndOfLongOutput) {
  StopSignal stop;
  const auto end = run_child(shell("yes 0123456789 | head -n 500000; echo last"), stop);
  ASSERT_TRUE(end);
  EXPECT_TRUE(end->output.ends_with("0123456789\nlast\n"));
  EXPECT_LE(end->output.size(), std::size_t{2} << 20);
}

TEST(Child, EndsWithItsLeaderAndTakesTheRestOfItsGroupAlong) {
  StopSignal stop;
  const auto end = run_child(shell("sleep 1000 & echo $!"), stop);
  ASSERT_TRUE(end) << end.error().text();
  EXPECT_TRUE(comes_to_an_end(end->output.substr(0, end->output.find('\n')))) << end->output;
}

TEST(Child, IsKilledWhenItsTimeIsOver) {
  StopSignal stop;
  const auto end = run_child(shell("sleep 1000", std::chrono::milliseconds(50)), stop);
  ASSERT_FALSE(end);
  EXPECT_EQ(end.error().code, Code::kDeadlineExceeded);
  EXPECT_THAT(end.error().message, ::testing::HasSubstr("/bin/sh did not end within 50ms"));
}

TEST(Child, IsKilledWhenStopIsRaised) {
  StopSignal stop;
  std::thread stopping([&stop] { stop.raise(); });
  const auto end = run_child(shell("sleep 1000 & sleep 1000"), stop);
  stopping.join();
  ASSERT_FALSE(end);
  EXPECT_EQ(end.error().code, Code::kCancelled);
  EXPECT_TRUE(stop.wait(Duration(0))) << "stays raised";
}

TEST(Child, SaysWhyAProgramDoesNotStart) {
  StopSignal stop;
  const ports::testing::TempFolder folder;
  write_text(folder / "text", "words\n", true);
  write_text(folder / "locked", "#!/bin/sh\n");
  EXPECT_EQ(run_child({{folder / "none"}, {}}, stop).error().code, Code::kNotFound);
  EXPECT_EQ(run_child({{folder / "text"}, {}}, stop).error().code, Code::kInvalidArgument);
  EXPECT_EQ(run_child({{folder / "locked"}, {}}, stop).error().code, Code::kPermissionDenied);
}

TEST(Child, LastLinesComeFromTheErrorsIfThereAreAny) {
  ChildEnd end{1, "a\n\nb\n", "  \n"};
  EXPECT_EQ(last_lines(end), "\n  a\n  b");
  EXPECT_EQ(last_lines(end, 1), "\n  b");
  end.errors = "no end of line";
  EXPECT_EQ(last_lines(end), "\n  no end of line");
  EXPECT_EQ(last_lines(ChildEnd{}), "");
}

}  // namespace
}  // namespace cresset::python
