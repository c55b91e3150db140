#include "cresset/adapters/posix/event_loop.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <limits>

#include "cresset/base/check.h"

namespace cresset::posix {

EventLoop::EventLoop() : epoll_(::epoll_create1(EPOLL_CLOEXEC)) { CHECK(epoll_); }

void EventLoop::add(int fd, std::uint32_t events, Handler handler) {
  auto entry = std::make_shared<Entry>(Entry{next_serial_++ & 0xffffffffU, std::move(handler)});
  CHECK(entries_.emplace(fd, entry).second);
  control(EPOLL_CTL_ADD, fd, events, entry->serial);
}

void EventLoop::modify(int fd, std::uint32_t events) {
  control(EPOLL_CTL_MOD, fd, events, entries_.at(fd)->serial);
}

void EventLoop::remove(int fd) {
  if (entries_.erase(fd) > 0) control(EPOLL_CTL_DEL, fd, 0, 0);
}

void EventLoop::control(int operation, int fd, std::uint32_t events, std::uint64_t serial) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = serial << 32 | static_cast<std::uint32_t>(fd);
  CHECK(::epoll_ctl(epoll_.get(), operation, fd, &event) == 0);
}

void EventLoop::run_once(std::optional<Duration> timeout) {
  std::array<epoll_event, 64> ready{};
  const int count = ::epoll_wait(epoll_.get(), ready.data(), static_cast<int>(ready.size()),
                                 to_poll_timeout(timeout));
  CHECK(count >= 0 || errno == EINTR);
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = ready[static_cast<std::size_t>(i)];
    const auto found = entries_.find(static_cast<int>(event.data.u64 & 0xffffffffU));
    if (found == entries_.end() || found->second->serial != event.data.u64 >> 32) continue;
    // The handler may remove itself while it runs.
    const std::shared_ptr<Entry> entry = found->second;
    entry->handler(event.events);
  }
}

int to_poll_timeout(std::optional<Duration> timeout) {
  if (!timeout) return -1;
  const auto millis = std::chrono::ceil<std::chrono::milliseconds>(*timeout).count();
  return static_cast<int>(std::clamp<decltype(millis)>(millis, 0, std::numeric_limits<int>::max()));
}

}  // namespace cresset::posix
