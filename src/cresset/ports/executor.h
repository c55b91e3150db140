#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "cresset/base/result.h"
#include "cresset/base/time.h"
#include "cresset/model/run.h"

namespace cresset::ports {

// What an attempt takes of the machine while it runs. A request larger than the machine is clamped
// by the executor, with a notice in AttemptRunning.
struct SlotRequest {
  std::int64_t cpu_millis = 1000;
  std::int64_t memory_bytes = 0;
  std::int64_t gpus = 0;
};

struct FileToWrite {
  std::string path;  // absolute; its folder is made
  std::string content;
};

// An empty folder that is the attempt's alone while it runs.
struct ScratchFolder {
  std::string variable;   // of the step's environment: is set to the folder's path
  std::string leftovers;  // absolute; what the step leaves in the folder is moved here when it
                          // ends. Not made for an empty one. Lost with the executor (Exit::kLost)
};

// A folder of the machine that the step sees at another path.
struct Mount {
  std::string source;  // absolute, exists
  std::string target;  // absolute, as the step wants it
  bool read_only = false;
};

// For a command that is `PYTHON SCRIPT ARGUMENT...`: the step may begin as a fork of an interpreter
// that has imported what it needs. To the step it is as a new interpreter, but for what
// docs/reference/warm-workers.md lists. An executor may start the command itself all the same.
struct WarmStart {
  std::string zygote;                // the script of such an interpreter; absolute
  std::string fingerprint;           // of the interpreter and all that is installed for it
  std::vector<std::string> modules;  // to be imported ahead where installed; sorted
  std::vector<std::string> own;      // variables of the environment that no other attempt shares
};

struct StartSpec {
  model::AttemptId id;
  // Fencing token of the engine's lease: an executor that has seen a higher one for this run
  // refuses the start.
  std::uint64_t token = 0;
  // The attempt is known to have been running: find it, never start it.
  bool adopt_only = false;

  std::vector<std::string> argv;  // argv[0] is looked up on PATH of `env` when it holds no '/'
  std::vector<std::pair<std::string, std::string>> env;  // the whole environment
  std::string work_dir;  // made when absent; the step's current folder
  // The attempt's alone, as `work_dir` is: where that is there already, these are removed before
  // the start with all that is in them; `work_dir`, if it is among them, last, so that a start
  // which breaks off half-way is seen by the next one. After a power cut an attempt may start that
  // had started before.
  std::vector<std::string> fresh;
  std::vector<std::string> folders;  // made before the start
  std::vector<FileToWrite> files;    // written before the start
  std::vector<ScratchFolder> scratch;
  std::vector<Mount> mounts;
  std::optional<WarmStart> warm;

  std::string
      log_path;  // stdout and stderr in order of arrival; times per chunk in log_path + ".idx"
  std::int64_t log_cap_bytes =
      0;  // output past this is dropped with one notice line in the log; 0 = no cap

  SlotRequest slots;
  // `-j`: this run's attempts hold at most so many CPU millis at once; 0 = only the machine limits.
  std::int64_t run_cpu_millis_max = 0;
};

// How an attempt ended.
struct Exit {
  enum class Kind {
    kExited,      // code = exit status
    kSignaled,    // code = signal number
    kNotStarted,  // detail says why: command not found, argument list too long, cancelled while
                  // queued …
    kLost,        // nobody knows: the machine or the keeper went away; its processes are gone
  };
  Kind kind = Kind::kExited;
  int code = 0;
  std::string detail;
  bool stopped_by_us = false;  // stop() came first
  bool out_of_memory = false;  // the kernel's OOM killer acted while it ran
  bool log_truncated = false;
  std::int64_t peak_memory_bytes = 0;
  Duration cpu_time{0};
};

struct AttemptRunning {
  model::AttemptId id;
  WallTime at;
  std::vector<std::string> notices;  // "asked for 8 CPUs, the machine has 2: runs with 2"
};
struct AttemptExited {
  model::AttemptId id;
  WallTime at;
  Exit exit;
};
using ExecutorEvent = std::variant<AttemptRunning, AttemptExited>;

// Runs attempts. Contract (ports/testing/executor_contract.h):
// - start() queues and returns; the attempt begins when its slots are free. Exactly one
// AttemptExited follows, after at
//   most one AttemptRunning, also when start() is called again for the same id by this or a later
//   engine: a second start of a known attempt finds the first and repeats what is known of it.
// - An attempt outlives the engine that started it; its exit status and log are kept until
// forget().
// - stop() asks the attempt's whole process group to end (SIGTERM), and kills it (SIGKILL) after
// `grace`; a queued
//   attempt ends as kNotStarted. Unknown ids are ignored.
// - Nothing blocks; events are taken with poll(), which never waits. One thread (the engine's).
class Executor {
 public:
  virtual ~Executor() = default;
  virtual void start(StartSpec spec) = 0;
  virtual void stop(const model::AttemptId& id, Duration grace) = 0;
  virtual void forget(
      const std::vector<model::AttemptId>& ids) = 0;  // ended attempts whose end is committed
  // kUnavailable when the executor is beyond repair (the engine then stops; the run can be
  // resumed).
  virtual Result<std::vector<ExecutorEvent>> poll() = 0;
};

}  // namespace cresset::ports
