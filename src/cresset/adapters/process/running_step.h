#pragma once

#include <sys/resource.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "cresset/adapters/posix/unique_fd.h"
#include "cresset/adapters/process/process_table.h"
#include "cresset/adapters/process/program_finder.h"
#include "cresset/adapters/process/spawn.h"
#include "cresset/adapters/process/step_log.h"
#include "cresset/adapters/process/warm_workers.h"
#include "cresset/base/result.h"
#include "cresset/ports/executor.h"

namespace cresset::process {

// The process of one attempt and the way of its output into its log. The keeper owns it from start
// to end.
class RunningStep {
 public:
  struct Surroundings {
    int null_fd = -1;
    rlimit open_files{};  // the step's limit
    bool frugal = false;  // one descriptor while there is no output, for some more system calls
    ProgramFinder& programs;
    WarmWorkers& warm;
  };

  // Prepares the files, opens the log and starts the program with `env`. The error's message is for
  // the user.
  static Result<std::unique_ptr<RunningStep>> start(const ports::StartSpec& spec,
                                                    const Environment& env,
                                                    const Surroundings& surroundings);

  [[nodiscard]] const ProcessIdentity& process() const { return process_; }
  // Where its output comes from. The process tells when the step is over, not the output's end,
  // which only a frugal one has.
  [[nodiscard]] int output_fd() const { return output_.get(); }
  [[nodiscard]] bool output_has_ended() const { return output_ended_; }

  // Moves what is there, but not more than a share that is fair to other steps, into the log.
  void read_output(std::span<char> buffer, WallTime at);
  void signal_group(int signal) const;

  // The main process has ended: takes what is left in the pipe, whoever still holds it open, and
  // closes the log.
  ports::Exit finish(int wait_status, const rusage& usage, std::span<char> buffer, WallTime at);

  std::string notice;  // for the user, how it was started; empty when there is nothing to say
  bool stop_asked = false;
  std::optional<TimePoint> kill_at;  // when SIGTERM was not enough
  std::uint64_t oom_kills_before = 0;

 private:
  RunningStep(StepLog log, posix::UniqueFd output, posix::UniqueFd step_end)
      : log_(std::move(log)), output_(std::move(output)), step_end_(std::move(step_end)) {}
  // Bytes taken; 0 = nothing there now.
  std::size_t read_once(std::span<char> buffer, WallTime at);

  ProcessIdentity process_;
  StepLog log_;
  posix::UniqueFd output_;
  // Kept open, unless descriptors are dear, so that the pipe has no end to wake up for just before
  // the process is over.
  posix::UniqueFd step_end_;
  bool frugal_ = false;
  bool output_ended_ = false;
  bool pipe_grown_ = false;
};

}  // namespace cresset::process
