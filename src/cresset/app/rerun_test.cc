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

  struct ByHand final : Interrupts {
    int level() override { return asked; }
    int asked = 0;
  };
  Result<ports::StartSpec> by_hand(const model::RunId& run, const std::string& task) {
    Result<RunRequest> request = process.service.make_rerun(run, task, {});
    if (!request) return std::move(request).error();
    return process.service.prepare_by_hand(
        *std::move(request), "/by/hand", [](std::string_view) {}, hand);
  }

  EngineWorld world;
  EngineProcess process{world};
  ByHand hand;
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

TEST_F(RerunTest, KeepsTheRunWhoseArtifactsItWasGiven) {
  const model::RunView first = process.run(kSmallPipeline);
  const model::RunView cached = process.run(kSmallPipeline);
  const model::RunView again = rerun(cached.id, "b");
  // The artifact that it was given was made by the first run.
  ASSERT_FALSE(task_of(again, "b").inputs.artifacts.empty());
  EXPECT_TRUE(process.service.remove(cached.id));
  EXPECT_EQ(process.service.remove(first.id).error().reason, "run.in_use");
  EXPECT_TRUE(process.service.remove(again.id));
  EXPECT_TRUE(process.service.remove(first.id));
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

constexpr const char* kWithVolume = R"yaml(
pipelineInfo: {name: mounts}
schemaVersion: 2.1.0
sdkVersion: kfp-2.17.0
root:
  inputDefinitions:
    parameters: {token: {parameterType: STRING}}
  dag:
    tasks:
      create:
        taskInfo: {name: create}
        componentRef: {name: comp-create}
        inputs:
          parameters: {pvc_name: {runtimeValue: {constant: shelf}}}
      use:
        taskInfo: {name: use}
        componentRef: {name: comp-use}
        dependentTasks: [create]
components:
  comp-create:
    executorLabel: exec-create
    inputDefinitions:
      parameters: {pvc_name: {parameterType: STRING}}
    outputDefinitions:
      parameters: {name: {parameterType: STRING}}
  comp-use: {executorLabel: exec-use}
deploymentSpec:
  executors:
    exec-create: {container: {image: argostub/createpvc}}
    exec-use: {container: {image: x, command: [run]}}
---
platforms:
  kubernetes:
    deploymentSpec:
      executors:
        exec-use:
          pvcMount:
          - mountPath: /mnt/shelf
            taskOutputParameter: {producerTask: create, outputParameterKey: name}
          secretAsEnv:
          - secretNameParameter: {componentInputParameter: token}
            keyToEnv: [{secretKey: key, envVar: KEY}]
)yaml";

TEST_F(RerunTest, KeepsTheNamesInItsSettings) {
  world.files.write("/srv/cresset/secrets/hub/key", "s3cret");
  const model::RunView first =
      process.finish(process.create(kWithVolume, {}, {{"token", Value("hub")}}));
  ASSERT_EQ(first.state, State::kSucceeded);
  const model::RunView again = rerun(first.id, "use");
  EXPECT_EQ(again.state, State::kSucceeded);
  const auto specs = world.machine.specs();
  ASSERT_EQ(specs.size(), 2u);
  for (const auto& [id, spec] : specs) {
    ASSERT_EQ(spec.mounts.size(), 1u) << model::to_string(id);
    EXPECT_EQ(spec.mounts.front().source, "/srv/cresset/volumes/shelf");
    EXPECT_THAT(spec.env,
                ::testing::Contains(std::pair<std::string, std::string>("KEY", "s3cret")));
  }
}

// Declared, as a compiler does it, with the type of one item.
constexpr const char* kLoopOfOneStep = R"yaml(
pipelineInfo: {name: loops}
schemaVersion: 2.1.0
sdkVersion: kfp-2.17.0
root:
  inputDefinitions:
    parameters: {words: {parameterType: LIST}}
  dag:
    tasks:
      say:
        taskInfo: {name: say}
        componentRef: {name: comp-say}
        inputs:
          parameters: {words: {componentInputParameter: words}}
        parameterIterator: {itemInput: word, items: {inputParameter: words}}
components:
  comp-say:
    executorLabel: exec-say
    inputDefinitions:
      parameters: {words: {parameterType: STRING}, word: {parameterType: STRING}}
deploymentSpec:
  executors:
    exec-say: {container: {image: x, command: [say]}}
)yaml";

TEST_F(RerunTest, GivesAStepThatWasALoopTheListThatItRanOver) {
  const Value words(Value::List{"a", "b"});
  const model::RunView first =
      process.finish(process.create(kLoopOfOneStep, {}, {{"words", words}}));
  ASSERT_EQ(first.state, State::kSucceeded);
  ASSERT_EQ(task_of(first, "say[1]").inputs.parameters.at("words"), words);
  const model::RunView again = rerun(first.id, "say[1]");
  EXPECT_EQ(task_of(again, "say").inputs, task_of(first, "say[1]").inputs);
  const model::RunView other = rerun(first.id, "say[1]", {{"words", R"(["c"])"}, {"word", "c"}});
  EXPECT_EQ(task_of(other, "say").inputs.parameters.at("words"), Value(Value::List{"c"}));
  EXPECT_EQ(task_of(other, "say").inputs.parameters.at("word"), Value("c"));
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

TEST_F(RerunTest, ByHandItIsPreparedAsForARunAndNothingIsStored) {
  const model::RunView first = process.run(kSmallPipeline);
  const std::size_t executions = world.machine.executions().size();
  const Result<ports::StartSpec> spec = by_hand(first.id, "b");
  ASSERT_TRUE(spec) << spec.error().text();
  EXPECT_TRUE(spec->work_dir.starts_with("/by/hand/runs/")) << spec->work_dir;
  for (const std::string& folder : spec->fresh) EXPECT_TRUE(folder.starts_with("/by/hand/"));
  EXPECT_THAT(::testing::PrintToString(spec->argv), HasSubstr("got 42"));
  EXPECT_EQ(process.service.list()->size(), 1u);
  EXPECT_EQ(world.machine.executions().size(), executions);
  EXPECT_EQ(rerun(first.id, "b").state, State::kSucceeded) << "its answers were taken";
}

TEST_F(RerunTest, ByHandStopsWhenAsked) {
  const model::RunView first = process.run(kSmallPipeline);
  hand.asked = 1;
  EXPECT_EQ(by_hand(first.id, "b").error().code, Code::kCancelled);
}

}  // namespace
}  // namespace cresset::app
