#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "cresset/adapters/posix/worker_threads.h"
#include "cresset/adapters/python/environment_builder.h"
#include "cresset/adapters/python/interpreters.h"
#include "cresset/ports/environments.h"

namespace cresset::python {

// Environments of this machine: its interpreters, and virtual environments below envs_dir that uv
// (else venv and pip) fills. Builds in threads, which the first prepare() with requirements starts.
// inspect(), find_program(), prepare() and poll() belong to one thread. Destruction kills what
// runs; what is half-built then is removed by the next build.
class LocalEnvironments final : public ports::Environments {
 public:
  // `wake` is called after each answer to prepare(), from the thread that has it; it must not
  // block, and must stay valid until this object is destroyed.
  LocalEnvironments(LocalEnvironmentsOptions options, std::function<void()> wake);
  ~LocalEnvironments() override;

  Result<ports::Interpreter> inspect(const std::string& executable) override;
  Result<ports::Program> find_program(const std::string& name,
                                      const std::string& path_variable) override;
  void prepare(std::uint64_t job, ports::EnvironmentSpec spec) override;
  std::vector<ports::EnvironmentReady> poll() override;

 private:
  struct Group {
    ports::EnvironmentSpec spec;
    std::vector<std::uint64_t> jobs;  // that asked for it, at least one
  };

  void build(const std::string& key);

  const LocalEnvironmentsOptions options_;
  const std::function<void()> wake_;
  StopSignal stop_;
  Interpreters interpreters_{options_, stop_};
  EnvironmentBuilder builder_{interpreters_, options_, stop_};

  std::mutex mutex_;                     // guards what follows
  std::map<std::string, Group> groups_;  // unanswered; equal specifications share one
  std::vector<ports::EnvironmentReady> ready_;

  posix::WorkerThreads threads_;  // last: its jobs use the others
};

}  // namespace cresset::python
