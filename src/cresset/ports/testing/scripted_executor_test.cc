#include "cresset/ports/testing/scripted_executor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>

#include "cresset/ports/testing/executor_contract.h"

namespace cresset::ports::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

struct ScriptedWorld {
  std::unique_ptr<Executor> connect() {
    return std::make_unique<ScriptedExecutor>(machine, [this] { reactor.wake(); });
  }
  StartSpec spec(const model::AttemptId& id, const Step& step) {
    Script script;
    script.output = step.prints;
    if (step.waits) script.runs_for.reset();
    script.ignores_terminate = step.ignores_terminate;
    script.exit.code = step.signal != 0 ? step.signal : step.exit_code;
    if (!step.leaves.empty()) {
      script.work = [text = step.leaves](const StartSpec& spec, MemoryFiles& files, Exit& exit) {
        const auto scratch =
            std::ranges::find(spec.env, "SCRATCH", [](const auto& entry) { return entry.first; });
        const bool fit = scratch != spec.env.end() && files.exists(scratch->second) &&
                         files.below(scratch->second).empty();
        if (!fit) {
          exit.code = Step::kScratchNotEmpty;
          return;
        }
        files.write(scratch->second + "/left", text);
      };
    }
    if (step.signal != 0) script.exit.kind = Exit::Kind::kSignaled;
    if (step.missing_program) {
      script.exit.kind = Exit::Kind::kNotStarted;
      script.exit.detail = "command not found: no-such-program";
    }
    machine.set_script(id, std::move(script));
    StartSpec made;
    made.id = id;
    made.argv = {step.missing_program ? "no-such-program" : "program"};
    made.work_dir = "/step/" + model::to_string(id);
    made.log_path = made.work_dir + "/log";
    return made;
  }
  void wait(Executor&) { reactor.wait(clock.now() + milliseconds(100)); }
  void release(const model::AttemptId& id) { machine.finish(id); }
  int starts(const model::AttemptId& id) {
    return static_cast<int>(std::ranges::count(machine.executions(), id));
  }
  std::string log(const StartSpec& spec) { return files.read(spec.log_path).value_or(""); }
  std::optional<std::string> read(const std::string& path) { return files.read(path); }
  std::string path(const std::string& name) { return "/fresh/" + name; }
  std::int64_t cpu_millis() { return machine.limits().cpu_millis; }
  void lose_all_running() { machine.lose_all_running(); }

  SimClock clock;
  SimReactor reactor{clock};
  MemoryFiles files;
  ScriptedMachine machine{clock, files};
};
INSTANTIATE_TYPED_TEST_SUITE_P(Scripted, ExecutorContract, ScriptedWorld);

struct ScriptedExecutorTest : public ::testing::Test {
  static model::AttemptId id(std::uint32_t task) { return {model::RunId("run"), task, 1}; }
  static StartSpec spec(std::uint32_t task) {
    StartSpec made;
    made.id = id(task);
    made.work_dir = "/step";
    made.log_path = "/step/log";
    return made;
  }
  // "run 1", "exit 1" …, all that comes until nothing is due any more.
  std::vector<std::string> hear_all(Executor& executor) {
    std::vector<std::string> heard;
    while (true) {
      const auto events = executor.poll();
      EXPECT_TRUE(events);
      for (const ExecutorEvent& event : *events) {
        const auto* running = std::get_if<AttemptRunning>(&event);
        heard.push_back(running != nullptr
                            ? "run " + std::to_string(running->id.task)
                            : "exit " + std::to_string(std::get<AttemptExited>(event).id.task));
      }
      if (!clock.next()) return heard;
      clock.do_next();
    }
  }

  SimClock clock;
  MemoryFiles files;
  ScriptedMachine machine{clock, files};
};

