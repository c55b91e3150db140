#include "sim/sim_store.h"

#include "cresset/base/check.h"
#include "cresset/ports/testing/memory_store.h"
#include "sim/sim_disk.h"

namespace cresset::sim {

namespace {

// Durable by itself: what a power cut does to a database is the simulated disk's subject.
class MemorySimStore final : public SimStore {
 public:
  Result<std::unique_ptr<ports::MetadataStore>> open(ProcessId) override {
    return std::unique_ptr<ports::MetadataStore>(
        std::make_unique<ports::testing::MemoryStore>(database_));
  }
  [[nodiscard]] bool dead(ProcessId) const override { return false; }
  void kill(ProcessId) override {}
  void power_cut() override {}
  bool break_lock(const model::RunId& run) override {
    const Result<bool> owned = ports::testing::MemoryStore(database_).is_owned(run);
    database_.break_lock(run);
    return owned.has_value() && *owned;
  }
  void set_faults(const StoreFaults&) override {}
  void die_at(std::uint64_t, SimDisk::When) override { CHECK(false); }
  [[nodiscard]] std::vector<std::uint64_t> writes() const override { return {}; }
  [[nodiscard]] StoreCounts counts() const override { return {}; }

 private:
  ports::testing::MemoryDatabase database_;
};

class DiskSimStore final : public SimStore {
 public:
  explicit DiskSimStore(SeededRandom& random) : disk_(random, SimDisk::prepared()) {
    disk_.on_operation([this](ProcessId, SimDisk::Operation operation, std::uint64_t number) {
      if (operation == SimDisk::Operation::kWrite) writes_.push_back(number);
    });
  }

  Result<std::unique_ptr<ports::MetadataStore>> open(ProcessId process) override {
    return disk_.open_store(process);
  }
  [[nodiscard]] bool dead(ProcessId process) const override { return disk_.dead(process); }
  void kill(ProcessId process) override { disk_.kill(process); }
  void power_cut() override { disk_.power_cut(); }
  bool break_lock(const model::RunId& run) override { return disk_.break_lock(run); }
  void set_faults(const StoreFaults& faults) override {
    SimDisk::Rates rates;
    auto set = [&rates](SimDisk::Fault fault, double rate) {
      rates.faults[static_cast<std::size_t>(fault)] = rate;
    };
    set(SimDisk::Fault::kSyncFailure, faults.sync);
    set(SimDisk::Fault::kWriteError, faults.write);
    set(SimDisk::Fault::kReadError, faults.read);
    set(SimDisk::Fault::kNoSpace, faults.space);
    rates.death = faults.death;
    disk_.set_rates(rates);
  }
  void die_at(std::uint64_t operation, SimDisk::When when) override {
    disk_.die_at(operation, when);
  }
  [[nodiscard]] std::vector<std::uint64_t> writes() const override { return writes_; }
  [[nodiscard]] StoreCounts counts() const override {
    const SimDisk::Counters& counters = disk_.counters();
    const auto of = [&counters](SimDisk::Fault fault) {
      return counters.faults[static_cast<std::size_t>(fault)];
    };
    StoreCounts counts;
    counts.operations = disk_.operations();
    counts.syncs_failed = of(SimDisk::Fault::kSyncFailure);
    counts.writes_failed = of(SimDisk::Fault::kWriteError);
    counts.reads_failed = of(SimDisk::Fault::kReadError);
    counts.writes_without_space = of(SimDisk::Fault::kNoSpace);
    counts.deaths = counters.deaths;
    counts.writes_torn_or_lost = counters.writes_torn + counters.writes_lost;
    return counts;
  }

 private:
  std::vector<std::uint64_t> writes_;
  SimDisk disk_;
};

}  // namespace

std::unique_ptr<SimStore> make_disk_store(SeededRandom& random) {
  return std::make_unique<DiskSimStore>(random);
}

std::unique_ptr<SimStore> make_memory_store() { return std::make_unique<MemorySimStore>(); }

}  // namespace cresset::sim
