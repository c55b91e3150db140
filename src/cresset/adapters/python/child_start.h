#pragma once

#include <sys/types.h>

#include <string>
#include <utility>
#include <vector>

#include "cresset/adapters/posix/unique_fd.h"
#include "cresset/base/result.h"

namespace cresset::python {

using Variables = std::vector<std::pair<std::string, std::string>>;

struct Pipe {
  posix::UniqueFd read_end;  // never blocks
  posix::UniqueFd write_end;
};
Result<Pipe> make_pipe();

// What a program gets as its standard streams. -1: nothing to read, and the caller's own to write.
struct Streams {
  int input = -1;
  int output = -1;
  int errors = -1;
  int kept_fd = -1;  // stays open as it is
};

struct StartedChild {
  pid_t pid = 0;
  posix::UniqueFd process;  // readable once it has ended
};

// Starts a program as leader of a session and group of its own; argv[0] is a path. Errors:
// kNotFound, kPermissionDenied, kInvalidArgument (not a program).
Result<StartedChild> start_child(const std::vector<std::string>& argv, const Variables& env,
                                 const Streams& streams);

// Kills the whole group and waits for its leader: the status as waitpid gives it. Once.
int reap_child(pid_t leader);

// As the shell counts: 128 + number for a signal.
int shell_status(int status);

}  // namespace cresset::python
