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

struct Check {
  enum class Verdict { kGood, kWarning, kBad };
  std::string name;
  Verdict verdict = Verdict::kGood;
  std::string finding;
  std::string help;  // what to do; empty when it is good
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

  // Starts a process of its own session that drives the run to its end.
  virtual Result<void> start_engine(const model::RunId& run) = 0;
  // Body of the keeper's process; the exit status.
  virtual int run_keeper(const std::string& folder) = 0;

  virtual Result<std::vector<BuiltEnvironment>> environments() = 0;
  virtual Result<void> remove_environment(const std::string& key) = 0;
  // What builders that died have left; how many there were.
  virtual Result<int> remove_unfinished_environments() = 0;
  virtual std::vector<Check> examine() = 0;
  [[nodiscard]] virtual std::string version() const = 0;
};

}  // namespace cresset::cli
