#include "cresset/adapters/posix/system_random.h"

#include <sys/random.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <span>

#include "cresset/base/check.h"

namespace cresset::posix {

namespace {

void fill_from_system(std::span<std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t got = ::getrandom(bytes.data(), bytes.size(), 0);
    CHECK(got > 0 || errno == EINTR);
    if (got > 0) bytes = bytes.subspan(static_cast<std::size_t>(got));
  }
}

}  // namespace

SystemRandom::SystemRandom() {
  std::array<std::uint32_t, 16> words{};
  fill_from_system(std::as_writable_bytes(std::span(words)));
  std::seed_seq seed(words.begin(), words.end());
  engine_.seed(seed);
}

}  // namespace cresset::posix
