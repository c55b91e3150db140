#include "cresset/app/read_pipeline.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace cresset::app {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

// Line and column of the first place after `anchor` that reads like `wanted`.
text::Position position_of(std::string_view text, std::string_view anchor,
                           std::string_view wanted) {
  const std::size_t from = text.find(anchor);
  EXPECT_NE(from, std::string_view::npos) << anchor;
  const std::size_t offset = text.find(wanted, from);
  EXPECT_NE(offset, std::string_view::npos) << wanted;
  text::Position out{1, 1};
  for (const char c : text.substr(0, offset)) {
    if (c == '\n') {
      out = {out.line + 1, 1};
    } else {
      ++out.column;
    }
  }
  return out;
}

struct Expected {
  std::string anchor;
  std::string at;
  std::string pointer;
  std::string message;
};

void expect_diagnostics(const std::string& text, const std::vector<Expected>& expected) {
  const codec::ReadResult read = read_and_check(text, "bad.yaml");
  EXPECT_FALSE(read.pipeline);
  ASSERT_THAT(read.diagnostics, SizeIs(expected.size()));
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const codec::Diagnostic& found = read.diagnostics[i];
    EXPECT_EQ(found.severity, codec::Severity::kError);
    EXPECT_EQ(found.file, "bad.yaml");
    EXPECT_THAT(found.message, HasSubstr(expected[i].message));
    EXPECT_EQ(found.pointer, expected[i].pointer) << found.message;
    EXPECT_EQ(found.position, position_of(text, expected[i].anchor, expected[i].at))
        << found.message << " at " << found.position.line << ":" << found.position.column;
  }
}

// An argument, a secret, a task's missing input, a misspelled output and a constant are wrong.
constexpr std::string_view kSpec = R"(# ein Kommentar über allem
pipelineInfo:
  name: bad
schemaVersion: 2.1.0
components:
  comp-make:
    executorLabel: exec-für-make
    inputDefinitions:
      parameters:
        n: {parameterType: NUMBER_INTEGER}
    outputDefinitions:
      parameters:
        Output:
          parameterType: NUMBER_INTEGER
deploymentSpec:
  executors:
    exec-für-make:
      container:
        image: python
        command: [echo, "{{$.inputs.parameters['m']}}"]
root:
  dag:
    tasks:
      first:
        componentRef:
          name: comp-make
      second:
        componentRef:
          name: comp-make
        inputs:
          parameters:
            n:
              taskOutputParameter:
                producerTask: first
                outputParameterKey: Ouput
      third:
        componentRef: {name: comp-make}
        inputs:
          parameters:
            n:
              runtimeValue:
                constant: viele
)";

const std::vector<Expected> kExpected{
    {"command:", "\"{{$.inputs", "/deploymentSpec/executors/exec-für-make/container/command/1",
     "names no input of comp-make"},
    {"    tasks:", "first:", "/root/dag/tasks/first", "does not pass the parameter \"n\""},
    {"      second:", "Ouput",
     "/root/dag/tasks/second/inputs/parameters/n/taskOutputParameter/outputParameterKey",
     "task \"first\" gives no parameter \"Ouput\""},
    {"      third:", "viele", "/root/dag/tasks/third/inputs/parameters/n/runtimeValue/constant",
     "takes a NUMBER_INTEGER, not \"viele\""},
};

TEST(ReadAndCheck, OneYamlDocument) { expect_diagnostics(std::string(kSpec), kExpected); }

TEST(ReadAndCheck, TwoYamlDocuments) {
  const std::string text = std::string(kSpec) + R"(---
platforms:
  kubernetes:
    deploymentSpec:
      executors:
        exec-für-make:
          secretAsEnv:
          - secretNameParameter: {runtimeValue: {constant: fine}}
            keyToEnv:
            - {secretKey: a, envVar: A}
          - secretNameParameter:
              componentInputParameter: gone
            keyToEnv:
            - {secretKey: b, envVar: B}
)";
  std::vector<Expected> expected = kExpected;
  expected.push_back({"platforms:", "gone",
                      "/platforms/kubernetes/deploymentSpec/executors/exec-für-make/secretAsEnv/1/"
                      "secretNameParameter/componentInputParameter",
                      "comp-make is passed no parameter \"gone\""});
  expect_diagnostics(text, expected);
}

