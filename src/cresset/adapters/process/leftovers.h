#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "cresset/adapters/process/process_table.h"
#include "cresset/model/run.h"

// Processes that a step leaves behind: background jobs, daemons in sessions of their own.
namespace cresset::process {

// Every process of an attempt inherits this variable, which tells whose it is when it has left the
// attempt's session.
inline constexpr const char* kAttemptVariable = "CRESSET_ATTEMPT";

// Kills the children of this process (orphans that it inherited as subreaper) that belong to no
// live attempt. `is_live_attempt` is asked for the text of an attempt's id, `is_live_process` for
// the number of an attempt's main process. A child that says nothing of where it comes from is
// spared while `any_live`. Returns whether children are left that are no main process: their own
// children come to light when they are reaped.
struct LiveAttempts {
  std::function<bool(const std::string& id)> is_live_attempt;
  std::function<bool(pid_t pid)> is_live_process;
  bool any_live = false;
};
bool kill_stray_children(const LiveAttempts& live);

// Kills what is left of attempts whose keeper died, and waits until it is gone (at most some
// seconds).
void kill_lost_attempts(const std::vector<std::pair<model::AttemptId, ProcessIdentity>>& attempts);

}  // namespace cresset::process
