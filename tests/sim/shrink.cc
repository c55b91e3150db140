#include "sim/shrink.h"

#include <fmt/format.h>

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "sim/smaller.h"
#include "sim/world.h"

namespace cresset::sim {

namespace {

constexpr std::uint64_t kSeedsTried = 40;
constexpr std::uint64_t kSeedsTriedAtFirst = 1'000;  // with the whole pipeline, alone in its world

// What promise a world breaks, if any.
std::optional<Violation> broken_by(std::uint64_t seed,
                                   const std::shared_ptr<const Sketch>& sketch) {
  WorldOptions options;
  options.seed = seed;
  options.sketch = sketch;
  return World(std::move(options)).try_run();
}

// Of the worlds that break a promise, the first that breaks the one of that kind, else the first.
bool breaks(Shrunk& candidate, const std::string& kind, std::uint64_t first, std::uint64_t count,
            const std::function<bool()>& go_on) {
  const auto sketch = std::make_shared<const Sketch>(candidate.sketch);
  for (std::uint64_t seed = first; seed < first + count && go_on(); ++seed) {
    const std::optional<Violation> broken = broken_by(seed, sketch);
    const bool is_same = broken && (kind.empty() || broken->kind == kind);
    if (!broken || (!is_same && !candidate.what.empty())) continue;
    candidate.what = broken->what();
    candidate.kind = broken->kind;
    candidate.seed = seed;
    if (is_same) return true;
  }
  return !candidate.what.empty();
}

}  // namespace

Shrunk shrink(std::uint64_t seed, const Sketch& sketch, const std::function<bool()>& go_on) {
  Shrunk best{seed, {}, {}, {}, sketch};
  if (!breaks(best, {}, seed, kSeedsTriedAtFirst, go_on)) return {seed, {}, {}, {}, sketch};
  bool smaller_found = true;
  while (smaller_found && go_on()) {
    smaller_found = false;
    const std::vector<Sketch> candidates = smaller(best.sketch);
    for (std::size_t i = 0; i < candidates.size() && !smaller_found && go_on(); ++i) {
      Shrunk candidate{seed,
                       fmt::format("{}{}{}", best.cut, best.cut.empty() ? "" : ".", i),
                       {},
                       {},
                       candidates[i]};
      if (!breaks(candidate, best.kind, best.seed, kSeedsTried, go_on)) continue;
      best = std::move(candidate);
      smaller_found = true;
    }
  }
  return best;
}

}  // namespace cresset::sim
