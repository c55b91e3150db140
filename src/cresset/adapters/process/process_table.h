#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

// What /proc says about processes, and how one is told from a later one with the same number.
namespace cresset::process {

// Names one process of one boot: its start lies within the window, in the clock ticks that
// /proc/<pid>/stat counts. A window costs two clock reads around the spawn, where the exact tick
// would cost reading a file.
struct ProcessIdentity {
  pid_t pid = 0;
  std::uint64_t ticks_from = 0;
  std::uint64_t ticks_to = 0;
  bool operator==(const ProcessIdentity&) const = default;
};

std::uint64_t ticks_since_boot();
std::string read_boot_id();

struct ProcessStat {
  pid_t pid = 0;
  char state = '?';
  pid_t parent = 0;
  pid_t session = 0;
  std::uint64_t start_ticks = 0;
};
// Nothing when there is no such process (any more).
std::optional<ProcessStat> read_stat(pid_t pid);
std::optional<ProcessStat> parse_stat(const std::string& text);
bool is_same_process(const ProcessIdentity& identity);

// All processes of this machine that this user can see.
std::vector<pid_t> list_processes();
// Children of the calling thread, orphans that it inherited as subreaper included.
std::vector<pid_t> list_children();

// Value of a variable in the environment that the process was started with; nothing when it is
// absent or not ours to read.
std::optional<std::string> read_environment_variable(pid_t pid, const std::string& name);

// Out-of-memory kills of the machine since boot; nothing when the kernel does not say.
std::optional<std::uint64_t> read_oom_kills();

}  // namespace cresset::process
