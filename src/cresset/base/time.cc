#include "cresset/base/time.h"

#include <fmt/core.h>

#include <charconv>

namespace cresset {

namespace {

using Seconds = std::chrono::seconds;

std::optional<int> parse_digits(std::string_view text, std::size_t at, std::size_t count) {
  if (at + count > text.size()) return std::nullopt;
  int out = 0;
  const char* first = text.data() + at;
  auto [end, error] = std::from_chars(first, first + count, out);
  if (error != std::errc{} || end != first + count || *first == '-') return std::nullopt;
  return out;
}

}  // namespace

std::string to_rfc3339(WallTime time) {
  const std::chrono::sys_time<Duration> instant{time.time_since_epoch()};
  const auto day = std::chrono::floor<std::chrono::days>(instant);
  const std::chrono::year_month_day date{day};
  const std::chrono::hh_mm_ss<Duration> clock{instant - day};
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     clock.hours().count(), clock.minutes().count(), clock.seconds().count(),
                     clock.subseconds().count());
}

std::optional<WallTime> parse_rfc3339(std::string_view text) {
  auto year = parse_digits(text, 0, 4);
  auto month = parse_digits(text, 5, 2);
  auto day = parse_digits(text, 8, 2);
  auto hour = parse_digits(text, 11, 2);
  auto minute = parse_digits(text, 14, 2);
  auto second = parse_digits(text, 17, 2);
  if (!year || !month || !day || !hour || !minute || !second || !text.ends_with('Z'))
    return std::nullopt;
  if (text[4] != '-' || text[7] != '-' || text[10] != 'T' || text[13] != ':' || text[16] != ':')
    return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year{*year},
                                         std::chrono::month{static_cast<unsigned>(*month)},
                                         std::chrono::day{static_cast<unsigned>(*day)}};
  if (!date.ok() || *hour > 23 || *minute > 59 || *second > 60) return std::nullopt;
  Duration fraction{0};
  if (text.size() > 20) {
    std::string digits(text.substr(20, text.size() - 21));
    if (text[19] != '.' || digits.empty() || digits.size() > 9) return std::nullopt;
    digits.resize(6, '0');
    auto micros = parse_digits(digits, 0, 6);
    if (!micros) return std::nullopt;
    fraction = Duration{*micros};
  }
  const auto since_epoch = std::chrono::sys_days{date}.time_since_epoch() +
                           std::chrono::hours{*hour} + std::chrono::minutes{*minute} +
                           Seconds{*second} + fraction;
  return WallTime{std::chrono::duration_cast<Duration>(since_epoch)};
}

std::string to_short_text(Duration duration) {
  const long long micros = duration.count() < 0 ? 0 : duration.count();
  if (micros < 1'000'000) return fmt::format("{}ms", micros / 1000);
  if (micros < 60'000'000) return fmt::format("{}.{}s", micros / 1'000'000, micros / 100'000 % 10);
  const long long seconds = micros / 1'000'000;
  if (seconds < 3600) return fmt::format("{}m{:02}s", seconds / 60, seconds % 60);
  return fmt::format("{}h{:02}m", seconds / 3600, seconds / 60 % 60);
}

}  // namespace cresset
