#pragma once

#include "cresset/base/time.h"

namespace cresset::ports {

// The only source of time. `now` never goes back; `wall_now` may jump either way. Any thread.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual TimePoint now() = 0;
  virtual WallTime wall_now() = 0;
};

}  // namespace cresset::ports
