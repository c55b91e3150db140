#pragma once

#include "sim/sketch.h"

namespace cresset::sim {

// Makes a sketch valid again of which parts were taken away: what refers to something that is gone
// goes too, and so does a task that cannot be without it.
void repair(Sketch& sketch);

}  // namespace cresset::sim
