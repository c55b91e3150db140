#include "cresset/adapters/posix/poll_reactor.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>

#include "cresset/base/check.h"

namespace cresset::posix {

Waker::Waker() : fd_(std::make_shared<UniqueFd>(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK))) {
  CHECK(*fd_);
}

void Waker::wake() const {
  const std::uint64_t one = 1;
  // It fails only when the counter is full, and then the reader is awake already.
  [[maybe_unused]] const ssize_t ignored = ::write(fd(), &one, sizeof one);
}

PollReactor::PollReactor(ports::Clock& clock) : clock_(clock) {
  loop_.add(waker_.fd(), EPOLLIN, [fd = waker_.fd()](std::uint32_t) {
    std::uint64_t count = 0;
    [[maybe_unused]] const ssize_t ignored = ::read(fd, &count, sizeof count);
  });
}

void PollReactor::add(int fd) {
  // Nothing to do here: the caller of wait() polls every adapter once it returns.
  loop_.add(fd, EPOLLIN, [](std::uint32_t) {});
}

void PollReactor::remove(int fd) { loop_.remove(fd); }

void PollReactor::wait(std::optional<TimePoint> until) {
  std::optional<Duration> timeout;
  if (until) timeout = std::max(*until - clock_.now(), Duration(0));
  loop_.run_once(timeout);
}

}  // namespace cresset::posix
