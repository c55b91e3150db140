#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cresset/adapters/posix/unique_fd.h"
#include "cresset/adapters/python/child_start.h"
#include "cresset/base/result.h"
#include "cresset/base/time.h"

namespace cresset::python {

// Once raised, it ends every wait of this folder and the programs that it runs. Any thread.
class StopSignal {
 public:
  StopSignal();
  void raise();
  // True when it is raised, at the latest after `limit`.
  [[nodiscard]] bool wait(Duration limit) const;
  [[nodiscard]] int fd() const { return event_.get(); }  // readable once raised

 private:
  posix::UniqueFd event_;
};

struct ChildSpec {
  std::vector<std::string> argv;  // argv[0] is a path
  Variables env;                  // the whole environment
  std::optional<Duration> limit = {};
  int kept_fd = -1;  // stays open in the program and in what it starts: a lock that ends with the
                     // last of them
};

struct ChildEnd {
  int status = 0;      // as the shell counts: 128 + number for a signal
  std::string output;  // the last MiB of each
  std::string errors;
};

// Runs a program to its end, as leader of a session and group of its own, without input. Whatever
// of its group outlives it is killed. Errors: kCancelled (stop was raised; the group is killed),
// kDeadlineExceeded (so too), kNotFound, kPermissionDenied, kInvalidArgument (not a program).
Result<ChildEnd> run_child(const ChildSpec& spec, const StopSignal& stop);

// The last lines of what a program said, each indented: for messages.
std::string last_lines(const ChildEnd& end, std::size_t lines_max = 12);

}  // namespace cresset::python
