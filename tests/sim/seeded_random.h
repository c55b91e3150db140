#pragma once

#include <cstdint>
#include <string_view>

#include "cresset/ports/random.h"

namespace cresset::sim {

// The numbers that follow from a seed, the same on every machine (SplitMix64, public domain
// algorithm by Sebastiano Vigna).
class SeededRandom final : public ports::Random {
 public:
  explicit SeededRandom(std::uint64_t seed) : state_(seed) {}
  // A stream of its own for each use, so that drawing more of one leaves the others as they are.
  SeededRandom(std::uint64_t seed, std::string_view use) : state_(seed) {
    for (const char c : use) state_ = mix(state_ ^ static_cast<unsigned char>(c));
  }

  std::uint64_t next() override { return mix(state_ += 0x9e3779b97f4a7c15); }

  // Uniform in [0, bound); bound is not 0. Its bias is below 2^-32 for the small bounds used here.
  std::uint64_t below(std::uint64_t bound) {
    return static_cast<std::uint64_t>((static_cast<unsigned __int128>(next()) * bound) >> 64);
  }
  std::int64_t between(std::int64_t low, std::int64_t high) {
    return low + static_cast<std::int64_t>(below(static_cast<std::uint64_t>(high - low) + 1));
  }
  bool chance(double probability) {
    return static_cast<double>(next() >> 11) * 0x1p-53 < probability;
  }

 private:
  static std::uint64_t mix(std::uint64_t z) {
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }

  std::uint64_t state_;
};

}  // namespace cresset::sim
