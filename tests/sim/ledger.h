#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "cresset/base/value.h"
#include "cresset/model/run.h"
#include "cresset/ports/clock.h"
#include "cresset/ports/executor.h"
#include "cresset/ports/metadata_store.h"
#include "cresset/ports/testing/memory_files.h"
#include "sim/oracle.h"
#include "sim/sketch.h"

namespace cresset::sim {

// A promise that was broken. `kind` is the same for the same promise, whatever broke it.
struct Violation : std::runtime_error {
  template <class... Args>
  explicit Violation(fmt::format_string<Args...> format, Args&&... args)
      : std::runtime_error(fmt::format(format, std::forward<Args>(args)...)),
        kind(to_kind(format)) {}
  // Of a run.
  Violation(const std::string& what, fmt::string_view its_kind)
      : std::runtime_error(what), kind(to_kind(its_kind)) {}

  static std::string to_kind(fmt::string_view format) { return {format.data(), format.size()}; }

  std::string kind;
};

// A write that failed, or whose process died of it: it may be there, whole, or not at all.
struct Uncertain {
  enum class Kind { kCreation, kCommit, kRemoval };
  Kind kind = Kind::kCommit;
  ports::RunRecord record;         // its id, always
  std::vector<model::RunId> uses;  // of a creation
  ports::Commit commit;
};

// What a world knows of one run: what it must come to, and what has been seen of it. Kept beside
// the engine and without its help: events are read as the JSON that docs/formats/events.md says.
struct RunEntry {
  std::size_t number = 0;
  std::shared_ptr<const Sketch> sketch;  // of a rerun: of the run that the step is of
  const RunEntry* rerun_of = nullptr;
  std::string rerun_path;  // of the step, there
  // What it was given and gave there; absent when that is not known.
  std::optional<std::pair<Data, Data>> rerun_expected;
  bool fail_fast = false;

  model::RunId id;  // empty until the store has it
  bool removed = false;
  bool damaged = false;             // artifacts of it were, after its end
  bool spoiled = false;             // it may have used such artifacts: it is not compared any more
  std::set<model::RunId> found_in;  // runs whose steps it found in the cache, used or not
  std::set<model::RunId> uses;      // runs whose artifacts are its own, too
  model::State state = model::State::kPending;
  std::uint32_t generation = 0;
  std::uint64_t seq = 0;
  std::optional<Uncertain> uncertain;  // the last write
  unsigned reopenings = 0;             // retries that have read of it what they go by

  // Of this generation.
  std::optional<Outcome> outcome;  // what it must come to if nothing disturbs it
  bool cancel_asked = false;       // by anybody
  bool cancels_next = false;       // … so late that a retry may have begun what is cancelled
  std::string disturbed;           // the first thing that did; empty = nothing

  // Whose success is committed, but for those that a retry may do again.
  std::set<std::uint32_t> completed;  // ordinals
  std::set<std::uint32_t>
      hits;  // of those, by the cache: maybe too late for a run that was stopped
  std::set<std::string, std::less<>> done;        // paths of steps
  std::map<std::string, unsigned> failures;       // committed, not lost, by path
  bool has_unplaced_failure = false;              // of an attempt that never began
  std::map<std::uint32_t, std::string> paths;     // by ordinal
  std::map<std::uint32_t, std::uint32_t> losses;  // in a row, by ordinal
  // Attempts that began: those since the last power cut, and those that are committed as running.
  std::set<std::pair<std::uint32_t, std::uint32_t>> executed;
  std::set<std::pair<std::uint32_t, std::uint32_t>> running;     // attempts, committed as that
  std::set<std::pair<std::uint32_t, std::uint32_t>> ended;       // attempts, committed
  std::map<std::string, std::uint32_t> live;                     // path → ordinal
  std::map<std::string, std::map<std::string, int>> iterations;  // loop → its live iterations
};

// Watches what is committed and what really runs, and throws a Violation when that is not as
// promised. Told by the processes' ports and by the machine; asks nobody.
class Ledger {
 public:
  // `clock` outlives it.
  explicit Ledger(ports::Clock& clock) : clock_(clock) {}

