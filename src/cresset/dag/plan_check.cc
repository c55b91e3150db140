#include <fmt/core.h>

#include "cresset/dag/plan_state.h"

// Plan::check: whether an event can have been written about the run as it stands.
namespace cresset::dag {

namespace {

template <class... Args>
Result<void> impossible(fmt::format_string<Args...> format, Args&&... args) {
  return make_error(Code::kDataLoss, format, std::forward<Args>(args)...);
}

}  // namespace

Result<void> Plan::Impl::check_step(NodeId id) const {
  if (id >= nodes_.size())
    return impossible("it is about task {}, and the run has {} by then", id, nodes_.size());
  if (!is_leaf(nodes_[id])) return impossible("it is about task {}, which is no step", id);
  return {};
}

// Answers may come late: an attempt that is over is one that there was.
Result<void> Plan::Impl::check_attempt(NodeId id, std::uint32_t attempt) const {
  CR_TRY_VOID(check_step(id));
  if (attempt >= 1 && attempt <= nodes_[id].attempt) return {};
  return impossible("it is about attempt {} of task {}, which has had {} by then", attempt, id,
                    nodes_[id].attempt);
}

Result<void> Plan::Impl::check_timer(const TimerId& timer) const {
  switch (timer.kind) {
    case TimerKind::kRunDeadline:
      if (pipeline_->config.active_deadline) return {};
      return impossible("it is about the run's time-out, and it has none");
    case TimerKind::kTaskDeadline:
      CR_TRY_VOID(check_attempt(timer.task, timer.attempt));
      if (deadline(nodes_[timer.task])) return {};
      return impossible("it is about the time-out of task {}, which has none", timer.task);
    case TimerKind::kRetry:
      // Groups are tried again as well.
      if (timer.task < nodes_.size() && retry_policy(nodes_[timer.task]) != nullptr) return {};
      return impossible("it is about another try of task {}, which has none", timer.task);
  }
  return {};
}

Result<void> Plan::Impl::check(const Event& event) const {
  if (const auto* missed = std::get_if<CacheMissed>(&event)) return check_step(missed->task);
  if (const auto* hit = std::get_if<CacheHit>(&event)) return check_step(hit->task);
  if (const auto* began = std::get_if<AttemptRunning>(&event))
    return check_attempt(began->task, began->attempt);
  if (const auto* ended = std::get_if<AttemptSucceeded>(&event))
    return check_attempt(ended->task, ended->attempt);
  if (const auto* ended = std::get_if<AttemptFailed>(&event))
    return check_attempt(ended->task, ended->attempt);
  if (const auto* fired = std::get_if<TimerFired>(&event)) return check_timer(fired->timer);
  return {};
}

}  // namespace cresset::dag
