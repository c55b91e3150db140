#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "cresset/app/home.h"
#include "cresset/app/interrupts.h"
#include "cresset/app/run_service.h"
#include "cresset/base/result.h"
#include "cresset/ports/executor.h"

namespace cresset::app {

// Where a step that is run by hand lies: not in the home, whose runs it is none of.
struct HandPlace {
  model::RunId id;
  std::string folder;  // absolute; everything that the step writes goes below it
  std::string runtime_dir;
};

// All that an executor would be given to start the one step of `request`: its environment is built,
// its inputs are written out as files to be made. Nothing is stored, nothing is started.
// kFailedPrecondition when the step is no process, or cannot start; kCancelled when `interrupts`
// says stop.
Result<ports::StartSpec> prepare_by_hand(const RunRequest& request, const HandPlace& place,
                                         const Home& home, const RunService::Ports& ports,
                                         const std::function<void(std::string_view)>& on_notice,
                                         Interrupts& interrupts);

}  // namespace cresset::app
