#include "cresset/adapters/python/pipeline_compiler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "cresset/adapters/python/testing/python_world.h"

namespace cresset::python {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Stands for the real helper, which tests/e2e and runtime/python/tests run: it answers by the
// file's name.
constexpr const char* kHelper = R"py(
import json, os, signal, sys
asked = 0
for line in sys.stdin:
    question = json.loads(line)
    asked += 1
    file = question["file"]
    if file == "slow.py":
        signal.pause()
    if file == "death.py":
        os._exit(7)
    if file == "last.py":
        print(json.dumps({"text": None, "error": "there is no kfp", "files": [], "ends": True}), flush=True)
        break
    text = f"{file} {question['function']} {os.getpid()} {asked}" if file != "bad.py" else None
    print(json.dumps({"text": text, "error": None, "files": [file]}), flush=True)
)py";

struct PipelineCompilerTest : public ::testing::Test {
  static PipelineCompilerOptions options(Duration limit) {
    const std::string path = from_environment("PATH");
    return {kHelper, path, {{"PATH", path}}, limit};
  }
  static bool never() { return false; }

  Result<CompiledPipeline> compile(const std::string& file, const std::string& python = "python3") {
    return compiler_.compile({python, file, "f"}, never);
  }
  std::string text(const std::string& file) {
    auto out = compile(file);
    return out ? out->text.value_or("no text") : out.error().text();
  }

  PipelineCompiler compiler_{options(std::chrono::seconds(60))};
};

TEST_F(PipelineCompilerTest, OneProcessCompilesOneFileAfterTheOther) {
  const std::string first = text("a.py");
  EXPECT_TRUE(first.starts_with("a.py f ")) << first;
  EXPECT_TRUE(first.ends_with(" 1")) << first;
  EXPECT_EQ(text("a.py"), first.substr(0, first.size() - 1) + "2");
}

TEST_F(PipelineCompilerTest, WhatPythonHasSaidItselfIsNoProblemInWords) {
  const auto out = compile("bad.py");
  ASSERT_TRUE(out) << out.error().text();
  EXPECT_FALSE(out->text);
  EXPECT_EQ(out->problem, "");
  EXPECT_THAT(out->files, ElementsAre("bad.py"));
}

TEST_F(PipelineCompilerTest, AProcessThatEndedIsFollowedByANewOne) {
  const auto last = compile("last.py");
  ASSERT_TRUE(last) << last.error().text();
  EXPECT_EQ(last->problem, "there is no kfp");
  EXPECT_TRUE(text("a.py").starts_with("a.py f "));
  const auto death = compile("death.py");
  ASSERT_FALSE(death);
  EXPECT_EQ(death.error().code, Code::kFailedPrecondition);
  EXPECT_THAT(death.error().text(), HasSubstr("status 7"));
  EXPECT_TRUE(text("a.py").ends_with(" 1"));
}

TEST_F(PipelineCompilerTest, WhatTakesTooLongIsKilled) {
  PipelineCompiler hasty(options(std::chrono::milliseconds(300)));
  const auto slow = hasty.compile({"python3", "slow.py", ""}, never);
  ASSERT_FALSE(slow);
  EXPECT_EQ(slow.error().code, Code::kDeadlineExceeded);
  EXPECT_THAT(slow.error().text(), HasSubstr("300ms"));
}

TEST_F(PipelineCompilerTest, StopsWhenAsked) {
  int asked = 0;
  const auto stopped =
      compiler_.compile({"python3", "slow.py", ""}, [&asked] { return ++asked > 3; });
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().code, Code::kCancelled);
  EXPECT_TRUE(text("a.py").ends_with(" 1"));
}

TEST_F(PipelineCompilerTest, SaysWhatIsWrongWithTheInterpreter) {
  const auto absent = compile("a.py", "/no/such/python");
  ASSERT_FALSE(absent);
  EXPECT_EQ(absent.error().code, Code::kNotFound);
  EXPECT_THAT(absent.error().text(), HasSubstr("--python"));
  const auto other = compile("a.py", "false");
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code, Code::kFailedPrecondition);
  EXPECT_THAT(other.error().text(), HasSubstr("false ended with status 1"));
}

}  // namespace
}  // namespace cresset::python
