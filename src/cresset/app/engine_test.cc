#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "cresset/app/testing/engine_world.h"

// Whole runs over fakes: what the engine carries out, and that its death at any moment changes
// nothing.
namespace cresset::app {
namespace {

using model::State;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::Crash;
using ::testing::ElementsAre;
using testing::EngineProcess;
using testing::EngineWorld;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::kLargePipeline;
using testing::kSmallPipeline;
using testing::large_pipeline_over;
using testing::MortalStore;
using testing::replaced;
using testing::result_of;
using testing::task_of;

TEST(Engine, RunsAPipelineToItsEnd) {
  EngineWorld world;
  EngineProcess process(world);
  const model::RunView view = process.run(kSmallPipeline);
  EXPECT_EQ(view.state, State::kSucceeded);
  EXPECT_EQ(task_of(view, "a").outputs.parameters.at("out"), Value(42));
  EXPECT_EQ(task_of(view, "b").outputs.parameters.at("out"), Value("got 42"));
  const model::Artifact& data = task_of(view, "a").outputs.artifacts.at("data").at(0);
  EXPECT_EQ(world.files.read(data.uri.substr(std::string("file://").size())), "bytes");
  EXPECT_EQ(data.digest.size(), 64u);
  EXPECT_EQ(task_of(view, "b").inputs.artifacts.at("data").at(0), data);
  EXPECT_EQ(world.machine.executions().size(), 2u);
  EXPECT_THAT(world.machine.remembered(), IsEmpty());
  EXPECT_EQ(process.service.list()->front().state, State::kSucceeded);
}

// A service remembers the pipeline that it read last.
TEST(Engine, EachRunIsOfThePipelineThatItWasMadeOf) {
  EngineWorld world;
  EngineProcess process(world);
  const model::RunId small = process.create(kSmallPipeline);
  const model::RunId large = process.create(kLargePipeline);
  for (const model::RunId& run : {small, large, small}) {
    const std::string result = result_of(process.finish(run));
    EngineProcess other(world);
    EXPECT_EQ(result_of(*other.service.view(run)), result);
  }
  EXPECT_NE(process.service.view(small)->tasks.size(), process.service.view(large)->tasks.size());
}

TEST(Engine, CommitsAllStartsOfOneMomentAtOnce) {
  EngineWorld world;
  const std::string spec = large_pipeline_over(100);
  EngineProcess process(world);
  EXPECT_EQ(process.run(spec).state, State::kFailed);
  EXPECT_EQ(world.executions("exit-handler-1/loop[99]/item"), 1);
  // Its hundred items run four at a time, for a second each: one commit for each of a few turns.
  EXPECT_LT(world.database.commits(), 120u);
  EXPECT_LE(world.machine.cpu_millis_peak(), world.machine.limits().cpu_millis);
}

// More steps than the executor is asked for at once: the rest waits with the engine.
std::string very_large_pipeline() { return large_pipeline_over(9000); }

TEST(Engine, RunsMoreStepsThanTheExecutorIsAskedForAtOnce) {
  EngineWorld world;
  EngineProcess process(world);
  EXPECT_EQ(process.run(very_large_pipeline()).state, State::kFailed) << "as it is made to";
  EXPECT_EQ(world.executions("exit-handler-1/loop[0]/item"), 1);
  EXPECT_EQ(world.executions("exit-handler-1/loop[8999]/item"), 1);
}

TEST(Engine, CancelsStepsThatTheExecutorHasNotBeenAskedFor) {
  EngineWorld world;
  EngineProcess process(world);
  const model::RunId run = process.create(very_large_pipeline());
  int succeeded = 0;
  process.store.before_commit = [&](const ports::Commit& commit) {
    for (const ports::StoredEvent& event : commit.events) {
      if (event.payload.find("succeeded") != std::string::npos) ++succeeded;
    }
    if (succeeded > 10) process.interrupts = 1;
  };
  const model::RunView view = process.finish(run);
  EXPECT_EQ(view.state, State::kCanceled);
  EXPECT_EQ(task_of(view, "exit-handler-1/loop[8999]/item").state, State::kCanceled);
  EXPECT_EQ(task_of(view, "cleanup").state, State::kSucceeded);
  EXPECT_EQ(world.executions("exit-handler-1/loop[8999]/item"), 0);
}

TEST(Engine, TellsWhyAStepFailed) {
  EngineWorld world;
  world.machine.set_script([](const ports::StartSpec&) {
    ports::testing::Script script;
    script.exit.code = 3;
    script.output =
        "Traceback (most recent call last):\n  File \"x.py\"\nValueError: no such column\n";
    return script;
  });
  EngineProcess process(world);
  const model::RunView view = process.run(kSmallPipeline);
  EXPECT_EQ(view.state, State::kFailed);
  EXPECT_EQ(view.error->message, "a: ValueError: no such column");
  EXPECT_THAT(view.error->log_tail, HasSubstr("File \"x.py\""));
  EXPECT_EQ(task_of(view, "b").state, State::kSkipped);
}

TEST(Engine, AStepWithoutItsOutputFails) {
  EngineWorld world;
  world.machine.set_script([](const ports::StartSpec&) { return ports::testing::Script(); });
  EngineProcess process(world);
  const model::RunView view = process.run(kSmallPipeline);
  EXPECT_EQ(view.state, State::kFailed);
  EXPECT_THAT(view.error->message, HasSubstr("gave no output \"out\""));
}

TEST(Engine, AFileThatCannotBeReadFailsTheAttemptAndNotTheEngine) {
  EngineWorld world;
  EngineProcess process(world);
  const model::RunId run = process.create(kSmallPipeline);
  process.worker.fail_next(make_error(Code::kDataLoss, "cannot make it durable: disk error"));
  const model::RunView view = process.finish(run);
  EXPECT_EQ(view.state, State::kFailed);
  EXPECT_THAT(view.error->message, HasSubstr("disk error"));
  EXPECT_THAT(world.machine.remembered(), IsEmpty());
}

TEST(Engine, AFullDiskStopsTheEngineAndTheRunCanBeResumed) {
  EngineWorld world;
  model::RunId run;
  {
    EngineProcess process(world);
    run = process.create(kSmallPipeline);
    world.database.fail_next_commit(make_error(Code::kResourceExhausted, "the disk is full"));
    EXPECT_EQ(process.drive(run).error().code, Code::kResourceExhausted);
  }
  EngineProcess process(world);
  EXPECT_EQ(process.finish(run).state, State::kSucceeded);
}

TEST(Engine, ABrokenExecutorStopsTheEngineAndTheRunCanBeResumed) {
  EngineWorld world;
  model::RunId run;
  {
    EngineProcess process(world);
    run = process.create(kSmallPipeline);
    world.clock.at(world.clock.now() + milliseconds{500}, [&world] {
      world.machine.break_down(make_error(Code::kUnavailable, "the keeper is gone"));
    });
    EXPECT_EQ(process.drive(run).error().code, Code::kUnavailable);
  }
  world.machine.mend();
  EngineProcess process(world);
  EXPECT_EQ(process.finish(run).state, State::kSucceeded);
  EXPECT_EQ(world.executions("a"), 1);
}

// ---- Stopping ----

TEST(EngineStop, ACancelStopsTheStepAndRunsExitTasks) {
  EngineWorld world;
  EngineProcess process(world);
  const model::RunId run = process.create(kLargePipeline);
  world.clock.at(world.clock.now() + milliseconds{1500}, [&] { process.interrupts = 1; });
  const model::RunView view = process.finish(run);
  EXPECT_EQ(view.state, State::kCanceled);
  EXPECT_EQ(task_of(view, "exit-handler-1").state, State::kCanceled);
  EXPECT_EQ(task_of(view, "cleanup").state, State::kSucceeded);
  EXPECT_THAT(task_of(view, "cleanup").outputs.parameters.at("out").as_string(),
              HasSubstr(R"("state":"CANCELLED")"));
  EXPECT_THAT(world.machine.running(), IsEmpty());
  EXPECT_THAT(world.machine.remembered(), IsEmpty());
}

TEST(EngineStop, ACommandOfAnotherProcessCancels) {
  EngineWorld world;
  EngineProcess process(world);
  const model::RunId run = process.create(kSmallPipeline);
  world.clock.at(world.clock.now() + milliseconds{500}, [&] {
    ports::testing::MemoryStore other(world.database);
    ASSERT_TRUE(other.post(run, ports::Command::kCancel));
  });
  EXPECT_EQ(process.finish(run).state, State::kCanceled);
  EXPECT_THAT(process.store.commands(run, 0).value(), IsEmpty()) << "it was taken";
  EXPECT_EQ(process.service.cancel(run, false).error().reason, "run.already_finished");
}

TEST(EngineStop, ACancelThatCameBeforeTheEngineIsTakenByIt) {
  EngineWorld world;
  EngineProcess process(world);
  const model::RunId run = process.create(kSmallPipeline);
  ASSERT_TRUE(process.service.cancel(run, false));
  EXPECT_EQ(process.finish(run).state, State::kCanceled);
}

// The answer to a look into the cache comes when the run has ended already.
TEST(EngineStop, NothingIsAddedToARunThatHasEnded) {
  EngineWorld world;
  EngineProcess process(world);
  const model::RunId run = process.create(kSmallPipeline);
  ASSERT_TRUE(process.service.cancel(run, false));
  EXPECT_EQ(process.finish(run).state, State::kCanceled);
  EXPECT_EQ(process.store.events(run, 0)->size(), 2u) << "it was submitted and cancelled";
}

constexpr const char* kWithSecret = R"yaml(
---
platforms:
  kubernetes:
    deploymentSpec:
      executors:
        exec-make:
          secretAsEnv:
          - secretName: hub
            keyToEnv: [{secretKey: token, envVar: TOKEN}]
)yaml";

// An engine died with a step under way and a cancel committed; the next one has to find the step to
// stop it, whatever it has to look up first.
TEST(EngineStop, ACancelSurvivesTheDeathOfTheEngine) {
  EngineWorld world;
  world.files.make_folder("/srv/cresset/secrets/hub");
  world.files.write("/srv/cresset/secrets/hub/token", "s3cret");
  world.machine.set_script([](const ports::StartSpec&) {
    ports::testing::Script script;
    script.runs_for.reset();
    script.ignores_terminate = true;
    return script;
  });
  const std::string spec = kSmallPipeline + kWithSecret;
  model::RunId run;
  {
    EngineProcess process(world);
    run = process.create(spec);
    world.clock.at(world.clock.now() + milliseconds{500}, [&] { process.interrupts = 1; });
    world.clock.at(world.clock.now() + milliseconds{900}, [] { throw Crash{}; });
    EXPECT_THROW(static_cast<void>(process.drive(run)), Crash);
  }
  EXPECT_EQ(world.machine.running().size(), 1u);
  EngineProcess process(world);
  process.worker.hold();
  world.clock.at(world.clock.now() + seconds{1}, [&] { process.worker.release_all(); });
  const model::RunView view = process.finish(run);
  EXPECT_EQ(view.state, State::kCanceled);
  EXPECT_THAT(world.machine.running(), IsEmpty()) << "the step lives on";
  EXPECT_THAT(world.machine.remembered(), IsEmpty());
  EXPECT_EQ(world.machine.executions().size(), 1u);
}

// … and another one died before it had committed that the step runs. What the step needs is not
// there any more by then, but it has got it.
TEST(EngineStop, AStepThatRunsIsAdoptedThoughItCouldNotBeStartedAnyMore) {
  EngineWorld world;
  const std::string secret = "/srv/cresset/secrets/hub/token";
  world.files.write(secret, "s3cret");
  world.machine.set_script([](const ports::StartSpec&) {
    ports::testing::Script script;
    script.starts_after = milliseconds{300};
    script.exit.code = 3;
    return script;
  });
  model::RunId run;
  {
    EngineProcess process(world);
    run = process.create(kSmallPipeline + kWithSecret);
    world.clock.at(world.clock.now() + milliseconds{100}, [] { throw Crash{}; });
    EXPECT_THROW(static_cast<void>(process.drive(run)), Crash);
  }
  world.files.remove(secret);
  EngineProcess process(world);
  const model::RunView view = process.finish(run);
  EXPECT_THAT(task_of(view, "a").error->message, HasSubstr("exit status 3"));
  EXPECT_EQ(world.machine.executions().size(), 1u);
  EXPECT_THAT(world.machine.running(), IsEmpty()) << "the step lives on";
  EXPECT_THAT(world.machine.remembered(), IsEmpty());
}

TEST(EngineStop, ATimerIsKeptOverTheDeathOfTheEngine) {
  EngineWorld world;
  model::RunId run;
  const TimePoint start = world.clock.now();
  {
    EngineProcess process(world);
    run = process.create(kLargePipeline);
    world.clock.at(start + seconds{15}, [] { throw Crash{}; });
    EXPECT_THROW(static_cast<void>(process.drive(run)), Crash);
  }
  EngineProcess process(world);
  const model::RunView view = process.finish(run);
  EXPECT_EQ(task_of(view, "exit-handler-1/flaky").state, State::kSucceeded);
  EXPECT_EQ(task_of(view, "exit-handler-1/flaky").attempts, 2u);
  EXPECT_LT(world.clock.now() - start, seconds{40}) << "the back-off did not begin anew";
}

TEST(EngineStop, AClockThatIsSetBackDoesNotStretchAPauseNorTurnTimesAround) {
  EngineWorld world;
  model::RunId run;
  const TimePoint start = world.clock.now();
  {
    EngineProcess process(world);
    run = process.create(kLargePipeline);
    world.clock.at(start + seconds{5}, [&] { world.clock.jump_wall(-std::chrono::hours{1}); });
    world.clock.at(start + seconds{15}, [] { throw Crash{}; });
    EXPECT_THROW(static_cast<void>(process.drive(run)), Crash);
  }
  EngineProcess process(world);
  const model::RunView view = process.finish(run);
  EXPECT_EQ(task_of(view, "exit-handler-1/flaky").attempts, 2u);
  EXPECT_LT(world.clock.now() - start, seconds{60}) << "it waited for the calendar";
  for (const model::TaskView& task : view.tasks) {
    if (task.started_at) EXPECT_LE(*view.started_at, *task.started_at) << task.path;
    if (task.started_at && task.finished_at) EXPECT_LE(*task.started_at, *task.finished_at);
  }
  EXPECT_LE(*view.started_at, *view.finished_at);
}

// The clock is right again when the next engine hears of it.
TEST(EngineStop, AStepThatEndedWhileTheClockWasBehindEndsAfterItsBeginning) {
  EngineWorld world;
  model::RunId run;
  const TimePoint start = world.clock.now();
  {
    EngineProcess process(world);
    run = process.create(kSmallPipeline);
    world.clock.at(start + milliseconds{500}, [] { throw Crash{}; });
    EXPECT_THROW(static_cast<void>(process.drive(run)), Crash);
  }
  ASSERT_EQ(world.machine.running().size(), 1u);
  world.clock.jump_wall(-std::chrono::hours{1});
  world.clock.advance_to(start + seconds{10});
  world.clock.jump_wall(std::chrono::hours{1});
  ASSERT_THAT(world.machine.running(), IsEmpty());
  EngineProcess process(world);
  const model::RunView view = process.finish(run);
  EXPECT_EQ(task_of(view, "a").attempts, 1u);
  EXPECT_LE(*task_of(view, "a").started_at, *task_of(view, "a").finished_at);
  EXPECT_LE(*task_of(view, "a").finished_at, *task_of(view, "b").started_at);
  EXPECT_LE(*view.started_at, *task_of(view, "a").started_at);
}

TEST(EngineStop, AClockThatIsSetBackAfterARunWasMadeDoesNotTurnTimesAround) {
  EngineWorld world;
  EngineProcess process(world);
  const model::RunId run = process.create(kSmallPipeline);
  world.clock.jump_wall(-std::chrono::hours{1});
  const model::RunView view = process.finish(run);
  EXPECT_LE(view.created_at, *view.started_at);
  EXPECT_LE(*view.started_at, *task_of(view, "a").started_at);
  EXPECT_LE(*view.started_at, *view.finished_at);
}

// Two of three steps ended while nobody drove the run, the later one asked about first.
TEST(EngineStop, ACancelOfARunWithoutAnEngineIsNotBeforeWhatItFound) {
  EngineWorld world;
  world.machine.set_script([](const ports::StartSpec& spec) {
    ports::testing::Script script;
    script.runs_for = seconds{20} - seconds{2} * spec.id.task;
    return script;
  });
  model::RunId run;
  const TimePoint start = world.clock.now();
  {
    EngineProcess process(world);
    run = process.create(kLargePipeline);
    world.clock.at(start + milliseconds{500}, [] { throw Crash{}; });
    EXPECT_THROW(static_cast<void>(process.drive(run)), Crash);
  }
  world.clock.advance_to(start + seconds{30});
  const WallTime cancelled = world.clock.wall_now();
  EngineProcess process(world);
  process.interrupts = 1;
  const model::RunView view = process.finish(run);
  EXPECT_EQ(view.state, State::kCanceled);
  EXPECT_GE(*view.finished_at, cancelled);
  WallTime last{};
  const auto events = process.store.events(run, 0);
  for (const ports::StoredEvent& event : *events) {
    EXPECT_GE(event.at, last) << event.payload;
    last = event.at;
  }
}

// ---- Retry of a finished run ----

TEST(EngineReopen, RunsAgainWhatFailedAndKeepsTheRest) {
  EngineWorld world;
  EngineProcess process(world);
  const model::RunId run = process.create(kLargePipeline);
  EXPECT_EQ(process.finish(run).state, State::kFailed);
  const std::size_t before = world.machine.executions().size();
  EXPECT_EQ(process.finish(run).state, State::kFailed) << "a finished run is left alone";
  ASSERT_TRUE(process.service.reopen(run));
  EXPECT_EQ(process.service.reopen(run).error().code, Code::kFailedPrecondition);
  world.machine.set_script([](const ports::StartSpec& spec) {
    ports::testing::Script script;
    script.work = [](const ports::StartSpec& ended, ports::testing::MemoryFiles& files,
                     ports::Exit&) {
      if (ended.argv.size() > 2) files.write(ended.argv[ended.argv.size() - 2], "again");
    };
    EXPECT_NE(spec.id.attempt, 0u);
    return script;
  });
  const model::RunView view = process.finish(run);
  EXPECT_EQ(view.state, State::kSucceeded);
  EXPECT_EQ(world.machine.executions().size(), before + 3) << "broken, never, cleanup";
  EXPECT_EQ(task_of(view, "exit-handler-1/broken").attempts, 2u);
  EXPECT_EQ(process.service.reopen(run).error().code, Code::kFailedPrecondition);
}

// ---- Death at every moment ----

std::string undisturbed(std::uint64_t* commits) {
  EngineWorld world;
  EngineProcess process(world);
  const std::string result = result_of(process.run(kLargePipeline));
  *commits = world.database.commits();
  return result;
}

// `forgets`: false when an engine died after the last commit of the run, before it let go of what
// the executor keeps; nobody drives a run again that has ended.
void expect_nothing_ran_twice(const EngineWorld& world, bool forgets = true) {
  std::set<model::AttemptId> seen;
  for (const model::AttemptId& id : world.machine.executions())
    EXPECT_TRUE(seen.insert(id).second) << to_string(id) << " ran twice";
  // list, 3 items, collect, 2 of flaky, broken, cleanup
  EXPECT_EQ(world.machine.executions().size(), 9u);
  EXPECT_THAT(world.machine.running(), IsEmpty());
  if (forgets) EXPECT_THAT(world.machine.remembered(), IsEmpty()) << "not forgotten";
}

TEST(EngineCrash, AtEveryCommitChangesNothing) {
  std::uint64_t commits = 0;
  const std::string expected = undisturbed(&commits);
  ASSERT_GT(commits, 10u);
  for (const auto when : {MortalStore::When::kBeforeCommit, MortalStore::When::kAfterCommit}) {
    for (std::uint64_t at = 0; at < commits; ++at) {
      SCOPED_TRACE(::testing::Message() << "commit " << at << " of " << commits << ", "
                                        << (when == MortalStore::When::kAfterCommit));
      EngineWorld world;
      model::RunId run;
      {
        EngineProcess process(world);
        run = process.create(kLargePipeline);
        process.store.die_at(at, when);
        EXPECT_THROW(static_cast<void>(process.drive(run)), Crash);
      }
      world.clock.advance(seconds{3});  // steps go on and end meanwhile
      EngineProcess process(world);
      EXPECT_EQ(result_of(process.finish(run)), expected);
      const bool had_ended = at + 1 == commits && when == MortalStore::When::kAfterCommit;
      expect_nothing_ran_twice(world, !had_ended);
    }
  }
}

TEST(EngineCrash, AtEveryCommitAgainAndAgainChangesNothing) {
  std::uint64_t commits = 0;
  const std::string expected = undisturbed(&commits);
  for (const auto when : {MortalStore::When::kBeforeCommit, MortalStore::When::kAfterCommit}) {
    EngineWorld world;
    model::RunId run;
    {
      EngineProcess process(world);
      run = process.create(kLargePipeline);
    }
    std::optional<model::RunView> view;
    // The first commits of a life may only repeat what is known of adopted steps.
    for (int engines = 0; engines < 100 && !view; ++engines) {
      EngineProcess process(world);
      process.store.die_at(3, when);
      try {
        view = process.finish(run);
      } catch (const Crash&) {
      }
    }
    ASSERT_TRUE(view);
    EXPECT_EQ(result_of(*view), expected);
    expect_nothing_ran_twice(world, when == MortalStore::When::kBeforeCommit);
  }
}

TEST(EngineCrash, AtEveryTurnOfTheLoopChangesNothing) {
  std::uint64_t commits = 0;
  const std::string expected = undisturbed(&commits);
  bool finished = false;
  for (int turn = 0; !finished; turn += 7) {
    SCOPED_TRACE(turn);
    EngineWorld world;
    model::RunId run;
    {
      EngineProcess process(world);
      run = process.create(kLargePipeline);
      process.reactor.before_wait([&] {
        if (process.reactor.waits() > turn) throw Crash{};
      });
      try {
        static_cast<void>(process.drive(run));
        finished = true;
      } catch (const Crash&) {
      }
    }
    EngineProcess process(world);
    EXPECT_EQ(result_of(process.finish(run)), expected);
    expect_nothing_ran_twice(world);
  }
}

TEST(EngineCrash, AStepThatTheMachineLostRunsAgainAndUsesUpNoRetry) {
  EngineWorld world;
  model::RunId run;
  {
    EngineProcess process(world);
    run = process.create(kSmallPipeline);
    world.clock.at(world.clock.now() + milliseconds{500}, [] { throw Crash{}; });
    EXPECT_THROW(static_cast<void>(process.drive(run)), Crash);
  }
  world.machine.lose_all_running();
  EngineProcess process(world);
  const model::RunView view = process.finish(run);
  EXPECT_EQ(view.state, State::kSucceeded);
  EXPECT_EQ(task_of(view, "a").attempts, 2u);
  EXPECT_EQ(world.executions("a"), 2);
}

TEST(EngineCrash, AnswersThatComeTwiceChangeNothing) {
  EngineWorld world;
  const auto repeating = [](const ports::StartSpec&) {
    ports::testing::Script script;
    script.repeats_answers = true;
    script.work = [](const ports::StartSpec& spec, ports::testing::MemoryFiles& files,
                     ports::Exit&) {
      for (std::size_t i = 1; i + 1 < spec.argv.size(); i += 2)
        files.write(spec.argv[i], spec.argv[i + 1]);
    };
    return script;
  };
  world.machine.set_script(repeating);
  EngineProcess process(world);
  const model::RunView view = process.run(kSmallPipeline);
  EXPECT_EQ(view.state, State::kSucceeded);
  EXPECT_EQ(task_of(view, "b").attempts, 1u);
}

TEST(EngineCrash, AnEngineThatWasReplacedStops) {
  EngineWorld world;
  EngineProcess process(world);
  const model::RunId run = process.create(kSmallPipeline);
  std::unique_ptr<ports::Lease> other;
  world.clock.at(world.clock.now() + milliseconds{500}, [&] {
    world.database.break_lock(run);
    ports::testing::MemoryStore store(world.database);
    other = store.acquire(run).value();
  });
  const Result<model::RunView> view = process.drive(run);
  ASSERT_FALSE(view);
  EXPECT_EQ(view.error().code, Code::kAborted);
}

// Nothing that it waits for would come any more: the next engine hears of the attempt's end.
TEST(EngineCrash, AnEngineThatWasReplacedStopsWhileItWaits) {
  EngineWorld world;
  world.machine.set_script([](const ports::StartSpec&) {
    ports::testing::Script script;
    script.runs_for.reset();
    return script;
  });
  EngineProcess process(world);
  const model::RunId run = process.create(kSmallPipeline);
  std::unique_ptr<ports::Lease> other;
  world.clock.at(world.clock.now() + milliseconds{500}, [&] {
    world.database.break_lock(run);
    ports::testing::MemoryStore store(world.database);
    other = store.acquire(run).value();
  });
  const Result<model::RunView> view = process.drive(run);
  ASSERT_FALSE(view);
  EXPECT_EQ(view.error().reason, "run.taken_over");
  EXPECT_LT(world.clock.now().time_since_epoch(), std::chrono::seconds(2));
}

}  // namespace
}  // namespace cresset::app
