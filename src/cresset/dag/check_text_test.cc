#include <gtest/gtest.h>

#include "cresset/dag/testing/check_helpers.h"

namespace cresset::dag {
namespace {

using model::ParameterType;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using namespace cresset::dag::testing;  // NOLINT: the words of these tests

std::string at(std::string_view rest) { return "/root/dag/tasks/" + std::string(rest); }

// ---- Loops ----

TEST(CheckLoop, AcceptsListsAndTheirText) {
  PipelineBuilder b;
  b.root().input("list", ParameterType::kList).input("text", ParameterType::kString);
  b.root().add("a").loop("[]");
  b.root().add("b").loop(R"("[1, 2]")");
  b.root().add("c").loop_over("x").in("x", from_parent("list"));
  b.root().add("d").loop_over("x").in("x", from_parent("text"));
  b.root().add("e").loop_over("x").in("x", constant(Value::List{1, 2}));
  b.root().add("f").loop_over("x").in("x", constant("[1]"));
  b.root().add("g").loop_over("x").in("x",
                                      selected(from_parent("text"), "parseJson(string_value)"));
  b.root().add("h").loop(R"(["{{$.inputs.parameters['x']}}"])").in("x", from_parent("text"));
  b.root()
      .add("i")
      .loop_over("x")
      .in("x", constant("{{$.inputs.parameters['y']}}"))
      .in("y", from_parent("list"));
  EXPECT_THAT(problems_of(b), IsEmpty());
}

TEST(CheckLoop, RefusesWhatIsNoList) {
  PipelineBuilder b;
  b.root().input("n", ParameterType::kNumberInteger);
  b.root().add("a").loop("{\"a\": 1}");
  b.root().add("b").loop("[1, 2");
  b.root().add("c").loop_over("x").in("x", from_parent("n"));
  b.root().add("d").loop_over("x").in("x", constant("one"));
  b.root().add("e").loop_over("y").in("x", constant("one"));
  b.root().add("f", "defaults").loop_over("x");
  b.root().add("g").loop("\"text\"");
  EXPECT_THAT(
      problems_of(b),
      ElementsAre(
          at("a/parameterIterator/items/raw: the loop's items are a struct, not a list"),
          HasSubstr("b/parameterIterator/items/raw: the loop's items are no JSON: line 1"),
          at("c/parameterIterator/items/inputParameter: the loop runs over \"x\", which is a "
             "NUMBER_INTEGER, not a list"),
          at("d/parameterIterator/items/inputParameter: the loop runs over \"x\", which is "
             "\"one\", not a list"),
          HasSubstr("e/parameterIterator/items/inputParameter: the loop runs over \"y\", which "
                    "task \"e\" is not passed"),
          at("f/parameterIterator/items/inputParameter: the loop runs over \"x\", whose default is "
             "7, not a list"),
          at("g/parameterIterator/items/raw: the loop's items are a string, not a list")));
}

// A step in a loop declares its input as one item, and is passed the list under that name.
TEST(CheckLoop, StepOverItsOwnInput) {
  PipelineBuilder b;
  b.step("square").input_parameters["item"].type = ParameterType::kNumberInteger;
  b.root().add("a", "square").loop_over("item").in("item", constant(Value::List{1, 2}));
  b.root().add("b", "square").loop_over("item");
  EXPECT_THAT(problems_of(b),
              ElementsAre(at("b/parameterIterator/items/inputParameter: the loop runs over "
                             "\"item\", which task \"b\" is not passed")));
}

TEST(CheckLoop, ItemsFitTheInput) {
  PipelineBuilder b;
  b.step("square").input_parameters["item"].type = ParameterType::kNumberInteger;
  b.step("artifact").input_artifacts["item"] = {};
  b.root().add("a", "square").loop(R"([1, "2", 3.0])");
  b.root().add("b", "square").loop(R"([1, 2.5, "x"])");
  b.root().add("c", "artifact").loop("[1]");
  EXPECT_THAT(
      problems_of(b),
      ElementsAre(at("b/parameterIterator/items/raw: item 1 of the loop is 2.5, and input "
                     "\"item\" of comp-square takes a NUMBER_INTEGER"),
                  at("c/parameterIterator/itemInput: \"item\" of comp-artifact is an artifact, and "
                     "the loop's items are parameters")));
}

TEST(CheckLoop, OverArtifacts) {
  PipelineBuilder b;
  b.step("read").input_artifacts["item"] = {};
  b.step("number").input_parameters["item"].type = ParameterType::kNumberInteger;
  b.root().add("one");
  b.root().add("many").loop("[1, 2]");
  b.root().add("a", "read").loop_over_artifacts("files").in("files", artifact_from_task("many"));
  b.root().add("b", "read").loop_over_artifacts("files").in("files", artifact_from_task("one"));
  b.root().add("c", "read").loop_over_artifacts("fils").in("files", artifact_from_task("many"));
  b.root().add("d", "number").loop_over_artifacts("files").in("files", artifact_from_task("many"));
  EXPECT_THAT(
      problems_of(b),
      ElementsAre(at("b/artifactIterator/items/inputArtifact: the loop runs over \"files\", and "
                     "\"art\" of task \"one\" is one artifact"),
                  at("c/artifactIterator/items/inputArtifact: the loop runs over \"fils\", which "
                     "task \"c\" is not passed (did you mean \"files\"?)"),
                  at("d/artifactIterator/itemInput: \"item\" of comp-number is a parameter, and "
                     "the loop's items are artifacts")));
}

// ---- Expressions ----

TEST(CheckCondition, NamesWhatTheTaskIsPassed) {
  PipelineBuilder b;
  b.root()
      .add("good", "defaults")
      .in("flag", constant(true))
      .when("inputs.parameter_values['flag'] == true && inputs.parameter_values['x'] > 3");
  b.root().add("unknown").in("flag", constant(true)).when("inputs.parameter_values['flg'] == true");
  b.root().add("item").loop("[1]").when("inputs.parameter_values['item'] == 1");
  b.root().add("outer").when("input.parameter_values['x'] == 1");
  b.root().add("syntax").when("inputs.parameter_values['x'] ==");
  EXPECT_THAT(
      problems_of(b),
      ElementsAre(
          at("item/triggerPolicy/condition: the condition names \"item\", the item of the loop "
             "that it decides on"),
          at("outer/triggerPolicy/condition: the condition names \"input\", which does not exist "
             "(did you mean \"inputs\"?)"),
          HasSubstr("syntax/triggerPolicy/condition: the condition cannot be read: column"),
          at("unknown/triggerPolicy/condition: the condition names \"flg\", which task \"unknown\" "
             "is not passed (did you mean \"flag\"?)")));
}

TEST(CheckSelector, NamesWhatExists) {
  PipelineBuilder b;
  b.root().input("s", ParameterType::kString);
  const auto task = [&b](const std::string& name, const std::string& selector) {
    b.root().add(name).in("x", selected(from_parent("s"), selector));
  };
  task("good", "parseJson(string_value)[\"key\"]");
  task("name", "parseJson(string_valeu)[\"key\"]");
  task("syntax", "parseJson(string_value");
  EXPECT_THAT(
      problems_of(b),
      ElementsAre(at("name/inputs/parameters/x/parameterExpressionSelector: the selector names "
                     "\"string_valeu\", which does not exist (did you mean \"string_value\"?)"),
                  HasSubstr("syntax/inputs/parameters/x/parameterExpressionSelector: the selector "
                            "cannot be read: column")));
}

// ---- Placeholders in constants ----

TEST(CheckConstant, NamesInputsOfTheTask) {
  PipelineBuilder b;
  b.root().add("first");
  b.root()
      .add("good")
      .in("text", constant("{{$.inputs.parameters['n']}} of {{$.pipeline_job_name}}"))
      .in("deep",
          constant(Value::List{Value::make_struct({{"k", "{{$.inputs.parameters['n']}}"}})}))
      .in("path", constant("{{$.inputs.artifacts['a'].uri}}"))
      .in("n", constant(1))
      .in("a", artifact_from_task("first"));
  b.root().add("name").in("text", constant("{{$.inputs.parameters['m']}}"));
  b.root()
      .add("kind")
      .in("t", constant("{{$.inputs.parameters['a']}}"))
      .in("a", artifact_from_task("first"));
  b.root().add("output").in("t", constant("{{$.outputs.artifacts['art'].path}}"));
  b.root().add("malformed").in("t", constant("{{$.inputs.parameters['n'}}"));
  EXPECT_THAT(
      problems_of(b),
      ElementsAre(at("kind/inputs/parameters/t/runtimeValue/constant: "
                     "{{$.inputs.parameters['a']}}: \"a\" of task \"kind\" is an artifact"),
                  HasSubstr("malformed/inputs/parameters/t/runtimeValue/constant: the placeholder"),
                  at("name/inputs/parameters/text/runtimeValue/constant: "
                     "{{$.inputs.parameters['m']}} names no input of task \"name\""),
                  at("output/inputs/parameters/t/runtimeValue/constant: "
                     "{{$.outputs.artifacts['art'].path}} has no meaning here")));
  EXPECT_EQ(helps_of(b)[0], "write {{$.inputs.artifacts['a'].path}}");
}

TEST(CheckConstant, IsNotMadeOfItself) {
  PipelineBuilder b;
  b.root().add("own").in("x", constant("again {{$.inputs.parameters['x']}}"));
  b.root()
      .add("later")
      .in("a", constant("{{$.inputs.parameters['b']}}"))
      .in("b", constant("{{$.pipeline_job_name}}"));
  b.root()
      .add("earlier")
      .in("a", constant("{{$.pipeline_job_name}}"))
      .in("b", constant("{{$.inputs.parameters['a']}}"));
  EXPECT_THAT(problems_of(b),
              ElementsAre(at("later/inputs/parameters/a/runtimeValue/constant: input \"a\" is made "
                             "of \"b\", which holds placeholders itself"),
                          at("own/inputs/parameters/x/runtimeValue/constant: input \"x\" is made "
                             "of itself")));
}

// ---- Executors ----

model::Container& container_of(model::Component& component) {
  return std::get<model::Container>(component.body);
}

TEST(CheckContainer, PlaceholdersOfCommandAndArguments) {
  PipelineBuilder b;
  model::Component& step = b.step("run");
  step.input_parameters["count"].default_value = "3";
  step.input_artifacts["data"].optional = true;
  step.output_parameters["out"].type = ParameterType::kString;
  model::Container& container = container_of(step);
  container.command = {
      "sh",
      "{{$}}",
      "{{$.inputs.parameters['count']}}",
      "{{$.inputs.parameters['injected']}}",
      "{{$.outputs.parameters['out'].output_file}}",
      R"({"IfPresent": {"InputName": "data", "Then": "{{$.outputs.artifacts['art'].path}}"}})"};
  container.args = {"{{$.inputs.parameters['cuont']}}",
                    "{{$.inputs.artifacts['count'].path}}",
                    "{{$.outputs.parameters['uot'].output_file}}",
                    R"({"IfPresent": {"InputName": "dat", "Then": "x"}})",
                    R"({"Concat": ["a", "{{$.outputs.artifacts['arts'].uri}}"]})",
                    R"({"Concat": "a"})",
                    "{{$.pipeline_jobname}}"};
  container.env = {{"KEPT", "{{$.inputs.parameters['nothing']}}"}};
  b.root().add("task", "run").in("injected", constant(1));
  const std::string args = "/components/comp-run/container/args/";
  EXPECT_THAT(
      problems_of(b),
      ElementsAre(args + "0: {{$.inputs.parameters['cuont']}} names no input of comp-run (did you "
                         "mean \"count\"?)",
                  args + "1: {{$.inputs.artifacts['count'].path}}: \"count\" of comp-run is a "
                         "parameter",
                  args + "2: {{$.outputs.parameters['uot'].output_file}} names no output parameter "
                         "of comp-run (did you mean \"out\"?)",
                  args + "3: IfPresent names \"dat\", which is no input of comp-run (did you mean "
                         "\"data\"?)",
                  args + "4: {{$.outputs.artifacts['arts'].uri}} names no output artifact of "
                         "comp-run (did you mean \"art\"?)",
                  HasSubstr(args + "5: "), HasSubstr(args + "6: ")));
}

TEST(CheckContainer, Resources) {
  PipelineBuilder b;
  container_of(b.step("good")).resources = {
      "500m", "2", "1Gi", "{{$.inputs.parameters['memory_limit']}}", "nvidia.com/gpu", "1"};
  container_of(b.step("bad")).resources = {
      "lots", "-1", "1Q", "{{$.inputs.parameters['memory']}}", "nvidia.com/gpu", "1.5"};
  b.root().add("a", "good").in("memory_limit", constant("15G"));
  b.root().add("b", "bad");
  const std::string resources = "/components/comp-bad/container/resources/";
  EXPECT_THAT(
      problems_of(b),
      ElementsAre(HasSubstr(resources + "resourceCpuRequest: \"lots\""),
                  HasSubstr(resources + "resourceCpuLimit: \"-1\""),
                  HasSubstr(resources + "resourceMemoryRequest: \"1Q\""),
                  resources + "resourceMemoryLimit: {{$.inputs.parameters['memory']}} names no "
                              "input of comp-bad",
                  resources + "accelerator/resourceCount: \"1.5\" is no whole number from 0 on"));
}

TEST(CheckContainer, NamesOfPlatformSettings) {
  PipelineBuilder b;
  model::KubernetesConfig& config = container_of(b.step("run")).kubernetes;
  config.secret_as_env = {{constant("token"), {{"key", "KEY"}}, false},
                          {from_parent("secret"), {{"key", "KEY"}}, false},
                          {from_parent("secrt"), {{"key", "KEY"}}, false}};
  config.config_map_as_volume = {{from_parent("outside"), "/config", false}};
  config.secret_as_volume = {{constant("{{$.inputs.parameters['nothing']}}"), "/secret", false}};
  config.pvc_mounts = {{from_task("make"), "/a", ""}, {from_task("mkae"), "/b", ""}};
  b.root().input("outside", ParameterType::kString);
  b.root().add("make");
  b.root().add("task", "run").in("secret", constant("s")).after({"make"});
  const std::string kubernetes = "/components/comp-run/kubernetes/";
  EXPECT_THAT(
      problems_of(b),
      ElementsAre(
          kubernetes + "secretAsEnv/2/secretNameParameter/componentInputParameter: comp-run is "
                       "passed no parameter \"secrt\" (did you mean \"secret\"?)",
          kubernetes + "secretAsVolume/0/secretNameParameter/runtimeValue/constant: "
                       "{{$.inputs.parameters['nothing']}} names no input of comp-run",
          kubernetes + "pvcMount/1/pvcNameParameter/taskOutputParameter/producerTask: there is no "
                       "task \"mkae\" in this dag (did you mean \"make\"?)"));
}

TEST(CheckImporter, UriAndMetadata) {
  PipelineBuilder b;
  const auto importer = [&b](const std::string& name, model::Importer body) -> model::Component& {
    model::Component& component = b.pipeline().components["comp-" + name];
    component.input_parameters["uri"].default_value = "file:///data";
    component.output_artifacts["artifact"] = {};
    component.body = std::move(body);
    b.root().add(name, name);
    return component;
  };
  model::Importer good;
  good.uri = model::FromParent{"uri"};
  good.metadata = Value::make_struct({{"from", "{{$.inputs.parameters['uri']}}"}});
  importer("good", good);
  model::Importer bad;
  bad.uri = model::FromParent{"url"};
  bad.metadata = Value::make_struct({{"from", "{{$.inputs.parameters['url']}}"}});
  model::Component& with_outputs = importer("bad", bad);
  with_outputs.output_parameters["size"] = {};
  with_outputs.output_artifacts["second"] = {};
  model::Importer constant_uri;
  constant_uri.uri = "file:///{{$.outputs.artifacts['artifact'].uri}}";
  importer("constant", constant_uri);
  const std::string base = "/components/comp-bad/";
  EXPECT_THAT(
      problems_of(b),
      ElementsAre(
          base + "importer/artifactUri/runtimeParameter: the importer takes its URI from \"url\", "
                 "which is no input parameter of comp-bad (did you mean \"uri\"?)",
          base +
              "importer/metadata/from: {{$.inputs.parameters['url']}} names no input of comp-bad "
              "(did you mean \"uri\"?)",
          base + "outputDefinitions/parameters/size: comp-bad is an importer and gives no "
                 "parameter",
          base + "outputDefinitions/artifacts/second: comp-bad is an importer and gives one "
                 "artifact only",
          "/components/comp-constant/importer/artifactUri/constant: "
          "{{$.outputs.artifacts['artifact'].uri}} has no meaning here"));
}

// Names may hold what a pointer must escape.
TEST(CheckText, PointersAreEscaped) {
  PipelineBuilder b;
  b.root().add("a~b", "nowhere");
  EXPECT_THAT(problems_of(b), ElementsAre(HasSubstr("/root/dag/tasks/a~0b/componentRef")));
}

}  // namespace
}  // namespace cresset::dag
