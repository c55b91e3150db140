#include "cresset/codec/kfp_ir.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cresset/codec/testing/spec.h"

namespace cresset::codec {
namespace {

using ::testing::ElementsAre;
using testing::findings;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::positions;
using testing::read;
using testing::Spec;
using testing::to_yaml;

constexpr std::string_view kSpecJson =
    R"({"pipelineInfo": {"name": "sample"}, "schemaVersion": "2.1.0", "root": {"dag": {}}})";

std::string help_of(std::string_view text, std::string_view file = "p.yaml") {
  const auto found = read_pipeline(text, file).diagnostics;
  return found.empty() ? "" : found.front().help;
}

TEST(PipelineSpec, ReadsEveryField) {
  const model::Pipeline pipeline = read(
      "pipelineInfo:\n  name: digits.v2-x\n  displayName: Digits\n  description: of hands\n"
      "schemaVersion: 2.1.0\nsdkVersion: kfp-2.15.2\nroot:\n  dag: {}\ncomponents: {}\n"
      "deploymentSpec: {}\n");
  EXPECT_EQ(pipeline.name, "digits.v2-x");
  EXPECT_EQ(pipeline.display_name, "Digits");
  EXPECT_EQ(pipeline.description, "of hands");
  EXPECT_EQ(pipeline.sdk_version, "kfp-2.15.2");
  EXPECT_TRUE(std::holds_alternative<model::Dag>(pipeline.root.body));
  EXPECT_THAT(pipeline.notices, IsEmpty());
}

TEST(PipelineSpec, TakesBothSpellingsOfAField) {
  EXPECT_EQ(
      read("pipeline_info: {name: a, display_name: A}\nschema_version: 2.1.0\nroot: {dag: {}}")
          .display_name,
      "A");
  EXPECT_THAT(findings(to_yaml({.top = "schema_version: 2.1.0"})),
              ElementsAre("error: schemaVersion is given twice, as \"schemaVersion\" and as "
                          "\"schema_version\""));
}

TEST(PipelineSpec, NotesThePipelineRoot) {
  const auto result = read_pipeline(to_yaml({.top = "defaultPipelineRoot: gs://x"}), "p.yaml");
  ASSERT_TRUE(result.pipeline);
  EXPECT_EQ(result.pipeline->default_root, "gs://x");
  ASSERT_EQ(result.pipeline->notices.size(), 1u);
  EXPECT_EQ(result.pipeline->notices[0].pointer, "/defaultPipelineRoot");
  EXPECT_EQ(result.pipeline->notices[0].message,
            "defaultPipelineRoot has no effect here: it is not used: outputs are kept under the "
            "Cresset home");
}

TEST(PipelineSpec, NamesWhatIsMissing) {
  EXPECT_THAT(findings("{}"),
              ElementsAre("error: pipelineInfo is missing", "error: root is missing",
                          "error: schemaVersion is missing"));
  EXPECT_THAT(findings("pipelineInfo: {}\nschemaVersion: 2.1.0\nroot: {}\n"),
              ElementsAre("error: name is missing", "error: one of dag, executorLabel is missing"));
}

TEST(PipelineSpec, RefusesUnknownFieldsWithASuggestion) {
  const std::string text = to_yaml({.top = "component: {}\nzzz: 1"});
  EXPECT_THAT(findings(text), ElementsAre(HasSubstr("unknown field \"component\" (did you mean "),
                                          "error: unknown field \"zzz\""));
  EXPECT_THAT(positions(text), ElementsAre("4:1", "5:1"));
  EXPECT_THAT(help_of(text), HasSubstr("the fields here are pipelineInfo, schemaVersion"));
}

TEST(PipelineSpec, RefusesOtherSchemaVersions) {
  EXPECT_THAT(findings("pipelineInfo: {name: a}\nschemaVersion: 2.0.0\nroot: {dag: {}}\n"),
              ElementsAre("error: schema version 2.0.0 is not supported"));
  EXPECT_THAT(findings("pipelineInfo: {name: a}\nschemaVersion: 2.1\nroot: {dag: {}}\n"),
              ElementsAre("error: schemaVersion must be a string, not a number"));
}

TEST(PipelineSpec, ChecksThePipelineName) {
  for (const std::string name : {"'1'", "a-b.c", "a"}) {
    EXPECT_THAT(
        findings("pipelineInfo: {name: " + name + "}\nschemaVersion: 2.1.0\nroot: {dag: {}}\n"),
        IsEmpty())
        << name;
  }
  for (const std::string name : {"A", "a_b", "-a", "../a", "a b", "é"}) {
    EXPECT_THAT(
        findings("pipelineInfo: {name: " + name + "}\nschemaVersion: 2.1.0\nroot: {dag: {}}\n"),
        ElementsAre(HasSubstr("is no pipeline name")))
        << name;
  }
}

TEST(PipelineSpec, RootMustBeADag) {
  EXPECT_THAT(findings("pipelineInfo: {name: a}\nschemaVersion: 2.1.0\n"
                       "deploymentSpec: {executors: {exec-a: {container: {image: i}}}}\n"
                       "root: {executorLabel: exec-a}\n"),
              ElementsAre("error: root must be a dag, not an executor"));
}

TEST(PipelineSpec, CollectsEverythingInTheOrderOfTheFile) {
  const std::string text = to_yaml({.container = "imag: x\nargs: 1", .task = "inputs: []"});
  EXPECT_THAT(findings(text), ElementsAre("error: image is missing",
                                          "error: unknown field \"imag\" (did you mean \"image\"?)",
                                          "error: args must be a list, not a number",
                                          "error: inputs must be a map, not a list"));
  EXPECT_THAT(positions(text), ElementsAre("7:7", "8:9", "9:15", "19:17"));
}

TEST(PipelineSpec, StopsAtAHundredErrors) {
  std::string components;
  for (int i = 0; i < 300; ++i) components += "  c" + std::to_string(i) + ": 1\n";
  const auto found = findings(
      "pipelineInfo: {name: a}\nschemaVersion: 2.1.0\nroot: {dag: {}}\ncomponents:\n" + components);
  ASSERT_EQ(found.size(), 101u);
  EXPECT_EQ(found.front(), "error: c0 must be a map, not a number");
  EXPECT_EQ(found.back(), "error: only the first 100 errors are shown");
}

TEST(PipelineSpec, ReportsSyntaxWithItsPlace) {
  EXPECT_THAT(findings("a: [\n"), ElementsAre("error: nothing closes this ["));
  EXPECT_THAT(positions("a: [\n"), ElementsAre("1:4"));
  EXPECT_THAT(findings("{\"a\": }"), ElementsAre(HasSubstr("error: ")));
  EXPECT_THAT(positions("{\"a\": }"), ElementsAre("1:7"));
}

TEST(PipelineSpec, ReadsJson) {
  EXPECT_EQ(read(kSpecJson).name, "sample");
  const std::string text = "{\"pipelineInfo\": {\"name\": 1},\n \"rot\": {}}";
  EXPECT_THAT(findings(text),
              ElementsAre("error: root is missing", "error: schemaVersion is missing",
                          "error: name must be a string, not a number",
                          "error: unknown field \"rot\" (did you mean \"root\"?)"));
  EXPECT_THAT(positions(text), ElementsAre("1:1", "1:1", "1:27", "2:2"));
}

TEST(PipelineSpec, SaysWhatElseAFileIs) {
  EXPECT_THAT(findings("# nothing\n"), ElementsAre("error: the file holds no pipeline"));
  EXPECT_THAT(findings("- a\n"), ElementsAre("error: this file holds a list, not a pipeline"));
  EXPECT_THAT(findings("apiVersion: argoproj.io/v1alpha1\nkind: Workflow\n"),
              ElementsAre(HasSubstr("this is an Argo workflow")));
  EXPECT_THAT(findings("apiVersion: v1\nkind: Pod\n"),
              ElementsAre("error: this is a Kubernetes Pod, not a pipeline"));
  EXPECT_THAT(findings("name: a\nimplementation: {container: {}}\n"),
              ElementsAre("error: this is a KFP v1 component file"));
  EXPECT_THAT(findings("platforms: {}\n---\npipelineInfo: {}\n"),
              ElementsAre(HasSubstr("the first document holds platform settings")));
}

// --- envelopes ---

TEST(PipelineJob, ReadsItsFields) {
  const std::string text =
      R"({"displayName": "Nightly", "pipelineSpec": )" + std::string(kSpecJson) +
      R"(, "runtimeConfig": {"parameterValues": {"a": [1]}, "parameters": {"b": {"intValue": "3"},
      "c": {"doubleValue": 0.5}, "d": {"stringValue": "x"}}}})";
  const model::Pipeline job = read(text);
  EXPECT_EQ(job.display_name, "Nightly");
  EXPECT_EQ(job.job_parameters.at("a"), Value(Value::List{Value(1)}));
  EXPECT_EQ(job.job_parameters.at("b"), Value(3));
  EXPECT_EQ(job.job_parameters.at("c"), Value(0.5));
  EXPECT_EQ(job.job_parameters.at("d"), Value("x"));
}

