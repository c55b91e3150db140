#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cresset/app/interrupts.h"
#include "cresset/app/run_observer.h"
#include "cresset/app/steps.h"
#include "cresset/dag/plan.h"
#include "cresset/ports/clock.h"
#include "cresset/ports/metadata_store.h"
#include "cresset/ports/reactor.h"

namespace cresset::app {

// The owner loop of one run: drain what happened → Plan::step → commit the events in one
// transaction → carry out the effects; look-ups in the cache, which change nothing, at once. It may
// die at any point: whoever takes the run over replays the committed events and carries out what is
// outstanding.
class Engine {
 public:
  struct Ports {
    ports::Clock& clock;
    ports::Reactor& reactor;
    Steps::Ports steps;
    std::size_t changes_max;  // RunService::Ports
  };

  // `record` is the run's row as stored; `seq` the number of the last stored event; `plan` has been
  // fed all of them.
  Engine(Ports ports, std::unique_ptr<ports::Lease> lease, std::unique_ptr<dag::Plan> plan,
         ports::RunRecord record, std::uint64_t seq, Home home, RunOptions options,
         std::string runtime_dir);

  // Until the run has ended. Errors are those of the store's commit() and the executor's poll():
  // nothing more is done for the run then, and another engine may take it over.
  Result<void> run(RunObserver& observer, Interrupts& interrupts);

  // The plan as run() left it; the engine is of no more use then.
  [[nodiscard]] std::unique_ptr<dag::Plan> take_plan() { return std::move(plan_); }

 private:
  Result<void> take_commands();
  void take_in_order(std::vector<Steps::TimedEvent> events);
  void apply_inbox();
  void tell(RunObserver& observer);
  [[nodiscard]] bool is_commit_due() const;
  Result<void> commit(RunObserver& observer);
  struct News {
    Steps::TimedEvent what;
    std::uint64_t command = 0;  // of the store, that it answers; 0 = none
  };
  void tell_inbox(dag::Event event, std::uint64_t command = 0);
  void apply(News news, WallTime at);
  [[nodiscard]] WallTime run_now() const;
  void look_up(dag::TaskOrdinal task);
  void forget_what_ended();
  void dispatch();
  void carry_out(const dag::Effect& effect);
  void take_due_timers();
  void take_interrupts(Interrupts& interrupts);
  void wait(RunObserver& observer);

  Ports ports_;
  std::unique_ptr<ports::Lease> lease_;
  std::unique_ptr<dag::Plan> plan_;
  ports::RunRecord record_;
  std::uint64_t seq_;
  std::string home_;  // what lies below it is stored relative to it
  Steps steps_;

  std::multimap<TimePoint, dag::TimerId> timers_;
  int interrupt_level_ = 0;
  std::optional<std::uint64_t> change_counter_;
  std::uint64_t last_command_ = 0;
  TimePoint next_command_poll_{};

  // What happened and was not applied yet. What belongs to an event waits with it: nothing of it is
  // stored, answered or forgotten before.
  std::deque<News> inbox_;
  std::unique_ptr<ports::ReadScope> reading_;  // while what follows from events is looked up
  // What was applied and is not committed yet, and what follows from it.
  ports::Commit commit_;
  TimePoint commit_due_{};
  std::vector<dag::Effect> effects_;
  std::vector<dag::TaskBrief> changes_;
  std::vector<dag::TaskOrdinal> many_changes_;  // of the event applied last, when they were many
  std::vector<model::AttemptId> ended_;
};

}  // namespace cresset::app
