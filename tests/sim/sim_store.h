#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "cresset/ports/metadata_store.h"
#include "sim/process_id.h"
#include "sim/seeded_random.h"
#include "sim/sim_disk.h"

namespace cresset::sim {

// Faults of a store that can have them by itself, counted when they happen.
struct StoreFaults {
  double sync = 0;
  double write = 0;
  double read = 0;
  double space = 0;
  double death = 0;
};
struct StoreCounts {
  std::uint64_t operations = 0;
  std::uint64_t syncs_failed = 0;
  std::uint64_t writes_failed = 0;
  std::uint64_t reads_failed = 0;
  std::uint64_t writes_without_space = 0;
  std::uint64_t deaths = 0;
  std::uint64_t writes_torn_or_lost = 0;  // by power cuts and failed syncs: no faults of their own
};

// Where the runs of a world are stored: it outlives its processes, as a disk does.
class SimStore {
 public:
  virtual ~SimStore() = default;
  virtual Result<std::unique_ptr<ports::MetadataStore>> open(ProcessId process) = 0;
  // It died of what the store did: whatever it asks for fails.
  [[nodiscard]] virtual bool dead(ProcessId process) const = 0;
  // What the process held goes with it. Its handles are still there and may not be used any more.
  virtual void kill(ProcessId process) = 0;
  // After kill() of all: what nobody made durable may be gone.
  virtual void power_cut() = 0;
  // The lock of the run's engine keeps nobody out any more, while the engine lives on. False when
  // there is no such lock.
  virtual bool break_lock(const model::RunId& run) = 0;
  virtual void set_faults(const StoreFaults& faults) = 0;
  // A process of the world dies at the operation of the disk with this number, or at its next one:
  // before it, in its middle or after it.
  virtual void die_at(std::uint64_t operation, SimDisk::When when) = 0;
  // Numbers of the operations that wrote so far.
  [[nodiscard]] virtual std::vector<std::uint64_t> writes() const = 0;
  [[nodiscard]] virtual StoreCounts counts() const = 0;
};

// A store that does as the port says, and nothing else.
std::unique_ptr<SimStore> make_memory_store();
// The real SQLite store on a simulated disk. `random` outlives it.
std::unique_ptr<SimStore> make_disk_store(SeededRandom& random);

}  // namespace cresset::sim
