#pragma once

#include <random>

#include "cresset/ports/random.h"

namespace cresset::posix {

// A generator seeded by getrandom(2). For ids and jitter, not for secrets. One thread.
class SystemRandom final : public ports::Random {
 public:
  SystemRandom();
  std::uint64_t next() override { return engine_(); }

 private:
  std::mt19937_64 engine_;
};

}  // namespace cresset::posix
