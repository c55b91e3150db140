#include "sim/oracle.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "cresset/base/check.h"
#include "cresset/text/json.h"
#include "sim/generate.h"

// The oracle against outcomes that are written down here, of the sketches of corpus().
namespace cresset::sim {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

const Sketch& of_corpus(const std::string& name) {
  static const auto kAll = corpus();
  const auto found = std::ranges::find(kAll, name, [](const auto& entry) { return entry.first; });
  CHECK(found != kAll.end());
  return found->second;
}

// "path STATE", with the number of its processes behind a step.
std::vector<std::string> fates(const Outcome& outcome) {
  std::vector<std::string> out;
  for (const auto& [path, fate] : outcome.tasks) {
    std::string line = path + " " + std::string(to_string(fate.fate));
    if (fate.kind == TaskFate::Kind::kStep) line += " " + std::to_string(fate.runs);
    out.push_back(std::move(line));
  }
  return out;
}

Value input(const Outcome& outcome, const std::string& path, const std::string& name) {
  return *outcome.tasks.at(path).inputs.parameters.at(name);
}
Value output(const Outcome& outcome, const std::string& path, const std::string& name) {
  return *outcome.tasks.at(path).outputs.parameters.at(name);
}

TEST(Oracle, AValueGoesDownAChain) {
  const Outcome outcome = foresee(of_corpus("chain"));
  EXPECT_EQ(outcome.run, Fate::kSucceeded);
  EXPECT_THAT(fates(outcome), ElementsAre("a SUCCEEDED 1", "b SUCCEEDED 1", "c SUCCEEDED 1"));
  EXPECT_EQ(input(outcome, "b", "x"), output(outcome, "a", "n"));
  EXPECT_TRUE(output(outcome, "a", "n").is_integer());
  EXPECT_EQ(input(outcome, "c", "x"), Value(text::to_json(output(outcome, "b", "n"))))
      << "a number becomes the text that a STRING takes";
  EXPECT_TRUE(outcome.exact);
}

TEST(Oracle, InputsAreGivenDefaultOrNull) {
  const Outcome outcome = foresee(of_corpus("inputs"));
  EXPECT_EQ(input(outcome, "a", "given"), Value("{{$.inputs.parameters['x']}}"));
  EXPECT_EQ(input(outcome, "a", "other"), Value(Value::List{1, "two", 3.5}));
  EXPECT_EQ(input(outcome, "a", "absent"), Value(5)) << "the default stands for null";
}

TEST(Oracle, TextsAreFilledAndFieldsTaken) {
  const Outcome outcome = foresee(of_corpus("texts"));
  EXPECT_EQ(input(outcome, "b", "text"),
            Value("n is " + text::to_json(output(outcome, "a", "n")) + "."));
  EXPECT_EQ(input(outcome, "c", "field"), *output(outcome, "a", "s").find("b"));
}

TEST(Oracle, AStepIsTriedUntilItEndsWell) {
  const Outcome outcome = foresee(of_corpus("retry"));
  EXPECT_THAT(fates(outcome), ElementsAre("a SUCCEEDED 3", "b SUCCEEDED 1"));
  EXPECT_EQ(outcome.tasks.at("a").failures, 2u);
  EXPECT_THAT(outcome.failures_after, ElementsAre(Pair("a", 2u)));
}

TEST(Oracle, WhatFollowsAFailureIsSkippedAndTheRunFails) {
  const Outcome outcome = foresee(of_corpus("fails"));
  EXPECT_EQ(outcome.run, Fate::kFailed);
  EXPECT_THAT(fates(outcome), ElementsAre("a FAILED 1", "b SKIPPED 0", "c SUCCEEDED 1"));
}

TEST(Oracle, EarlierFailuresCount) {
  EXPECT_THAT(fates(foresee(of_corpus("fails-once"))),
              ElementsAre("a FAILED 1", "b SKIPPED 0", "c SUCCEEDED 1"));
  const Outcome again = foresee(of_corpus("fails-once"), {{"a", 1}});
  EXPECT_EQ(again.run, Fate::kSucceeded);
  EXPECT_THAT(fates(again), ElementsAre("a SUCCEEDED 1", "b SUCCEEDED 1", "c SUCCEEDED 1"));
}

TEST(Oracle, AMissingProgramIsNotTriedAgain) {
  const Outcome outcome = foresee(of_corpus("missing"));
  EXPECT_THAT(fates(outcome), ElementsAre("a FAILED 0"));
  EXPECT_EQ(outcome.tasks.at("a").failures, 1u);
}

TEST(Oracle, BadOutputsAndTimeOutsAreFailures) {
  EXPECT_THAT(fates(foresee(of_corpus("bad-output"))),
              ElementsAre("a SUCCEEDED 2", "b SUCCEEDED 2", "c SUCCEEDED 2"));
  EXPECT_THAT(fates(foresee(of_corpus("deadline"))), ElementsAre("a SUCCEEDED 2"));
}

TEST(Oracle, AGroupIsTriedAgainAsAWhole) {
  const Outcome outcome = foresee(of_corpus("group-retry"));
  EXPECT_THAT(fates(outcome), ElementsAre("b SUCCEEDED 1", "g SUCCEEDED", "g/flaky SUCCEEDED 2",
                                          "g/good SUCCEEDED 2"));
  EXPECT_EQ(input(outcome, "b", "x"), output(outcome, "g/flaky", "n"));
  EXPECT_EQ(outcome.starts.at("g/good").size(), 2u) << "one for each try";
}

TEST(Oracle, ATaskThatIgnoresFailuresTakesItsDefault) {
  const Outcome outcome = foresee(of_corpus("ignores"));
  EXPECT_THAT(fates(outcome), ElementsAre("a FAILED 1", "b SUCCEEDED 1"));
  EXPECT_EQ(input(outcome, "b", "x"), Value(7));
  EXPECT_EQ(outcome.run, Fate::kFailed);
}

TEST(Oracle, AnExitTaskIsToldHowTheBodyEnded) {
  const Value failed = Value::make_struct({{"state", "FAILED"}, {"pipelineTaskName", "body"}});
  const Outcome outcome = foresee(of_corpus("exit-handler"));
  EXPECT_EQ(outcome.run, Fate::kFailed) << "a clean exit does not make up for the body";
  EXPECT_EQ(input(outcome, "cleanup", "status"), failed);
  const Outcome again = foresee(of_corpus("exit-handler"), outcome.failures_after);
  EXPECT_EQ(again.run, Fate::kSucceeded);
  EXPECT_EQ(*input(again, "cleanup", "status").find("state"), Value("SUCCEEDED"));
}

TEST(Oracle, OneBranchIsTakenAndGivesItsOutput) {
  const Outcome outcome = foresee(of_corpus("branches"));
  EXPECT_THAT(fates(outcome),
              ElementsAre("b SUCCEEDED 1", "branches SUCCEEDED", "branches/else SKIPPED",
                          "branches/then SUCCEEDED", "branches/then/then-step SUCCEEDED 1"));
  EXPECT_EQ(input(outcome, "b", "x"), output(outcome, "branches/then/then-step", "n"));
}

TEST(Oracle, WhatFollowsAFalseConditionIsSkippedAndTheRunSucceeds) {
  const Outcome outcome = foresee(of_corpus("condition"));
  EXPECT_EQ(outcome.run, Fate::kSucceeded);
  EXPECT_THAT(fates(outcome), ElementsAre("a SKIPPED 0", "b SKIPPED 0", "c SUCCEEDED 1"));
}

TEST(Oracle, LoopsCollectInTheOrderOfTheirItems) {
  const Outcome outcome = foresee(of_corpus("loop"));
  EXPECT_THAT(fates(outcome),
              ElementsAre("all SUCCEEDED 1", "loop SUCCEEDED", "loop[0]/a SUCCEEDED 1",
                          "loop[1]/a SUCCEEDED 1", "loop[2]/a SUCCEEDED 1"));
  EXPECT_EQ(input(outcome, "loop[1]/a", "x"), Value(2));
  EXPECT_EQ(input(outcome, "all", "x"),
            Value(Value::List{output(outcome, "loop[0]/a", "n"), output(outcome, "loop[1]/a", "n"),
                              output(outcome, "loop[2]/a", "n")}));
  EXPECT_EQ(outcome.tasks.at("all").inputs.artifacts.at("data")->size(), 3u);
  EXPECT_THAT(outcome.limits, ElementsAre(Pair("loop", 2u)));
}

TEST(Oracle, IterationsOfAStepAreShown) {
  const Outcome outcome = foresee(of_corpus("loop-of-steps"));
  EXPECT_THAT(fates(outcome), ElementsAre("a SUCCEEDED", "a[0] SUCCEEDED 1", "a[1] SUCCEEDED 1",
                                          "all SUCCEEDED 1"));
  EXPECT_EQ(input(outcome, "a[1]", "item"), Value("two"));
}

TEST(Oracle, ALoopRunsOverWhatAStepGave) {
  const Outcome outcome = foresee(of_corpus("loop-over-outputs"));
  EXPECT_EQ(input(outcome, "loop[1]/a", "x"), output(outcome, "list", "items").as_list()[1]);
  const Outcome artifacts = foresee(of_corpus("loop-over-artifacts"));
  const Artifacts& tables = *artifacts.tasks.at("list").outputs.artifacts.at("tables");
  ASSERT_FALSE(tables.empty());
  EXPECT_THAT(*artifacts.tasks.at("loop[0]/a").inputs.artifacts.at("x"), ElementsAre(tables[0]));
}

TEST(Oracle, NestedLoopsGiveListsOfLists) {
  const Outcome outcome = foresee(of_corpus("nested-loops"));
  const auto n = [&](const std::string& path) { return output(outcome, path, "n"); };
  EXPECT_EQ(input(outcome, "all", "x"),
            Value(Value::List{Value::List{n("outer[0]/inner[0]/a"), n("outer[0]/inner[1]/a")},
                              Value::List{n("outer[1]/inner[0]/a"), n("outer[1]/inner[1]/a")}}));
}

TEST(Oracle, RetriesOfALoopAreThoseOfEachIteration) {
  EXPECT_THAT(fates(foresee(of_corpus("loop-flaky"))),
              ElementsAre("loop SUCCEEDED", "loop[0]/a SUCCEEDED 2", "loop[1]/a SUCCEEDED 2"));
}

TEST(Oracle, AnImporterGivesWhatIsThere) {
  const Outcome outcome = foresee(of_corpus("importer"));
  const Artifact table{"file:1,2,3", Value::make_struct({{"origin", "a test"}})};
  EXPECT_THAT(*outcome.tasks.at("a").inputs.artifacts.at("x"), ElementsAre(table));
  Sketch without = of_corpus("importer");
  without.files.clear();
  EXPECT_THAT(fates(foresee(without)), ElementsAre("a SKIPPED 0", "import FAILED"));
}

TEST(Oracle, VolumesAndSecrets) {
  const Outcome outcome = foresee(of_corpus("volume"));
  EXPECT_TRUE(same(input(outcome, "delete", "pvc_name"), Value("p-12ab3-corpus")));
  EXPECT_FALSE(same(input(outcome, "delete", "pvc_name"), Value("p-12ab3")));
  EXPECT_THAT(foresee(of_corpus("secret")).starts.at("a").front().env,
              ElementsAre(Pair("SIM_TOKEN", "s3cret")));
}

TEST(Oracle, ObjectsToWhatItHasNotForeseen) {
  const Outcome outcome = foresee(of_corpus("loop"));
  const Start& start = outcome.starts.at("loop[1]/a").front();
  EXPECT_EQ(objection(outcome, "loop[1]/a", start.inputs, {}), "");
  EXPECT_EQ(objection(outcome, "loop[3]/a", start.inputs, {}), "loop[3]/a should not run");
  EXPECT_EQ(objection(outcome, "loop[0]/a", start.inputs, {}),
            "loop[0]/a should get x=1  and got x=2 ");
  EXPECT_EQ(objection(outcome, "loop[1]/a", start.inputs, {{"SIM_A", "1"}}),
            "loop[1]/a has other variables: SIM_A=1");
}

TEST(Oracle, ADeadlineOfTheRunMakesItLoose) {
  Sketch sketch = of_corpus("chain");
  sketch.deadline = std::chrono::seconds(5);
  EXPECT_FALSE(foresee(sketch).exact);
}

TEST(Same, FinalStatusesAreComparedByStateAndName) {
  const Value foreseen = Value::make_struct({{"state", "FAILED"}, {"pipelineTaskName", "body"}});
  Value real = foreseen;
  real["pipelineJobResourceName"] = "p-12ab3";
  real["error"] = Value::make_struct({{"code", 2}});
  EXPECT_TRUE(same(foreseen, real));
  real["state"] = "SUCCEEDED";
  EXPECT_FALSE(same(foreseen, real));
}

TEST(Same, AbsentAndNullAreDifferentThings) {
  Data with_null;
  with_null.parameters["x"] = std::make_shared<const Value>();
  EXPECT_FALSE(same(with_null, Data{}));
  EXPECT_TRUE(same(with_null, with_null));
}

}  // namespace
}  // namespace cresset::sim
