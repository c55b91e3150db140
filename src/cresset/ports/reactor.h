#pragma once

#include <optional>

#include "cresset/base/time.h"

namespace cresset::ports {

// Where an engine waits. The adapters that share a reactor (executor, file worker, environments,
// signals) make it return when one of them has something for `poll()`. Owned by main/; used from
// the engine's thread only.
class Reactor {
 public:
  virtual ~Reactor() = default;

  // Returns when something may have happened, or at `until`; spurious returns are allowed, lost
  // wake-ups are not: what became ready before the call makes it return at once.
  virtual void wait(std::optional<TimePoint> until) = 0;
};

}  // namespace cresset::ports
