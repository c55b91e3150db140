#include "cresset/dag/outputs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cresset::dag {
namespace {

using model::ParameterType;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

ExpectedOutputs one_parameter(ParameterType type) {
  return {"/m.json", {{"o", type, "/outputs/o"}}, {}};
}

Result<Value> read_one(ParameterType type, std::optional<std::string> file,
                       std::optional<std::string> metadata = {}) {
  Result<model::Bindings> outputs =
      read_outputs(one_parameter(type), {std::move(metadata), {std::move(file)}});
  if (!outputs) return std::move(outputs).error();
  return outputs->parameters.at("o");
}

TEST(Outputs, FilesAreReadByTheirType) {
  const struct {
    ParameterType type;
    const char* content;
    std::optional<Value> expected;
  } cases[] = {
      {ParameterType::kString, " raw \n", " raw \n"},
      {ParameterType::kString, "", ""},
      {ParameterType::kNumberInteger, " 42\n", 42},
      {ParameterType::kNumberInteger, "42.0", 42},
      {ParameterType::kNumberInteger, "42.5", std::nullopt},
      {ParameterType::kNumberInteger, "9007199254740993", std::nullopt},
      {ParameterType::kNumberInteger, "", std::nullopt},
      {ParameterType::kNumberDouble, "0.5", 0.5},
      {ParameterType::kNumberDouble, "NaN", std::nullopt},
      {ParameterType::kBoolean, "True\n", true},
      {ParameterType::kBoolean, "false", false},
      {ParameterType::kBoolean, "yes", std::nullopt},
      {ParameterType::kList, "[1, \"a\"]", Value::List{1, "a"}},
      {ParameterType::kList, "{}", std::nullopt},
      {ParameterType::kStruct, "{\"a\": 1}", Value::make_struct({{"a", 1}})},
      {ParameterType::kStruct, "{'a': 1}", std::nullopt},
  };
  for (const auto& one : cases) {
    SCOPED_TRACE(one.content);
    const Result<Value> value = read_one(one.type, one.content);
    ASSERT_EQ(value.has_value(), one.expected.has_value());
    if (value) EXPECT_EQ(*value, *one.expected);
    if (!value) EXPECT_THAT(value.error().text(), HasSubstr("output \"o\" should be a"));
  }
}

TEST(Outputs, TheExecutorOutputWinsOverFiles) {
  EXPECT_EQ(
      read_one(ParameterType::kNumberInteger, "1", R"({"parameterValues": {"o": 2}})").value(),
      Value(2));
  EXPECT_EQ(read_one(ParameterType::kNumberInteger, "1", R"({"parameterValues": {}})").value(),
            Value(1));
  EXPECT_EQ(read_one(ParameterType::kNumberInteger, "1", " \n").value(), Value(1));
  EXPECT_EQ(read_one(ParameterType::kNumberInteger, "1", R"({"parameterValues": null})").value(),
            Value(1));
  EXPECT_EQ(
      read_one(ParameterType::kNumberInteger, {}, R"({"parameterValues": {"o": null}})").value(),
      Value());
}

TEST(Outputs, SaysWhatTheStepShouldHaveWritten) {
  EXPECT_THAT(read_one(ParameterType::kString, {}).error().text(),
              HasSubstr("gave no output \"o\": it should have written it to /outputs/o"));
  const std::pair<const char*, const char*> cases[] = {
      {"{", "executor output is no JSON"},
      {"[]", "no JSON object"},
      {R"({"parameterValues": 3})", "\"parameterValues\""},
      {R"({"artifacts": []})", "\"artifacts\""},
      {R"({"parameterValues": {"p": 1}})", "an output \"p\" that its component does not declare"},
      {R"({"artifacts": {"p": {}}})", "an output \"p\" that its component does not declare"},
      {R"({"parameterValues": {"o": "text"}})", "should be a NUMBER_INTEGER"},
  };
  for (const auto& [metadata, reason] : cases) {
    const Result<Value> value = read_one(ParameterType::kNumberInteger, "1", metadata);
    ASSERT_FALSE(value) << metadata;
    EXPECT_THAT(value.error().text(), HasSubstr(reason));
  }
  EXPECT_LT(read_one(ParameterType::kList, std::string(100'000, 'x')).error().text().size(), 300u);
}

// ---- Artifacts ----

ExpectedOutputs one_artifact(bool is_list = false) {
  model::Artifact artifact;
  artifact.name = "data";
  artifact.type.schema_title = "system.Dataset";
  artifact.uri = "file:///art/data";
  artifact.metadata = Value::make_struct({{"declared", 1}});
  return {"/m.json", {}, {{artifact, is_list}}};
}

Result<std::vector<model::Artifact>> read_artifacts(const ExpectedOutputs& expected,
                                                    std::optional<std::string> metadata) {
  Result<model::Bindings> outputs = read_outputs(expected, {std::move(metadata), {}});
  if (!outputs) return std::move(outputs).error();
  return outputs->artifacts.at("data");
}

TEST(Outputs, AnArtifactIsAsExpectedUnlessTheStepSaysOtherwise) {
  EXPECT_THAT(read_artifacts(one_artifact(), {}).value(),
              ElementsAre(one_artifact().artifacts.front().artifact));
  const auto changed = read_artifacts(one_artifact(), R"({"artifacts": {"data": {"artifacts": [
      {"name": "new", "uri": "file:///other", "custom_path": "/c", "metadata": {"acc": 0.5}}]}}})");
  ASSERT_TRUE(changed) << changed.error().text();
  const model::Artifact& artifact = changed->front();
  EXPECT_EQ(artifact.name, "new");
  EXPECT_EQ(artifact.uri, "file:///other");
  EXPECT_EQ(artifact.custom_path, "/c");
  EXPECT_EQ(artifact.metadata, Value::make_struct({{"declared", 1}, {"acc", 0.5}}));
  EXPECT_EQ(artifact.type.schema_title, "system.Dataset");
  const auto blank = read_artifacts(
      one_artifact(), R"({"artifacts": {"data": {"artifacts": [{"uri": "", "name": null}]}}})");
  EXPECT_EQ(blank->front().uri, "file:///art/data");
}