TEST_F(ScriptedExecutorTest, EachAttemptTakesItsTime) {
  machine.set_script(id(1), {.runs_for = seconds(3)});
  machine.set_script(id(2), {.starts_after = seconds(1), .runs_for = seconds(1)});
  ScriptedExecutor executor(machine);
  executor.start(spec(1));
  executor.start(spec(2));
  EXPECT_THAT(hear_all(executor), ::testing::ElementsAre("run 1", "run 2", "exit 2", "exit 1"));
  EXPECT_EQ(clock.now().time_since_epoch(), seconds(3));
}

TEST_F(ScriptedExecutorTest, WorkLeavesFilesAndDecidesTheEnd) {
  Script script;
  script.work = [](const StartSpec& started, MemoryFiles& disk, Exit& exit) {
    disk.write(started.work_dir + "/out", "result");
    exit.code = 5;
  };
  machine.set_script([&](const StartSpec&) { return script; });
  ScriptedExecutor executor(machine);
  executor.start(spec(1));
  clock.advance(seconds(2));
  const auto events = executor.poll();
  ASSERT_EQ(events->size(), 2u);
  EXPECT_EQ(std::get<AttemptExited>(events->at(1)).exit.code, 5);
  EXPECT_EQ(files.read("/step/out"), "result");
}

TEST_F(ScriptedExecutorTest, ALostAnswerComesWhenItIsAskedForAgain) {
  machine.set_script(id(1), {.loses_running = true, .loses_exit = true});
  ScriptedExecutor executor(machine);
  executor.start(spec(1));
  EXPECT_THAT(hear_all(executor), ::testing::IsEmpty());
  executor.start(spec(1));
  EXPECT_THAT(hear_all(executor), ::testing::ElementsAre("run 1", "exit 1"));
  EXPECT_EQ(machine.executions().size(), 1u);
}

TEST_F(ScriptedExecutorTest, ARepeatedAnswerComesTwice) {
  machine.set_script(id(1), {.repeats_answers = true});
  ScriptedExecutor executor(machine);
  executor.start(spec(1));
  EXPECT_THAT(hear_all(executor), ::testing::ElementsAre("run 1", "run 1", "exit 1", "exit 1"));
}

TEST_F(ScriptedExecutorTest, AZombieKeepsItsSlotAfterItsDeath) {
  machine.set_script(id(1), {.runs_for = std::nullopt, .zombie_for = seconds(60)});
  ScriptedExecutor executor(machine);
  StartSpec whole = spec(1);
  whole.slots.cpu_millis = machine.limits().cpu_millis;
  executor.start(whole);
  executor.start(spec(2));
  clock.advance(seconds(1));
  executor.stop(id(1), seconds(5));
  clock.advance(seconds(59));
  EXPECT_THAT(machine.queued(), ::testing::ElementsAre(id(2)));
  EXPECT_THAT(hear_all(executor), ::testing::ElementsAre("run 1", "exit 1", "run 2", "exit 2"));
}

TEST_F(ScriptedExecutorTest, QueuedAttemptsGoWithTheirEngineAndRunningOnesDoNot) {
  auto executor = std::make_unique<ScriptedExecutor>(machine);
  StartSpec whole = spec(1);
  whole.slots.cpu_millis = machine.limits().cpu_millis;
  executor->start(whole);
  executor->start(spec(2));
  clock.advance(milliseconds(1));
  executor.reset();
  EXPECT_THAT(machine.queued(), ::testing::IsEmpty());
  EXPECT_THAT(machine.running(), ::testing::ElementsAre(id(1)));
  clock.advance(seconds(2));
  EXPECT_THAT(machine.remembered(), ::testing::ElementsAre(id(1)));
  EXPECT_EQ(machine.executions().size(), 1u);
  EXPECT_EQ(machine.cpu_millis_peak(), machine.limits().cpu_millis);
}

TEST_F(ScriptedExecutorTest, BreaksDownAsTold) {
  ScriptedExecutor executor(machine);
  machine.break_down(make_error(Code::kUnavailable, "no keeper"));
  EXPECT_EQ(executor.poll().error().code, Code::kUnavailable);
  machine.mend();
  EXPECT_TRUE(executor.poll());
}

}  // namespace
}  // namespace cresset::ports::testing
