#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace cresset {

using Duration = std::chrono::microseconds;

// Monotonic instant of one process (or of one simulated world): for waiting and measuring, never
// stored.
struct MonotonicTag {};
using TimePoint = std::chrono::time_point<MonotonicTag, Duration>;

// Calendar instant, microseconds since the Unix epoch: what is stored and shown. It may jump.
struct WallTag {};
using WallTime = std::chrono::time_point<WallTag, Duration>;

// RFC 3339 in UTC with six decimals: 2026-11-24T14:02:03.000451Z.
std::string to_rfc3339(WallTime time);
std::optional<WallTime> parse_rfc3339(std::string_view text);

// For people: 340ms, 2.4s, 3m05s, 2h07m. What is finer is cut off, so 59.99 s never reads 60.0s.
std::string to_short_text(Duration duration);

}  // namespace cresset
