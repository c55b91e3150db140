#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "cresset/ports/executor.h"
#include "cresset/ports/testing/memory_files.h"
#include "cresset/ports/testing/sim_clock.h"

namespace cresset::ports::testing {

// What happens to one attempt. As it stands: it starts at once, runs a second and exits with 0.
struct Script {
  Duration starts_after{0};  // from its slot to AttemptRunning
  // How long it runs; nothing = until it is stopped or the test finishes it.
  std::optional<Duration> runs_for = std::chrono::seconds(1);
  Exit exit = {};           // kNotStarted: it never runs, for the reason in `detail`
  std::string output = {};  // what it prints: into the log as soon as it runs
  // Called when it ends by itself: writes what the step leaves behind, and may change its end.
  std::function<void(const StartSpec& spec, MemoryFiles& files, Exit& exit)> work = {};

  bool ignores_terminate = false;  // ends by SIGKILL only
  // Faults. A lost answer comes when the attempt is started again; a repeated one comes twice.
  bool loses_running = false;
  bool loses_exit = false;
  bool repeats_answers = false;
  // Its end comes this long after it was stopped and killed: a process in uninterruptible sleep.
  Duration zombie_for{0};
};

// What lies beyond the executors of all engines: processes, and what is known of them. It outlives
// the engines of a test, as a machine and its keeper do. One thread.
class ScriptedMachine {
 public:
  struct Limits {
    std::int64_t cpu_millis = 4000;
    std::int64_t memory_bytes = std::int64_t{8} << 30;
    std::int64_t gpus = 0;
  };

  // `clock` and `files` outlive the machine; the files and the log of an attempt go to `files`.
  ScriptedMachine(SimClock& clock, MemoryFiles& files) : ScriptedMachine(clock, files, Limits()) {}
  ScriptedMachine(SimClock& clock, MemoryFiles& files, Limits limits)
      : clock_(clock), files_(files), limits_(limits) {}
  ScriptedMachine(const ScriptedMachine&) = delete;
  ScriptedMachine& operator=(const ScriptedMachine&) = delete;

  // Asked once for each attempt that takes a slot.
  void set_script(std::function<Script(const StartSpec&)> script) { script_ = std::move(script); }
  // Told when an attempt's process begins, and when one that had begun is gone.
  struct Watch {
    std::function<void(const StartSpec&)> began = [](const StartSpec&) {};
    std::function<void(const StartSpec&, const Exit&)> gone = [](const StartSpec&, const Exit&) {};
  };
  void set_watch(Watch watch) { watch_ = std::move(watch); }
  // For this attempt, instead.
  void set_script(const model::AttemptId& id, Script script) { scripts_[id] = std::move(script); }

  // A live attempt ends by itself now.
  void finish(const model::AttemptId& id);
  // The keeper dies with all that runs: those attempts are lost, and what had ended is still known.
  void lose_all_running();
  // The machine is started anew: all that ran is gone, and nobody remembers anything. The engines
  // must be dead by then.
  void power_cut();
  // From now on every poll() of every executor fails, until mend().
  void break_down(Error error) { broken_ = std::move(error); }
  void mend() { broken_.reset(); }

  // Attempts whose process really began, in this order: one that is here twice ran twice.
  [[nodiscard]] const std::vector<model::AttemptId>& executions() const { return executions_; }
  [[nodiscard]] const std::map<model::AttemptId, StartSpec>& specs() const { return specs_; }
  [[nodiscard]] std::vector<model::AttemptId> running() const;
  [[nodiscard]] std::vector<model::AttemptId> queued() const;
  [[nodiscard]] std::vector<model::AttemptId> remembered() const;  // ended and not forgotten
  [[nodiscard]] std::int64_t cpu_millis_peak() const { return cpu_millis_peak_; }
  [[nodiscard]] const Limits& limits() const { return limits_; }

 private:
  friend class ScriptedExecutor;
  using EngineId = std::uint64_t;  // 0 = nobody

