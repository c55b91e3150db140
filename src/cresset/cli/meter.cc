#include "cresset/cli/meter.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "cresset/cli/style.h"

namespace cresset::cli {

namespace {

constexpr Duration kFirst = std::chrono::milliseconds(500);
constexpr Duration kBetween = std::chrono::milliseconds(200);

}  // namespace

Meter::Meter(Session session, std::string what, Unit unit)
    : session_(session),
      what_(std::move(what)),
      unit_(unit),
      next_(session.backend.clock().now() + kFirst) {}

void Meter::show(std::int64_t done, std::int64_t total) {
  if (!session_.terminal.err_is_terminal()) return;
  const TimePoint now = session_.backend.clock().now();
  if (now < next_) return;
  next_ = now + kBetween;
  shown_ = true;
  const auto amount = [this](std::int64_t count) {
    return unit_ == Unit::kBytes ? bytes_text(count) : fmt::to_string(count);
  };
  std::string text = what_ + ": " + amount(done);
  if (total > 0) {
    text +=
        fmt::format(" of {}, {} %", amount(total), std::min<std::int64_t>(100, done * 100 / total));
  }
  session_.terminal.err("\r\x1b[K" + text);
}

void Meter::finish() {
  if (std::exchange(shown_, false)) session_.terminal.err("\r\x1b[K");
}

}  // namespace cresset::cli
