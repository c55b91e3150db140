#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include "sim/sketch.h"

namespace cresset::sim {

// Valid sketches, each with something less, the most promising first: without a task, with fewer
// items, without a retry, a condition, an output … Always in the same order, so that a path of
// indexes ("4.0.7") names what a failure was shrunk to. Each one's size_of is smaller.
std::vector<Sketch> smaller(const Sketch& sketch);

// How much there is in it: tasks above all.
std::size_t size_of(const Sketch& sketch);

// What is at the end of such a path; the sketch itself for an empty one. CHECKs that the path leads
// somewhere.
Sketch shrunk(Sketch sketch, std::string_view path);

}  // namespace cresset::sim
