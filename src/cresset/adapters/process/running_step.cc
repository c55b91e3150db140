#include "cresset/adapters/process/running_step.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <utility>
#include <vector>

#include "cresset/adapters/process/leftovers.h"
#include "cresset/adapters/process/machine.h"

namespace cresset::process {

namespace {

constexpr std::size_t kPipeBytesByDefault = 64 << 10;
constexpr int kPipeBytesOfChattySteps = 1 << 20;
constexpr int kReadsPerTurn = 4;
// More than a pipe holds: what comes beyond it is written by survivors that are being killed.
constexpr std::size_t kLastBytesMax = 4 << 20;

Duration to_duration(const timeval& time) {
  return std::chrono::seconds(time.tv_sec) + std::chrono::microseconds(time.tv_usec);
}

// A warm worker is worth some descriptors, and has no namespace of its own for mounts.
std::optional<ProcessIdentity> start_warm(const ports::StartSpec& spec, const SpawnRequest& request,
                                          const RunningStep::Surroundings& surroundings) {
  if (!spec.warm || !spec.mounts.empty() || surroundings.frugal) return std::nullopt;
  std::vector<std::string> own = spec.warm->own;
  own.insert(own.end(), {kAttemptVariable, kDevicesVariable});
  for (const ports::ScratchFolder& folder : spec.scratch) own.push_back(folder.variable);
  return surroundings.warm.start(request, *spec.warm, own, model::to_string(spec.id));
}

}  // namespace

Result<std::unique_ptr<RunningStep>> RunningStep::start(const ports::StartSpec& spec,
                                                        const Environment& env,
                                                        const Surroundings& surroundings) {
  if (spec.argv.empty()) return make_error(Code::kInvalidArgument, "the command is empty");
  CR_TRY_VOID(prepare_files(spec));
  CR_TRY(StepLog log, StepLog::open(spec.log_path, spec.log_cap_bytes));
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return errno_error(errno, "making a pipe");
  posix::UniqueFd reader(ends[0]);
  posix::UniqueFd writer(ends[1]);
  // The writing end stays blocking: it is the step's stdout.
  if (::fcntl(reader.get(), F_SETFL, O_NONBLOCK) != 0) return errno_error(errno, "making a pipe");
  CR_TRY(const std::string program,
         surroundings.programs.find(spec.argv.front(), env, spec.work_dir));
  const SpawnRequest request{program,      spec.argv,
                             env,          spec.work_dir,
                             spec.mounts,  surroundings.null_fd,
                             writer.get(), surroundings.open_files};
  std::optional<ProcessIdentity> process = start_warm(spec, request, surroundings);
  if (!process) {
    CR_TRY(process, spawn(request));
  }
  std::unique_ptr<RunningStep> step(
      new RunningStep(std::move(log), std::move(reader), std::move(writer)));
  step->process_ = *process;
  if (spec.warm) step->notice = surroundings.warm.objection(*spec.warm);
  step->frugal_ = surroundings.frugal;
  if (step->frugal_) {
    step->step_end_.reset();
    step->log_.rest();
  }
  return step;
}

void RunningStep::read_output(std::span<char> buffer, WallTime at) {
  for (int i = 0; i < kReadsPerTurn; ++i) {
    if (read_once(buffer, at) < buffer.size()) break;
  }
  if (frugal_) log_.rest();
}

std::size_t RunningStep::read_once(std::span<char> buffer, WallTime at) {
  while (true) {
    const ssize_t got = ::read(output_.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    output_ended_ = got == 0;
    if (got <= 0) return 0;
    const auto size = static_cast<std::size_t>(got);
    if (size >= kPipeBytesByDefault && !pipe_grown_) {
      // Refused when the user's pipes hold too much already; it then stays as it is.
      ::fcntl(output_.get(), F_SETPIPE_SZ, kPipeBytesOfChattySteps);
      pipe_grown_ = true;
    }
    log_.append({buffer.data(), size}, at);
    return size;
  }
}

void RunningStep::signal_group(int signal) const { ::kill(-process_.pid, signal); }

ports::Exit RunningStep::finish(int wait_status, const rusage& usage, std::span<char> buffer,
                                WallTime at) {
  for (std::size_t taken = 0; taken < kLastBytesMax;) {
    const std::size_t got = read_once(buffer, at);
    if (got == 0) break;
    taken += got;
  }
  output_.reset();
  log_.close(at);
  ports::Exit exit;
  exit.kind = WIFSIGNALED(wait_status) ? ports::Exit::Kind::kSignaled : ports::Exit::Kind::kExited;
  exit.code = WIFSIGNALED(wait_status) ? WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
  exit.stopped_by_us = stop_asked;
  exit.log_truncated = log_.truncated();
  if (!log_.trouble().empty()) exit.detail = "the log is incomplete: " + log_.trouble();
  exit.peak_memory_bytes = std::int64_t{usage.ru_maxrss} * 1024;
  exit.cpu_time = to_duration(usage.ru_utime) + to_duration(usage.ru_stime);
  return exit;
}

}  // namespace cresset::process
