#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "sim/disk_players.h"
#include "sim/sim_disk.h"

// What can happen to a store on a disk, tried out one after the other. Each function throws
// BrokenPromise, with what it takes to repeat that case, when the store broke a promise.
namespace cresset::sim {

// What was tried. `points` are the places at which something was made to go wrong.
struct TrialTally {
  std::uint64_t operations = 0;  // of the script, without anything going wrong
  std::uint64_t points = 0;
  std::uint64_t worlds = 0;  // disks that the calls were made on
  Players::Tally players;
  SimDisk::Counters disk;

  TrialTally& operator+=(const TrialTally& other);
};
// Lines of "name: number", or "name: kind number, kind number" with all of a group.
std::string to_string(const TrialTally& tally);

using Script = std::vector<Call>;

// Two processes make runs, commit, post, remove, and the last one to close tidies up.
Script short_script();
// So much that the log is checkpointed on the way, once with a reader that holds a part of it back.
Script long_script();

// The script on a disk with that content; one point in `stride` is tried, from the seed's own
// first one on.
struct TrialPlan {
  Script script;
  SimDisk::Image image;
  std::uint64_t stride = 1;
  std::uint64_t seed = 1;
  std::size_t outcomes = 2;  // of each power cut
  bool lying = false;        // the disk says that it has synced and has not
};

// At each operation a process dies, before, in the middle or after. Then, each in a world of its
// own: others go on; all die and one comes back; the power goes.
TrialTally try_deaths(const TrialPlan& plan);
// Each sync fails, once or from then on. The process that was told gets no further commit through
// and dies; others go on, or die too; later the power goes.
TrialTally try_failed_syncs(const TrialPlan& plan);
// Each write finds no space; so does each amount of space that is less than enough. What failed
// works when there is space again.
TrialTally try_full_disk(const TrialPlan& plan);
// Two processes make random calls while everything goes wrong at random.
TrialTally try_random(std::uint64_t seed, std::size_t calls);

}  // namespace cresset::sim
