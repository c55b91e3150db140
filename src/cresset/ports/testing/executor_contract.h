#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "cresset/ports/executor.h"

// What every Executor keeps. Instantiate with a World: one machine, and engines that come and go.
//   std::unique_ptr<Executor> connect();             an engine's executor; its destruction is the
//                                                    engine's death
//   StartSpec spec(const model::AttemptId&, const Step&);  one CPU, no limits, a log of its own
//   void wait(Executor&);                            until poll() may have something, or for a
//   while void release(const model::AttemptId&);           a step that waits goes on int
//   starts(const model::AttemptId&);             how often its command really began std::string
//   log(const StartSpec&);               what is in its log by now std::optional<std::string>
//   read(const std::string& path);  a file that a step can see std::string path(const std::string&
//   name);       a path that nothing is at yet, absolute std::int64_t cpu_millis(); what the
//   machine has; at least 1000 void lose_all_running();                         the keeper dies
//   with what runs
namespace cresset::ports::testing {

// What a step of a contract test does, in this order.
struct Step {
  std::string prints = {};         // named fields may leave it out
  bool waits = false;              // for release()
  bool ignores_terminate = false;  // SIGTERM does nothing to it
  bool missing_program = false;    // its command is not there
  int exit_code = 0;
  int signal = 0;  // it kills itself with this one instead of exiting
  // Written to "$SCRATCH/left", before it ends; it exits with kScratchNotEmpty instead when
  // $SCRATCH is not an empty folder.
  std::string leaves = {};
  static constexpr int kScratchNotEmpty = 99;
};

template <class World>
class ExecutorContract : public ::testing::Test {
 protected:
  // What came for an attempt, in order.
  struct Heard {
    std::vector<AttemptRunning> running;
    std::vector<AttemptExited> exited;
    bool out_of_order = false;
  };

  model::AttemptId id(std::uint32_t task, std::uint32_t attempt = 1) {
    return {model::RunId("run"), task, attempt};
  }
  StartSpec spec(const model::AttemptId& id, const Step& step = {}) {
    StartSpec made = world_.spec(id, step);
    made.token = 5;
    return made;
  }
  static StartSpec adopting(StartSpec spec) {
    spec.adopt_only = true;
    return spec;
  }

  void listen(Executor& executor) {
    Result<std::vector<ExecutorEvent>> events = executor.poll();
    ASSERT_TRUE(events) << events.error().text();
    for (const ExecutorEvent& event : *events) {
      if (const auto* running = std::get_if<AttemptRunning>(&event)) {
        Heard& heard = heard_[running->id];
        heard.out_of_order |= !heard.exited.empty();
        heard.running.push_back(*running);
      } else {
        const auto& exited = std::get<AttemptExited>(event);
        heard_[exited.id].exited.push_back(exited);
      }
    }
  }
  // Listens until `done`; a test fails instead of hanging.
  template <class Done>
  void listen_until(Executor& executor, Done&& done) {
    constexpr int kTurnsMax = 3000;
    for (int i = 0; i < kTurnsMax; ++i) {
      ASSERT_NO_FATAL_FAILURE(listen(executor));
      if (done()) return;
      world_.wait(executor);
    }
    FAIL() << "what was waited for never came";
  }
  void await_running(Executor& executor, const model::AttemptId& id) {
    listen_until(executor, [&] { return !heard_[id].running.empty(); });
  }
  const Exit& await_exit(Executor& executor, const model::AttemptId& id) {
    listen_until(executor, [&] { return !heard_[id].exited.empty(); });
    if (heard_[id].exited.empty()) heard_[id].exited.emplace_back();
    return heard_[id].exited.front().exit;
  }
  // An engine that has heard of this attempt's end, and nothing more of it.
  void expect_heard_once(const model::AttemptId& id, std::size_t running = 1) {
    EXPECT_EQ(heard_[id].running.size(), running);
    EXPECT_EQ(heard_[id].exited.size(), 1u);
    EXPECT_FALSE(heard_[id].out_of_order);
  }
  void new_engine() { heard_.clear(); }

