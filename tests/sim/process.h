#pragma once

#include <memory>
#include <optional>
#include <string>

#include "cresset/app/run_service.h"
#include "cresset/ports/testing/fake_environments.h"
#include "sim/caller.h"
#include "sim/fiber.h"
#include "sim/sim_ports.h"

namespace cresset::sim {

// What a user starts a `cresset` process for.
struct Errand {
  enum class Kind {
    kSubmit,
    kResume,
    kRetry,
    kCancel,
    kKill,
    kRemove,
    kRerun,  // of a step of another run
    kCollectGarbage,
    kExpire,   // gc, with limits
    kLook,     // ls, show, explain
    kDoctor,   // doctor --deep --repair
    kBackup,   // keeps others from removing runs, for a while
    kCompare,  // show and doctor --deep, for the ledger
  };
  Kind kind = Kind::kSubmit;
  RunEntry* entry = nullptr;  // of those that are about one run
  app::RunOptions options;    // of a submission
  std::string spec;
};
std::string_view to_string(Errand::Kind kind);

// One `cresset` process: the real RunService and engine over faulty ports, with a stack of its own.
// It stands still where a real one waits, and dies by an exception that comes out of a port.
class Process final : Caller, ports::Random, ports::Reactor, app::RunObserver, app::Interrupts {
 public:
  enum class End { kNone, kEnded, kCrashed };

  Process(Stage& stage, ProcessId id, Errand errand);
  ~Process() override;

  // Goes on until it waits or ends. A Violation comes out of here.
  void resume();
  [[nodiscard]] bool may_run() const;
  // When it wants to go on though nothing woke it; nothing = it waits for being woken.
  [[nodiscard]] std::optional<TimePoint> due() const;

  // kill -9, while it stands still.
  void kill();
  void pause(Duration duration);
  [[nodiscard]] bool is_paused() const { return stage.clock.now() < paused_until_; }
  void interrupt() { ++interrupts_; }  // Ctrl-C
  void break_connection(bool counts) { executor_.break_connection(counts); }
  [[nodiscard]] bool hears_of(const model::AttemptId& id) const { return executor_.hears_of(id); }

  [[nodiscard]] ProcessId number() const { return id; }
  [[nodiscard]] End end() const { return end_; }
  [[nodiscard]] const Errand& errand() const { return errand_; }
  [[nodiscard]] bool is_engine() const;
  // Of one that ended: what it told the user.
  [[nodiscard]] const std::optional<Error>& error() const { return error_; }
  [[nodiscard]] const std::optional<model::RunView>& view() const { return view_; }

 private:
  void carry_out();
  Result<void> obey();
  Result<void> submit();
  Result<void> rerun();
  Result<void> expire();
  Result<void> back_up();
  Result<void> drive(const model::RunId& run);
  Result<void> look();
  Result<void> compare();
  void examine();

  // Caller
  void stand_still_for(Duration duration) override;
  void wake() override { woken_ = true; }
  [[nodiscard]] std::optional<model::RunId> run() const override;
  // ports
  std::uint64_t next() override { return stage.ids.next(); }
  void wait(std::optional<TimePoint> until) override;
  void on_changes(const dag::Plan& plan, const std::vector<dag::TaskBrief>& changes) override;
  void on_notice(std::string_view text) override { stage.note(id, "notice:", text); }
  void on_tick(const dag::Plan&) override {}
  int level() override { return interrupts_; }

  void stand_still();

  Errand errand_;
  FaultyStore store_;
  FaultyExecutor executor_;
  FaultyFiles files_;
  ports::testing::FakeEnvironments environments_;
  app::RunService service_;

  Fiber fiber_;
  bool woken_ = true;
  bool deaf_ = false;  // inside a call that takes long
  bool killed_ = false;
  std::optional<TimePoint> due_;
  TimePoint paused_until_{};
  int interrupts_ = 0;

  End end_ = End::kNone;
  std::optional<Error> error_;
  std::optional<model::RunView> view_;
};

// What a run is shown as, without its times: equal for runs that stand at the same point.
std::string text_of(const model::RunView& view);

}  // namespace cresset::sim
