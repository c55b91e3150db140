#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <stdexcept>
#include <utility>

#include "cresset/base/check.h"
#include "cresset/ports/clock.h"
#include "cresset/ports/reactor.h"

namespace cresset::ports::testing {

// Time that stands still until the test, or a SimReactor, moves it. What is due happens in the
// order of (instant, order of asking), so that a test runs the same way each time. One thread.
class SimClock final : public Clock {
 public:
  TimePoint now() override { return now_; }
  WallTime wall_now() override { return WallTime(now_.time_since_epoch() + wall_offset_); }

  // `action` happens when time reaches `when`; one in the past happens at the next advance.
  void at(TimePoint when, std::function<void()> action) {
    timers_.emplace(std::max(when, now_), std::move(action));
  }
  [[nodiscard]] std::optional<TimePoint> next() const {
    return timers_.empty() ? std::nullopt : std::optional(timers_.begin()->first);
  }

  // Does what is due until then, each thing at its own instant.
  void advance_to(TimePoint then) {
    while (!timers_.empty() && timers_.begin()->first <= then) do_next();
    now_ = std::max(now_, then);
  }
  void advance(Duration by) { advance_to(now_ + by); }
  // Moves to the instant of the earliest thing that is due, and does that one thing.
  void do_next() {
    CHECK(!timers_.empty());
    auto timer = timers_.extract(timers_.begin());
    now_ = std::max(now_, timer.key());
    timer.mapped()();
  }

  // The calendar jumps, as it does when a clock is set; now() does not notice.
  void jump_wall(Duration by) { wall_offset_ += by; }

 private:
  TimePoint now_{};
  Duration wall_offset_ = std::chrono::seconds(1'800'000'000);
  std::multimap<TimePoint, std::function<void()>> timers_;  // equal keys keep their order
};

// Nothing will ever happen any more, and somebody waits for it: a wake-up was lost.
struct StuckForEver : std::logic_error {
  StuckForEver() : std::logic_error("a wait without end: nothing is due and nobody was woken") {}
};

// A Reactor that moves a SimClock to the next instant at which something happens, instead of
// waiting for it. Fakes get `[&] { reactor.wake(); }`.
class SimReactor final : public Reactor {
 public:
  // `clock` outlives the reactor.
  explicit SimReactor(SimClock& clock) : clock_(clock) {}

  void wake() { woken_ = true; }
  // Called at the beginning of each wait: lets a test act between two turns of an engine, or end it
  // by an exception.
  void before_wait(std::function<void()> hook) { before_wait_ = std::move(hook); }
  [[nodiscard]] int waits() const { return waits_; }

  // Throws StuckForEver where a real reactor would wait for ever.
  void wait(std::optional<TimePoint> until) override {
    ++waits_;
    if (before_wait_) before_wait_();
    while (!std::exchange(woken_, false)) {
      const std::optional<TimePoint> next = clock_.next();
      if (until && (!next || *until <= *next)) return clock_.advance_to(*until);
      if (!next) throw StuckForEver();
      clock_.do_next();
    }
  }

 private:
  SimClock& clock_;
  bool woken_ = false;
  int waits_ = 0;
  std::function<void()> before_wait_;
};

}  // namespace cresset::ports::testing