  World world_;
  std::map<model::AttemptId, Heard> heard_;
};
TYPED_TEST_SUITE_P(ExecutorContract);

TYPED_TEST_P(ExecutorContract, RunsAnAttemptAndKeepsItsLog) {
  const auto executor = this->world_.connect();
  const StartSpec spec = this->spec(this->id(1), {.prints = "hello\n"});
  executor->start(spec);
  const Exit exit = this->await_exit(*executor, spec.id);
  EXPECT_EQ(exit.kind, Exit::Kind::kExited);
  EXPECT_EQ(exit.code, 0);
  EXPECT_FALSE(exit.stopped_by_us);
  EXPECT_FALSE(exit.log_truncated);
  this->expect_heard_once(spec.id);
  EXPECT_EQ(this->world_.log(spec), "hello\n");
  EXPECT_EQ(this->world_.starts(spec.id), 1);
}

TYPED_TEST_P(ExecutorContract, TellsHowAnAttemptEnded) {
  const auto executor = this->world_.connect();
  executor->start(this->spec(this->id(1), {.exit_code = 3}));
  executor->start(this->spec(this->id(2), {.signal = SIGUSR1}));
  const Exit failed = this->await_exit(*executor, this->id(1));
  EXPECT_EQ(failed.kind, Exit::Kind::kExited);
  EXPECT_EQ(failed.code, 3);
  const Exit killed = this->await_exit(*executor, this->id(2));
  EXPECT_EQ(killed.kind, Exit::Kind::kSignaled);
  EXPECT_EQ(killed.code, SIGUSR1);
  EXPECT_FALSE(killed.stopped_by_us);
}

TYPED_TEST_P(ExecutorContract, SaysWhyAnAttemptCouldNotStart) {
  const auto executor = this->world_.connect();
  const StartSpec spec = this->spec(this->id(1), {.missing_program = true});
  executor->start(spec);
  const Exit exit = this->await_exit(*executor, spec.id);
  EXPECT_EQ(exit.kind, Exit::Kind::kNotStarted);
  EXPECT_THAT(exit.detail, ::testing::StartsWith("command not found: "));
  EXPECT_THAT(exit.detail, ::testing::HasSubstr(spec.argv.at(0)));
  this->expect_heard_once(spec.id, 0);
}

TYPED_TEST_P(ExecutorContract, PreparesFoldersAndFiles) {
  const auto executor = this->world_.connect();
  StartSpec spec = this->spec(this->id(1));
  const std::string folder = this->world_.path("a");
  spec.folders = {folder + "/b/c"};
  spec.files = {{folder + "/d/e", std::string("x\0y", 3)}, {folder + "/b/c/f", ""}};
  executor->start(spec);
  EXPECT_EQ(this->await_exit(*executor, spec.id).code, 0);
  EXPECT_EQ(this->world_.read(folder + "/d/e"), std::string("x\0y", 3));
  EXPECT_EQ(this->world_.read(folder + "/b/c/f"), "");
}

TYPED_TEST_P(ExecutorContract, LendsAnEmptyFolderAndMovesWhatIsLeftInIt) {
  const auto executor = this->world_.connect();
  for (std::uint32_t task = 1; task <= 3; ++task) {
    StartSpec spec = this->spec(this->id(task), {.leaves = "text"});
    const std::string leftovers = this->world_.path("left " + std::to_string(task)) + "/deep";
    spec.scratch = {{"SCRATCH", leftovers}};
    executor->start(spec);
    EXPECT_EQ(this->await_exit(*executor, spec.id).code, 0);
    EXPECT_EQ(this->world_.read(leftovers + "/left"), "text");
  }
}

// As after a power cut, when nothing but the files is left of an earlier start.
TYPED_TEST_P(ExecutorContract, AStartFindsNothingOfAnEarlierOne) {
  const auto executor = this->world_.connect();
  StartSpec spec = this->spec(this->id(1), {.leaves = "text"});
  const std::string leftovers = this->world_.path("left");
  spec.scratch = {{"SCRATCH", leftovers}};
  spec.fresh = {leftovers, this->world_.path("absent")};
  executor->start(spec);
  EXPECT_EQ(this->await_exit(*executor, spec.id).code, 0);
  EXPECT_EQ(this->world_.read(leftovers + "/left"), "text");
  executor->forget({spec.id});
  this->new_engine();
  StartSpec again = this->spec(spec.id, {.waits = true});
  again.fresh = spec.fresh;
  executor->start(again);
  this->await_running(*executor, spec.id);
  EXPECT_EQ(this->world_.read(leftovers + "/left"), std::nullopt);
  this->world_.release(spec.id);
  EXPECT_EQ(this->await_exit(*executor, spec.id).code, 0);
}

TYPED_TEST_P(ExecutorContract, DropsOutputBeyondTheCapWithANotice) {
  const auto executor = this->world_.connect();
  StartSpec spec = this->spec(this->id(1), {.prints = "0123456789"});
  spec.log_cap_bytes = 4;
  executor->start(spec);
  EXPECT_TRUE(this->await_exit(*executor, spec.id).log_truncated);
  const std::string log = this->world_.log(spec);
  EXPECT_THAT(log, ::testing::StartsWith("0123\n"));
  EXPECT_EQ(std::ranges::count(log, '\n'), 2) << log;
  EXPECT_THAT(log, ::testing::HasSubstr("limit of 4 bytes"));
}

TYPED_TEST_P(ExecutorContract, ASecondStartFindsTheFirst) {
  const auto executor = this->world_.connect();
  const StartSpec spec = this->spec(this->id(1), {.waits = true});
  executor->start(spec);
  executor->start(spec);
  this->await_running(*executor, spec.id);
  executor->start(spec);
  this->world_.release(spec.id);
  EXPECT_EQ(this->await_exit(*executor, spec.id).code, 0);
  executor->start(this->spec(this->id(2)));
  this->await_exit(*executor, this->id(2));
  this->expect_heard_once(spec.id);
  EXPECT_EQ(this->world_.starts(spec.id), 1);
}

TYPED_TEST_P(ExecutorContract, RepeatsWhatIsKnownOfAnEndedAttemptUntilItIsForgotten) {
  const StartSpec spec = this->spec(this->id(1), {.exit_code = 7});
  {
    const auto executor = this->world_.connect();
    executor->start(spec);
    this->await_exit(*executor, spec.id);
  }
  this->new_engine();
  const auto later = this->world_.connect();
  later->start(spec);
  EXPECT_EQ(this->await_exit(*later, spec.id).code, 7);
  this->expect_heard_once(spec.id);
  later->forget({spec.id, this->id(99)});
  this->new_engine();
  later->start(this->adopting(spec));
  EXPECT_EQ(this->await_exit(*later, spec.id).kind, Exit::Kind::kLost);
  EXPECT_EQ(this->world_.starts(spec.id), 1);
}

TYPED_TEST_P(ExecutorContract, ForgetsOnlyWhatHasEnded) {
  const auto executor = this->world_.connect();
  const StartSpec spec = this->spec(this->id(1), {.waits = true, .exit_code = 4});
  executor->start(spec);
  this->await_running(*executor, spec.id);
  executor->forget({spec.id});
  this->world_.release(spec.id);
  EXPECT_EQ(this->await_exit(*executor, spec.id).code, 4);
}

TYPED_TEST_P(ExecutorContract, AnAttemptOutlivesItsEngine) {
  const StartSpec spec =
      this->spec(this->id(1), {.prints = "before\n", .waits = true, .exit_code = 9});
  {
    const auto executor = this->world_.connect();
    executor->start(spec);
    this->await_running(*executor, spec.id);
  }
  this->new_engine();
  this->world_.release(spec.id);
  const auto later = this->world_.connect();
  later->start(this->adopting(spec));
  EXPECT_EQ(this->await_exit(*later, spec.id).code, 9);
  this->expect_heard_once(spec.id);
  EXPECT_EQ(this->world_.log(spec), "before\n");
  EXPECT_EQ(this->world_.starts(spec.id), 1);
}

TYPED_TEST_P(ExecutorContract, ALaterEngineTakesOverALiveAttempt) {
  const auto first = this->world_.connect();
  StartSpec spec = this->spec(this->id(1), {.waits = true});
  first->start(spec);
  this->await_running(*first, spec.id);
  this->new_engine();
  const auto second = this->world_.connect();
  spec.token = 6;
  second->start(spec);
  this->await_running(*second, spec.id);
  StartSpec late = this->spec(this->id(2));
  first->start(late);
  const Exit refused = this->await_exit(*first, late.id);
  EXPECT_EQ(refused.kind, Exit::Kind::kNotStarted);
  EXPECT_THAT(refused.detail, ::testing::HasSubstr("later engine"));
  this->world_.release(spec.id);
  this->await_exit(*second, spec.id);
  this->expect_heard_once(spec.id);
  EXPECT_EQ(this->world_.starts(late.id), 0);
}

TYPED_TEST_P(ExecutorContract, AdoptionNeverStarts) {
  const auto executor = this->world_.connect();
  const StartSpec spec = this->spec(this->id(1));
  executor->start(this->adopting(spec));
  EXPECT_EQ(this->await_exit(*executor, spec.id).kind, Exit::Kind::kLost);
  EXPECT_EQ(this->world_.starts(spec.id), 0);
  this->expect_heard_once(spec.id, 0);
}

TYPED_TEST_P(ExecutorContract, AsksAnAttemptToEnd) {
  const auto executor = this->world_.connect();
  const StartSpec spec = this->spec(this->id(1), {.waits = true});
  executor->start(spec);
  this->await_running(*executor, spec.id);
  executor->stop(this->id(77), Duration(0));
  executor->stop(spec.id, std::chrono::minutes(10));
  const Exit exit = this->await_exit(*executor, spec.id);
  EXPECT_EQ(exit.kind, Exit::Kind::kSignaled);
  EXPECT_EQ(exit.code, SIGTERM);
  EXPECT_TRUE(exit.stopped_by_us);
  this->expect_heard_once(spec.id);
}

TYPED_TEST_P(ExecutorContract, KillsWhatDoesNotEndInTime) {
  const auto executor = this->world_.connect();
  const StartSpec spec =
      this->spec(this->id(1), {.prints = "ready\n", .waits = true, .ignores_terminate = true});
  executor->start(spec);
  this->listen_until(*executor, [&] { return this->world_.log(spec) == "ready\n"; });
  executor->stop(spec.id, std::chrono::minutes(10));
  executor->stop(spec.id, std::chrono::milliseconds(20));
  const Exit exit = this->await_exit(*executor, spec.id);
  EXPECT_EQ(exit.kind, Exit::Kind::kSignaled);
  EXPECT_EQ(exit.code, SIGKILL);
  EXPECT_TRUE(exit.stopped_by_us);
  EXPECT_FALSE(exit.out_of_memory);
}

TYPED_TEST_P(ExecutorContract, AnAttemptWaitsForItsSlots) {
  const auto executor = this->world_.connect();
  StartSpec first = this->spec(this->id(1), {.waits = true});
  StartSpec second = this->spec(this->id(2));
  first.slots.cpu_millis = second.slots.cpu_millis = this->world_.cpu_millis();
  executor->start(first);
  executor->start(second);
  this->await_running(*executor, first.id);
  executor->start(this->spec(this->id(3), {.missing_program = true}));  // behind both of them
  this->world_.wait(*executor);
  this->listen(*executor);
  EXPECT_TRUE(this->heard_[second.id].running.empty());
  EXPECT_TRUE(this->heard_[this->id(3)].exited.empty());
  this->world_.release(first.id);
  EXPECT_EQ(this->await_exit(*executor, second.id).code, 0);
  EXPECT_EQ(this->heard_[first.id].exited.size(), 1u);
  EXPECT_LE(this->heard_[first.id].exited.at(0).at, this->heard_[second.id].running.at(0).at);
}

TYPED_TEST_P(ExecutorContract, StopsAnAttemptThatIsQueued) {
  const auto executor = this->world_.connect();
  StartSpec first = this->spec(this->id(1), {.waits = true});
  StartSpec second = this->spec(this->id(2));
  first.slots.cpu_millis = second.slots.cpu_millis = this->world_.cpu_millis();
  executor->start(first);
  executor->start(second);
  this->await_running(*executor, first.id);
  executor->stop(second.id, std::chrono::minutes(10));
  const Exit exit = this->await_exit(*executor, second.id);
  EXPECT_EQ(exit.kind, Exit::Kind::kNotStarted);
  EXPECT_TRUE(exit.stopped_by_us);
  EXPECT_FALSE(exit.detail.empty());
  this->world_.release(first.id);
  EXPECT_EQ(this->await_exit(*executor, first.id).code, 0);
  EXPECT_EQ(this->world_.starts(second.id), 0);
  this->expect_heard_once(second.id, 0);
}

TYPED_TEST_P(ExecutorContract, ARunStaysWithinItsOwnLimit) {
  const auto executor = this->world_.connect();
  std::vector<model::AttemptId> ids;
  for (std::uint32_t task = 1; task <= 4; ++task) {
    StartSpec spec = this->spec(this->id(task), {.waits = true});
    spec.slots.cpu_millis = 500;
    spec.run_cpu_millis_max = 1000;
    ids.push_back(spec.id);
    executor->start(spec);
  }
  this->await_running(*executor, ids[0]);
  this->await_running(*executor, ids[1]);
  this->world_.wait(*executor);
  this->listen(*executor);
  EXPECT_TRUE(this->heard_[ids[2]].running.empty());
  this->world_.release(ids[1]);
  this->await_running(*executor, ids[2]);
  EXPECT_TRUE(this->heard_[ids[3]].running.empty());
  this->world_.release(ids[0]);
  this->world_.release(ids[2]);
  this->await_running(*executor, ids[3]);
  this->world_.release(ids[3]);
  for (const auto& id : ids) EXPECT_EQ(this->await_exit(*executor, id).code, 0);
}

TYPED_TEST_P(ExecutorContract, ARequestAboveTheMachineIsClampedWithANotice) {
  const auto executor = this->world_.connect();
  StartSpec spec = this->spec(this->id(1));
  spec.slots.cpu_millis = this->world_.cpu_millis() + 1000;
  spec.slots.memory_bytes = std::int64_t{1} << 60;
  spec.slots.gpus = 1000;
  executor->start(spec);
  EXPECT_EQ(this->await_exit(*executor, spec.id).code, 0);
  this->expect_heard_once(spec.id);
  EXPECT_EQ(this->heard_[spec.id].running.at(0).notices.size(), 3u);
}

TYPED_TEST_P(ExecutorContract, AttemptsOfADeadKeeperAreLostAndWaitingOnesGoOn) {
  const auto executor = this->world_.connect();
  StartSpec running = this->spec(this->id(1), {.waits = true});
  StartSpec queued = this->spec(this->id(2));
  running.slots.cpu_millis = queued.slots.cpu_millis = this->world_.cpu_millis();
  executor->start(running);
  executor->start(queued);
  this->await_running(*executor, running.id);
  this->world_.lose_all_running();
  const Exit lost = this->await_exit(*executor, running.id);
  EXPECT_EQ(lost.kind, Exit::Kind::kLost);
  EXPECT_FALSE(lost.detail.empty());
  EXPECT_EQ(this->await_exit(*executor, queued.id).kind, Exit::Kind::kExited);
  this->expect_heard_once(running.id);
  this->expect_heard_once(queued.id);
  EXPECT_EQ(this->world_.starts(running.id), 1);
  EXPECT_EQ(this->world_.starts(queued.id), 1);
}

TYPED_TEST_P(ExecutorContract, RunsManyInTheOrderInWhichTheyWereAskedFor) {
  const auto executor = this->world_.connect();
  std::vector<std::uint32_t> order;
  constexpr std::uint32_t kMany = 40;
  for (std::uint32_t task = kMany; task > 0; --task) {
    StartSpec spec = this->spec(this->id(task));
    spec.slots.cpu_millis = this->world_.cpu_millis();
    order.push_back(task);
    executor->start(std::move(spec));
  }
  for (const std::uint32_t task : order)
    EXPECT_EQ(this->await_exit(*executor, this->id(task)).code, 0);
  for (std::size_t i = 1; i < order.size(); ++i) {
    EXPECT_LE(this->heard_[this->id(order[i - 1])].exited.at(0).at,
              this->heard_[this->id(order[i])].running.at(0).at);
    this->expect_heard_once(this->id(order[i]));
  }
}

REGISTER_TYPED_TEST_SUITE_P(ExecutorContract, RunsAnAttemptAndKeepsItsLog, TellsHowAnAttemptEnded,
                            SaysWhyAnAttemptCouldNotStart, PreparesFoldersAndFiles,
                            LendsAnEmptyFolderAndMovesWhatIsLeftInIt,
                            AStartFindsNothingOfAnEarlierOne, DropsOutputBeyondTheCapWithANotice,
                            ASecondStartFindsTheFirst,
                            RepeatsWhatIsKnownOfAnEndedAttemptUntilItIsForgotten,
                            ForgetsOnlyWhatHasEnded, AnAttemptOutlivesItsEngine,
                            ALaterEngineTakesOverALiveAttempt, AdoptionNeverStarts,
                            AsksAnAttemptToEnd, KillsWhatDoesNotEndInTime,
                            AnAttemptWaitsForItsSlots, StopsAnAttemptThatIsQueued,
                            ARunStaysWithinItsOwnLimit, ARequestAboveTheMachineIsClampedWithANotice,
                            AttemptsOfADeadKeeperAreLostAndWaitingOnesGoOn,
                            RunsManyInTheOrderInWhichTheyWereAskedFor);

}  // namespace cresset::ports::testing
