#pragma once

#include <sys/epoll.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <unordered_map>

#include "cresset/adapters/posix/unique_fd.h"
#include "cresset/base/time.h"

namespace cresset::posix {

// Level-triggered epoll with one callback a descriptor. One thread. Callbacks may add and remove
// any descriptor, their own included: a callback that was removed is not called any more, even for
// an event that was already reported.
class EventLoop {
 public:
  using Handler = std::function<void(std::uint32_t events)>;

  EventLoop();

  // `fd` stays the caller's and must be removed before it is closed. `events`: EPOLLIN, EPOLLOUT …
  void add(int fd, std::uint32_t events, Handler handler);
  void modify(int fd, std::uint32_t events);
  void remove(int fd);

  // Calls the handlers of what is ready, waiting at most `timeout` (nullopt = for ever) for the
  // first.
  void run_once(std::optional<Duration> timeout);

  // Readable while a watched descriptor is ready: lets one loop be watched by another.
  [[nodiscard]] int fd() const { return epoll_.get(); }

 private:
  struct Entry {
    std::uint64_t serial = 0;  // tells a descriptor from an earlier one of the same number
    Handler handler;
  };
  void control(int operation, int fd, std::uint32_t events, std::uint64_t serial);

  UniqueFd epoll_;
  std::unordered_map<int, std::shared_ptr<Entry>> entries_;
  std::uint64_t next_serial_ = 1;
};

// Milliseconds for epoll_wait and poll, rounded up so that a wait never ends early; -1 = for ever.
int to_poll_timeout(std::optional<Duration> timeout);

}  // namespace cresset::posix