  struct Counts {
    std::uint64_t runs = 0;
    std::uint64_t commits = 0;
    std::uint64_t events = 0;
    std::uint64_t steps = 0;  // processes of steps that began
    std::uint64_t checks = 0;
    std::uint64_t exact_ends = 0;  // runs that ended and were compared with what they must come to
    std::uint64_t disturbed_ends = 0;  // … and could not be
  };

  // A submission: its run follows when the store has it.
  RunEntry& add(std::shared_ptr<const Sketch> sketch, bool fail_fast);
  // One that may come to nothing: the other run may be gone by then.
  RunEntry& add_rerun(const RunEntry& of);
  // The step at `path` of the other run has been chosen, with the inputs that it has had by now.
  static void rerun_begins(RunEntry& entry, const std::string& path);
  [[nodiscard]] const std::vector<std::unique_ptr<RunEntry>>& entries() const { return entries_; }
  [[nodiscard]] RunEntry* find(const model::RunId& run);

  void created(RunEntry& entry, const ports::RunRecord& record,
               const std::vector<model::RunId>& uses);
  void committed(const model::RunId& run, const ports::Commit& commit);
  // `now`: just now, and not at some time before.
  void removed(const model::RunId& run, bool now);
  // While one lives, no run is removed.
  class Hold {
   public:
    explicit Hold(Ledger& ledger) : ledger_(ledger) { ++ledger_.holds_; }
    ~Hold() { --ledger_.holds_; }
    Hold(const Hold&) = delete;
    Hold& operator=(const Hold&) = delete;

   private:
    Ledger& ledger_;
  };
  // Runs whose artifacts became another one's since the last call.
  std::vector<RunEntry*> take_newly_used() { return std::exchange(newly_used_, {}); }
  // While one lives, a retry may begin the run's next generation.
  class Reopening {
   public:
    explicit Reopening(RunEntry& entry) : entry_(entry) { ++entry_.reopenings; }
    ~Reopening() { --entry_.reopenings; }
    Reopening(const Reopening&) = delete;
    Reopening& operator=(const Reopening&) = delete;

   private:
    RunEntry& entry_;
  };
  // Somebody wants the run to be cancelled, in the generation that it is in, or in that which a
  // retry is about to begin.
  void cancel_asked(const model::RunId& run);
  static void cancel_asked(RunEntry& entry);
  // Ctrl-C at an engine, which may be about to reopen the run.
  static void interrupted(RunEntry& entry);
  // The run's generation may come to something else than the sketch says, because of `why`.
  void disturb(const model::RunId& run, const char* why);
  // The run's engine has found a step of `source` in the cache: it may use it from now on.
  void found(const model::RunId& run, const model::RunId& source);
  // An artifact of the run is not what it was.
  void damaged(RunEntry& entry);

  // An attempt took a slot; how often its task has failed before.
  unsigned begins(const ports::StartSpec& spec);
  void executes(const ports::StartSpec& spec, const ports::testing::MemoryFiles& files);
  void gone(const ports::StartSpec& spec);
  // Nobody will be told any more how they ended.
  void forgotten(const std::vector<model::AttemptId>& attempts);
  void power_cut();
  [[nodiscard]] bool has_live_steps() const;

  // The run as a user is shown it, after its end.
  void check_end(const model::RunView& view, const ports::testing::MemoryFiles& files);
  // The run as the home has it when nothing goes on any more; nothing when it has none.
  void check_kept(const RunEntry& entry, const model::RunView* view);
  // Of a run at any moment: nothing ends before it began, or begins before its run was made.
  void check_times(const model::RunView& view);

  [[nodiscard]] const Counts& counts() const { return counts_; }
  [[nodiscard]] TimePoint last_commit() const { return last_commit_; }

 private:
  void take_event(RunEntry& entry, const ports::StoredEvent& stored);
  void take_end(RunEntry& entry, const Value& event, bool succeeded);
  void take_hit(RunEntry& entry, const Value& event);
  void begin_generation(RunEntry& entry);
  void spoil(RunEntry& entry);
  void check_rerun(const RunEntry& entry, const model::RunView& view,
                   const ports::testing::MemoryFiles& files);

  std::vector<std::unique_ptr<RunEntry>> entries_;
  std::map<model::RunId, RunEntry*> by_id_;
  std::vector<RunEntry*> newly_used_;
  int holds_ = 0;
  Counts counts_;
  ports::Clock& clock_;
  TimePoint last_commit_{};
};

}  // namespace cresset::sim
