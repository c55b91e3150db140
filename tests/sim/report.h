#pragma once

#include <string>

#include "sim/campaign.h"
#include "sim/exhaustive.h"

namespace cresset::sim {

// For people: what was run, and what went wrong in it, by kind.
std::string describe(const CampaignResult& result);
std::string describe(const std::vector<Exhausted>& exhausted);
// One line, for a terminal that waits.
std::string progress_line(const CampaignResult& result);
// For programs.
std::string to_json(const CampaignResult& result, const std::vector<Exhausted>& exhausted);

}  // namespace cresset::sim
