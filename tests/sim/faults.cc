#include "sim/faults.h"

#include "cresset/base/check.h"

namespace cresset::sim {

namespace {

struct Kind {
  std::string_view name;
  double rate;  // at which a world with many faults of it still comes to an end
};

constexpr std::array<Kind, kFaultKinds> kKinds{{
    {"crash", 0.05},           {"crash_at_commit", 0.3}, {"keeper_kill", 0.5},
    {"power_cut", 0.5},        {"connection_lost", 0.8}, {"answer_lost", 0.4},
    {"answer_late", 0.8},      {"answer_repeated", 0.9}, {"zombie", 0.9},
    {"step_killed", 0.15},     {"store_busy", 0.15},     {"store_failed", 0.03},
    {"fsync_failed", 0.15},    {"fsync_slow", 0.4},      {"disk_full", 0.5},
    {"file_failed", 0.2},      {"file_slow", 0.6},       {"torn_file", 1.0},
    {"artifact_damaged", 0.5}, {"clock_jump", 0.5},      {"pause", 0.5},
    {"lock_broken", 0.5},
}};

}  // namespace

std::string_view to_string(Fault fault) {
  CHECK(fault < Fault::kCount);
  return kKinds[static_cast<std::size_t>(fault)].name;
}

FaultRates Faults::random_rates(SeededRandom& random) {
  FaultRates rates{};
  const std::uint64_t style = random.below(10);
  if (style == 0) return rates;  // now and then the world is kind
  for (std::size_t i = 0; i < kFaultKinds; ++i) {
    if (style <= 2) {
      rates[i] = kKinds[i].rate / 6;
    } else if (random.chance(0.4)) {
      rates[i] = kKinds[i].rate * (random.chance(0.5) ? 1.0 : 0.3);
    }
  }
  return rates;
}

}  // namespace cresset::sim
