#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "cresset/base/result.h"
#include "cresset/base/time.h"
#include "cresset/base/value.h"
#include "cresset/model/pipeline.h"
#include "cresset/model/run.h"

// The decision core of a run: given what it is and what has happened so far, what comes next? Pure
// and deterministic: the same pipeline, inputs and events give the same effects, ordinals and view,
// on any machine and after any restart. That is how a run survives: the engine stores events, and a
// new Plan that is fed them again stands where the old one stood.
namespace cresset::dag {

using TaskOrdinal = std::uint32_t;

// Facts of a run that its pipeline cannot know.
struct RunContext {
  model::RunId id;
  std::string name;  // display name: {{$.pipeline_job_name}}
  std::string
      resource_name;  // pipeline name + "-" + a few characters: {{$.pipeline_job_resource_name}}
  WallTime created_at{};
  std::string
      artifact_root;  // file:// URI below which outputs go: <root>/<pipeline>/<run>/<task path>/…
  std::string workspace;                   // folder shared by the run's tasks: {{$.workspace_path}}
  std::string success_word = "SUCCEEDED";  // state of success in a final status
  bool use_cache = true;
  bool fail_fast = false;
};

// ---- Events: what has happened. The engine stores each before it acts on what follows from it.
// ----

struct Submitted {};
struct CacheMissed {
  TaskOrdinal task;
};
struct CacheHit {
  TaskOrdinal task;
  model::Bindings outputs;
  model::RunId from;
  // The step there that made them, and the key by which it was found: for those who ask. Older
  // homes do not know it.
  struct Source {
    TaskOrdinal task = 0;
    std::string key;
    bool operator==(const Source&) const = default;
  };
  std::optional<Source> source = {};
};
struct AttemptRunning {
  TaskOrdinal task;
  std::uint32_t attempt;
  // What the executor said of how it runs: for those who ask, the plan goes by nothing of it.
  std::vector<std::string> notices = {};
};
struct AttemptSucceeded {
  TaskOrdinal task;
  std::uint32_t attempt;
  model::Bindings outputs;
  // Its process ended at the event's own time, its outputs were there at this one: for those who
  // ask where time went.
  std::optional<WallTime> known_at = {};
};
struct AttemptFailed {
  TaskOrdinal task;
  std::uint32_t attempt;
  model::Failure failure;
  bool lost = false;       // not the step's doing: a new attempt follows and no retry is used up
  bool permanent = false;  // would fail the same way again: no retry
  std::optional<WallTime> known_at = {};
};
enum class TimerKind { kRetry, kTaskDeadline, kRunDeadline };
struct TimerId {
  TimerKind kind = TimerKind::kRetry;
  TaskOrdinal task = 0;
  std::uint32_t attempt = 0;
  auto operator<=>(const TimerId&) const = default;
};
struct TimerFired {
  TimerId timer;
};
struct CancelAsked {};  // stop what runs, start nothing more but exit handlers
struct KillAsked {};    // exit handlers too
struct RetryAsked {};   // reopen a finished run: a new generation

using Event = std::variant<Submitted, CacheMissed, CacheHit, AttemptRunning, AttemptSucceeded,
                           AttemptFailed, TimerFired, CancelAsked, KillAsked, RetryAsked>;

// ---- Effects: what is to be done now. Each is idempotent and may be asked for again after a
// restart. ----

struct LookUpCache {
  TaskOrdinal task;
};  // answer: CacheHit or CacheMissed
struct StartAttempt {
  TaskOrdinal task;
  std::uint32_t attempt;
  bool adopt_only = false;  // it has been seen running: find it, do not start it again
};  // answer: AttemptRunning, then AttemptSucceeded or AttemptFailed
struct StopAttempt {
  TaskOrdinal task;
  std::uint32_t attempt;
  bool kill = false;
};
struct ArmTimer {
  TimerId timer;
  WallTime due;
};
struct FinishRun {
  model::State state;
};

using Effect = std::variant<LookUpCache, StartAttempt, StopAttempt, ArmTimer, FinishRun>;

// A task in a few words, for those who follow a run.
struct TaskBrief {
  TaskOrdinal ordinal = 0;
  std::string path;
  std::string display_name;  // where the pipeline gives another one than its path ends with
  model::TaskKind kind = model::TaskKind::kContainer;
  model::State state = model::State::kPending;
  bool cached = false;
  std::uint32_t attempt = 0;
  std::string reason;                   // why SKIPPED or CANCELED
  std::optional<model::Failure> error;  // when FAILED
  std::optional<WallTime> started_at;
  std::optional<WallTime> finished_at;
  std::uint32_t iterations = 0;
  std::uint32_t iterations_done = 0;
  // Of steps: what one that has not ended does now.
  model::Doing doing = model::Doing::kNothing;
  std::optional<WallTime> doing_since;
  // How many attempts have ended badly, and how the last of them did, while another follows.
  std::uint32_t setbacks = 0;
  std::optional<model::AttemptView> setback;
  std::optional<WallTime> retry_at;  // while it waits for that
};

struct StepResult {
  std::vector<Effect> effects;
  std::vector<TaskOrdinal> changed;  // tasks whose brief changed, in order, without repetition
};

// What a leaf task that is to run needs: its component and the values of its inputs.
struct LeafTask {
  TaskOrdinal ordinal = 0;
  std::string path;
  std::string name;  // key in its dag
  std::string display_name;
  std::string component_name;  // IR name, for error messages and shared files
  const model::Component* component = nullptr;
  const model::TaskSpec* spec = nullptr;
  model::Bindings inputs;
  // What the names in its platform settings come from, which are sources as its inputs are: inputs
  // of the dag around it, and outputs of its neighbours by task. Only those that are named there.
  model::ByName<Value> dag_inputs;
  model::ByName<model::ByName<Value>> neighbour_outputs;
  TaskOrdinal parent = 0;  // the group it belongs to
  bool cacheable = false;  // the IR switched caching on for it
};

class Plan {
 public:
  // `pipeline` has passed check_pipeline; `inputs` are resolved root inputs. kInvalidArgument
  // otherwise.
  static Result<std::unique_ptr<Plan>> make(std::shared_ptr<const model::Pipeline> pipeline,
                                            model::Bindings inputs, RunContext context);
  ~Plan();
  Plan(const Plan&) = delete;
  Plan& operator=(const Plan&) = delete;

