#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <unordered_map>

#include "cresset/dag/plan.h"
#include "cresset/model/pipeline.h"

namespace cresset::app {

// Attempts of one run that are to start, in order. Of each component so many at a time are given
// out and wait for the executor to begin them; the others wait here, where one costs a few bytes
// and not its whole environment. By component, because its steps ask the machine for the same: one
// that waits for a GPU keeps no other from starting.
class StartQueue {
 public:
  static constexpr std::size_t kWaitingMax = 1024;

  struct Start {
    dag::TaskOrdinal task = 0;
    std::uint32_t attempt = 0;
    auto operator<=>(const Start&) const = default;
  };

  explicit StartQueue(std::size_t waiting_max = kWaitingMax) : waiting_max_(waiting_max) {}

  void add(const model::Component& component, const Start& start);
  // The next one that may be given out; it counts until on_begun().
  std::optional<Start> take();
  // One of this component that take() gave has begun, or has ended without.
  void on_begun(const model::Component& component);
  // Takes it out of its turn; false when it does not wait here. Fast for the first of a component.
  bool remove(const model::Component& component, const Start& start);

 private:
  struct Line {
    std::deque<Start> held;
    std::size_t waiting = 0;  // given out
  };
  [[nodiscard]] bool may_give(const Line& line) const {
    return !line.held.empty() && line.waiting < waiting_max_;
  }

  std::size_t waiting_max_;
  std::unordered_map<const model::Component*, Line> lines_;
  std::deque<const model::Component*> ready_;  // whose lines may have one to give, in order
};

}  // namespace cresset::app
