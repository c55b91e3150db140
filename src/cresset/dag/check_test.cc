#include "cresset/dag/check.h"

#include <gtest/gtest.h>

#include "cresset/dag/graph.h"
#include "cresset/dag/testing/check_helpers.h"

namespace cresset::dag {
namespace {

using model::ParameterType;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;
using namespace cresset::dag::testing;  // NOLINT: the words of these tests

std::string at(std::string_view rest) { return "/root/dag/tasks/" + std::string(rest); }

TEST(Check, AcceptsWhatFits) {
  PipelineBuilder b;
  b.root().input("n", ParameterType::kNumberInteger).gives("result", {{"second", "out"}});
  b.root().add("first", "needs").in("x", from_parent("n"));
  b.root().add("second", "needs").in("x", from_task("first")).after({"first"});
  EXPECT_THAT(problems_of(b), IsEmpty());
}

TEST(Check, AcceptsUndeclaredInputsUnusedComponentsAndUnrepeatedEdges) {
  PipelineBuilder b;
  b.step("unused").input_parameters["never"].type = ParameterType::kList;
  auto& container = std::get<model::Container>(b.step("echo").body);
  container.command = {"echo", "{{$.inputs.parameters['pipelinechannel--first-out']}}"};
  b.root().add("first");
  b.root().add("second", "echo").in("pipelinechannel--first-out", from_task("first"));
  EXPECT_THAT(problems_of(b), IsEmpty());
}

// What a component that nobody uses would be passed is not known.
TEST(Check, AcceptsUnknownInputsInWhatNothingUses) {
  PipelineBuilder b;
  b.root().add("only");
  b.group("spare").add("inner", "needs").in("x", from_parent("injected"));
  std::get<model::Container>(b.step("loose").body).args = {"{{$.inputs.parameters['injected']}}"};
  EXPECT_THAT(problems_of(b), IsEmpty());
}

TEST(Check, RootMustBeADag) {
  model::Pipeline pipeline;
  pipeline.root.body = model::Container{};
  EXPECT_THAT(problems_of(pipeline), ElementsAre("/root: the pipeline's root is no dag"));
}

// ---- Names ----

TEST(Check, UnknownComponent) {
  PipelineBuilder b;
  b.root().add("first", "stpe");
  EXPECT_THAT(problems_of(b),
              ElementsAre(at("first/componentRef/name: unknown component \"comp-stpe\" (did you "
                             "mean \"comp-step\"?)")));
}

TEST(Check, UnknownTasks) {
  PipelineBuilder b;
  b.root().add("first");
  b.root()
      .add("second", "needs")
      .in("x", from_task("frist"))
      .in("s", final_status_of("third"))
      .in("a", artifact_from_task("fist"))
      .after({"first", "fourth"});
  EXPECT_THAT(
      problems_of(b),
      ElementsAre(at("second/inputs/parameters/s/taskFinalStatus/producerTask: there is no task "
                     "\"third\" in this dag"),
                  at("second/inputs/parameters/x/taskOutputParameter/producerTask: there is no "
                     "task \"frist\" in this dag (did you mean \"first\"?)"),
                  at("second/inputs/artifacts/a/taskOutputArtifact/producerTask: there is no task "
                     "\"fist\" in this dag (did you mean \"first\"?)"),
                  at("second/dependentTasks/1: there is no task \"fourth\" in this dag")));
}

TEST(Check, UnknownOutputs) {
  PipelineBuilder b;
  b.root().add("first");
  b.root()
      .add("second", "needs")
      .in("x", from_task("first", "aout"))
      .in("a", artifact_from_task("first", "arts"));
  EXPECT_THAT(problems_of(b),
              ElementsAre(at("second/inputs/parameters/x/taskOutputParameter/outputParameterKey: "
                             "task \"first\" gives no parameter \"aout\" (did you mean \"out\"?)"),
                          at("second/inputs/artifacts/a/taskOutputArtifact/outputArtifactKey: task "
                             "\"first\" gives no artifact \"arts\" (did you mean \"art\"?)")));
  EXPECT_THAT(helps_of(b), ElementsAre("comp-step gives out", "comp-step gives art"));
}

TEST(Check, UnknownInputsOfTheDagAround) {
  PipelineBuilder b;
  b.root().input("epochs", ParameterType::kNumberInteger).input_artifact("data");
  b.root()
      .add("first", "needs")
      .in("x", from_parent("epoch"))
      .in("a", artifact_from_parent("date"));
  EXPECT_THAT(problems_of(b),
              ElementsAre(at("first/inputs/parameters/x/componentInputParameter: the pipeline has "
                             "no input parameter \"epoch\" (did you mean \"epochs\"?)"),
                          at("first/inputs/artifacts/a/componentInputArtifact: the pipeline has no "
                             "input artifact \"date\" (did you mean \"data\"?)")));
}

TEST(Check, InputsThatAreOnlyPassedAreThere) {
  PipelineBuilder b;
  b.group("inner").add("step", "needs").in("x", from_parent("hidden"));
  b.root().add("group", "inner").in("hidden", constant(3));
  EXPECT_THAT(problems_of(b), IsEmpty());
}

// ---- Parameters and artifacts ----

TEST(Check, ParameterWhereAnArtifactIsMeant) {
  PipelineBuilder b;
  model::Component& both = b.step("both");
  both.input_parameters["p"].type = ParameterType::kNumberInteger;
  both.input_artifacts["a"] = {};
  b.root().add("first");
  b.root()
      .add("second", "both")
      .in("a", from_task("first", "art"))
      .in("p", artifact_from_task("first", "out"));
  EXPECT_THAT(
      problems_of(b),
      UnorderedElementsAre(
          at("second/inputs/parameters/a: input \"a\" of comp-both is an artifact"),
          at("second/inputs/parameters/a/taskOutputParameter/outputParameterKey: output \"art\" of "
             "task \"first\" is an artifact, not a parameter"),
          at("second/inputs/artifacts/p: input \"p\" of comp-both is a parameter"),
          at("second/inputs/artifacts/p/taskOutputArtifact/outputArtifactKey: output \"out\" of "
             "task \"first\" is a parameter, not an artifact"),
          at("second: task \"second\" does not pass the parameter \"p\", which comp-both needs"),
          at("second: task \"second\" does not pass the artifact \"a\", which comp-both needs")));
}

TEST(Check, KindsOfTheDagAround) {
  PipelineBuilder b;
  b.root().input("p", ParameterType::kNumberInteger).input_artifact("a");
  b.root().add("first", "needs").in("x", from_parent("a")).in("art", artifact_from_parent("p"));
  EXPECT_THAT(problems_of(b),
              ElementsAre(at("first/inputs/parameters/x/componentInputParameter: \"a\" of the "
                             "pipeline is an artifact, not a parameter"),
                          at("first/inputs/artifacts/art/componentInputArtifact: \"p\" of the "
                             "pipeline is a parameter, not an artifact")));
}

TEST(Check, ListOfArtifactsWhereOneIsMeant) {
  PipelineBuilder b;
  b.step("one").input_artifacts["a"] = {};
  b.step("many").input_artifacts["a"].is_list = true;
  b.step("lists").output_artifacts["art"].is_list = true;
  b.root().add("first", "lists");
  b.root().add("loop").loop("[1, 2]");
  b.root().add("fine", "many").in("a", artifact_from_task("loop"));
  b.root().add("wrong", "one").in("a", artifact_from_task("loop"));
  b.root().add("wrong-2", "one").in("a", artifact_from_task("first"));
  b.root().add("single");
  b.root().add("fine-2", "many").in("a", artifact_from_task("single"));
  EXPECT_THAT(problems_of(b),
              ElementsAre(at("wrong/inputs/artifacts/a: input \"a\" of comp-one is one artifact, "
                             "and it is given a list"),
                          at("wrong-2/inputs/artifacts/a: input \"a\" of comp-one is one artifact, "
                             "and it is given a list")));
}

// ---- Types ----

struct Pair {
  ParameterType from;
  ParameterType to;
  bool fits;
};

class Types : public ::testing::TestWithParam<Pair> {};

TEST_P(Types, OfAnOutputAndAnInput) {
  PipelineBuilder b;
  b.step("gives").output_parameters["out"].type = GetParam().from;
  b.step("takes").input_parameters["x"].type = GetParam().to;
  b.root().add("first", "gives");
  b.root().add("second", "takes").in("x", from_task("first"));
  EXPECT_THAT(problems_of(b), SizeIs(GetParam().fits ? 0 : 1));
}

INSTANTIATE_TEST_SUITE_P(
    Check, Types,
    ::testing::Values(Pair{ParameterType::kNumberInteger, ParameterType::kNumberDouble, true},
                      Pair{ParameterType::kNumberDouble, ParameterType::kNumberInteger, true},
                      Pair{ParameterType::kList, ParameterType::kString, true},
                      Pair{ParameterType::kStruct, ParameterType::kString, true},
                      Pair{ParameterType::kBoolean, ParameterType::kString, true},
                      Pair{ParameterType::kString, ParameterType::kStruct, true},
                      Pair{ParameterType::kString, ParameterType::kNumberDouble, true},
                      Pair{ParameterType::kTaskFinalStatus, ParameterType::kStruct, true},
                      Pair{ParameterType::kList, ParameterType::kNumberInteger, false},
                      Pair{ParameterType::kStruct, ParameterType::kBoolean, false},
                      Pair{ParameterType::kBoolean, ParameterType::kNumberInteger, false},
                      Pair{ParameterType::kNumberDouble, ParameterType::kBoolean, false},
                      Pair{ParameterType::kStruct, ParameterType::kList, false}));

TEST(Check, TypeMessageNamesBothSides) {
  PipelineBuilder b;
  b.root().input("names", ParameterType::kList);
  b.root().add("first", "needs").in("x", from_parent("names"));
  b.root().add("second", "needs").in("x", final_status_of("first")).always();
  EXPECT_THAT(
      problems_of(b),
      ElementsAre(
          at("first/inputs/parameters/x/componentInputParameter: input \"x\" of comp-needs "
             "takes a NUMBER_INTEGER, and \"names\" of the dag around it is a LIST"),
          at("second/inputs/parameters/x/taskFinalStatus: input \"x\" of comp-needs takes a "
             "NUMBER_INTEGER, and a final status is a TASK_FINAL_STATUS")));
}

TEST(Check, SelectedValuesMayBeOfAnyType) {
  PipelineBuilder b;
  b.root().input("names", ParameterType::kList);
  b.root().add("first", "needs").in("x", selected(from_parent("names"), "list_value[0]"));
  EXPECT_THAT(problems_of(b), IsEmpty());
}

TEST(Check, Constants) {
  PipelineBuilder b;
  b.root().add("text", "needs").in("x", constant("7"));
  b.root().add("whole", "needs").in("x", constant(7.0));
  b.root().add("null", "needs").in("x", constant(nullptr));
  b.root().add("fraction", "needs").in("x", constant(1.5));
  b.root().add("word", "needs").in("x", constant("seven"));
  EXPECT_THAT(
      problems_of(b),
      ElementsAre(at("fraction/inputs/parameters/x/runtimeValue/constant: input \"x\" of "
                     "comp-needs takes a NUMBER_INTEGER, not 1.5"),
                  at("word/inputs/parameters/x/runtimeValue/constant: input \"x\" of comp-needs "
                     "takes a NUMBER_INTEGER, not \"seven\"")));
}

TEST(Check, LongConstantsAreCut) {
  PipelineBuilder b;
  std::string word;
  for (int i = 0; i < 100; ++i) word += "ä";
  b.root().add("word", "needs").in("x", constant(word));
  const auto problems = problems_of(b);
  ASSERT_THAT(problems, SizeIs(1));
  EXPECT_LT(problems.front().size(), 250u);
  EXPECT_THAT(problems.front(), ::testing::EndsWith("ää…"));
}

TEST(Check, LiteralsAndDefaults) {
  PipelineBuilder b;
  model::Component& step = b.step("modes");
  model::InputParameter& mode = step.input_parameters["mode"];
  mode.literals = {"fast", "slow"};
  mode.default_value = "quick";
  model::InputParameter& size = step.input_parameters["size"];
  size.type = ParameterType::kNumberInteger;
  size.literals = {1, "two", nullptr};
  size.default_value = "many";
  step.input_parameters["spelled"] = {ParameterType::kNumberInteger, Value("5"), false, {}, ""};
  b.root().add("good", "modes").in("mode", constant("slow"));
  b.root().add("bad", "modes").in("mode", constant("slwo"));
  const std::string inputs = "/components/comp-modes/inputDefinitions/parameters/";
  EXPECT_THAT(
      problems_of(b),
      ElementsAre(at("bad/inputs/parameters/mode/runtimeValue/constant: input \"mode\" of "
                     "comp-modes cannot be \"slwo\""),
                  inputs + "mode/defaultValue: the default of mode is none of its literals",
                  inputs +
                      "size/literals/1: this literal of size is a string, and the type of size "
                      "is NUMBER_INTEGER",
                  inputs + "size/literals/2: this literal of size is null, and the type of size is "
                           "NUMBER_INTEGER",
                  inputs + "size/defaultValue: the default of size is a string, and its type is "
                           "NUMBER_INTEGER"));
  EXPECT_THAT(helps_of(b)[0], "use one of [\"fast\",\"slow\"]");
}

TEST(Check, RequiredInputs) {
  PipelineBuilder b;
  model::Component& step = b.step("train");
  step.input_parameters["epochs"].type = ParameterType::kNumberInteger;
  step.input_parameters["config"].type = ParameterType::kTaskConfig;
  step.input_parameters["maybe"].optional = true;
  step.input_parameters["set"].default_value = "x";
  step.input_artifacts["data"] = {};
  step.input_artifacts["more"].optional = true;
  b.root().add("go", "train").in("epoch", constant(3));
  EXPECT_THAT(
      problems_of(b),
      ElementsAre(at("go: task \"go\" does not pass the parameter \"epochs\", which comp-train "
                     "needs (did you mean \"epoch\"?)"),
                  at("go: task \"go\" does not pass the artifact \"data\", which comp-train "
                     "needs")));
  EXPECT_THAT(helps_of(b), ElementsAre("pass it under inputs.parameters, or give it a default",
                                       "pass it under inputs.artifacts, or give it isOptional: "
                                       "true"));
}

// ---- Outputs of dags ----

TEST(Check, OutputsOfADag) {
  PipelineBuilder b;
  b.root().add("first");
  b.root()
      .gives("good", {{"first", "out"}})
      .gives("task", {{"frist", "out"}})
      .gives("output", {{"first", "uot"}})
      .gives("type", {{"first", "out"}}, ParameterType::kList)
      .gives("none", {})
      .gives_artifact("kind", {{"first", "out"}});
  auto& dag = std::get<model::Dag>(b.pipeline().root.body);
  dag.output_parameters["extra"] = {{{"first", "out"}}, false};
  b.pipeline().root.output_artifacts["missing"] = {};
  const std::string outputs = "/root/dag/outputs/";
  EXPECT_THAT(
      problems_of(b),
      ElementsAre(
          outputs + "parameters/extra: the pipeline declares no output \"extra\" among its "
                    "parameters",
          outputs + "parameters/none: output \"none\" comes from no task",
          outputs + "parameters/output/valueFromParameter/outputParameterKey: task \"first\" gives "
                    "no parameter \"uot\" (did you mean \"out\"?)",
          outputs + "parameters/task/valueFromParameter/producerSubtask: there is no task "
                    "\"frist\" in this dag (did you mean \"first\"?)",
          outputs + "parameters/type/valueFromParameter/outputParameterKey: output \"type\" of the "
                    "pipeline is a LIST, and \"out\" of task \"first\" is a NUMBER_INTEGER",
          outputs + "artifacts/kind/artifactSelectors/0/outputArtifactKey: output \"out\" of task "
                    "\"first\" is a parameter, not an artifact",
          "/root/outputDefinitions/artifacts/missing: no task of the pipeline gives its output "
          "\"missing\""));
}

TEST(Check, OneOfLooksAtEveryBranch) {
  PipelineBuilder b;
  b.root().add("heads");
  b.root().gives("result", {{"heads", "out"}, {"tails", "out"}});
  EXPECT_THAT(problems_of(b),
              ElementsAre("/root/dag/outputs/parameters/result/valueFromOneof/parameterSelectors/1/"
                          "producerSubtask: there is no task \"tails\" in this dag"));
}

// A loop's component declares what the loop gives, not what one iteration gives.
TEST(Check, OutputsOfLoopsAreLists) {
  PipelineBuilder b;
  b.group("body")
      .input("item", ParameterType::kNumberInteger)
      .gives("values", {{"step", "out"}}, ParameterType::kList)
      .gives_artifact("files", {{"step", "art"}});
  b.group("body").add("step");
  b.step("sum").input_parameters["x"].type = ParameterType::kList;
  b.root().add("loop", "body").loop("[1, 2]");
  b.root().add("sum", "sum").in("x", from_task("loop", "values"));
  b.root().add("wrong", "needs").in("x", from_task("loop", "values"));
  EXPECT_THAT(problems_of(b),
              ElementsAre(at("wrong/inputs/parameters/x/taskOutputParameter/outputParameterKey: "
                             "input \"x\" of comp-needs takes a NUMBER_INTEGER, and \"values\" of "
                             "task \"loop\" is a LIST")));
}

TEST(Check, ListOfArtifactsAsOneOutput) {
  PipelineBuilder b;
  b.group("outer").gives_artifact("one", {{"loop", "art"}});
  b.group("outer").add("loop").loop("[1, 2]");
  b.root().add("group", "outer");
  EXPECT_THAT(problems_of(b),
              ElementsAre("/components/comp-outer/dag/outputs/artifacts/one/artifactSelectors/0/"
                          "outputArtifactKey: output \"one\" of comp-outer is one artifact, and "
                          "\"art\" of task \"loop\" is a list"));
}

// ---- Shape ----

TEST(Check, Cycles) {
  PipelineBuilder b;
  b.root().add("a", "defaults").in("x", from_task("c"));
  b.root().add("b").after({"a"});
  b.root().add("c").after({"b"});
  b.root().add("self").after({"self"});
  EXPECT_THAT(problems_of(b), ElementsAre(at("a: these tasks wait for each other: a → c → b → a"),
                                          at("self: task \"self\" waits for itself")));
  EXPECT_FALSE(compile_graph(b.pipeline()));
}

TEST(Check, LongCyclesAreCut) {
  PipelineBuilder b;
  constexpr int kTasks = 50'000;
  for (int i = 0; i < kTasks; ++i)
    b.root().add("t" + std::to_string(i)).after({"t" + std::to_string((i + 1) % kTasks)});
  EXPECT_THAT(problems_of(b),
              ElementsAre(at("t0: these tasks wait for each other: t0 → t1 → t2 → t3 → t4 → t5 → "
                             "t6 → t7 → t8 → t9 → 49990 more → t0")));
}

TEST(Check, ExitTasksOnly) {
  PipelineBuilder b;
  b.root().add("a").always();
  b.root().add("b").always().after({"a"});
  EXPECT_THAT(problems_of(b), ElementsAre("/root/dag/tasks: all tasks of this dag are exit tasks "
                                          "(ALL_UPSTREAM_TASKS_COMPLETED)"));
}

TEST(Check, ComponentsThatContainThemselves) {
  PipelineBuilder b;
  b.group("outer").add("down", "inner");
  b.group("inner").add("up", "outer");
  b.group("own").add("again", "own");
  b.root().add("start", "outer");
  b.root().add("step");
  EXPECT_THAT(problems_of(b),
              ElementsAre("/components/comp-inner/dag/tasks/up/componentRef/name: comp-outer "
                          "contains itself: comp-outer → comp-inner → comp-outer",
                          "/components/comp-own/dag/tasks/again/componentRef/name: comp-own "
                          "contains itself: comp-own → comp-own"));
}

// Ten tasks on each of thirty levels: the number is worked out without ever being counted to.
TEST(Check, PipelinesThatExpandToTooManyTasks) {
  PipelineBuilder b;
  for (int level = 0; level < 30; ++level) {
    for (int i = 0; i < 10; ++i) {
      b.group("level" + std::to_string(level))
          .add("t" + std::to_string(i), level == 29 ? "step" : "level" + std::to_string(level + 1));
    }
  }
  b.root().add("small");
  b.root().add("large", "level0");
  EXPECT_THAT(problems_of(b),
              ElementsAre(at("large: the pipeline expands to more than 1000000 tasks")));
}

TEST(Check, FixedListsCountAsTasks) {
  const auto loops = [](int items) {
    PipelineBuilder b;
    std::string list = "[0";
    for (int i = 1; i < items; ++i) list += ",0";
    list += "]";
    b.group("inner").add("loop").loop(list);
    b.root().add("loop", "inner").loop(list);
    return problems_of(b);
  };
  EXPECT_THAT(loops(900), IsEmpty());
  EXPECT_THAT(loops(1100), SizeIs(1));
}

TEST(Check, DagsNestedTooDeeply) {
  const auto nested = [](int levels) {
    PipelineBuilder b;
    for (int i = 1; i < levels; ++i) {
      b.group("g" + std::to_string(i))
          .add("down", i + 1 == levels ? "step" : "g" + std::to_string(i + 1));
    }
    b.root().add("start", "g1");
    return problems_of(b);
  };
  EXPECT_THAT(nested(500), IsEmpty());
  EXPECT_THAT(nested(501), ElementsAre(at("start: dags are nested more than 500 deep")));
  EXPECT_THAT(nested(20'000), ::testing::Contains(HasSubstr("nested more than 500 deep")));
}

TEST(Check, AtMostAHundredProblems) {
  PipelineBuilder b;
  for (int i = 0; i < 1000; ++i) b.root().add("t" + std::to_string(i), "nowhere");
  EXPECT_THAT(problems_of(b), SizeIs(100));
}

// ---- Retries and limits ----

TEST(Check, RetriesAndLimits) {
  PipelineBuilder b;
  b.root().add("a").retries(-1);
  b.root().add("b").retries(3, Duration{0}, -2);
  b.root().add("c").loop("[]", -4);
  b.root().add("d").retries(0, Duration{0}, 0.5);
  EXPECT_THAT(problems_of(b),
              ElementsAre(at("a/retryPolicy/maxRetryCount: -1 is no number of retries"),
                          at("b/retryPolicy/backoffFactor: -2 is no back-off factor"),
                          at("c/iteratorPolicy/parallelismLimit: -4 is no parallelism limit")));
}

}  // namespace
}  // namespace cresset::dag
