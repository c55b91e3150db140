#pragma once

#include "cresset/ports/clock.h"

namespace cresset::posix {

// The clocks of the machine: CLOCK_MONOTONIC and CLOCK_REALTIME.
class SystemClock final : public ports::Clock {
 public:
  TimePoint now() override;
  WallTime wall_now() override;
};

}  // namespace cresset::posix
