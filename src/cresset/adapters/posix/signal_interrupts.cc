#include "cresset/adapters/posix/signal_interrupts.h"

#include <atomic>
#include <cerrno>
#include <utility>

#include "cresset/base/check.h"

namespace cresset::posix {

namespace {

constexpr int kLevelMax = 2;

// What a signal handler may touch: it has no object.
std::atomic<int> interrupt_level{0};
std::atomic<bool> hang_up_seen{false};
std::atomic<int> last_signal{0};
std::atomic<int> waker_fd{-1};

void on_signal(int signal) {
  const int saved_errno = errno;
  last_signal = signal;
  if (signal == SIGHUP) {
    hang_up_seen = true;
  } else if (interrupt_level.fetch_add(1) + 1 >= kLevelMax) {
    struct sigaction by_default{};
    by_default.sa_handler = SIG_DFL;
    ::sigaction(signal, &by_default, nullptr);
  }
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t ignored = ::write(waker_fd, &one, sizeof one);
  errno = saved_errno;
}

}  // namespace

SignalInterrupts::SignalInterrupts(Waker waker)
    : waker_(std::move(waker)), saved_{{{SIGINT, {}}, {SIGTERM, {}}, {SIGHUP, {}}}} {
  int none = -1;
  CHECK(waker_fd.compare_exchange_strong(none, waker_.fd()));
  interrupt_level = 0;
  hang_up_seen = false;
  last_signal = 0;
  for (Saved& saved : saved_) {
    CHECK(::sigaction(saved.signal, nullptr, &saved.action) == 0);
    if (saved.action.sa_handler == SIG_IGN) continue;
    struct sigaction counting{};
    counting.sa_handler = on_signal;
    counting.sa_flags = SA_RESTART;
    CHECK(::sigaction(saved.signal, &counting, nullptr) == 0);
  }
}

SignalInterrupts::~SignalInterrupts() {
  for (const Saved& saved : saved_) ::sigaction(saved.signal, &saved.action, nullptr);
  waker_fd = -1;
}

int SignalInterrupts::level() const { return std::min(interrupt_level.load(), kLevelMax); }

bool SignalInterrupts::hung_up() const { return hang_up_seen; }

int SignalInterrupts::last() const { return last_signal; }

}  // namespace cresset::posix
