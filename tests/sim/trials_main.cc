#include <fmt/core.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "sim/engine_trial.h"
#include "sim/ir.h"
#include "sim/smaller.h"

namespace {

using namespace cresset::sim;  // NOLINT: the program's own

void print(const std::string& line) { std::puts(line.c_str()); }

// A failing sketch as far as it can be made smaller and goes on failing, and its path.
std::string shrink(Sketch& sketch, std::uint64_t cancel_after) {
  std::string path;
  for (bool found = true; found;) {
    found = false;
    std::vector<Sketch> candidates = smaller(sketch);
    for (std::size_t i = 0; i < candidates.size() && !found; ++i) {
      if (try_with_engine(candidates[i], cancel_after).difference.empty()) continue;
      sketch = std::move(candidates[i]);
      path += fmt::format("{}{}", path.empty() ? "" : ".", i);
      found = true;
    }
  }
  return path;
}

// A sketch that was made smaller at random, a few times over.
Sketch worn(Sketch sketch, std::uint64_t seed) {
  for (std::uint64_t left = 1 + seed % 12; left > 0; --left) {
    std::vector<Sketch> candidates = smaller(sketch);
    if (candidates.empty()) break;
    sketch = std::move(
        candidates[(seed * 0x9e3779b97f4a7c15 + left * 0xbf58476d1ce4e5b9) % candidates.size()]);
  }
  return sketch;
}

}  // namespace

// cresset-sim-trials FIRST COUNT [MODE]: the seeds from FIRST on under the engine, without faults.
// Prints each that comes to something else than the oracle says, and exits with 1 when there is
// one. MODE: "ir" prints the pipelines; "worn" takes parts of them away first; "shrink" makes what
// fails small; a path such as 4.0.7 takes the sketch that it leads to.
int main(int argc, char** argv) {
  if (argc < 3) {
    std::fputs("usage: cresset-sim-trials FIRST COUNT [ir|worn|shrink|PATH]\n", stderr);
    return 2;
  }
  const auto first = std::strtoull(argv[1], nullptr, 10);
  const auto count = std::strtoull(argv[2], nullptr, 10);
  const std::string_view mode = argc > 3 ? argv[3] : "";
  Trial total;
  unsigned wrong = 0;
  for (auto seed = first; seed < first + count && wrong < 20; ++seed) {
    Sketch sketch = sketch_of(seed);
    if (mode == "worn") sketch = worn(std::move(sketch), seed);
    if (!mode.empty() && mode.front() >= '0' && mode.front() <= '9')
      sketch = shrunk(std::move(sketch), mode);
    if (mode == "ir") print(to_ir(sketch));
    const std::uint64_t cancel_after = seed * 7919 % 61;
    const Trial trial = try_with_engine(sketch, cancel_after);
    total.runs += trial.runs;
    total.steps += trial.steps;
    total.cached += trial.cached;
    if (trial.difference.empty()) continue;
    ++wrong;
    print(fmt::format("seed {}: {}", seed, trial.difference));
    if (mode != "shrink") continue;
    const std::string path = shrink(sketch, cancel_after);
    print(fmt::format("shrunk to {}: {}\n{}", path,
                      try_with_engine(sketch, cancel_after).difference, to_ir(sketch)));
  }
  print(fmt::format("{} runs, {} steps, {} tasks from the cache, {} seeds wrong", total.runs,
                    total.steps, total.cached, wrong));
  return wrong == 0 ? 0 : 1;
}
