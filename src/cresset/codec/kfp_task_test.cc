#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cresset/codec/testing/spec.h"

namespace cresset::codec {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using testing::findings;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::positions;
using testing::read;
using testing::Spec;
using testing::task_of;

TEST(Task, ReadsItsPlainFields) {
  const model::Pipeline pipeline = read(Spec{.task = R"(taskInfo: {name: Train it}
dependentTasks: [b, c]
cachingOptions: {enableCache: true, cacheKey: k}
triggerPolicy:
  condition: inputs.parameter_values['x'] == 'y'
  strategy: ALL_UPSTREAM_TASKS_COMPLETED)"});
  const model::TaskSpec& task = task_of(pipeline);
  EXPECT_EQ(task.display_name, "Train it");
  EXPECT_EQ(task.component, "comp-a");
  EXPECT_THAT(task.dependent_tasks, ElementsAre("b", "c"));
  EXPECT_TRUE(task.caching.enabled);
  EXPECT_EQ(task.caching.key, "k");
  EXPECT_EQ(task.condition, "inputs.parameter_values['x'] == 'y'");
  EXPECT_EQ(task.strategy, model::TriggerStrategy::kAllUpstreamCompleted);
}

// Their values are freed in parts while they are read.
TEST(Task, ReadsVeryManyAndTheFaultOfOneOfThem) {
  constexpr int kTasks = 3000;
  const auto text = [](int faulty) {
    std::string tasks;
    for (int i = 0; i < kTasks; ++i) {
      tasks += fmt::format(
          R"({}"t{:05}": {{"taskInfo": {{"name": "task {}"}}, "componentRef": {{"name": "comp-a"}}{}}})",
          i == 0 ? "" : ",\n", i, i, i == faulty ? R"(, "surprise": 1)" : "");
    }
    return R"({"pipelineInfo": {"name": "p"}, "schemaVersion": "2.1.0",
"deploymentSpec": {"executors": {"exec-a": {"container": {"image": "i", "command": ["true"]}}}},
"components": {"comp-a": {"executorLabel": "exec-a"}},
"root": {"dag": {"tasks": {
)" + tasks +
           "}}}}";
  };
  const model::Pipeline pipeline = read(text(-1));
  const auto& tasks = std::get<model::Dag>(pipeline.root.body).tasks;
  ASSERT_EQ(tasks.size(), std::size_t{kTasks});
  for (int i = 0; i < kTasks; ++i) {
    const auto task = tasks.find(fmt::format("t{:05}", i));
    ASSERT_NE(task, tasks.end());
    ASSERT_EQ(task->second.display_name, fmt::format("task {}", i));
    ASSERT_EQ(task->second.component, "comp-a");
  }
  EXPECT_THAT(findings(text(2500)), ElementsAre(HasSubstr("error: unknown field \"surprise\"")));
  EXPECT_THAT(positions(text(2500)), ElementsAre(::testing::StartsWith("2505:")));
}

TEST(Task, HasDefaults) {
  const model::Pipeline pipeline = read(Spec{.task = "cachingOptions: {}\ntriggerPolicy: {}"});
  const model::TaskSpec& task = task_of(pipeline);
  EXPECT_EQ(task.display_name, "a");
  EXPECT_FALSE(task.caching.enabled);
  EXPECT_EQ(task.condition, "");
  EXPECT_EQ(task.strategy, model::TriggerStrategy::kAllUpstreamSucceeded);
  EXPECT_FALSE(task.iterator);
  EXPECT_EQ(task.parallelism_limit, 0);
  EXPECT_FALSE(task.retry);
}

TEST(Task, ReadsEverySourceOfAParameter) {
  const model::Pipeline pipeline = read(Spec{.task = R"(inputs:
  parameters:
    output:
      taskOutputParameter: {producerTask: b, outputParameterKey: x}
      parameterExpressionSelector: parseJson(string_value)["k"]
    parent: {componentInputParameter: y}
    constant: {runtimeValue: {constant: [1, {a: null}]}}
    null-constant: {runtimeValue: {constant: null}}
    text: {runtimeValue: {constant: '{{$.inputs.parameters[''x'']}}'}}
    older-int: {runtimeValue: {constantValue: {intValue: '7'}}}
    older-double: {runtimeValue: {constantValue: {doubleValue: 0.5}}}
    older-string: {runtimeValue: {constantValue: {stringValue: ''}}}
    runtime: {runtimeValue: {runtimeParameter: z}}
    status: {taskFinalStatus: {producerTask: c}})"});
  const auto& from = task_of(pipeline).parameters;
  EXPECT_EQ(std::get<model::FromTask>(from.at("output").from), (model::FromTask{"b", "x"}));
  EXPECT_EQ(from.at("output").selector, "parseJson(string_value)[\"k\"]");
  EXPECT_EQ(std::get<model::FromParent>(from.at("parent").from).input, "y");
  const auto constant = [&from](std::string_view name) {
    return text::to_json(std::get<model::Constant>(from.find(name)->second.from).value);
  };
  EXPECT_EQ(constant("constant"), R"([1,{"a":null}])");
  EXPECT_EQ(constant("null-constant"), "null");
  EXPECT_EQ(constant("text"), R"("{{$.inputs.parameters['x']}}")");
  EXPECT_EQ(constant("older-int"), "7");
  EXPECT_EQ(constant("older-double"), "0.5");
  EXPECT_EQ(constant("older-string"), R"("")");
  EXPECT_EQ(std::get<model::FromParent>(from.at("runtime").from).input, "z");
  EXPECT_EQ(std::get<model::FinalStatusOf>(from.at("status").from).task, "c");
}

TEST(Task, RefusesBadSourcesOfParameters) {
  EXPECT_THAT(
      findings(Spec{.task = R"(inputs:
  parameters:
    a: {}
    b: {componentInputParameter: x, runtimeValue: {constant: 1}}
    c: {runtimeValue: {}}
    d: {runtimeValue: {constant: 1, constantValue: {intValue: 1}}}
    e: {runtimeValue: {constantValue: {intValue: 1.5}}}
    f: {runtimeValue: {constantValue: {intValue: 1, stringValue: x}}}
    g: {taskOutputParameter: {producerTask: b}}
    h: {taskFinalStatus: {}}
    i: {componentInputParameter: ''}
    j: {componentInputArtifact: x})"}),
      ElementsAre("error: one of taskOutputParameter, componentInputParameter, runtimeValue, "
                  "taskFinalStatus is missing",
                  "error: componentInputParameter and runtimeValue exclude each other",
                  "error: one of constant, constantValue, runtimeParameter is missing",
                  "error: constant and constantValue exclude each other",
                  "error: intValue must be an integer within ±9007199254740991",
                  "error: intValue and stringValue exclude each other",
                  "error: outputParameterKey is missing", "error: producerTask is missing",
                  "error: componentInputParameter is empty",
                  HasSubstr("error: one of taskOutputParameter"),
                  "error: unknown field \"componentInputArtifact\""));
}

TEST(Task, ReadsEverySourceOfAnArtifact) {
  const model::Pipeline pipeline = read(Spec{.task = R"(inputs:
  artifacts:
    output: {taskOutputArtifact: {producerTask: b, outputArtifactKey: m}}
    parent: {componentInputArtifact: y})"});
  const auto& from = task_of(pipeline).artifacts;
  EXPECT_EQ(std::get<model::FromTask>(from.at("output").from), (model::FromTask{"b", "m"}));
  EXPECT_EQ(std::get<model::FromParent>(from.at("parent").from).input, "y");
  EXPECT_THAT(findings(Spec{.task = "inputs: {artifacts: {a: {}, b: {taskOutputArtifact: {}}}}"}),
              ElementsAre("error: one of taskOutputArtifact, componentInputArtifact is missing",
                          "error: outputArtifactKey is missing", "error: producerTask is missing"));
}

TEST(Task, ReadsIterators) {
  const model::Pipeline raw = read(Spec{.task = R"(parameterIterator:
  items: {raw: '[1, 2]'}
  itemInput: item
iteratorPolicy: {parallelismLimit: 3})"});
  const auto& over_raw = std::get<model::ParameterIterator>(*task_of(raw).iterator);
  EXPECT_EQ(std::get<std::string>(over_raw.items), "[1, 2]");
  EXPECT_EQ(over_raw.item_input, "item");
  EXPECT_EQ(task_of(raw).parallelism_limit, 3);

  const model::Pipeline input =
      read(Spec{.task = "parameterIterator: {items: {inputParameter: xs}, itemInput: item}"});
  EXPECT_EQ(std::get<model::FromParent>(
                std::get<model::ParameterIterator>(*task_of(input).iterator).items)
                .input,
            "xs");

  const model::Pipeline artifacts =
      read(Spec{.task = "artifactIterator: {items: {inputArtifact: ms}, itemInput: m}"});
  const auto& over_artifacts = std::get<model::ArtifactIterator>(*task_of(artifacts).iterator);
  EXPECT_EQ(over_artifacts.items_input, "ms");
  EXPECT_EQ(over_artifacts.item_input, "m");
}

TEST(Task, RefusesBadIterators) {
  EXPECT_THAT(findings(Spec{.task = "parameterIterator: {items: {raw: '[]', inputParameter: x}}"}),
              ElementsAre("error: itemInput is missing",
                          "error: raw and inputParameter exclude each other"));
  EXPECT_THAT(findings(Spec{.task = "parameterIterator: {items: {raw: [1]}, itemInput: x}"}),
              ElementsAre("error: raw must be a string, not a list"));
  EXPECT_THAT(findings(Spec{.task = "artifactIterator: {}\nparameterIterator: {}"}),
              ElementsAre("error: parameterIterator and artifactIterator exclude each other"));
  EXPECT_THAT(findings(Spec{.task = "iteratorPolicy: {parallelismLimit: x}"}),
              ElementsAre("error: parallelismLimit must be a number, not a string"));
}

TEST(Task, ReadsRetries) {
  const model::Pipeline pipeline = read(Spec{.task = R"(retryPolicy:
  maxRetryCount: 4
  backoffDuration: 3.5s
  backoffFactor: 1.5
  backoffMaxDuration: 60s)"});
  const model::RetryPolicy& retry = *task_of(pipeline).retry;
  EXPECT_EQ(retry.max_retries, 4);
  EXPECT_EQ(retry.backoff, milliseconds(3500));
  EXPECT_EQ(retry.backoff_factor, 1.5);
  EXPECT_EQ(retry.backoff_max, seconds(60));
}

TEST(Task, ReadsRetriesAsTheSdkWritesThem) {
  const model::Pipeline pipeline = read(
      Spec{.task = "retryPolicy: {maxRetryCount: '2', backoffDuration: 0s, backoffFactor: 2.0, "
                   "backoffMaxDuration: 3600s}"});
  const model::RetryPolicy& retry = *task_of(pipeline).retry;
  EXPECT_EQ(retry.max_retries, 2);
  EXPECT_EQ(retry.backoff, seconds(0));
  EXPECT_EQ(retry.backoff_factor, 2);
  EXPECT_EQ(retry.backoff_max, seconds(3600));
}

TEST(Task, RefusesBadDurations) {
  for (const std::string text :
       {"5", "5m", "-1s", "1.s", ".5s", "1e3s", "1234567890123s", "1.0000000001s", "s", "''"}) {
    EXPECT_THAT(findings(Spec{.task = "retryPolicy: {backoffDuration: '" + text + "'}"}),
                ElementsAre(HasSubstr("is no duration")))
        << text;
  }
  EXPECT_THAT(findings(Spec{.task = "retryPolicy: {backoffDuration: 5}"}),
              ElementsAre("error: backoffDuration must be a string, not a number"));
}

TEST(Task, RefusesBadValues) {
  EXPECT_THAT(
      findings(Spec{.task = R"(cachingOptions: {enableCache: 'true'}
triggerPolicy: {strategy: ALL}
dependentTasks: [1, b]
retryPolicy: {maxRetryCount: 1.5}
timeout: 5)"}),
      ElementsAre("error: enableCache must be true or false, not a string",
                  "error: unknown trigger strategy", "error: this must be a string, not a number",
                  "error: maxRetryCount must be an integer within ±9007199254740991",
                  "error: unknown field \"timeout\""));
}

TEST(Task, RefusesNulCharacters) {
  EXPECT_THAT(findings(Spec{.task = "taskInfo: {name: \"a\\0b\"}"}),
              ElementsAre("error: this text holds a NUL character"));
}

TEST(Task, NeedsAComponent) {
  const std::string text =
      "pipelineInfo: {name: p}\nschemaVersion: 2.1.0\nroot:\n  dag:\n    tasks:\n      a: {}\n"
      "      b: {componentRef: {}}\n      ../c: {componentRef: {name: x}}\n";
  EXPECT_THAT(findings(text),
              ElementsAre("error: componentRef is missing", "error: name is missing",
                          "error: the name \"../c\" holds a slash"));
}

}  // namespace
}  // namespace cresset::codec
