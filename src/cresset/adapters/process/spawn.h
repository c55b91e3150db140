#pragma once

#include <sys/types.h>

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
// Makes the folders and files of an attempt and its working folder.
Result<void> prepare_files(const ports::StartSpec& spec);

using Environment = std::vector<std::pair<std::string, std::string>>;

struct SpawnRequest {
  const std::vector<std::string>& argv;
  const Environment& env;  // the whole environment
  const std::string& work_dir;
  const std::vector<ports::Mount>& mounts;
  int null_fd = -1;    // becomes stdin
  int output_fd = -1;  // becomes stdout and stderr
};

// Starts a program as leader of a session and group of its own, with default signal handling and no
// other descriptor. An error's message is one sentence for the user: why the program could not be
// started.
Result<ProcessIdentity> spawn(const SpawnRequest& request);

// Where `name` is, looked up on the PATH of `env` unless it holds a '/'; relative to `work_dir`
// where it is relative. kNotFound, kPermissionDenied (it is there, but may not be executed).
Result<std::string> find_program(const std::string& name, const Environment& env,
                                 const std::string& work_dir);

// Longest single argument or environment entry, its end included, that the kernel takes
// (MAX_ARG_STRLEN).
inline constexpr std::size_t kArgumentBytesMax = 128 << 10;

}  // namespace cresset::process
