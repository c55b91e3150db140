#pragma once

#include <string>
#include <string_view>

#include "sim/sketch.h"

// How a step behaves, as the text that its IR carries to the simulated program.
namespace cresset::sim {

struct Behaviour {
  struct Input {
    Type type = Type::kString;
    bool declared = true;
  };
  // Label, outputs, mischief, times and manners; not what only the engine looks at.
  Step step;
  ByName<Input> inputs;  // of a step that gets them one by one
};

// `task` holds a step. Its retries are in the text too: whatever decides how it ends is part of the
// cache key.
std::string encode_behaviour(const Task& task);
// CHECKs that it is such a text.
Behaviour decode_behaviour(std::string_view text);

}  // namespace cresset::sim
