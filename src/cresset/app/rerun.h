#pragma once

#include <string>

#include "cresset/app/run_service.h"
#include "cresset/base/result.h"
#include "cresset/dag/plan.h"

namespace cresset::app {

// Fills `request` with a pipeline of one task: that leaf task of `plan`, given as root inputs what
// it was given in its run. `spec` is the text of the run's pipeline. `changes` replace parameters
// by name; a name that the task does not have is kInvalidArgument, a group kFailedPrecondition.
Result<void> isolate_task(const dag::Plan& plan, dag::TaskOrdinal task, const std::string& spec,
                          const model::ByName<std::string>& changes, RunRequest& request);

}  // namespace cresset::app
