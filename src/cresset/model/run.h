#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cresset/base/id.h"
#include "cresset/base/time.h"
#include "cresset/base/value.h"
#include "cresset/model/pipeline.h"

// What a run is and where it stands: the values that the store keeps, the engine moves and every
// reader shows.
namespace cresset::model {

using RunId = StrongId<struct RunTag>;

// PENDING → RUNNING → SUCCEEDED | FAILED | CANCELED, and PENDING → SKIPPED | CANCELED | FAILED. The
// last four are final; only `retry` reopens a finished run, as a new generation.
enum class State : std::uint8_t { kPending, kRunning, kSucceeded, kFailed, kSkipped, kCanceled };
std::string_view to_string(State state);  // "PENDING" …
std::optional<State> parse_state(std::string_view text);
constexpr bool is_final(State state) {
  return state != State::kPending && state != State::kRunning;
}

// One attempt of one task. Task ordinals are given by the plan in order of creation and are the
// same after a restart, so the id of an attempt is known before it starts:
// "<run>/<task>.<attempt>". Attempts count from 1.
struct AttemptId {
  RunId run;
  std::uint32_t task = 0;
  std::uint32_t attempt = 0;
  auto operator<=>(const AttemptId&) const = default;
};
std::string to_string(const AttemptId& id);
std::optional<AttemptId> parse_attempt_id(std::string_view text);

struct Artifact {
  std::string name;  // of the output that made it
  ArtifactType type;
  std::string uri;          // file:// + raw path on this engine
  Value metadata;           // struct
  std::string custom_path;  // where its bytes are when not at the URI; empty = at the URI
  std::string
      digest;  // of its bytes (file or whole folder), 64 hex digits; empty when there are none
  bool operator==(const Artifact&) const = default;
};

using Parameters = ByName<Value>;
using Artifacts = ByName<std::vector<Artifact>>;

struct Bindings {
  Parameters parameters;
  Artifacts artifacts;
  bool operator==(const Bindings&) const = default;
};

struct Failure {
  std::string message;   // one sentence: the cause
  std::string log_tail;  // last lines of the step's log; empty when it has none
  bool operator==(const Failure&) const = default;
};

enum class TaskKind { kContainer, kImporter, kDag, kLoop, kCondition };
std::string_view to_string(TaskKind kind);  // "container" …

// Where the time of a step went, all its attempts together.
struct Spent {
  Duration waiting{0};    // from when all that it needs was there: cache, commits, back-off
  Duration starting{0};   // environment, free slots, process
  Duration running{0};    // of its processes
  Duration finishing{0};  // outputs read and digested
  bool operator==(const Spent&) const = default;
};
// What a step that has not ended does now.
enum class Doing : std::uint8_t { kNothing, kWaiting, kStarting, kRunning };

// How one attempt of a step went.
struct AttemptView {
  State state = State::kPending;       // PENDING until its process runs; never SKIPPED
  bool lost = false;                   // FAILED, but not by the step's doing: no retry was used up
  std::string reason;                  // why it is FAILED or CANCELED; empty otherwise
  std::optional<WallTime> started_at;  // of its process; nothing when that never ran
  std::optional<WallTime> finished_at;
  bool operator==(const AttemptView&) const = default;
};

struct TaskView {
  std::uint32_t ordinal = 0;
  std::string path;  // names joined with "/", "[i]" after a loop's name for its iteration
  std::string name;  // key in its dag
  std::string display_name;
  TaskKind kind = TaskKind::kContainer;
  State state = State::kPending;
  bool cached = false;
  std::uint32_t attempts = 0;
  std::string reason;  // why it is SKIPPED or CANCELED, in a few words; empty otherwise
  std::optional<Failure> error;
  Bindings inputs;
  Bindings outputs;
  std::optional<WallTime> started_at;
  std::optional<WallTime> finished_at;
  // Of steps that had all they need; not of groups.
  std::optional<WallTime> ready_at;
  // The task whose end made it ready; nothing for those that the run began with, or retried.
  std::optional<std::uint32_t> released_by;
  Spent spent;  // without what it does now
  Doing doing = Doing::kNothing;
  std::optional<WallTime> doing_since;
  // Loops: iterations in all, and how many have ended; 0 for other kinds.
  std::uint32_t iterations = 0;
  std::uint32_t iterations_done = 0;
};

struct RunView {
  RunId id;
  std::string name;
  State state = State::kPending;
  std::optional<Failure> error;
  Bindings inputs;
  Bindings outputs;
  WallTime created_at{};
  std::optional<WallTime> started_at;
  std::optional<WallTime> finished_at;
  std::vector<TaskView> tasks;  // parents before their children
};

}  // namespace cresset::model
