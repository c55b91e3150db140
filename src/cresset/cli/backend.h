#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "cresset/app/interrupts.h"
#include "cresset/app/run_service.h"
#include "cresset/base/result.h"
#include "cresset/base/time.h"
#include "cresset/ports/clock.h"
#include "cresset/ports/executor.h"
#include "cresset/ports/log_store.h"
#include "cresset/ports/reactor.h"

namespace cresset::cli {

struct BuiltEnvironment {
  std::string key;
  std::string python;
  std::string base;  // the interpreter that it is layered on
  std::vector<std::string> requirements;
  std::int64_t bytes = 0;
  std::optional<WallTime> created_at;
};

struct PipelineScript {
  std::string python;        // a path, or a name that is looked up
  std::string path;          // absolute
  std::string function;      // which of its pipelines; empty = its only one
  bool more_follow = false;  // what compiles it is kept for the next
};
struct CompiledScript {
  std::optional<std::string> text;
  std::string problem;             // why there is no text; empty: Python has said it
  std::vector<std::string> files;  // of the user's, that it was made of
};

using Check = app::Finding;

// How far something long is: bytes, or things; `total` 0 where it is not known.
using OnProgress = std::function<void(std::int64_t done, std::int64_t total)>;

struct BackupSummary {
  std::string file;
  std::size_t runs = 0;
  std::int64_t files = 0;
  std::int64_t bytes = 0;
  std::vector<std::string> remarks;  // what is not in it as it was: one sentence each
};

// Tells when files change on the disk.
class FileWatch {
 public:
  virtual ~FileWatch() = default;
  // From now on these, absolute. With `ending`, all other files of their folders that end so count
  // too.
  virtual Result<void> watch(const std::vector<std::string>& files, const std::string& ending) = 0;
  // Whether one has changed since the last call. A change ends a wait of the reactor.
  virtual bool poll() = 0;
};

// What the verbs need of the outside, made in main/. Nothing is opened before it is asked for:
// `--help`, `validate` and a refused pipeline leave no trace.
class Backend {
 public:
  virtual ~Backend() = default;

  virtual ports::Clock& clock() = 0;
  virtual ports::Reactor& reactor() = 0;
  // The caller's environment variable, or nothing.
  [[nodiscard]] virtual std::optional<std::string> variable(const std::string& name) const = 0;
  [[nodiscard]] virtual std::string home_path() const = 0;
  [[nodiscard]] virtual bool home_exists() const = 0;

  // Opens the home, and makes it when it is absent.
  virtual Result<app::RunService*> service() = 0;
  virtual ports::LogStore& logs() = 0;

  // From the first call on, SIGINT and SIGTERM count here instead of ending the process.
  virtual app::Interrupts& interrupts() = 0;
  [[nodiscard]] virtual bool hung_up() const = 0;
  // Gives the signals back and ends this process by the one that came, so that the shell sees it.
  [[noreturn]] virtual void die_of_interrupt() = 0;

  virtual Result<FileWatch*> file_watch() = 0;

  // Starts a process of its own session that drives the run to its end.
  virtual Result<void> start_engine(const model::RunId& run) = 0;
  // Body of the keeper's process; the exit status.
  virtual int run_keeper(const std::string& folder) = 0;

  // A new folder for what is no run's; remove_folder() takes it away with all that is in it.
  virtual Result<std::string> make_folder() = 0;
  virtual Result<void> remove_folder(const std::string& folder) = 0;
  // Runs what an executor would run, on this process's own terminal: the status as the shell
  // counts. Ctrl-C is the program's meanwhile. Folders are not mounted.
  virtual Result<int> run_on_terminal(const ports::StartSpec& spec) = 0;

  // Compiles Python source with the kfp of an interpreter; what it prints goes to standard error.
  // Leaves no trace in the home. kCancelled after an interrupt.
  virtual Result<CompiledScript> compile(const PipelineScript& script) = 0;

  virtual Result<std::vector<BuiltEnvironment>> environments() = 0;
  virtual Result<void> remove_environment(const std::string& key) = 0;
  // What builders that died have left; how many there were.
  virtual Result<int> remove_unfinished_environments() = 0;
  virtual std::vector<Check> examine() = 0;
  // The same of all that is stored, byte by byte.
  virtual Result<std::vector<Check>> examine_deep(bool repair, const OnProgress& on_progress) = 0;

  // Writes the home as it is now to one file, whole or not at all; runs go on meanwhile. kCancelled
  // after SIGINT, SIGTERM or SIGHUP: then nothing of it is left.
  virtual Result<BackupSummary> backup(const std::string& file, bool replace,
                                       const OnProgress& on_progress) = 0;
  // Makes the home, which must not be there yet or be empty, of such a file. Signals as above.
  virtual Result<BackupSummary> restore(const std::string& file, const OnProgress& on_progress) = 0;
  [[nodiscard]] virtual std::string version() const = 0;
};

}  // namespace cresset::cli
