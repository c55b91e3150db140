#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sim/sketch.h"

// What steps make of what they receive: the one thing that the oracle and the simulated program
// have in common.
namespace cresset::sim {

// What an output artifact is on disk: files by their path within it, or the one file with the path
// "".
struct Entry {
  std::vector<std::pair<std::string, std::string>> files;
  bool is_folder = false;
  bool exists = true;
  Value metadata;  // what the step adds
};
// As Artifact::content says it.
std::string content_of(const Entry& entry);

struct Produced {
  ByName<Value> parameters;
  ByName<std::vector<Entry>> artifacts;
};

// A pure function of the step's label, its outputs, and what it received.
Produced produce(const Step& step, const Data& inputs);

// Texts that are hard to carry: quotes, other scripts, placeholders that are none, control
// characters. None holds a NUL.
const std::vector<std::string>& odd_texts();
// The few that conditions compare with.
const std::vector<std::string>& words();

}  // namespace cresset::sim
