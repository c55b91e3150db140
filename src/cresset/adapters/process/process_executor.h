#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "cresset/adapters/posix/event_loop.h"
#include "cresset/adapters/posix/poll_reactor.h"
#include "cresset/adapters/posix/unique_fd.h"
#include "cresset/adapters/process/frame_stream.h"
#include "cresset/adapters/process/protocol.h"
#include "cresset/ports/clock.h"
#include "cresset/ports/executor.h"

namespace cresset::process {

struct ProcessExecutorOptions {
  std::string keeper_dir;  // absolute; of the home
  // Absolute program and arguments that call run_keeper() on keeper_dir.
  std::vector<std::string> keeper_command;
};

// Runs attempts as local processes, through the home's keeper: connects to it, or starts it, when
// there is first something to ask, and again when it dies; attempts that had been running then are
// lost, those that waited are asked for again.
class ProcessExecutor final : public ports::Executor {
 public:
  ProcessExecutor(ProcessExecutorOptions options, ports::Clock& clock);
  ~ProcessExecutor() override;

  // Readable when poll() has something to do: for the reactor.
  [[nodiscard]] int fd() const { return loop_.fd(); }

  void start(ports::StartSpec spec) override;
  void stop(const model::AttemptId& id, Duration grace) override;
  void forget(const std::vector<model::AttemptId>& ids) override;
  Result<std::vector<ports::ExecutorEvent>> poll() override;

 private:
  // An attempt whose end has not come yet.
  struct Outstanding {
    std::uint64_t serial = 0;  // order of start()
    std::uint64_t token = 0;
    std::string start_frame;  // dropped once it is known to run
    bool running = false;
    std::optional<Duration> stop_grace;
  };

  void send(const std::string& frame);
  void update_interest();
  enum class WhenAbsent { kLaunch, kRetryLater };
  void connect(WhenAbsent when_absent = WhenAbsent::kLaunch);
  void greet_and_repeat();
  void launch_keeper();
  void look_for_launcher();
  void on_socket(std::uint32_t events);
  void read_answers();
  void on_message(Message message);
  void on_running(ports::AttemptRunning running);
  void on_exited(ports::AttemptExited exited);
  void on_trouble(const Trouble& trouble);
  void lose_connection(const Error& why);
  void retry_later(const Error& why);
  void arm_timer(Duration pause);
  void give_up(const Error& why);
  void fail_locally(const model::AttemptId& id, std::string why);
  [[nodiscard]] bool has_work() const { return !outstanding_.empty() || !forgets_.empty(); }
  [[nodiscard]] Error with_keeper_log(const Error& error) const;

  const ProcessExecutorOptions options_;
  ports::Clock& clock_;
  posix::EventLoop loop_;
  posix::Waker waker_;
  posix::UniqueFd timer_;
  posix::UniqueFd dir_;

  std::optional<FrameStream> stream_;
  bool welcomed_ = false;
  bool waits_to_write_ = false;
  pid_t launcher_ = 0;  // the process that leaves once the keeper listens
  posix::UniqueFd launcher_fd_;
  bool retry_armed_ = false;
  int failures_ = 0;  // in a row, without a word about an attempt in between
  std::optional<Error> broken_;

  std::map<model::AttemptId, Outstanding> outstanding_;
  std::uint64_t next_serial_ = 1;
  std::vector<model::AttemptId> forgets_;  // not sent yet
  std::vector<ports::ExecutorEvent> events_;
};

}  // namespace cresset::process
