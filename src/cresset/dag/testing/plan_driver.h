#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "cresset/dag/plan.h"

namespace cresset::dag::testing {

inline WallTime at_second(std::int64_t second) { return WallTime{std::chrono::seconds{second}}; }
inline constexpr WallTime kStart{std::chrono::hours{24 * 365 * 50}};

// The whole of a view as text: what two plans are compared by, and what a failing test shows.
std::string describe(const model::RunView& view);

// How one attempt goes in a test.
struct Outcome {
  enum class Kind { kSuccess, kFailure, kLost, kPermanent };
  Kind kind = Kind::kSuccess;
  model::Bindings outputs;

  static Outcome gives(Value out) {
    Outcome outcome;
    outcome.outputs.parameters["out"] = std::move(out);
    return outcome;
  }
  static Outcome fails() { return {Kind::kFailure, {}}; }
};

// A shell in miniature around one Plan. It feeds events, remembers which effects are still undone,
// and after every event checks that
//   - outstanding() asks for just these,
//   - no task has two live attempts, and a task that has ended well does not change,
//   - the counts agree with the view.
// check_replay() feeds the same events to new plans and expects to see the same.
class PlanDriver {
 public:
  explicit PlanDriver(std::shared_ptr<const model::Pipeline> pipeline, RunContext context = {},
                      model::Bindings inputs = {});

  // ---- Events ----
  void submit() { feed(Submitted{}); }
  StepResult feed(const Event& event);
  void start(const std::string& path);
  void succeed(const std::string& path, Outcome outcome = {});
  void fail(const std::string& path, const std::string& message = "it broke");
  void lose(const std::string& path);
  void fail_for_good(const std::string& path);
  void pass(Duration time) { now_ += time; }
  // The timer that is due first fires, at its time. False when none is armed.
  bool fire_next_timer();

  // ---- Driving to the end ----
  // What each attempt does; by default all give out = 1.
  using Script = std::function<Outcome(const std::string& path, std::uint32_t attempt)>;
  // Starts and ends attempts in the order of their starts, then timers, until nothing is undone.
  void finish(const Script& script = {});
  // Ends all live attempts once, without what follows from it.
  void finish_live(const Script& script = {});

  // ---- Queries ----
  [[nodiscard]] Plan& plan() { return *plan_; }
  [[nodiscard]] model::State state() const { return plan_->state(); }
  [[nodiscard]] model::State state(const std::string& path) const { return view(path).state; }
  [[nodiscard]] model::TaskView view(const std::string& path) const;
  [[nodiscard]] Value input(const std::string& path, const std::string& name) const;
  [[nodiscard]] Value output(const std::string& path, const std::string& name) const;
  [[nodiscard]] TaskOrdinal ordinal(const std::string& path) const;
  [[nodiscard]] std::vector<std::string> live() const;    // paths, by ordinal
  [[nodiscard]] std::vector<std::string> paths() const;   // "path STATE" of the view, in its order
  [[nodiscard]] std::vector<std::string> timers() const;  // "path kind +seconds from now"
  [[nodiscard]] std::vector<std::string> stops() const;   // "path" or "path kill"
  [[nodiscard]] std::vector<std::string> started()
      const;  // "path.attempt" in order of StartAttempt
  [[nodiscard]] std::vector<std::string> look_ups() const;
  [[nodiscard]] std::size_t most_live() const { return most_live_; }
  [[nodiscard]] const std::vector<std::pair<Event, WallTime>>& events() const { return events_; }
  [[nodiscard]] WallTime now() const { return now_; }

  void check_replay() const;

 private:
  struct Attempt {
    bool running = false;
    std::optional<bool> stop;  // its kill
  };
  using AttemptKey = std::pair<TaskOrdinal, std::uint32_t>;

  [[nodiscard]] std::unique_ptr<Plan> fresh() const;
  void note_event(const Event& event);
  void note_effects(const StepResult& result);
  void drop_what_is_over();
  void check_invariants();
  [[nodiscard]] std::vector<std::string> undone() const;
  AttemptKey live_attempt(const std::string& path) const;
  void end_attempt(AttemptKey key);

  std::shared_ptr<const model::Pipeline> pipeline_;
  model::Bindings inputs_;
  RunContext context_;
  std::unique_ptr<Plan> plan_;
  WallTime now_ = kStart;

  std::vector<std::pair<Event, WallTime>> events_;
  std::vector<std::vector<std::string>> undone_after_;  // each event
  std::map<AttemptKey, Attempt> attempts_;
  std::set<TaskOrdinal> look_ups_;
  std::map<TimerId, WallTime> timers_;
  std::vector<AttemptKey> started_;
  std::map<TaskOrdinal, std::string> succeeded_;  // descriptions, of this generation
  std::size_t most_live_ = 0;
};

}  // namespace cresset::dag::testing
