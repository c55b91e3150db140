#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "sim/seeded_random.h"
#include "sim/sketch.h"

// Random pipelines: the same random numbers give the same sketch.
namespace cresset::sim {

// What a world wants of its pipelines. Chances are in thousandths.
struct Taste {
  std::size_t leaves_max = 12;             // of an ordinary one
  unsigned tens = 60;                      // up to ten times as many leaves
  unsigned thousands_in_ten_thousand = 5;  // wide loops, long chains, wide fan-outs
  unsigned mischief = 200;                 // of a step
  unsigned for_good = 150;                 // of that: no retry helps
  unsigned caching = 350;
  unsigned odd_names = 60;
  bool task_deadlines = true;
  bool run_deadlines = true;
  bool volumes = true;
};

Sketch make_sketch(SeededRandom& random, const Taste& taste = {});

// Small pipelines, one or a few for each construct: what is tried with every fault at every place.
std::vector<std::pair<std::string, Sketch>> corpus();

}  // namespace cresset::sim
