#pragma once

#include <string>

#include "cresset/base/result.h"
#include "cresset/dag/plan.h"

namespace cresset::app {

// Events of a plan as stored text: one compact JSON object each (docs/formats/events.md). Every
// event that was ever written must stay readable.
std::string encode_event(const dag::Event& event);
Result<dag::Event> decode_event(const std::string& payload);

}  // namespace cresset::app
