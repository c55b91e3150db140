#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "sim/sketch.h"

namespace cresset::sim {

// A world that breaks a promise with one pipeline, made smaller.
struct Shrunk {
  std::uint64_t seed = 0;  // of the world
  std::string cut;         // of the pipeline: a path for shrunk() of smaller.h
  std::string what;        // the promise that it breaks
  std::string kind;        // … as Violation::kind says it
  Sketch sketch;
};

// Takes parts off a pipeline while worlds with it go on to break the same promise; where none of a
// pipeline's does, another one counts too, since the same mistake shows in several. What a world
// does to another pipeline differs, so several seeds are tried for each, from `seed` on. Empty
// `what`: the pipeline alone breaks nothing. `go_on` says whether there is time for another world.
Shrunk shrink(std::uint64_t seed, const Sketch& sketch, const std::function<bool()>& go_on);

}  // namespace cresset::sim