  struct Attempt {
    enum class Phase { kQueued, kStarting, kRunning, kEnded };
    Phase phase = Phase::kQueued;
    std::uint64_t serial = 0;  // tells it from an earlier attempt with the same id
    EngineId engine = 0;
    StartSpec spec;
    Script script;
    std::vector<std::string> notices;
    std::optional<AttemptRunning> running;
    std::optional<AttemptExited> exited;
    bool stop_asked = false;
    std::optional<Exit> killed;  // the end that is on its way after a kill
  };
  struct Engine {
    std::function<void()> wake;
    std::vector<ExecutorEvent> events;
  };

  EngineId connect(std::function<void()> wake);
  void disconnect(EngineId engine);
  void start(EngineId engine, StartSpec spec);
  void stop(const model::AttemptId& id, Duration grace);
  void forget(const std::vector<model::AttemptId>& ids);
  Result<std::vector<ExecutorEvent>> poll(EngineId engine);

  void clamp(Attempt& attempt) const;
  [[nodiscard]] bool fits(const Attempt& attempt) const;
  void hold(const Attempt& attempt, int sign);
  Attempt* next_that_fits();
  void start_what_fits();
  void begin(Attempt& attempt);
  void run(Attempt& attempt);
  void write_log(Attempt& attempt, std::string text);
  void end_by_itself(Attempt& attempt);
  void terminate(Attempt& attempt, int signal);
  void end(Attempt& attempt, Exit exit);
  void refuse(EngineId engine, const model::AttemptId& id, Exit::Kind kind, std::string why);
  void tell(EngineId engine, ExecutorEvent event);
  void tell_twice_if_scripted(const Attempt& attempt, const ExecutorEvent& event);
  // `action` for the attempt if it is still the same one then.
  void later(const Attempt& attempt, Duration delay, std::function<void(Attempt&)> action);
  [[nodiscard]] static bool holds_slots(const Attempt& attempt);

  SimClock& clock_;
  MemoryFiles& files_;
  const Limits limits_;
  std::function<Script(const StartSpec&)> script_ = [](const StartSpec&) { return Script(); };
  std::map<model::AttemptId, Script> scripts_;
  Watch watch_;
  std::optional<Error> broken_;

  std::map<EngineId, Engine> engines_;
  EngineId last_engine_ = 0;
  std::uint64_t last_serial_ = 0;
  std::map<model::AttemptId, Attempt> attempts_;
  std::map<model::RunId, std::deque<model::AttemptId>> queues_;
  SlotRequest held_{0, 0, 0};
  std::map<model::RunId, std::int64_t> run_cpu_millis_held_;
  std::map<model::RunId, std::uint64_t> tokens_;  // highest seen

  std::vector<model::AttemptId> executions_;
  std::map<model::AttemptId, StartSpec> specs_;
  std::int64_t cpu_millis_peak_ = 0;
};

// The Executor of one engine on a ScriptedMachine. The engine's death is this object's: attempts
// that run go on, those that are queued are dropped, since the next engine asks again. One thread.
class ScriptedExecutor final : public Executor {
 public:
  // `machine` outlives it. `wake` is called whenever poll() has something.
  explicit ScriptedExecutor(
      ScriptedMachine& machine, std::function<void()> wake = [] {})
      : machine_(machine), engine_(machine.connect(std::move(wake))) {}
  ~ScriptedExecutor() override { machine_.disconnect(engine_); }
  ScriptedExecutor(const ScriptedExecutor&) = delete;
  ScriptedExecutor& operator=(const ScriptedExecutor&) = delete;

  void start(StartSpec spec) override { machine_.start(engine_, std::move(spec)); }
  void stop(const model::AttemptId& id, Duration grace) override { machine_.stop(id, grace); }
  void forget(const std::vector<model::AttemptId>& ids) override { machine_.forget(ids); }
  Result<std::vector<ExecutorEvent>> poll() override { return machine_.poll(engine_); }

 private:
  ScriptedMachine& machine_;
  std::uint64_t engine_;
};

}  // namespace cresset::ports::testing
