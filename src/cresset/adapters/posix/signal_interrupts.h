#pragma once

#include <array>
#include <csignal>

#include "cresset/adapters/posix/poll_reactor.h"

namespace cresset::posix {

// Counts what the person at the terminal asks for: SIGINT and SIGTERM raise level() to 1, then 2,
// and after that act as they do by default, so that a process that hangs can still be ended. SIGHUP
// sets hung_up(). Signals that were ignored when it was made (nohup, background jobs) stay ignored.
// One object at a time; the old handlers come back when it goes.
class SignalInterrupts {
 public:
  // `waker` is woken by each signal.
  explicit SignalInterrupts(Waker waker);
  ~SignalInterrupts();
  SignalInterrupts(const SignalInterrupts&) = delete;
  SignalInterrupts& operator=(const SignalInterrupts&) = delete;

  [[nodiscard]] int level() const;
  [[nodiscard]] bool hung_up() const;
  // The last one that came, 0 before any.
  [[nodiscard]] int last() const;

 private:
  struct Saved {
    int signal = 0;
    struct sigaction action{};
  };
  Waker waker_;
  std::array<Saved, 3> saved_;
};

}  // namespace cresset::posix