// A document that holds nothing counts as none.
TEST(ReadAndCheck, AfterAnEmptyDocument) {
  expect_diagnostics("---\n---\n" + std::string(kSpec), kExpected);
}

constexpr std::string_view kJsonSpec = R"({
    "pipelineInfo": {"name": "bad"}, "schemaVersion": "2.1.0",
    "components": {"comp-b": {"executorLabel": "exec",
      "inputDefinitions": {"parameters": {"n": {"parameterType": "NUMBER_INTEGER"}}}}},
    "deploymentSpec": {"executors": {"exec": {"container": {"image": "i",
      "args": ["ok", "{{$.inputs.parameters['m']}}"]}}}},
    "root": {"dag": {"tasks": {
      "go": {"componentRef": {"name": "comp-b"}},
      "stay" : {"componentRef": {"name": "comp"}}
    }}}
  })";

std::vector<Expected> json_expected(const std::string& prefix) {
  return {
      {"\"args\"", "\"{{$.inputs", prefix + "/deploymentSpec/executors/exec/container/args/1",
       "names no input of comp-b"},
      {"\"tasks\"", "\"go\"", prefix + "/root/dag/tasks/go", "does not pass the parameter \"n\""},
      {"\"stay\"", "\"comp\"", prefix + "/root/dag/tasks/stay/componentRef/name",
       "unknown component \"comp\""}};
}

TEST(ReadAndCheck, Json) { expect_diagnostics(std::string(kJsonSpec), json_expected("")); }

constexpr std::string_view kPlatformJson = R"({"platforms": {"kubernetes": {"deploymentSpec": {
    "executors": {"exec": {"pvcMount": [{"mountPath": "/data",
      "pvcNameParameter": {"taskOutputParameter": {"producerTask": "mkae", "outputParameterKey": "name"}}}]}}}}}})";

TEST(ReadAndCheck, WrappedJson) {
  std::vector<Expected> expected = json_expected("/pipeline_spec");
  expected.push_back(
      {"pvcMount", "\"mkae\"",
       "/platform_spec/platforms/kubernetes/deploymentSpec/executors/exec/pvcMount/0/"
       "pvcNameParameter/taskOutputParameter/producerTask",
       "there is no task \"mkae\" in this dag"});
  expect_diagnostics("{\"pipeline_spec\": " + std::string(kJsonSpec) +
                         ",\n \"platform_spec\": " + std::string(kPlatformJson) + "}",
                     expected);
}

TEST(ReadAndCheck, PipelineJob) {
  expect_diagnostics("{\"displayName\": \"job\", \"pipelineSpec\": " + std::string(kJsonSpec) +
                         ", \"runtimeConfig\": {\"parameterValues\": {}}}",
                     json_expected("/pipelineSpec"));
}

// protobuf's JSON also has the names as the proto file spells them.
TEST(ReadAndCheck, SnakeCaseSpelling) {
  const std::string text = R"(pipeline_info: {name: bad}
schema_version: 2.1.0
components:
  comp-make:
    executor_label: exec-make
deployment_spec:
  executors:
    exec-make:
      container:
        image: python
        args: ["{{$.inputs.parameters['m']}}"]
root:
  dag:
    tasks:
      first:
        component_ref: {name: comp-make}
        dependent_tasks: [frist]
)";
  expect_diagnostics(
      text, {{"args", "\"{{$.inputs", "/deployment_spec/executors/exec-make/container/args/0",
              "names no input"},
             {"dependent_tasks", "frist", "/root/dag/tasks/first/dependent_tasks/0",
              "there is no task \"frist\""}});
}

