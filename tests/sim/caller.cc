#include "sim/caller.h"

#include <utility>

namespace cresset::sim {

std::uint64_t Caller::enter(std::string_view what, std::string_view detail, bool writes) {
  const std::uint64_t number = stage.calls++;
  stage.note(id, what, detail);
  if (writes) stage.writes.push_back(number);
  die_if_planned(number, false);
  die_by_chance(writes);
  return number;
}

void Caller::leave(std::uint64_t call, bool writes) {
  die_if_planned(call, true);
  die_by_chance(writes);
}

void Caller::die_if_planned(std::uint64_t call, bool after) {
  const std::optional<Strike::How> how = stage.take_strike(call, after, true);
  if (!how) return;
  stage.faults.note(*how == Strike::How::kCrash        ? Fault::kCrash
                    : *how == Strike::How::kKeeperKill ? Fault::kKeeperKill
                                                       : Fault::kPowerCut);
  stage.struck = how;
  die();
}

// Half of them strike before the call, the others when it has been carried out.
void Caller::die_by_chance(bool writes) {
  const Fault fault = writes ? Fault::kCrashAtCommit : Fault::kCrash;
  if (!stage.faults.strikes(fault, 0.5)) return;
  stage.faults.note(fault);
  die();
}

void Caller::die() {
  stage.note(id, "dies");
  throw Crash{};
}

void Caller::later(Duration delay, std::function<void()> action) {
  stage.clock.at(stage.clock.now() + delay,
                 [alive = std::weak_ptr<bool>(alive_), action = std::move(action)] {
                   if (!alive.expired()) action();
                 });
}

}  // namespace cresset::sim
