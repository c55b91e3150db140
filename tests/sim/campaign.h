#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "cresset/ports/clock.h"
#include "sim/world.h"

namespace cresset::sim {

// A world that broke a promise.
struct Finding {
  std::uint64_t seed = 0;
  std::string what;
};

struct CampaignOptions {
  std::uint64_t first_seed = 1;
  std::optional<std::uint64_t> worlds;          // how many seeds, from the first on
  std::optional<std::chrono::seconds> seconds;  // and for how long at most
  unsigned jobs = 1;                            // processes that share the seeds
  std::size_t findings_max = 5;                 // then it stops
};

struct CampaignResult {
  Totals totals;
  std::vector<Finding> findings;  // by seed
  std::uint64_t next_seed = 0;    // none from here on was tried
  std::chrono::milliseconds took{0};
};

// Runs the worlds of many seeds, in processes of their own, so that one that crashes is a finding
// as well. `progress` is called about once a second.
CampaignResult run_campaign(const CampaignOptions& options, ports::Clock& clock,
                            const std::function<void(const CampaignResult&)>& progress);

}  // namespace cresset::sim
