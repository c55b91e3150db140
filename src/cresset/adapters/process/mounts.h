#pragma once

#include <sys/resource.h>

#include <optional>
#include <string>
#include <vector>

#include "cresset/adapters/process/process_table.h"
#include "cresset/base/result.h"
#include "cresset/ports/executor.h"

namespace cresset::process {

struct MountedSpawn {
  const std::string& program;
  char* const* argv;
  char* const* env;
  const std::string& work_dir;
  const std::vector<ports::Mount>& mounts;
  // Both: the program leads a session of its own, and ignores what the caller ignores. None: it
  // stays in the caller's session, with its streams, and ignores no signal.
  int null_fd = -1;
  int output_fd = -1;
  std::optional<rlimit> open_files = {};  // nothing: the limit of the caller
};

// Starts a program in a mount namespace of its own in which each mount's source is seen at its
// target; nothing changes for the rest of the machine. Without privileges a user namespace is made
// for it, in which every id is the user's own. Mount points that do not exist are made in a tmpfs
// laid over the nearest folder above, whose entries stay visible. Other threads of the caller may
// hold no lock meanwhile but those that the C library frees in a fork, its allocator's among them.
// An error's message is one sentence for the user.
Result<ProcessIdentity> spawn_with_mounts(const MountedSpawn& request);

}  // namespace cresset::process
