#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cresset/codec/testing/spec.h"

namespace cresset::codec {
namespace {

using model::ParameterType;
using testing::component_of;
using ::testing::ElementsAre;
using testing::findings;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::read;
using testing::Spec;

std::string with_label(std::string_view fields) {
  return "executorLabel: exec-a\n" + std::string(fields);
}

TEST(Component, ReadsInputParameters) {
  const model::Pipeline pipeline = read(Spec{.component = with_label(R"(inputDefinitions:
  parameters:
    plain: {parameterType: STRING}
    full:
      parameterType: NUMBER_INTEGER
      defaultValue: 3
      isOptional: true
      description: how many
      literals: [1, 3]
    null-default: {parameterType: LIST, defaultValue: null, isOptional: true}
    older: {type: DOUBLE}
    by-number: {parameterType: 4})")});
  const auto& inputs = component_of(pipeline).input_parameters;
  EXPECT_EQ(inputs.at("plain").type, ParameterType::kString);
  EXPECT_FALSE(inputs.at("plain").optional);
  EXPECT_FALSE(inputs.at("plain").default_value);
  const model::InputParameter& full = inputs.at("full");
  EXPECT_EQ(full.type, ParameterType::kNumberInteger);
  EXPECT_EQ(full.default_value, Value(3));
  EXPECT_TRUE(full.optional);
  EXPECT_EQ(full.description, "how many");
  EXPECT_THAT(full.literals, ElementsAre(Value(1), Value(3)));
  EXPECT_EQ(inputs.at("null-default").default_value, Value());
  EXPECT_EQ(inputs.at("older").type, ParameterType::kNumberDouble);
  EXPECT_EQ(inputs.at("by-number").type, ParameterType::kBoolean);
}

TEST(Component, KnowsEveryParameterType) {
  const std::vector<std::pair<std::string, ParameterType>> types{
      {"NUMBER_DOUBLE", ParameterType::kNumberDouble},
      {"NUMBER_INTEGER", ParameterType::kNumberInteger},
      {"STRING", ParameterType::kString},
      {"BOOLEAN", ParameterType::kBoolean},
      {"LIST", ParameterType::kList},
      {"STRUCT", ParameterType::kStruct},
      {"TASK_FINAL_STATUS", ParameterType::kTaskFinalStatus},
      {"TASK_CONFIG", ParameterType::kTaskConfig}};
  for (const auto& [name, type] : types) {
    const model::Pipeline pipeline =
        read(Spec{.component = with_label(
                      "inputDefinitions: {parameters: {x: {parameterType: " + name + "}}}")});
    EXPECT_EQ(component_of(pipeline).input_parameters.at("x").type, type);
  }
}

TEST(Component, RefusesBadParameters) {
  EXPECT_THAT(
      findings(Spec{.component = with_label(R"(inputDefinitions:
  parameters:
    a: {}
    b: {parameterType: STRNG}
    c: {type: LIST}
    d: {parameterType: 9}
    e: {parameterType: STRING, isOptional: 'yes', description: 1, literals: x})")}),
      ElementsAre("error: parameterType is missing",
                  "error: unknown parameter type STRNG (did you mean \"STRING\"?)",
                  "error: unknown parameter type LIST", "error: unknown parameter type number",
                  "error: isOptional must be true or false, not a string",
                  "error: description must be a string, not a number",
                  "error: literals must be a list, not a string"));
}

TEST(Component, ReadsArtifacts) {
  const model::Pipeline pipeline = read(Spec{.component = with_label(R"(inputDefinitions:
  artifacts:
    in:
      artifactType: {schemaTitle: system.Dataset, schemaVersion: 0.0.1}
      isArtifactList: true
      isOptional: true
      description: rows
outputDefinitions:
  parameters:
    n: {parameterType: LIST, description: of rows}
  artifacts:
    out:
      artifactType: {instanceSchema: "title: x"}
      isArtifactList: true
      description: cleaned
      metadata: {a: 1, b/c: [x]}
    older:
      artifactType: {schemaUri: u}
      properties: {p: {constantValue: {stringValue: x}}, q: {constant: 1}}
      customProperties: {q: {constantValue: {doubleValue: 0.5}}}
      metadata: {r: true})")});
  const model::Component& component = component_of(pipeline);
  const model::InputArtifact& in = component.input_artifacts.at("in");
  EXPECT_EQ(in.type, (model::ArtifactType{"system.Dataset", "0.0.1", "", ""}));
  EXPECT_TRUE(in.is_list);
  EXPECT_TRUE(in.optional);
  EXPECT_EQ(in.description, "rows");
  EXPECT_EQ(component.output_parameters.at("n").type, ParameterType::kList);
  EXPECT_EQ(component.output_parameters.at("n").description, "of rows");
  const model::OutputArtifact& out = component.output_artifacts.at("out");
  EXPECT_EQ(out.type.instance_schema, "title: x");
  EXPECT_TRUE(out.is_list);
  EXPECT_EQ(out.description, "cleaned");
  EXPECT_EQ(text::to_json(out.metadata), R"({"a":1,"b/c":["x"]})");
  const model::OutputArtifact& older = component.output_artifacts.at("older");
  EXPECT_EQ(older.type.schema_uri, "u");
  EXPECT_EQ(text::to_json(older.metadata), R"({"p":"x","q":0.5,"r":true})");
}

TEST(Component, RefusesBadArtifacts) {
  EXPECT_THAT(findings(Spec{.component = with_label(R"(outputDefinitions:
  artifacts:
    a: {artifactType: {schemaTitle: x, schemaUri: y}}
    b: {metadata: [1]}
    c: {properties: {p: {runtimeParameter: x}}})")}),
              ElementsAre("error: schemaTitle and schemaUri exclude each other",
                          "error: metadata must be a map, not a list",
                          "error: a property must be a constant"));
}

TEST(Component, RefusesNamesThatWouldLeaveAFolder) {
  for (const std::string name : {"a/b", "../x", "..", ".", "''"}) {
    EXPECT_THAT(findings(Spec{.component = with_label("outputDefinitions: {parameters: {" + name +
                                                      ": {parameterType: STRING}}}")}),
                ElementsAre(HasSubstr("error: the name \"")))
        << name;
    EXPECT_THAT(findings(Spec{
                    .component = with_label("outputDefinitions: {artifacts: {" + name + ": {}}}")}),
                ElementsAre(HasSubstr("error: the name \"")))
        << name;
  }
  EXPECT_THAT(findings(Spec{.component = with_label(
                                "inputDefinitions: {parameters: {\"a\\nb\": {parameterType: "
                                "STRING}}}")}),
              ElementsAre(HasSubstr("holds a control character")));
  EXPECT_THAT(findings(Spec{.component = with_label("outputDefinitions: {artifacts: {" +
                                                    std::string(201, 'x') + ": {}}}")}),
              ElementsAre(HasSubstr("is longer than 200 bytes")));
}

TEST(Component, NeedsOneBody) {
  EXPECT_THAT(findings(Spec{.component = "inputDefinitions: {}"}),
              ElementsAre("error: one of dag, executorLabel is missing"));
  EXPECT_THAT(findings(Spec{.component = with_label("dag: {}")}),
              ElementsAre("error: dag and executorLabel exclude each other"));
  EXPECT_THAT(findings(Spec{.component = "executorLabel: exec-b"}),
              ElementsAre("error: unknown executor \"exec-b\" (did you mean \"exec-a\"?)"));
}

TEST(Component, NotesWhatIsForJobsOfACluster) {
  EXPECT_THAT(findings(Spec{.component = with_label(
                                "singlePlatformSpecs: [{platform: kubernetes}]\n"
                                "taskConfigPassthroughs: [{field: ENV, applyToTask: true}]")}),
              ElementsAre(HasSubstr("warning: singlePlatformSpecs of comp-a has no effect here"),
                          HasSubstr("warning: taskConfigPassthroughs of comp-a has no effect")));
  EXPECT_THAT(findings(Spec{.component = with_label(
                                "taskConfigPassthroughs: [{field: ENVS}, {fields: ENV}]")}),
              ElementsAre(HasSubstr("warning: "), "error: unknown setting of a task",
                          HasSubstr("error: unknown field \"fields\"")));
}

TEST(Dag, ReadsOutputs) {
  const model::Pipeline pipeline = read(Spec{.dag_outputs = R"(parameters:
  one:
    valueFromParameter: {producerSubtask: a, outputParameterKey: x}
  either:
    valueFromOneof:
      parameterSelectors:
      - {producerSubtask: a, outputParameterKey: x}
      - {producerSubtask: b, outputParameterKey: y}
artifacts:
  model:
    artifactSelectors:
    - {producerSubtask: a, outputArtifactKey: m}
    - {producerSubtask: b, outputArtifactKey: n})"});
  const auto& dag = std::get<model::Dag>(pipeline.root.body);
  EXPECT_THAT(dag.output_parameters.at("one").selectors, ElementsAre(model::FromTask{"a", "x"}));
  EXPECT_FALSE(dag.output_parameters.at("one").one_of);
  EXPECT_THAT(dag.output_parameters.at("either").selectors,
              ElementsAre(model::FromTask{"a", "x"}, model::FromTask{"b", "y"}));
  EXPECT_TRUE(dag.output_parameters.at("either").one_of);
  EXPECT_THAT(dag.output_artifacts.at("model").selectors,
              ElementsAre(model::FromTask{"a", "m"}, model::FromTask{"b", "n"}));
}

TEST(Dag, RefusesOutputsFromNowhere) {
  EXPECT_THAT(
      findings(Spec{.dag_outputs = R"(parameters:
  a: {}
  b: {valueFromParameter: {producerSubtask: a}}
  c: {valueFromOneof: {}}
  d: {valueFromOneof: {parameterSelectors: []}}
artifacts:
  e: {}
  f: {artifactSelectors: []})"}),
      ElementsAre("error: one of valueFromParameter, valueFromOneof is missing",
                  "error: outputParameterKey is missing", "error: parameterSelectors is missing",
                  "error: parameterSelectors is empty", "error: artifactSelectors is missing",
                  "error: artifactSelectors is empty"));
}

}  // namespace
}  // namespace cresset::codec
