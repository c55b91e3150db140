#pragma once

#include <cstddef>
#include <functional>
#include <string>

namespace cresset::app {

// One thing that was looked at, and how it is.
struct Finding {
  enum class Verdict { kGood, kWarning, kBad };
  std::string name;  // "run", "artifact" …
  Verdict verdict = Verdict::kGood;
  std::string finding;
  std::string help;       // what to do; empty when it is good
  bool repaired = false;  // done just now, as far as it can be
};

using OnProgress = std::function<void(std::size_t done, std::size_t total)>;

}  // namespace cresset::app