TEST(Outputs, ListsOfArtifactsMayHaveAnyLength) {
  const char* two =
      R"({"artifacts": {"data": {"artifacts": [{"uri": "file:///1"}, {"uri": "file:///2"}]}}})";
  const char* none = R"({"artifacts": {"data": {"artifacts": []}}})";
  EXPECT_EQ(read_artifacts(one_artifact(true), two)->size(), 2u);
  EXPECT_EQ(read_artifacts(one_artifact(true), none)->size(), 0u);
  EXPECT_THAT(read_artifacts(one_artifact(), two).error().text(), HasSubstr("gave 2"));
  EXPECT_THAT(read_artifacts(one_artifact(), none).error().text(), HasSubstr("gave 0"));
}

TEST(Outputs, ArtifactsWithoutSenseAreRefused) {
  for (const char* entry : {R"({"uri": 3})", R"({"name": []})", R"({"uri": "a\u0000b"})"}) {
    const auto read = read_artifacts(
        one_artifact(), std::string(R"({"artifacts": {"data": {"artifacts": [)") + entry + "]}}}");
    ASSERT_FALSE(read) << entry;
    EXPECT_THAT(read.error().text(), HasSubstr("is no text"));
  }
}

TEST(Outputs, DigestsGoToTheirArtifacts) {
  model::Bindings outputs;
  model::Artifact artifact;
  artifact.uri = "file:///1";
  outputs.artifacts["b"] = {artifact};
  artifact.uri = "gs://2";
  outputs.artifacts["a"] = {artifact, artifact};
  EXPECT_THAT(artifact_paths(outputs), ElementsAre("/gcs/2", "/gcs/2", "/1"));
  set_digests(outputs, {"x", std::nullopt, "z"});
  EXPECT_EQ(outputs.artifacts["a"][0].digest, "x");
  EXPECT_EQ(outputs.artifacts["a"][1].digest, "");
  EXPECT_EQ(outputs.artifacts["b"][0].digest, "z");
}

}  // namespace
}  // namespace cresset::dag
