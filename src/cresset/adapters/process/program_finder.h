#pragma once

#include <chrono>
#include <map>
#include <string>
#include <utility>

#include "cresset/adapters/process/spawn.h"
#include "cresset/base/result.h"
#include "cresset/base/time.h"
#include "cresset/ports/clock.h"

namespace cresset::process {

// Looks programs up as a shell would. A PATH may be long and steps many, so an answer is remembered
// for kMemoryAge: that much later a program is seen that has appeared in an earlier folder.
class ProgramFinder {
 public:
  static constexpr Duration kMemoryAge = std::chrono::seconds(1);

  explicit ProgramFinder(ports::Clock& clock) : clock_(clock) {}

  // Where `name` is, looked up on the PATH of `env` unless it holds a '/'; relative to `work_dir`
  // where it is relative. kInvalidArgument (empty), kNotFound, kPermissionDenied (it is there, but
  // may not be executed).
  Result<std::string> find(const std::string& name, const Environment& env,
                           const std::string& work_dir);

 private:
  struct Answer {
    std::string program;
    TimePoint at;
  };

  ports::Clock& clock_;
  std::map<std::pair<std::string, std::string>, Answer> answers_;  // by name and PATH
};

}  // namespace cresset::process
