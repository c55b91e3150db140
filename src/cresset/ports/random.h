#pragma once

#include <cstdint>

namespace cresset::ports {

// The only source of randomness: seeded from the system in main/, from the test in tests. One
// thread.
class Random {
 public:
  virtual ~Random() = default;
  virtual std::uint64_t next() = 0;  // uniform over 64 bits
};

}  // namespace cresset::ports