TEST(PipelineJob, NotesWhatIsForOtherSystems) {
  EXPECT_THAT(
      findings(R"({"name": "projects/x", "labels": {}, "pipelineSpec": )" + std::string(kSpecJson) +
               R"(, "runtimeConfig": {"gcsOutputDirectory": "gs://x"}})"),
      ElementsAre(HasSubstr("warning: name has no effect here"),
                  HasSubstr("warning: labels has no effect here"),
                  HasSubstr("warning: gcsOutputDirectory has no effect here")));
}

TEST(PipelineJob, NeedsASpec) {
  EXPECT_THAT(findings(R"({"pipeline_spec": null})"),
              ElementsAre("error: pipelineSpec is missing"));
}

TEST(PipelineJob, ReadsTheWrappedForm) {
  const std::string text =
      R"({"pipeline_spec": {"pipelineInfo": {"name": "a"}, "schemaVersion": "2.1.0", "root": {"dag": {}}},
      "platform_spec": {"platforms": {"kubernetes": {"pipelineConfig": {"activeDeadlineSeconds": "9"}}}}})";
  EXPECT_EQ(read(text).config.active_deadline, Duration(std::chrono::seconds(9)));
  EXPECT_THAT(findings(text + "x"), ElementsAre(HasSubstr("error: ")));
}

TEST(PipelineJob, RefusesPlatformSettingsTwice) {
  EXPECT_THAT(findings("pipelineSpec:\n  pipelineInfo: {name: a}\n  schemaVersion: 2.1.0\n"
                       "  root: {dag: {}}\nplatformSpec: {platforms: {}}\n---\nplatforms: {}\n"),
              ElementsAre("error: platform settings are given here and in a second document"));
}

}  // namespace
}  // namespace cresset::codec
