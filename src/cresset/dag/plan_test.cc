#include "cresset/dag/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cresset/dag/testing/pipeline_builder.h"
#include "cresset/dag/testing/plan_driver.h"

// Order, conditions, branches, exit tasks: which tasks run, with what, and what the run makes of
// it.
namespace cresset::dag {
namespace {

using model::State;
using testing::artifact_from_task;
using testing::constant;
using ::testing::ElementsAre;
using testing::final_status_of;
using testing::from_parent;
using testing::from_task;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::Outcome;
using testing::PipelineBuilder;
using testing::PlanDriver;

// Fails the tasks of these paths, all attempts of them.
PlanDriver::Script failing(std::initializer_list<std::string> paths) {
  return [broken = std::set<std::string>(paths)](const std::string& path, std::uint32_t) {
    return broken.contains(path) ? Outcome::fails() : Outcome::gives(1);
  };
}

model::Artifact artifact(const std::string& uri) {
  model::Artifact out;
  out.name = "art";
  out.uri = uri;
  return out;
}

Outcome gives_artifact(const std::string& uri) {
  Outcome out = Outcome::gives(1);
  out.outputs.artifacts["art"] = {artifact(uri)};
  return out;
}

TEST(Plan, RunsNothingOfAnEmptyPipeline) {
  PlanDriver run(PipelineBuilder().build());
  EXPECT_EQ(run.state(), State::kPending);
  run.submit();
  EXPECT_EQ(run.state(), State::kSucceeded);
  run.check_replay();
}

TEST(Plan, RefusesAPipelineThatCheckWouldHaveRefused) {
  PipelineBuilder builder;
  builder.root().add("a").after({"a"});
  const auto plan = Plan::make(builder.build(), {}, {});
  ASSERT_FALSE(plan);
  EXPECT_EQ(plan.error().code, Code::kInvalidArgument);
}

TEST(Plan, StartsIndependentTasksAtOnceAndOthersInOrder) {
  PipelineBuilder builder;
  builder.root().add("a");
  builder.root().add("b");
  builder.root().add("c").after({"a", "b"});
  PlanDriver run(builder.build());
  run.submit();
  EXPECT_THAT(run.live(), ElementsAre("a", "b"));
  run.succeed("a");
  EXPECT_THAT(run.live(), ElementsAre("b"));
  EXPECT_EQ(run.state("c"), State::kPending);
  run.succeed("b");
  EXPECT_THAT(run.live(), ElementsAre("c"));
  run.succeed("c");
  EXPECT_EQ(run.state(), State::kSucceeded);
  run.check_replay();
}

TEST(Plan, DataEdgesImplyOrder) {
  PipelineBuilder builder;
  builder.root().add("parameter", "needs").in("x", from_task("first"));
  builder.root().add("artifact").in("a", artifact_from_task("first"));
  builder.root().add("status").always().in("s", final_status_of("first"));
  builder.root().add("first");
  PlanDriver run(builder.build());
  run.submit();
  EXPECT_THAT(run.live(), ElementsAre("first"));
  Outcome outcome = Outcome::gives(42);
  outcome.outputs.artifacts["art"] = {artifact("file:///d")};
  run.succeed("first", outcome);
  EXPECT_THAT(run.live(), ::testing::UnorderedElementsAre("artifact", "parameter", "status"));
  EXPECT_EQ(run.input("parameter", "x"), Value(42));
  EXPECT_THAT(run.view("artifact").inputs.artifacts.at("a"), ElementsAre(artifact("file:///d")));
  run.finish();
  EXPECT_EQ(run.state(), State::kSucceeded);
  run.check_replay();
}

TEST(Plan, AFailureSkipsWhatWaitsForItAndLetsOtherBranchesFinish) {
  PipelineBuilder builder;
  builder.root().add("bad");
  builder.root().add("next").after({"bad"});
  builder.root().add("last").after({"next"});
  builder.root().add("other");
  builder.root().add("other-next").after({"other"});
  PlanDriver run(builder.build());
  run.submit();
  run.fail("bad", "exit status 1");
  EXPECT_EQ(run.state("next"), State::kSkipped);
  EXPECT_THAT(run.view("next").reason, HasSubstr("\"bad\", which it waits for, failed"));
  EXPECT_THAT(run.view("last").reason, HasSubstr("\"next\", which it waits for, was skipped"));
  EXPECT_EQ(run.state(), State::kRunning);
  run.finish();
  EXPECT_EQ(run.state("other-next"), State::kSucceeded);
  EXPECT_EQ(run.state(), State::kFailed);
  EXPECT_EQ(run.plan().error()->message, "bad: exit status 1");
  EXPECT_EQ(run.plan().error()->log_tail, "tail of bad");
  EXPECT_EQ(run.plan().counts().skipped, 2u);
  run.check_replay();
}

TEST(Plan, NamesTheFirstFailureOfNestedGroups) {
  PipelineBuilder builder;
  builder.group("inner").add("early");
  builder.group("inner").add("late").after({"early"}).always();
  builder.group("outer").add("in", "inner");
  builder.root().add("out", "outer");
  PlanDriver run(builder.build());
  run.finish(failing({"out/in/early", "out/in/late"}));
  EXPECT_EQ(run.plan().error()->message, "out/in/early: it broke");
  EXPECT_EQ(run.view("out").error->message, "out/in/early: it broke");
  EXPECT_EQ(run.state("out/in/late"), State::kFailed);
  run.check_replay();
}

TEST(Plan, NestedPipelinesTakeInputsAndGiveOutputs) {
  PipelineBuilder builder;
  auto inner = builder.group("inner");
  inner.input("n", model::ParameterType::kNumberInteger);
  inner.add("a", "needs").in("x", from_parent("n"));
  inner.gives("total", {{"a", "out"}});
  inner.gives_artifact("data", {{"a", "art"}});
  builder.root().input("start", model::ParameterType::kNumberInteger);
  builder.root().add("sub", "inner").in("n", from_parent("start"));
  builder.root()
      .add("after", "needs")
      .in("x", from_task("sub", "total"))
      .in("a", artifact_from_task("sub", "data"));
  builder.root().gives("result", {{"sub", "total"}});
  model::Bindings inputs;
  inputs.parameters["start"] = 3;
  PlanDriver run(builder.build(), {}, inputs);
  run.finish([](const std::string& path, std::uint32_t) {
    Outcome out = gives_artifact("file:///" + path);
    out.outputs.parameters["out"] = path == "sub/a" ? 30 : 1;
    return out;
  });
  EXPECT_EQ(run.input("sub/a", "x"), Value(3));
  EXPECT_EQ(run.input("after", "x"), Value(30));
  EXPECT_EQ(run.view("after").inputs.artifacts.at("a").front().uri, "file:///sub/a");
  EXPECT_EQ(run.plan().view().outputs.parameters.at("result"), Value(30));
  EXPECT_THAT(run.paths(), ElementsAre("sub SUCCEEDED", "sub/a SUCCEEDED", "after SUCCEEDED"));
  EXPECT_EQ(run.view("sub").kind, model::TaskKind::kDag);
  run.check_replay();
}

// ---- Conditions ----

constexpr const char* kIsHeads = "inputs.parameter_values['flip'] == 'heads'";
constexpr const char* kIsNotHeads = "!(inputs.parameter_values['flip'] == 'heads')";

// flip -> branches{ heads: If, tails: Else } -> use, which takes a OneOf of both kinds.
PipelineBuilder branching() {
  PipelineBuilder builder;
  builder.step("flip").output_parameters["out"].type = model::ParameterType::kString;
  auto body = builder.group("branch");
  body.input("flip", model::ParameterType::kString);
  body.add("work");
  body.gives("out", {{"work", "out"}});
  body.gives_artifact("art", {{"work", "art"}});
  auto branches = builder.group("branches");
  branches.input("flip", model::ParameterType::kString);
  branches.add("heads", "branch").in("flip", from_parent("flip")).when(kIsHeads);
  branches.add("tails", "branch").in("flip", from_parent("flip")).when(kIsNotHeads);
  branches.gives("chosen", {{"heads", "out"}, {"tails", "out"}});
  branches.gives_artifact("chosen-art", {{"heads", "art"}, {"tails", "art"}});
  builder.root().add("flip", "flip");
  builder.root().add("branches", "branches").in("flip", from_task("flip"));
  builder.root()
      .add("use", "needs")
      .in("x", from_task("branches", "chosen"))
      .in("a", artifact_from_task("branches", "chosen-art"));
  return builder;
}

TEST(Plan, OneOfTakesTheBranchThatRan) {
  for (const bool heads : {true, false}) {
    SCOPED_TRACE(heads);
    PlanDriver run(branching().build());
    run.finish([heads](const std::string& path, std::uint32_t) {
      if (path == "flip") return Outcome::gives(heads ? "heads" : "tails");
      Outcome out = gives_artifact("file:///" + path);
      out.outputs.parameters["out"] = heads ? 10 : 20;
      return out;
    });
    const std::string taken = heads ? "branches/heads" : "branches/tails";
    const std::string other = heads ? "branches/tails" : "branches/heads";
    EXPECT_EQ(run.state(), State::kSucceeded);
    EXPECT_EQ(run.state(taken), State::kSucceeded);
    EXPECT_EQ(run.view(taken).kind, model::TaskKind::kCondition);
    EXPECT_EQ(run.state(other), State::kSkipped);
    EXPECT_EQ(run.view(other).reason, "its condition is false");
    EXPECT_FALSE(run.plan().find(other + "/work")) << "a branch not taken is one entry";
    EXPECT_EQ(run.input("use", "x"), Value(heads ? 10 : 20));
    EXPECT_EQ(run.view("use").inputs.artifacts.at("a").front().uri, "file:///" + taken + "/work");
    run.check_replay();
  }
}

TEST(Plan, AFailedBranchLeavesAOneOfWithoutAValue) {
  PlanDriver run(branching().build());
  run.finish([](const std::string& path, std::uint32_t) {
    if (path == "flip") return Outcome::gives("heads");
    return path == "branches/heads/work" ? Outcome::fails() : Outcome::gives(1);
  });
  EXPECT_EQ(run.state("branches"), State::kFailed);
  EXPECT_EQ(run.state("use"), State::kSkipped);
  EXPECT_EQ(run.state(), State::kFailed);
  run.check_replay();
}

TEST(Plan, AFalseConditionSkipsWhatWaitsForTheGroup) {
  PipelineBuilder builder;
  builder.group("then").add("work");
  builder.root().input("go", model::ParameterType::kBoolean);
  builder.root()
      .add("maybe", "then")
      .in("go", from_parent("go"))
      .when("inputs.parameter_values['go'] == true");
  builder.root().add("next").after({"maybe"});
  builder.root().add("always").after({"maybe"}).always();
  model::Bindings inputs;
  inputs.parameters["go"] = false;
  PlanDriver run(builder.build(), {}, inputs);
  run.finish();
  EXPECT_THAT(run.paths(),
              ::testing::UnorderedElementsAre("maybe SKIPPED", "next SKIPPED", "always SUCCEEDED"));
  EXPECT_EQ(run.state(), State::kSucceeded) << "a skipped branch is no failure";
  run.check_replay();
}

TEST(Plan, AConditionThatCannotBeEvaluatedFailsItsTask) {
  const std::pair<const char*, const char*> cases[] = {
      {"int(inputs.parameter_values['word']) > 1", "cannot be evaluated"},
      {"inputs.parameter_values['nobody'] == 1", "cannot be evaluated"},
      {"inputs.parameter_values['word']", "not true or false"},
  };
  for (const auto& [condition, reason] : cases) {
    SCOPED_TRACE(condition);
    PipelineBuilder builder;
    builder.group("then").add("work");
    builder.root().add("maybe", "then").in("word", constant("abc")).when(condition);
    builder.root().add("next").after({"maybe"});
    PlanDriver run(builder.build());
    run.finish();
    EXPECT_EQ(run.state("maybe"), State::kFailed);
    EXPECT_THAT(run.view("maybe").error->message, HasSubstr(reason));
    EXPECT_THAT(run.view("maybe").error->message, HasSubstr(condition));
    EXPECT_EQ(run.state("next"), State::kSkipped);
    EXPECT_EQ(run.state(), State::kFailed);
    EXPECT_THAT(run.plan().error()->message, HasSubstr("maybe: "));
    run.check_replay();
  }
}

TEST(Plan, AConditionOnAStepSkipsTheStep) {
  PipelineBuilder builder;
  builder.root().add("a").in("n", constant(3)).when("inputs.parameter_values['n'] > 2");
  builder.root().add("b").in("n", constant(1)).when("inputs.parameter_values['n'] > 2");
  PlanDriver run(builder.build());
  run.finish();
  EXPECT_THAT(run.paths(), ElementsAre("a SUCCEEDED", "b SKIPPED"));
}

TEST(Plan, ConditionsCanLookAtArtifacts) {
  PipelineBuilder builder;
  builder.group("then").add("work");
  builder.root().add("train");
  builder.root()
      .add("good", "then")
      .in("m", artifact_from_task("train"))
      .when("inputs.artifacts['m'].artifacts[0].metadata['acc'] * 100.0 > 90.0");
  PlanDriver run(builder.build());
  run.submit();
  Outcome outcome = gives_artifact("file:///m");
  outcome.outputs.artifacts["art"].front().metadata = Value::make_struct({{"acc", 0.95}});
  run.succeed("train", outcome);
  EXPECT_THAT(run.live(), ElementsAre("good/work"));
}

// ---- Values that do not exist ----

TEST(Plan, ASkippedProducerInsideASucceededGroupSkipsItsConsumer) {
  PipelineBuilder builder;
  auto group = builder.group("group");
  builder.group("then").add("work").task();
  builder.group("then").gives("v", {{"work", "out"}});
  group.add("maybe", "then").in("n", constant(0)).when("inputs.parameter_values['n'] > 2");
  group.add("sure");
  group.gives("v", {{"maybe", "v"}});
  builder.root().add("g", "group");
  builder.root().add("needs-it", "needs").in("x", from_task("g", "v"));
  builder.root().add("has-default", "defaults").in("x", from_task("g", "v"));
  PlanDriver run(builder.build());
  run.finish();
  EXPECT_EQ(run.state("g"), State::kSucceeded);
  EXPECT_EQ(run.state("needs-it"), State::kSkipped);
  EXPECT_THAT(run.view("needs-it").reason, HasSubstr("gave no output \"v\""));
  EXPECT_EQ(run.state("has-default"), State::kSucceeded);
  EXPECT_EQ(run.input("has-default", "x"), Value(7));
  EXPECT_EQ(run.state(), State::kSucceeded);
  run.check_replay();
}

TEST(Plan, IgnoringAFailedProducerFallsBackToTheDefault) {
  PipelineBuilder builder;
  builder.root().add("bad");
  builder.root().add("good");
  builder.root().add("falls-back", "defaults").in("x", from_task("bad")).always();
  builder.root().add("takes-it", "defaults").in("x", from_task("good")).always();
  builder.root().add("cannot", "needs").in("x", from_task("bad")).always();
  PlanDriver run(builder.build());
  run.finish(failing({"bad"}));
  EXPECT_EQ(run.state("falls-back"), State::kSucceeded);
  EXPECT_EQ(run.input("falls-back", "x"), Value(7));
  EXPECT_EQ(run.input("takes-it", "x"), Value(1));
  EXPECT_EQ(run.state("cannot"), State::kFailed);
  EXPECT_THAT(run.view("cannot").error->message, HasSubstr("\"bad\", which gives it, failed"));
  EXPECT_EQ(run.state(), State::kFailed) << "a failure that was ignored is still one";
  EXPECT_EQ(run.plan().error()->message, "bad: it broke");
  run.check_replay();
}

TEST(Plan, AnOmittedOptionalInputTakesTheDefaultOfTheStepOrNull) {
  PipelineBuilder builder;
  auto inner = builder.group("inner");
  inner.input("n", model::ParameterType::kNumberInteger, true);
  inner.add("default", "defaults").in("x", from_parent("n"));
  inner.add("null", "step").in("extra", from_parent("n"));
  builder.root().add("sub", "inner");
  PlanDriver run(builder.build());
  run.submit();
  EXPECT_EQ(run.input("sub/default", "x"), Value(7));
  EXPECT_EQ(run.input("sub/null", "extra"), Value());
}

// ---- Exit tasks ----

// body -> cleanup(status of body), as dsl.ExitHandler compiles it.
PipelineBuilder with_exit_task() {
  PipelineBuilder builder;
  builder.step("cleanup").input_parameters["status"].type = model::ParameterType::kTaskFinalStatus;
  auto body = builder.group("exit-handler-1");
  body.add("work");
  body.add("more").after({"work"});
  builder.root().add("exit-handler-1", "exit-handler-1").task().display_name = "my body";
  builder.root()
      .add("cleanup", "cleanup")
      .after({"exit-handler-1"})
      .always()
      .in("status", final_status_of("exit-handler-1"));
  return builder;
}

TEST(Plan, AnExitTaskSeesSuccess) {
  for (const char* word : {"SUCCEEDED", "COMPLETE"}) {
    RunContext context;
    context.success_word = word;
    PlanDriver run(with_exit_task().build(), context);
    run.finish();
    const Value status = run.input("cleanup", "status");
    EXPECT_EQ(status, Value::make_struct({{"state", word},
                                          {"pipelineJobResourceName", "test-abc12"},
                                          {"pipelineTaskName", "my body"}}));
    EXPECT_EQ(run.state(), State::kSucceeded);
    run.check_replay();
  }
}

TEST(Plan, AnExitTaskSeesTheFailureAndDoesNotRescueTheRun) {
  PlanDriver run(with_exit_task().build());
  run.finish(failing({"exit-handler-1/work"}));
  const Value status = run.input("cleanup", "status");
  EXPECT_EQ(*status.find("state"), Value("FAILED"));
  ASSERT_NE(status.find("error"), nullptr);
  EXPECT_EQ(*status.find("error")->find("message"), Value("exit-handler-1/work: it broke"));
  EXPECT_EQ(*status.find("error")->find("code"), Value(2));
  EXPECT_EQ(run.state("cleanup"), State::kSucceeded);
  EXPECT_EQ(run.state(), State::kFailed);
  EXPECT_EQ(run.plan().error()->message, "exit-handler-1/work: it broke");
  run.check_replay();
}

// kfp's own documentation of PipelineTaskFinalStatus names this word, with two L, unlike the state
// of a task.
TEST(Plan, AnExitTaskSeesACancelledBody) {
  PlanDriver run(with_exit_task().build());
  run.submit();
  run.start("exit-handler-1/work");
  run.feed(CancelAsked{});
  run.fail("exit-handler-1/work", "killed by signal 15");
  EXPECT_THAT(run.live(), ElementsAre("cleanup"));
  EXPECT_EQ(*run.input("cleanup", "status").find("state"), Value("CANCELLED"));
  EXPECT_EQ(run.input("cleanup", "status").find("error"), nullptr);
  run.finish();
  EXPECT_EQ(run.state("exit-handler-1"), State::kCanceled);
  EXPECT_EQ(run.state("cleanup"), State::kSucceeded);
  EXPECT_EQ(run.state(), State::kCanceled);
  run.check_replay();
}

TEST(Plan, AFailedExitTaskFailsTheRun) {
  PlanDriver run(with_exit_task().build());
  run.finish(failing({"cleanup"}));
  EXPECT_EQ(run.state(), State::kFailed);
  EXPECT_EQ(run.plan().error()->message, "cleanup: it broke");
  run.check_replay();
}

TEST(Plan, AnExitTaskRunsWhenItsBodyWasSkipped) {
  PipelineBuilder builder = with_exit_task();
  builder.root().add("bad");
  std::get<model::Dag>(builder.pipeline().root.body).tasks["exit-handler-1"].dependent_tasks = {
      "bad"};
  PlanDriver run(builder.build());
  run.finish(failing({"bad"}));
  EXPECT_EQ(run.state("exit-handler-1"), State::kSkipped);
  EXPECT_EQ(run.state("cleanup"), State::kSucceeded);
  EXPECT_EQ(*run.input("cleanup", "status").find("state"), Value("SKIPPED"));
  run.check_replay();
}

// ---- Cache ----

TEST(Plan, ItsSummaryIsItsViewWithoutTasks) {
  PipelineBuilder builder;
  builder.root().add("a");
  PlanDriver run(builder.build());
  run.submit();
  const model::RunView view = run.plan().view();
  EXPECT_EQ(view.tasks.size(), 1u);
  const model::RunView summary = run.plan().summary();
  EXPECT_THAT(summary.tasks, IsEmpty());
  EXPECT_EQ(summary.state, model::State::kRunning);
  EXPECT_EQ(summary.id, view.id);
  EXPECT_EQ(summary.name, view.name);
  EXPECT_EQ(summary.state, view.state);
  EXPECT_EQ(summary.started_at, view.started_at);
  EXPECT_EQ(summary.finished_at, view.finished_at);
  EXPECT_EQ(summary.outputs, view.outputs);
}

TEST(Plan, ACacheHitIsASuccessWithoutAnAttempt) {
  PipelineBuilder builder;
  builder.root().add("a").cached();
  builder.root().add("b", "needs").in("x", from_task("a")).cached();
  PlanDriver run(builder.build());
  run.submit();
  EXPECT_THAT(run.look_ups(), ElementsAre("a"));
  EXPECT_THAT(run.live(), IsEmpty());
  run.feed(CacheHit{run.ordinal("a"), Outcome::gives(5).outputs, model::RunId("other")});
  EXPECT_TRUE(run.view("a").cached);
  EXPECT_EQ(run.view("a").attempts, 0u);
  EXPECT_EQ(run.input("b", "x"), Value(5));
  run.feed(CacheMissed{run.ordinal("b")});
  EXPECT_THAT(run.live(), ElementsAre("b"));
  run.feed(CacheHit{run.ordinal("b"), {}, model::RunId("other")});  // late
  EXPECT_THAT(run.live(), ElementsAre("b"));
  run.finish();
  EXPECT_EQ(run.plan().counts().cached, 1u);
  EXPECT_EQ(run.plan().counts().succeeded, 1u);
  run.check_replay();
}

TEST(Plan, NothingIsLookedUpWhenTheRunSaysSoOrTheTaskDoes) {
  PipelineBuilder builder;
  builder.root().add("cached").cached();
  builder.root().add("not");
  RunContext context;
  context.use_cache = false;
  PlanDriver off(builder.build(), context);
  off.submit();
  EXPECT_THAT(off.live(), ElementsAre("cached", "not"));
  PlanDriver on(builder.build());
  on.submit();
  EXPECT_THAT(on.look_ups(), ElementsAre("cached"));
  EXPECT_THAT(on.live(), ElementsAre("not"));
}

// ---- Late and repeated answers ----

TEST(Plan, IgnoresWhatComesLateOrTwice) {
  PipelineBuilder builder;
  builder.root().add("a").retries(1);
  builder.root().add("b").after({"a"});
  PlanDriver run(builder.build());
  run.submit();
  run.submit();
  const TaskOrdinal a = run.ordinal("a");
  run.start("a");
  run.start("a");
  run.fail("a");
  EXPECT_THAT(run.started(), ElementsAre("a.1", "a.2"));
  const Event late[] = {
      AttemptRunning{a, 1},
      AttemptSucceeded{a, 1, Outcome::gives(1).outputs},
      AttemptFailed{a, 1, {"again", ""}},
      AttemptFailed{a, 1, {"again", ""}, true},
      AttemptSucceeded{a, 7, {}},
      CacheMissed{a},
      CacheHit{a, {}, model::RunId("x")},
      TimerFired{{TimerKind::kRetry, a, 1}},
      TimerFired{{TimerKind::kTaskDeadline, a, 2}},
      TimerFired{{TimerKind::kRunDeadline, 0, 0}},
  };
  for (const Event& event : late) {
    const std::string before = testing::describe(run.plan().view());
    const StepResult result = run.feed(event);
    if (event.index() != Event(TimerFired{}).index() ||
        std::get<TimerFired>(event).timer.kind != TimerKind::kRunDeadline) {
      EXPECT_THAT(result.effects, IsEmpty());
      EXPECT_THAT(result.changed, IsEmpty());
      EXPECT_EQ(testing::describe(run.plan().view()), before);
    }
  }
  run.check_replay();
}

TEST(Plan, NothingMovesARunThatHasEnded) {
  PipelineBuilder builder;
  builder.root().add("a");
  PlanDriver run(builder.build());
  run.finish();
  const std::string before = testing::describe(run.plan().view());
  const TaskOrdinal a = run.ordinal("a");
  for (const Event& event :
       {Event(Submitted{}), Event(CancelAsked{}), Event(KillAsked{}), Event(RetryAsked{}),
        Event(AttemptFailed{a, 1, {"late", ""}}), Event(AttemptSucceeded{a, 1, {}})}) {
    EXPECT_THAT(run.feed(event).effects, IsEmpty());
    EXPECT_EQ(testing::describe(run.plan().view()), before);
  }
  run.check_replay();
}

// Whatever clock the ends of steps were seen by: an engine that comes back may hear of one from the
// time in which the calendar was wrong.
TEST(Plan, TimesKeepTheirOrderWhenTheClockWasSetBackMeanwhile) {
  PipelineBuilder builder;
  auto body = builder.group("body");
  body.add("inner").retries(1);
  body.add("after").after({"inner"});
  builder.root().add("group", "body");
  builder.root().add("left");
  builder.root().add("join").after({"group", "left"});
  builder.root().add("loop", "step").loop("[1, 2, 3]").after({"join"});
  builder.root().add("exit").always().after({"loop"});
  for (int seed = 1; seed <= 50; ++seed) {
    SCOPED_TRACE(seed);
    std::uint64_t dice = static_cast<std::uint64_t>(seed);
    dag::RunContext context;
    context.created_at = testing::kStart + std::chrono::minutes{5};
    PlanDriver run(builder.build(), context);
    run.submit();
    run.finish([&](const std::string& path, std::uint32_t attempt) {
      dice = dice * 6364136223846793005u + 1442695040888963407u;
      run.pass(std::chrono::minutes{static_cast<std::int64_t>(dice >> 33) % 120 - 60});
      return path == "group/inner" && attempt == 1 ? Outcome::fails() : Outcome::gives(1);
    });
    const model::RunView view = run.plan().view();
    ASSERT_EQ(view.state, State::kSucceeded);
    EXPECT_LE(view.created_at, *view.started_at);
    EXPECT_LE(*view.started_at, *view.finished_at);
    for (const model::TaskView& task : view.tasks) {
      SCOPED_TRACE(task.path);
      EXPECT_LE(*view.started_at, *task.started_at);
      EXPECT_LE(*task.started_at, *task.finished_at);
      EXPECT_LE(*task.finished_at, *view.finished_at);
    }
    for (const auto& [first, second] : std::vector<std::pair<std::string, std::string>>{
             {"group/inner", "group/after"}, {"group", "join"}, {"left", "join"}, {"join", "loop"}})
      EXPECT_LE(*run.view(first).finished_at, *run.view(second).started_at) << first;
    EXPECT_LE(*run.view("group/after").finished_at, *run.view("group").finished_at);
    EXPECT_LE(*run.view("group").started_at, *run.view("group/inner").started_at);
    run.check_replay();
  }
}

TEST(Plan, SaysWhichTasksChanged) {
  PipelineBuilder builder;
  builder.root().add("a");
  builder.root().add("b").after({"a"});
  PlanDriver run(builder.build());
  EXPECT_THAT(run.feed(Submitted{}).changed.size(), 2u);
  const TaskOrdinal a = run.ordinal("a");
  EXPECT_THAT(run.feed(AttemptRunning{a, 1}).changed, ElementsAre(a));
  EXPECT_THAT(run.feed(AttemptSucceeded{a, 1, {}}).changed, ElementsAre(a, run.ordinal("b")));
}

}  // namespace
}  // namespace cresset::dag
