#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "cresset/adapters/localfs/local_file_worker.h"
#include "cresset/adapters/posix/poll_reactor.h"
#include "cresset/adapters/posix/system_clock.h"
#include "cresset/adapters/posix/system_random.h"
#include "cresset/adapters/sqlite/sqlite_store.h"
#include "cresset/app/run_service.h"

// The engine as it ships, with its real store on a real disk, but without processes: what a step
// costs the engine alone.
namespace cresset::bench {

// Attempts that begin at once and end when they may. One thread.
class BenchExecutor final : public ports::Executor {
 public:
  enum class End { kAtOnce, kWhenReleased };
  BenchExecutor(ports::Clock& clock, posix::Waker waker, End end)
      : clock_(clock), waker_(std::move(waker)), end_(end) {}

  void start(ports::StartSpec spec) override;
  void stop(const model::AttemptId& id, Duration grace) override;
  void forget(const std::vector<model::AttemptId>&) override {}
  Result<std::vector<ports::ExecutorEvent>> poll() override;

  [[nodiscard]] std::int64_t live() const { return std::ssize(live_); }
  // Those that are live end, and all that start from now on.
  void release();
  // Called by poll() before it answers: the engine has taken in what it was given before.
  std::function<void()> before_poll = [] {};

 private:
  void end(const model::AttemptId& id);

  ports::Clock& clock_;
  posix::Waker waker_;
  End end_;
  std::vector<model::AttemptId> live_;
  std::vector<ports::ExecutorEvent> events_;
};

// No step of a benchmark needs an interpreter.
class NoEnvironments final : public ports::Environments {
 public:
  Result<ports::Interpreter> inspect(const std::string& executable) override;
  Result<ports::Program> find_program(const std::string& name,
                                      const std::string& path_variable) override;
  void prepare(std::uint64_t job, ports::EnvironmentSpec spec) override;
  std::vector<ports::EnvironmentReady> poll() override { return std::exchange(ready_, {}); }

 private:
  std::vector<ports::EnvironmentReady> ready_;
};

// One process of a home, as main/ puts it together.
class BenchProcess final : public app::RunObserver, public app::Interrupts {
 public:
  BenchProcess(const std::string& home, std::unique_ptr<sqlite::SqliteStore> store,
               BenchExecutor::End end);

  void on_changes(const dag::Plan&, const std::vector<dag::TaskBrief>& changes) override {
    on_stored(changes);
  }
  void on_notice(std::string_view) override {}
  void on_tick(const dag::Plan&) override {}
  int level() override { return 0; }

  posix::SystemClock clock;
  posix::SystemRandom random;
  posix::PollReactor reactor{clock};
  std::unique_ptr<sqlite::SqliteStore> store;
  BenchExecutor executor;
  localfs::LocalFileWorker files;
  NoEnvironments environments;
  app::RunService service;
  // Called with what has changed, once that is stored.
  std::function<void(const std::vector<dag::TaskBrief>&)> on_stored =
      [](const std::vector<dag::TaskBrief>&) {};
};

Result<std::unique_ptr<BenchProcess>> open_process(const std::string& home, BenchExecutor::End end);

// A run of a pipeline that is one ParallelFor over `items` numbers, whose step does nothing.
Result<model::RunId> create_loop(BenchProcess& process, std::int64_t items);

}  // namespace cresset::bench