  // Whether an event can be about the run as it stands: kDataLoss says why not. To be asked of what
  // comes from a store before step() is given it: a task, attempt or timer that there never was is
  // a broken invariant there.
  [[nodiscard]] Result<void> check(const Event& event) const;

  // Takes one event that happened at `now`. An event that no longer matters (a late or repeated
  // answer, an attempt that is over) changes nothing and has no effects.
  StepResult step(const Event& event, WallTime now);

  // All effects that are committed and not known to be done: what an engine carries out when it
  // takes a run over.
  [[nodiscard]] std::vector<Effect> outstanding() const;

  [[nodiscard]] model::State state() const;
  [[nodiscard]] bool cancelling() const;
  [[nodiscard]] const RunContext& context() const;
  [[nodiscard]] const model::Pipeline& pipeline() const;
  [[nodiscard]] const std::optional<model::Failure>& error() const;
  [[nodiscard]] std::optional<WallTime> started_at() const;
  [[nodiscard]] std::optional<WallTime> finished_at() const;
  // The latest instant of all events; that of the run's creation without any.
  [[nodiscard]] WallTime latest() const;

  // Ordinals that step() and outstanding() gave; others are broken invariants.
  [[nodiscard]] TaskBrief brief(TaskOrdinal task) const;
  [[nodiscard]] LeafTask leaf(TaskOrdinal task) const;
  // Of a leaf task; much cheaper than leaf().
  [[nodiscard]] const model::Component& component(TaskOrdinal task) const;
  // The task at a path as views show it, or nothing.
  [[nodiscard]] std::optional<TaskOrdinal> find(std::string_view path) const;
  // What views show, parents before their children.
  [[nodiscard]] std::vector<TaskOrdinal> tasks() const;
  // All attempts of a step, the first one first; nothing for a group.
  [[nodiscard]] std::vector<model::AttemptView> history(TaskOrdinal task) const;
  // Every attempt that was ever asked for, in order of its task, those of a group's earlier tries
  // among them: whose logs there may be.
  [[nodiscard]] std::vector<std::pair<TaskOrdinal, std::uint32_t>> attempts() const;
  // Attempts whose end is not known yet.
  [[nodiscard]] std::vector<std::pair<TaskOrdinal, std::uint32_t>> live_attempts() const;

  // Leaf tasks by state, for one-line summaries: pending, running, succeeded, failed, skipped,
  // canceled.
  struct Counts {
    std::uint32_t pending = 0, running = 0, succeeded = 0, cached = 0, failed = 0, skipped = 0,
                  canceled = 0;
    std::uint32_t waiting = 0;  // of those running: whose next attempt does not run yet
  };
  [[nodiscard]] Counts counts() const;

  [[nodiscard]] model::RunView view() const;
  // The same without its tasks, which are most of it.
  [[nodiscard]] model::RunView summary() const;
  [[nodiscard]] model::TaskView view(TaskOrdinal task) const;

 private:
  class Impl;
  explicit Plan(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace cresset::dag
