#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cresset/adapters/posix/system_clock.h"
#include "cresset/adapters/posix/unique_fd.h"
#include "cresset/adapters/process/process_executor.h"
#include "cresset/ports/testing/executor_contract.h"
#include "cresset/ports/testing/temp_folder.h"

// For tests: a home with a real keeper, which is this test program with other arguments
// (test_main.cc), and steps that are shell scripts.
namespace cresset::process {

// Whether the process has ended, or does so within some seconds. Waits without reaping.
bool is_gone(pid_t pid);

std::string read_file(const std::string& path);  // empty when there is none

class KeeperWorld {
 public:
  KeeperWorld() : KeeperWorld(std::nullopt) {}
  explicit KeeperWorld(std::optional<std::size_t> gpus);
  // Ends the keeper and what it runs.
  ~KeeperWorld();
  KeeperWorld(const KeeperWorld&) = delete;
  KeeperWorld& operator=(const KeeperWorld&) = delete;

  [[nodiscard]] ProcessExecutorOptions options() const;
  std::unique_ptr<ports::Executor> connect() {
    return std::make_unique<ProcessExecutor>(options(), clock_);
  }
  ports::StartSpec spec(const model::AttemptId& id, const ports::testing::Step& step);
  // One that runs this script, with PATH and "$DIR", its working folder.
  ports::StartSpec shell(const model::AttemptId& id, const std::string& script);
  void wait(ports::Executor& executor);
  void release(const model::AttemptId& id);
  int starts(const model::AttemptId& id) const;
  std::string log(const ports::StartSpec& spec) const { return read_file(spec.log_path); }
  std::optional<std::string> read(const std::string& path) const;
  std::string path(const std::string& name) const { return folder_ / ("fresh " + name); }
  std::int64_t cpu_millis() const;
  void lose_all_running();

  // Of the keeper that serves this home, 0 when none does.
  [[nodiscard]] pid_t keeper() const;
  [[nodiscard]] std::string keeper_dir() const { return folder_ / "keeper"; }
  ports::Clock& clock() { return clock_; }

 private:
  [[nodiscard]] std::string step_dir(const model::AttemptId& id) const;

  posix::SystemClock clock_;
  ports::testing::TempFolder folder_;
  std::optional<std::size_t> gpus_;
  std::map<model::AttemptId, posix::UniqueFd> gates_;  // held open, so that no step waits to open
};

}  // namespace cresset::process
