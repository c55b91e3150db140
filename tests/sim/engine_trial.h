#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "sim/generate.h"
#include "sim/oracle.h"
#include "sim/sketch.h"

// A sketch under the real engine, over fakes and without any fault, against the oracle: what tells
// whether generator, program and oracle mean the same thing as the engine.
namespace cresset::sim {

struct Trial {
  std::string difference;  // empty: all as foreseen
  std::uint64_t runs = 0;
  std::uint64_t steps = 0;   // processes that began
  std::uint64_t cached = 0;  // tasks taken from the cache
};

// One run, and further generations of it while it fails, four in all; then another run of the same
// pipeline, which may take from the first what is cached. With `cancel_after`, one more that is
// cancelled (killed when the number is odd) when the engine has waited so often, and is then
// retried; and one with --fail-fast, retried while it fails.
Trial try_with_engine(const Sketch& sketch, std::optional<std::uint64_t> cancel_after = {});

// What is different when `sketch` runs and `other`, which has the same tasks, is what is foreseen.
std::string compare_with_engine(const Sketch& sketch, const Sketch& other);

// The sketch of a seed, as the trials and cresset-sim-trials make it.
Sketch sketch_of(std::uint64_t seed, const Taste& taste = {});

}  // namespace cresset::sim
