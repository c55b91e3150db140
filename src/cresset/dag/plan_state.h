#pragma once

#include <boost/container/deque.hpp>
#include <compare>
#include <cstdint>
#include <deque>
#include <limits>
#include <memory>
#include <optional>
#include <ranges>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "cresset/base/rare.h"
#include "cresset/dag/graph.h"
#include "cresset/dag/inputs.h"
#include "cresset/dag/plan.h"
#include "cresset/dag/slots.h"

// The inside of Plan, shared by its .cc files (plan*.cc) and nobody else.
//
// A run is a tree of nodes. A *node* is one task of one dag instance, or one iteration of a loop;
// the root node stands for the pipeline. A *scope* is one instance of a dag: the nodes of its tasks
// and the inputs they can see. A dag task owns one scope, a loop owns one iteration node for each
// item, and an iteration of a dag owns one scope again.
namespace cresset::dag {

using NodeId = TaskOrdinal;
using ScopeId = std::uint32_t;
inline constexpr std::uint32_t kNone = std::numeric_limits<std::uint32_t>::max();

enum class Phase : std::uint8_t {
  kWaiting,    // for its upstream
  kLookingUp,  // LookUpCache is out
  kStarting,   // StartAttempt is out, not seen running
  kRunning,    // seen running
  kRetryWait,  // until its timer fires
  kInside,     // a group whose tasks are under way
  kEnded,
};

// How far a loop has come that was entered.
struct LoopProgress {
  LoopItems items;
  std::vector<NodeId> iterations;  // those begun, by index
  std::deque<NodeId> again;        // of those, what a new generation has yet to begin
  std::uint32_t done = 0;
};

// An optional in the room of one instant.
class MaybeTime {
 public:
  MaybeTime& operator=(WallTime at) {
    at_ = at;
    return *this;
  }
  void reset() { at_ = kNever; }
  explicit operator bool() const { return at_ != kNever; }
  WallTime operator*() const { return at_; }
  operator std::optional<WallTime>() const {  // NOLINT: what it stands for
    return at_ == kNever ? std::nullopt : std::optional(at_);
  }
  // Nothing comes before everything, as with std::optional.
  auto operator<=>(const MaybeTime&) const = default;

 private:
  static constexpr WallTime kNever = WallTime::min();
  WallTime at_ = kNever;
};

// There may be a million of them: what few have is kept apart, and what is small stands together.
struct Node {
  const GraphTask* task = nullptr;
  ScopeId scope = kNone;  // the dag instance it stands in; kNone for the root
  NodeId loop = kNone;    // the loop that it is an iteration of
  std::uint32_t iteration = 0;
  std::uint32_t waiting = 0;  // upstream tasks that have not ended
  std::uint32_t attempt = 0;
  std::uint32_t failures = 0;  // that count against the retry policy, in this generation
  std::uint32_t losses = 0;    // in a row
  NodeId released_by = kNone;
  ScopeId inside = kNone;  // dag, or iteration of a dag

  model::State state = model::State::kPending;
  Phase phase = Phase::kWaiting;
  model::Doing doing = model::Doing::kNothing;
  bool cached = false;
  bool stopping = false;  // StopAttempt is out
  bool timed_out = false;
  bool cut_short = false;  // not started because the run was being stopped
  bool outdated = false;   // replaced by a later try of the group it stood in
  Rare<std::string> reason;
  Rare<model::Failure> failure;
  // Attempts that have ended, from the first; of a step whose first one ends well, none.
  Rare<std::vector<model::AttemptView>> ended;
  Slots inputs;
  Slots outputs;
  MaybeTime started_at;
  MaybeTime finished_at;
  MaybeTime ready_at;
  MaybeTime due;  // of its retry timer or deadline
  model::Spent spent;
  WallTime doing_since{};
  WallTime not_before{};  // nothing that comes happens to it earlier

  std::unique_ptr<LoopProgress> loop_progress;  // loop that was entered
  std::uint64_t changed_in = 0;                 // the last step that changed it

  [[nodiscard]] bool was_entered() const {
    return inside != kNone || (loop_progress != nullptr && !loop_progress->iterations.empty());
  }
  // Those begun.
  [[nodiscard]] std::span<const NodeId> iterations() const {
    return loop_progress == nullptr ? std::span<const NodeId>() : loop_progress->iterations;
  }
};

struct Scope {
  const GraphDag* dag = nullptr;
  NodeId owner = kNone;
  NodeId first = kNone;  // its nodes follow one another, in the order of the dag's tasks
  std::uint32_t unfinished = 0;
  bool exit_context = false;  // an exit task or inside one: a cancel leaves it alone

  [[nodiscard]] NodeId node(std::uint32_t index) const { return first + index; }
  [[nodiscard]] auto nodes() const {
    return std::views::iota(first, first + static_cast<NodeId>(dag->tasks.size()));
  }
};

class Plan::Impl {
 public:
  Impl(std::shared_ptr<const model::Pipeline> pipeline, Graph graph, model::Bindings inputs,
       RunContext context);

  StepResult step(const Event& event, WallTime now);
  Result<void> check(const Event& event) const;
  std::vector<Effect> outstanding() const;
  TaskBrief brief(NodeId id) const;
  LeafTask leaf(NodeId id) const;
  const model::Component& component(NodeId id) const;
  std::optional<NodeId> find(std::string_view path) const;
  std::vector<NodeId> tasks() const;
  std::vector<model::AttemptView> history(NodeId id) const;
  std::vector<std::pair<NodeId, std::uint32_t>> attempts() const;
  std::vector<std::pair<NodeId, std::uint32_t>> live_attempts() const;
  Counts counts() const;
  model::RunView view() const;
  model::RunView summary() const;
  model::TaskView view_task(NodeId id) const;

