#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cresset/adapters/process/process_table.h"
#include "cresset/base/result.h"
#include "cresset/ports/executor.h"

namespace cresset::process {

// Writes one file; makes its folder when absent. Who reads the path sees what was there before or
// the whole file, never a part of it.
Result<void> write_file(const ports::FileToWrite& file);
// Removes what an earlier start of the attempt has left, and makes its folders, files and working
// folder.
Result<void> prepare_files(const ports::StartSpec& spec);

using Environment = std::vector<std::pair<std::string, std::string>>;

struct SpawnRequest {
  const std::string& program;  // its file
  const std::vector<std::string>& argv;
  const Environment& env;  // the whole environment
  const std::string& work_dir;
  const std::vector<ports::Mount>& mounts;
  int null_fd = -1;                       // becomes stdin
  int output_fd = -1;                     // becomes stdout and stderr
  std::optional<rlimit> open_files = {};  // nothing: the limit of the caller
};

// Starts a program as leader of a session and group of its own, with no signal blocked and no other
// descriptor; returns when it runs. The caller handles signals by no function, and what it ignores
// the program ignores. An error's message is one sentence for the user: why the program could not
// be started.
Result<ProcessIdentity> spawn(const SpawnRequest& request);

// Longest single argument or environment entry, its end included, that the kernel takes
// (MAX_ARG_STRLEN).
inline constexpr std::size_t kArgumentBytesMax = 128 << 10;

}  // namespace cresset::process
