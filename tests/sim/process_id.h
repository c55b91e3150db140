#pragma once

#include <cstdint>

namespace cresset::sim {

// Of the processes of a simulated machine, from 1.
using ProcessId = std::uint64_t;
// Those from here on are no processes of a world: they see the store as it is.
inline constexpr ProcessId kObservers = ProcessId{1} << 40;

}  // namespace cresset::sim
