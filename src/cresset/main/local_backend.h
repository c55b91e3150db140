#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cresset/adapters/localfs/local_file_worker.h"
#include "cresset/adapters/localfs/local_log_store.h"
#include "cresset/adapters/posix/poll_reactor.h"
#include "cresset/adapters/posix/signal_interrupts.h"
#include "cresset/adapters/posix/system_clock.h"
#include "cresset/adapters/posix/system_random.h"
#include "cresset/adapters/process/process_executor.h"
#include "cresset/adapters/python/local_environments.h"
#include "cresset/adapters/python/pipeline_compiler.h"
#include "cresset/adapters/sqlite/sqlite_store.h"
#include "cresset/app/home.h"
#include "cresset/app/run_service.h"
#include "cresset/cli/backend.h"

namespace cresset::app_main {

// The embedded engine of one home: which adapter stands behind which port.
class LocalBackend final : public cli::Backend {
 public:
  // `home`: absolute. `program`: absolute path of this program, to start keepers and engines with.
  LocalBackend(std::string home, std::string program);
  ~LocalBackend() override;

  ports::Clock& clock() override { return clock_; }
  ports::Reactor& reactor() override { return reactor_; }
  [[nodiscard]] std::optional<std::string> variable(const std::string& name) const override;
  [[nodiscard]] std::string home_path() const override { return home_.root(); }
  [[nodiscard]] bool home_exists() const override;
  Result<app::RunService*> service() override;
  ports::LogStore& logs() override { return logs_; }
  app::Interrupts& interrupts() override;
  [[nodiscard]] bool hung_up() const override;
  [[noreturn]] void die_of_interrupt() override;
  Result<cli::FileWatch*> file_watch() override;
  Result<void> start_engine(const model::RunId& run) override;
  int run_keeper(const std::string& folder) override;
  Result<std::string> make_folder() override;
  Result<void> remove_folder(const std::string& folder) override;
  Result<int> run_on_terminal(const ports::StartSpec& spec) override;
  Result<cli::CompiledScript> compile(const cli::PipelineScript& script) override;
  Result<std::vector<cli::BuiltEnvironment>> environments() override;
  Result<void> remove_environment(const std::string& key) override;
  Result<int> remove_unfinished_environments() override;
  std::vector<cli::Check> examine() override;
  Result<std::vector<cli::Check>> examine_deep(bool repair,
                                               const cli::OnProgress& on_progress) override;
  Result<cli::BackupSummary> backup(const std::string& file, bool replace,
                                    const cli::OnProgress& on_progress) override;
  Result<cli::BackupSummary> restore(const std::string& file,
                                     const cli::OnProgress& on_progress) override;
  [[nodiscard]] std::string version() const override;

 private:
  class SignalLevel;
  class AnySignal;
  class Watch;
  // Members in the order in which they are made; all of it on the first service().
  struct Engine;

  [[nodiscard]] python::LocalEnvironmentsOptions environment_options() const;
  std::vector<cli::Check> examine_without_home();

  app::Home home_;
  std::string program_;
  posix::SystemClock clock_;
  posix::PollReactor reactor_;
  localfs::LocalLogStore logs_;
  std::unique_ptr<SignalLevel> signals_;
  std::unique_ptr<Watch> watch_;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<python::PipelineCompiler> compiler_;
};

}  // namespace cresset::app_main