  model::State run_state() const { return run_state_; }
  bool cancelling() const { return stop_ != Stop::kNo; }
  const RunContext& context() const { return context_; }
  const model::Pipeline& pipeline() const { return *pipeline_; }
  const std::optional<model::Failure>& error() const { return error_; }
  std::optional<WallTime> started_at() const { return started_at_; }
  std::optional<WallTime> finished_at() const { return finished_at_; }
  WallTime latest() const { return latest_; }

 private:
  enum class Stop { kNo, kCancel, kKill, kTimeOut };

  // plan.cc: events
  void on(const Submitted&);
  void on(const CacheMissed& event);
  void on(const CacheHit& event);
  void on(const AttemptRunning& event);
  void on(const AttemptSucceeded& event);
  void on(const AttemptFailed& event);
  void on(const TimerFired& event);
  void on(const CancelAsked&);
  void on(const KillAsked&);
  void on(const RetryAsked&);
  Node* current(NodeId id, std::uint32_t attempt);
  void stop_all(Stop how);
  void give_up(NodeId id);
  void stop_after_failure();

  // plan_check.cc
  Result<void> check_step(NodeId id) const;
  Result<void> check_attempt(NodeId id, std::uint32_t attempt) const;
  Result<void> check_timer(const TimerId& timer) const;

  // plan_progress.cc: what follows from them
  void settle();
  void evaluate(NodeId id);
  bool is_stopped(const Node& node) const;
  bool may_be_tried_again(const Node& node) const;
  void cut_short(NodeId id);
  std::optional<std::string> upstream_obstacle(const Node& node) const;
  void begin(NodeId id);
  void begin_leaf(NodeId id);
  void start_attempt(NodeId id);
  void enter_dag(NodeId id);
  void enter_loop(NodeId id);
  void fill_loop(NodeId id);
  void take_item(NodeId iteration);
  void fail_attempt(NodeId id, model::Failure failure, bool may_retry);
  bool retry_group(NodeId id);
  void end(NodeId id, model::State state);
  void end_iteration(NodeId loop);
  void end_loop(NodeId id);
  void end_scope(ScopeId id);
  template <class Nodes>
  void end_group(NodeId id, const Nodes& parts, bool complete);
  void end_run();
  Slots dag_outputs(const Scope& scope) const;
  Slots loop_outputs(const Node& loop) const;
  Value final_status(const Scope& scope, const std::string& task) const;
  template <class Nodes>
  model::Failure first_failure(const Nodes& nodes) const;
  void wait_to_retry(NodeId id);

  // plan_reopen.cc: another generation
  void reopen_scope(ScopeId id);
  void reopen_node(NodeId id);
  void reopen_loop(NodeId id);
  void reset_node(NodeId id);
  void outdate(NodeId id);

  WallTime time_of(Node& node);
  NodeId add_node(const GraphTask& task, ScopeId scope);
  ScopeId add_scope(const GraphDag& dag, NodeId owner);
  NodeId group_of(const Node& node) const;
  TimerId run_deadline() const { return {TimerKind::kRunDeadline, root_, generation_}; }
  bool exit_context(const Node& node) const;
  bool is_leaf(const Node& node) const;
  bool is_loop(const Node& node) const;
  bool is_shown(const Node& node) const;
  void add_platform_values(const Scope& scope, LeafTask& out) const;
  const model::RetryPolicy* retry_policy(const Node& node) const;
  std::optional<Duration> deadline(const Node& node) const;
  void path(NodeId id, std::string& out) const;
  std::string path(NodeId id) const;
  void changed(NodeId id);
  static void turn_to(Node& node, model::Doing doing, WallTime at);
  void note_attempt(Node& node, model::State state, std::string reason);
  void finish_attempt(Node& node);
  void list_scope(const Scope& scope, std::vector<NodeId>& out) const;
  void list_node(NodeId id, std::vector<NodeId>& out) const;

  std::shared_ptr<const model::Pipeline> pipeline_;
  Graph graph_;
  RunContext context_;
  // Addresses stay. The standard one would take a block for each node.
  boost::container::deque<Node, void,
                          boost::container::deque_options_t<boost::container::block_size<64>>>
      nodes_;
  std::deque<Scope> scopes_;
  NodeId root_ = 0;

  model::State run_state_ = model::State::kPending;
  std::uint32_t generation_ = 0;
  Stop stop_ = Stop::kNo;
  bool timed_out_ = false;    // the run's own deadline passed
  bool failed_once_ = false;  // for good: what fail_fast looks at
  bool failed_fast_ = false;  // what waited then has been given up
  std::optional<model::Failure> error_;
  std::optional<WallTime> started_at_;
  std::optional<WallTime> finished_at_;
  std::optional<WallTime> deadline_;

  // Of the step under way.
  WallTime now_{};
  WallTime known_{};      // when the engine could act on it
  NodeId cause_ = kNone;  // the task that it is about
  WallTime latest_{};
  std::deque<NodeId> ready_;
  StepResult result_;
  std::uint64_t steps_ = 0;
};

}  // namespace cresset::dag
