#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "cresset/adapters/sqlite/locks.h"
#include "sim/sim_disk.h"

namespace cresset::sim {

// Who holds which of the store's locks. They are the kernel's: a process takes its own along when
// it dies, however many objects are left of them.
class LockTable {
 public:
  // For the stores of one process. kUnavailable where a real process would wait. Outlived by the
  // table, as its locks are.
  std::shared_ptr<sqlite::Locks> locks_of(ProcessId process);

  void kill(ProcessId process);
  // As if its file had been removed: whoever comes next locks another one. False: nobody held it.
  bool break_lock(const std::string& name) {
    const auto held = holders_.extract(name);
    return !held.empty() && !held.mapped().empty();
  }

 private:
  class ProcessLocks;
  class Held;
  struct Holder {
    ProcessId process = 0;
    std::uint64_t serial = 0;
    bool alone = false;
  };

  void release(const std::string& name, std::uint64_t serial);

  std::map<std::string, std::vector<Holder>> holders_;
  std::uint64_t last_serial_ = 0;
};

}  // namespace cresset::sim
