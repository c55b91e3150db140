#pragma once

#include <string>

#include "sim/sketch.h"

namespace cresset::sim {

// The sketch as {"pipeline_spec": …, "platform_spec": …}, in JSON. Tasks whose components are the
// same in all that they say share one.
std::string to_ir(const Sketch& sketch);

}  // namespace cresset::sim
