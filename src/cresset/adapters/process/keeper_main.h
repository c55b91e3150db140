#pragma once

#include <string>

#include "cresset/adapters/process/machine.h"

namespace cresset::process {

struct KeeperOptions {
  std::string dir;  // absolute; holds lock, socket, journal, keeper.log and scratch
  MachineOptions machine;
};

// Body of the program that an engine starts as keeper: leaves the caller's session, closes what it
// inherited, and serves until there is nothing to keep. Returns at once in the process that was
// started, when the keeper is ready or one is there already (0), or could not start (1, with the
// reason in keeper.log); and in the keeper itself at its end. The caller must have one thread and
// return this from main().
int run_keeper(const KeeperOptions& options);

}  // namespace cresset::process
