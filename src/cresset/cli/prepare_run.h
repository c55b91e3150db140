#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cresset/app/run_service.h"
#include "cresset/cli/verbs.h"

namespace cresset::cli {

// What `cresset run` makes of its words, up to the run's creation.
struct PreparedRun {
  int status = kFine;                      // else the user has been told why there is no request
  std::optional<app::RunRequest> request;  // with kFine
  std::vector<std::string> notices;
  std::vector<std::string> files;  // absolute: what has to change for another result
};

// `more_follow`: the same file will be read again soon.
PreparedRun prepare_run(const RunVerb& verb, Session session, bool more_follow);

}  // namespace cresset::cli
