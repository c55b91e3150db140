#pragma once

#include <string_view>

#include "cresset/dag/plan.h"
#include "cresset/model/run.h"

namespace cresset::app {

// Follows a run as it goes, in the thread that drives or follows it. Calls must return soon; a slow
// one slows the run.
class RunObserver {
 public:
  virtual ~RunObserver() = default;
  // Of a run that had begun before: as it stands when its following begins, and again when this
  // process takes it over from another. on_changes() tells only what comes after.
  virtual void on_attached(const dag::Plan& /*plan*/) {}
  // After each batch of events: the tasks whose state, attempt or progress changed, in order.
  // `plan` may be asked for more.
  virtual void on_changes(const dag::Plan& plan, const std::vector<dag::TaskBrief>& changes) = 0;
  // For what this step, which was asked to start, waits now: "1 CPU", "its environment". Known only
  // to the process that drives the run, and not of every step.
  virtual void on_waiting(const dag::Plan& /*plan*/, dag::TaskOrdinal /*task*/,
                          std::string_view /*for_what*/) {}
  // Something the user should know once: clamped requests, settings without effect on this engine,
  // a build under way.
  virtual void on_notice(std::string_view text) = 0;
  // At least every 100 ms while the run goes on, so that a live display can tick.
  virtual void on_tick(const dag::Plan& plan) = 0;
};

}  // namespace cresset::app
