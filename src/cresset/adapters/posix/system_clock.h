#pragma once

#include "cresset/ports/clock.h"

namespace cresset::posix {

// The clocks of the machine: CLOCK_MONOTONIC and CLOCK_REALTIME.
class SystemClock final : public ports::Clock {
 public:
  TimePoint now() override;
  WallTime wall_now() override;
};

// Time since the machine was started, in which the kernel gives the start of a process; it counts
// while the machine sleeps.
Duration time_since_boot();

}  // namespace cresset::posix
