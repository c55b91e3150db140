#include <charconv>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sim/disk_trials.h"

namespace {

using namespace cresset::sim;  // NOLINT: the program's own

constexpr const char* kUsage =
    "usage: cresset-sim-disk random FIRST COUNT [CALLS]\n"
    "       cresset-sim-disk deaths|syncs|space STRIDE SEED [long] [empty]\n";

void print(const std::string& text) { std::fputs((text + "\n").c_str(), stdout); }

std::optional<std::uint64_t> number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// How many promises were broken.
int try_seeds(std::uint64_t first, std::uint64_t count, std::uint64_t calls) {
  int broken = 0;
  TrialTally total;
  for (std::uint64_t seed = first; seed < first + count; ++seed) {
    try {
      total += try_random(seed, calls);
    } catch (const BrokenPromise& promise) {
      ++broken;
      print(promise.what());
    }
  }
  print(to_string(total));
  return broken;
}

int try_each(std::string_view what, const TrialPlan& plan) {
  try {
    print(to_string(what == "deaths"  ? try_deaths(plan)
                    : what == "syncs" ? try_failed_syncs(plan)
                                      : try_full_disk(plan)));
    return 0;
  } catch (const BrokenPromise& promise) {
    print(promise.what());
    return 1;
  }
}

std::optional<int> obey(const std::vector<std::string_view>& words) {
  if (words.size() < 3) return std::nullopt;
  const auto first = number(words[1]);
  const auto second = number(words[2]);
  if (!first || !second) return std::nullopt;
  if (words[0] == "random") {
    const auto calls = words.size() > 3 ? number(words[3]) : std::optional<std::uint64_t>(60);
    if (!calls || words.size() > 4) return std::nullopt;
    return try_seeds(*first, *second, *calls);
  }
  if (*first == 0 || (words[0] != "deaths" && words[0] != "syncs" && words[0] != "space"))
    return std::nullopt;
  TrialPlan plan{short_script(), SimDisk::prepared(), *first, *second};
  for (std::size_t i = 3; i < words.size(); ++i) {
    if (words[i] == "long") {
      plan.script = long_script();
    } else if (words[i] == "empty") {
      plan.image = {};
    } else {
      return std::nullopt;
    }
  }
  return try_each(words[0], plan);
}

}  // namespace

// cresset-sim-disk: more of what cresset_sim_disk_test tries, and one case again. `random` plays
// that many seeds, each with CALLS calls; the others try one place in STRIDE, where 1 is all of
// them. The end is what was tried (disk_trials.h). Exits with 1 when a promise was broken, with 2
// for words that it does not know.
int main(int argc, char** argv) {
  const std::optional<int> broken = obey({argv + 1, argv + argc});
  if (broken) return *broken == 0 ? 0 : 1;
  std::fputs(kUsage, stderr);
  return 2;
}
