#include "cresset/app/rerun.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cresset/app/testing/engine_world.h"

namespace cresset::app {
namespace {

using model::State;
using testing::EngineProcess;
using testing::EngineWorld;
using ::testing::HasSubstr;
using testing::kLargePipeline;
using testing::kSmallPipeline;
using testing::task_of;

struct RerunTest : public ::testing::Test {
  // Runs one task of `run` again, and answers the view of that run.
  model::RunView rerun(const model::RunId& run, const std::string& task,
                       const model::ByName<std::string>& changes = {}) {
    Result<RunRequest> request = process.service.make_rerun(run, task, changes);
    EXPECT_TRUE(request) << request.error().text();
    if (!request) return {};
    const Result<model::RunId> made = process.service.create(*std::move(request));
    EXPECT_TRUE(made) << made.error().text();
    return process.finish(*made);
  }
  Error refusal(const model::RunId& run, const std::string& task,
                const model::ByName<std::string>& changes = {}) {
    const Result<RunRequest> request = process.service.make_rerun(run, task, changes);
    EXPECT_FALSE(request);
    return request ? Error{} : request.error();
  }

  EngineWorld world;
  EngineProcess process{world};
};

TEST_F(RerunTest, RunsOneStepWithTheInputsThatItHad) {
  const model::RunView first = process.run(kSmallPipeline);
  const model::RunView again = rerun(first.id, "b");
  EXPECT_EQ(again.state, State::kSucceeded);
  ASSERT_EQ(again.tasks.size(), 1u);
  EXPECT_EQ(task_of(again, "b").inputs, task_of(first, "b").inputs);
  EXPECT_EQ(task_of(again, "b").outputs.parameters.at("out"), Value("got 42"));
  EXPECT_FALSE(task_of(again, "b").cached);
  EXPECT_EQ(again.name, "small (b)");
  EXPECT_EQ(world.machine.executions().size(), 3u);
}

TEST_F(RerunTest, TakesChangedParametersAsTheirType) {
  const model::RunView first = process.run(kSmallPipeline);
  const model::RunView again = rerun(first.id, "b", {{"x", "7"}});
  EXPECT_EQ(task_of(again, "b").outputs.parameters.at("out"), Value("got 7"));
  EXPECT_EQ(refusal(first.id, "b", {{"x", "seven"}}).code, Code::kInvalidArgument);
  const Error unknown = refusal(first.id, "b", {{"xx", "7"}});
  EXPECT_EQ(unknown.code, Code::kInvalidArgument);
  EXPECT_THAT(unknown.text(), HasSubstr("has no parameter \"xx\""));
}

TEST_F(RerunTest, RunsAStepOfALoopAndOneThatFailed) {
  const model::RunView first = process.run(kLargePipeline);
  const model::RunView item = rerun(first.id, "exit-handler-1/loop[1]/item");
  EXPECT_EQ(task_of(item, "item").outputs.parameters.at("out"), Value(12));
  EXPECT_EQ(rerun(first.id, "broken").state, State::kFailed);
  const model::RunView cleanup = rerun(first.id, "cleanup");
  EXPECT_EQ(task_of(cleanup, "cleanup").outputs, task_of(first, "cleanup").outputs);
}

TEST_F(RerunTest, SaysWhatCannotRunAlone) {
  const model::RunView first = process.run(kLargePipeline);
  EXPECT_EQ(refusal(first.id, "exit-handler-1").code, Code::kFailedPrecondition);
  EXPECT_EQ(refusal(first.id, "exit-handler-1/loop").code, Code::kFailedPrecondition);
  EXPECT_THAT(refusal(first.id, "never").text(), HasSubstr("never started"));
  EXPECT_EQ(refusal(first.id, "item").code, Code::kInvalidArgument) << "three tasks have that name";
  EXPECT_EQ(refusal(first.id, "nobody").code, Code::kNotFound);
  EXPECT_EQ(refusal(model::RunId("nobody"), "a").code, Code::kNotFound);
}

}  // namespace
}  // namespace cresset::app
