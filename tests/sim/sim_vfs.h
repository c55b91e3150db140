#pragma once

#include "sim/disk_state.h"

namespace cresset::sim {

// Fills in the process's VFS and registers it with SQLite under its name, not as the default one.
// What it promises of the disk is what SQLite's own VFS for POSIX promises.
void register_vfs(DiskState::Process& process);

}  // namespace cresset::sim