// What is said of a field that the file gives in an older spelling stands at what holds it.
TEST(ReadAndCheck, OlderSpellings) {
  const std::string text = R"(pipelineInfo: {name: bad}
schemaVersion: 2.1.0
components:
  comp-make:
    executorLabel: exec-make
    inputDefinitions:
      parameters:
        n: {type: INT}
deploymentSpec:
  executors:
    exec-make: {container: {image: python, command: [go]}}
root:
  dag:
    tasks:
      first:
        componentRef: {name: comp-make}
        inputs:
          parameters:
            n:
              runtimeValue:
                constantValue: {stringValue: viele}
)";
  expect_diagnostics(
      text, {{"parameters:\n            n", "runtimeValue",
              "/root/dag/tasks/first/inputs/parameters/n/runtimeValue", "takes a NUMBER_INTEGER"}});
}

TEST(ReadAndCheck, KeepsWarningsInTheOrderOfTheFile) {
  std::string text(kSpec);
  text.insert(text.find("components:"), "defaultPipelineRoot: gs://somewhere\n");
  const codec::ReadResult read = read_and_check(text, "bad.yaml");
  ASSERT_THAT(read.diagnostics, SizeIs(kExpected.size() + 1));
  EXPECT_EQ(read.diagnostics.front().severity, codec::Severity::kWarning);
  for (std::size_t i = 1; i < read.diagnostics.size(); ++i) {
    EXPECT_LE(read.diagnostics[i - 1].position.line, read.diagnostics[i].position.line);
    EXPECT_EQ(read.diagnostics[i].severity, codec::Severity::kError);
  }
}

TEST(ReadAndCheck, GivesThePipelineWhenNothingIsWrong) {
  std::string text(kSpec);
  const auto replace = [&text](std::string_view from, std::string_view to) {
    text.replace(text.find(from), from.size(), to);
  };
  replace("['m']", "['n']");
  replace("Ouput", "Output");
  replace("viele", "3");
  replace("          name: comp-make\n",
          "          name: comp-make\n        inputs: {parameters: {n: {runtimeValue: {constant: "
          "1}}}}\n");
  const codec::ReadResult read = read_and_check(text, "good.yaml");
  EXPECT_THAT(read.diagnostics, ElementsAre());
  ASSERT_TRUE(read.pipeline);
  EXPECT_EQ(read.pipeline->name, "bad");
}

std::vector<std::string> messages_of(std::string_view text) {
  std::vector<std::string> out;
  for (const codec::Diagnostic& diagnostic : read_and_check(text, "bad.yaml").diagnostics)
    out.push_back(diagnostic.message);
  return out;
}

TEST(ReadAndCheck, AMisspeltFieldHidesNothingElsewhere) {
  const std::size_t before = messages_of(kSpec).size();
  std::string text(kSpec);
  text.replace(text.find("schemaVersion"), 13, "schemaVersoin");
  const std::vector<std::string> messages = messages_of(text);
  EXPECT_THAT(messages, Contains(HasSubstr("unknown field \"schemaVersoin\"")));
  EXPECT_GE(messages.size(), before + 1);
}

TEST(ReadAndCheck, AKeyThatOccursTwiceHidesNothingElse) {
  const std::size_t before = messages_of(kSpec).size();
  const std::vector<std::string> messages =
      messages_of(std::string(kSpec) + "sdkVersion: a\nsdkVersion: b\n");
  EXPECT_THAT(messages, Contains(HasSubstr("the key \"sdkVersion\" occurs twice")));
  EXPECT_GE(messages.size(), before + 1);
}

// What follows from a part that could not be read is not told as well.
TEST(ReadAndCheck, WhatIsDoubtfulIsLeftOut) {
  std::string text(kSpec);
  text.replace(text.find("componentRef"), 12, "componentReff");
  for (const std::string& message : messages_of(text))
    EXPECT_EQ(message.find("unknown component \"\""), std::string::npos) << message;
}

}  // namespace
}  // namespace cresset::app
