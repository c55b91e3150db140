#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "sim/seeded_random.h"

namespace cresset::sim {

// What goes wrong in a simulated world. Each has a rate: a probability an opportunity.
enum class Fault {
  kCrash,            // a process dies at a call of a port: before it, or when it has been done
  kCrashAtCommit,    // … at a commit: before it, or between it and its effects
  kKeeperKill,       // the keeper dies, and with it what runs
  kPowerCut,         // everything stops at once; what was not synced is lost or torn
  kConnectionLost,   // an engine's connection to the keeper breaks, with what is under way in it
  kAnswerLost,       // the keeper's word on an attempt never comes on this connection
  kAnswerLate,       // … comes late
  kAnswerRepeated,   // … comes twice
  kZombie,           // a stopped attempt takes long to end
  kStepKilled,       // a step is killed by somebody else, as for want of memory
  kStoreBusy,        // a commit is refused: the store is busy
  kStoreFailed,      // a read of the store fails
  kFsyncFailed,      // a commit fails, and may have been written or not
  kFsyncSlow,        // a commit takes seconds
  kDiskFull,         // no space for some time: for commits, and for what steps write
  kFileFailed,       // a file job fails
  kFileSlow,         // … takes long
  kTornFile,         // a file that nobody synced lost bytes in a power cut
  kArtifactDamaged,  // an artifact of a finished run is deleted or changed
  kClockJump,        // the calendar is set forward or back
  kPause,            // a process stands still for long (SIGSTOP)
  kLockBroken,       // an engine's lock is lost, and another one takes the run over while it lives
  kCount,
};
inline constexpr std::size_t kFaultKinds = static_cast<std::size_t>(Fault::kCount);
std::string_view to_string(Fault fault);  // "crash_at_commit" …

using FaultRates = std::array<double, kFaultKinds>;
using FaultCounts = std::array<std::uint64_t, kFaultKinds>;

// Decides what goes wrong, and counts what really did. A world without faults draws nothing.
class Faults {
 public:
  // Most worlds have few kinds of faults at high rates, some have all at low ones: what needs one
  // fault again and again is found as well as what needs two of different kinds.
  static FaultRates random_rates(SeededRandom& random);

  Faults(std::uint64_t seed, const FaultRates& rates) : random_(seed, "faults"), rates_(rates) {}

  // Whether it is to happen at this opportunity. `share`: for a fault that has several
  // opportunities where others have one.
  bool strikes(Fault fault, double share = 1) {
    const double rate = rates_[static_cast<std::size_t>(fault)] * share;
    return rate > 0 && !healed_ && random_.chance(rate);
  }
  // Where its effect happens: one that was decided on and hit nobody is none.
  void note(Fault fault) { ++counts_[static_cast<std::size_t>(fault)]; }
  // No faults from now on.
  void heal() { healed_ = true; }
  [[nodiscard]] bool healed() const { return healed_; }
  [[nodiscard]] const FaultCounts& counts() const { return counts_; }
  [[nodiscard]] double rate(Fault fault) const { return rates_[static_cast<std::size_t>(fault)]; }
  // For what a fault is like, once it strikes.
  SeededRandom& random() { return random_; }

 private:
  SeededRandom random_;
  FaultRates rates_;
  FaultCounts counts_{};
  bool healed_ = false;
};

}  // namespace cresset::sim
