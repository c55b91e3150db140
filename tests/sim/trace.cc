#include "sim/trace.h"

#include <fmt/format.h>

#include <string>

namespace cresset::sim {

void Trace::note(TimePoint now, std::uint64_t who, std::string_view what, std::string_view detail) {
  const auto micros = static_cast<std::uint64_t>(now.time_since_epoch().count());
  mix(micros);
  mix(who);
  mix(what);
  mix(detail);
  if (!on_line_) return;
  const std::string name = who == 0 ? std::string("world") : fmt::format("process {}", who);
  on_line_(fmt::format("{:>6}.{:06} {:<12} {}{}{}\n", micros / 1'000'000, micros % 1'000'000, name,
                       what, detail.empty() ? "" : " ", detail));
}

// FNV-1a, 64 bits.
void Trace::mix(std::string_view text) {
  constexpr std::uint64_t kPrime = 0x100000001b3;
  for (const char c : text) digest_ = (digest_ ^ static_cast<unsigned char>(c)) * kPrime;
  mix(text.size());
}

void Trace::mix(std::uint64_t number) {
  constexpr std::uint64_t kPrime = 0x100000001b3;
  digest_ = (digest_ ^ number) * kPrime;
  digest_ ^= digest_ >> 29;
}

}  // namespace cresset::sim
