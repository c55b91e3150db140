#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "cresset/app/run_service.h"
#include "cresset/ports/testing/memory_files.h"
#include "cresset/ports/testing/scripted_executor.h"
#include "cresset/ports/testing/sim_clock.h"
#include "sim/faults.h"
#include "sim/ledger.h"
#include "sim/seeded_random.h"
#include "sim/sim_store.h"
#include "sim/trace.h"

namespace cresset::sim {

inline constexpr const char* kHome = "/srv/cresset";

// Something that goes wrong by plan: at the call of a port with this number, of those that all
// processes of a world make.
struct Strike {
  enum class How {
    kCrash,       // the process dies
    kKeeperKill,  // … and the keeper with all that runs
    kPowerCut,    // … and everything else
    kBusy,        // of calls that write to the store: it is refused
    kLost,        // … it fails, and nothing was written
    kKept,        // … it fails, and all was written
    kHalf,        // of file jobs: the process dies when half of it is done
    kDiskBefore,  // of operations of the disk under the store, not of calls: it dies before one
    kDiskDuring,  // … in the middle of it
    kDiskAfter,   // … after it
  };
  std::uint64_t call = 0;
  bool after = false;  // of deaths: the call has been carried out, its answer has not been seen
  How how = How::kCrash;
};
inline bool is_death(Strike::How how) { return how <= Strike::How::kPowerCut; }
inline bool is_at_disk(Strike::How how) { return how >= Strike::How::kDiskBefore; }

// What all processes of a world share and none of them takes along when it dies: the machine with
// its keeper, the disk, the calendar; and what watches over them.
struct Stage {
  Stage(std::uint64_t seed, const FaultRates& rates, bool on_disk, Trace::OnLine on_line)
      : faults(seed, rates),
        order(seed, "order"),
        ids(seed, "ids"),
        disk_random(seed, "disk"),
        trace(std::move(on_line)),
        store(on_disk ? make_disk_store(disk_random) : make_memory_store()) {}

  Faults faults;
  SeededRandom order;  // who goes next, and how long things take
  SeededRandom ids;    // what processes draw
  SeededRandom disk_random;
  Trace trace;
  ports::testing::SimClock clock;
  ports::testing::MemoryFiles files;
  ports::testing::ScriptedMachine machine{clock, files};
  std::unique_ptr<SimStore> store;
  StoreFaults store_faults;
  ProcessId next_observer = kObservers;
  Ledger ledger{clock};

  std::size_t changes_max = app::RunService::Ports::kChangesMax;

  bool disk_full = false;
  bool disk_full_met = false;
  std::uint64_t calls = 0;            // of ports, by all processes
  std::deque<Strike> plan;            // in the order of calls
  std::vector<std::uint64_t> writes;  // numbers of the calls that write to the store
  std::vector<std::uint64_t> halves;  // … of file jobs that a death can leave half done
  // Of the plan: what the process has died of, and the world has yet to do to others.
  std::optional<Strike::How> struck;
  // A process that has died while it stood still, and does not know yet.
  std::optional<ProcessId> doomed;

  // Takes what is planned for this call, if that is so.
  std::optional<Strike::How> take_strike(std::uint64_t call, bool after, bool death) {
    if (plan.empty() || plan.front().call != call || plan.front().how == Strike::How::kHalf ||
        is_death(plan.front().how) != death || (death && plan.front().after != after))
      return std::nullopt;
    const Strike::How how = plan.front().how;
    plan.pop_front();
    return how;
  }

  // The same for a file job that was submitted with this call.
  bool take_half(std::uint64_t call) {
    if (plan.empty() || plan.front().call != call || plan.front().how != Strike::How::kHalf)
      return false;
    plan.pop_front();
    return true;
  }

  // Asked by whatever wants to write: a disk that was full and that nobody met was no fault.
  bool meets_full_disk() {
    if (!disk_full) return false;
    if (!std::exchange(disk_full_met, true)) faults.note(Fault::kDiskFull);
    return true;
  }

  void note(ProcessId who, std::string_view what, std::string_view detail = {}) {
    trace.note(clock.now(), who, what, detail);
  }
};

// A look at what is stored, while nothing goes wrong with it.
class Observer {
 public:
  explicit Observer(Stage& stage);
  ~Observer();
  Observer(const Observer&) = delete;
  Observer& operator=(const Observer&) = delete;

  ports::MetadataStore& store() { return *store_; }

 private:
  Stage& stage_;
  ProcessId id_;
  std::unique_ptr<ports::MetadataStore> store_;
};

// Finds out what became of a write whose outcome its process did not come to know.
void settle(Stage& stage, RunEntry& entry);

}  // namespace cresset::sim
