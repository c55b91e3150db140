#pragma once

#include <memory>

#include "cresset/adapters/posix/event_loop.h"
#include "cresset/ports/clock.h"
#include "cresset/ports/reactor.h"

namespace cresset::posix {

// Lets other threads end a wait of the reactor that made it. May outlive the reactor. Any thread;
// also from a signal handler.
class Waker {
 public:
  Waker();
  void wake() const;
  [[nodiscard]] int fd() const { return fd_->get(); }

 private:
  std::shared_ptr<UniqueFd> fd_;
};

// A Reactor over descriptors: wait() returns while one of them is readable (level-triggered:
// whoever owns it reads it empty in its poll()), after a wake(), or at the deadline.
class PollReactor final : public ports::Reactor {
 public:
  explicit PollReactor(ports::Clock& clock);

  // `fd` must be removed before it is closed.
  void add(int fd);
  void remove(int fd);
  [[nodiscard]] Waker waker() const { return waker_; }

  void wait(std::optional<TimePoint> until) override;

 private:
  ports::Clock& clock_;
  Waker waker_;
  EventLoop loop_;
};

}  // namespace cresset::posix
