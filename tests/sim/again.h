#pragma once

#include <set>
#include <string>
#include <string_view>

#include "sim/sketch.h"

// What of a finished run may be done once more, by the graph alone.
namespace cresset::sim {

using Paths = std::set<std::string, std::less<>>;

// Whether a retry may run the step at `path` again, though it has succeeded: it, or a group around
// it, waits, whatever comes of it, for a task that may be done again. `done` are the steps that
// succeeded. Of what is not known, it may.
bool may_run_again(const Sketch& sketch, std::string_view path, const Paths& done);

// Whether a group around the step at `path` is tried again when it fails, with all that is in it.
bool is_in_retried_group(const Sketch& sketch, std::string_view path);

}  // namespace cresset::sim
