#include "cresset/app/failure_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>

namespace cresset::app {
namespace {

using Kind = ports::Exit::Kind;
using ::testing::HasSubstr;

ports::Exit exit_of(Kind kind, int code, std::string detail = {}) {
  ports::Exit out;
  out.kind = kind;
  out.code = code;
  out.detail = std::move(detail);
  return out;
}

constexpr const char* kTraceback =
    "Traceback (most recent call last):\n  File \"a.py\", line 1, in f\nKeyError: 'x'\n";

TEST(FailureText, NamesTheCauseInOneSentence) {
  const struct {
    ports::Exit exit;
    std::string tail;
    std::string cause;
  } cases[] = {
      {exit_of(Kind::kExited, 1), "", "exit status 1"},
      {exit_of(Kind::kExited, 1), kTraceback, "KeyError: 'x'"},
      {exit_of(Kind::kExited, 1), std::string(kTraceback) + "  \n", "KeyError: 'x'"},
      {exit_of(Kind::kExited, 1), "no traceback\nTypeError: no int\n", "TypeError: no int"},
      {exit_of(Kind::kExited, 1), "this is no Error: x\n", "exit status 1"},
      {exit_of(Kind::kExited, 1), "Traceback (most recent call last):\n  File", "exit status 1"},
      {exit_of(Kind::kExited, 1), std::string(kTraceback) + std::string(400, 'x'), "exit status 1"},
      {exit_of(Kind::kExited, 127), "", "command not found (exit status 127)"},
      {exit_of(Kind::kExited, 126), "", "the command cannot be executed (exit status 126)"},
      {exit_of(Kind::kExited, 139), "", "exit status 139: its command was killed by SIGSEGV"},
      {exit_of(Kind::kExited, 255), "", "exit status 255"},
      {exit_of(Kind::kExited, 1, "the log is incomplete: disk full"), "",
       "exit status 1 (the log is incomplete: disk full)"},
      {exit_of(Kind::kSignaled, SIGTERM), "", "killed by SIGTERM"},
      {exit_of(Kind::kSignaled, SIGRTMIN + 3), "", "killed by signal "},
      {exit_of(Kind::kNotStarted, 0, "command \"nix\" was not found"), "",
       "command \"nix\" was not found"},
      {exit_of(Kind::kLost, 0), "", "it was lost: the machine or its keeper went away"},
      {exit_of(Kind::kLost, 0, "the keeper was killed"), kTraceback, "the keeper was killed"},
  };
  for (const auto& one : cases) {
    const model::Failure failure = describe_failure(one.exit, one.tail);
    EXPECT_THAT(failure.message, ::testing::StartsWith(one.cause));
    EXPECT_EQ(failure.log_tail, one.tail);
    EXPECT_EQ(failure.message.find('\n'), std::string::npos);
  }
}

TEST(FailureText, SaysWhatASignalUsuallyMeans) {
  EXPECT_THAT(describe_failure(exit_of(Kind::kSignaled, SIGSEGV), "").message, HasSubstr("memory"));
  EXPECT_THAT(describe_failure(exit_of(Kind::kSignaled, SIGBUS), "").message,
              HasSubstr("/dev/shm"));
  ports::Exit killed = exit_of(Kind::kSignaled, SIGKILL);
  EXPECT_THAT(describe_failure(killed, "").message, HasSubstr("out of memory"));
  killed.out_of_memory = true;
  killed.peak_memory_bytes = std::int64_t{700} << 20;
  EXPECT_THAT(describe_failure(killed, "").message, HasSubstr("it had used 700 MiB"));
}

}  // namespace
}  // namespace cresset::app
