#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "cresset/base/result.h"
#include "cresset/base/value.h"

namespace cresset::app {

// What a user chose for one run; kept with the run, so that `resume` and `retry` do the same again.
struct RunOptions {
  bool use_cache =
      true;  // --no-cache clears it: nothing is taken from the cache, results still go in
  bool offline = false;    // --offline
  bool fail_fast = false;  // --fail-fast
  bool cold = false;       // --cold: each step gets a new interpreter
  std::int64_t jobs = 0;   // -j; 0 = as many as the machine has CPUs
  std::string python;      // the interpreter, resolved once per run to an absolute path
  std::vector<std::pair<std::string, std::string>>
      env;  // --env, values resolved when the run was made
  std::string path_variable = "/usr/local/bin:/usr/bin:/bin";  // PATH of the steps: the caller's
  std::string locale = "C.UTF-8";                              // LANG of the steps: the caller's
  std::string success_word =
      "SUCCEEDED";  // what a final status calls success; "COMPLETE" for older pipelines
  std::int64_t log_cap_bytes = std::int64_t{1} << 30;
};

Value encode(const RunOptions& options);
Result<RunOptions> decode_run_options(const Value& value);

}  // namespace cresset::app
