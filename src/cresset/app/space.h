#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "cresset/ports/metadata_store.h"

namespace cresset::app {

// What a run's files take on the disk, as du counts.
struct RunSpace {
  ports::RunRecord record;
  std::int64_t artifacts = 0;
  std::int64_t logs = 0;
  std::int64_t working = 0;  // what gc frees once it has ended
  std::int64_t other = 0;    // inputs and outputs of attempts, sources, workspace
  [[nodiscard]] std::int64_t total() const { return artifacts + logs + working + other; }
};

struct SpaceUse {
  // The part that a removal which was cut off has left: collect_garbage() takes it away.
  static constexpr const char* kLeftovers = "leftovers";

  std::vector<RunSpace> runs;                               // largest first
  std::vector<std::pair<std::string, std::int64_t>> parts;  // of all; their sum is `total`
  std::int64_t total = 0;                                   // of the whole home
};

}  // namespace cresset::app
