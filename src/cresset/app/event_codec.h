#pragma once

#include <string>
#include <string_view>

#include "cresset/base/result.h"
#include "cresset/dag/plan.h"

namespace cresset::app {

// Events of a plan as stored text: one compact JSON object each (docs/formats/events.md). Every
// event that was ever written must stay readable. kDataLoss for what is none; "event.unknown" for
// one that a later version may have written.
std::string encode_event(const dag::Event& event, std::string_view home = {});
Result<dag::Event> decode_event(const std::string& payload, std::string_view home = {});

}  // namespace cresset::app
