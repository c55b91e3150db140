#include "cresset/text/quantity.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>

#include "cresset/base/error.h"
#include "cresset/base/result.h"
#include "cresset/text/utf8.h"

namespace cresset::text {

namespace {

constexpr std::size_t kTextBytesMax = 100;
constexpr int kExponentMax = 10'000;  // beyond any number that fits, whatever its digits

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// digits × 10^exponent, without a limit on the number of digits.
struct Decimal {
  std::string digits;
  int exponent = 0;
};

struct Suffix {
  std::string_view text;
  int exponent_of_ten = 0;
  int exponent_of_1024 = 0;
};

// Kubernetes writes k in lower case only; pipelines of the KFP SDK may also hold K.
constexpr std::array<Suffix, 17> kSuffixes{{{"", 0, 0},
                                            {"n", -9, 0},
                                            {"u", -6, 0},
                                            {"m", -3, 0},
                                            {"k", 3, 0},
                                            {"K", 3, 0},
                                            {"M", 6, 0},
                                            {"G", 9, 0},
                                            {"T", 12, 0},
                                            {"P", 15, 0},
                                            {"E", 18, 0},
                                            {"Ki", 0, 1},
                                            {"Mi", 0, 2},
                                            {"Gi", 0, 3},
                                            {"Ti", 0, 4},
                                            {"Pi", 0, 5},
                                            {"Ei", 0, 6}}};

Error refuse(std::string_view text, std::string_view reason) {
  return make_error(Code::kInvalidArgument, "\"{}\" is not a quantity: {}",
                    shorten(text, kTextBytesMax), reason);
}

std::string_view take_digits(std::string_view& text) {
  const auto* end = std::ranges::find_if_not(text, is_digit);
  const std::string_view digits = text.substr(0, static_cast<std::size_t>(end - text.begin()));
  text.remove_prefix(digits.size());
  return digits;
}

bool take(std::string_view& text, char c) {
  if (!text.starts_with(c)) return false;
  text.remove_prefix(1);
  return true;
}

// "12.5", "12.", ".5"; nothing when no digit is there.
std::optional<Decimal> take_number(std::string_view& text) {
  const std::string_view whole = take_digits(text);
  std::string_view fraction;
  if (take(text, '.')) fraction = take_digits(text);
  if (whole.empty() && fraction.empty()) return std::nullopt;
  return Decimal{std::string(whole) + std::string(fraction), -static_cast<int>(fraction.size())};
}

// "e3", "E-3"; nothing for other text.
std::optional<int> parse_exponent(std::string_view text) {
  if (!take(text, 'e') && !take(text, 'E')) return std::nullopt;
  const bool negative = take(text, '-');
  if (!negative) take(text, '+');
  int out = 0;
  if (text.empty() || !std::ranges::all_of(text, is_digit)) return std::nullopt;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error != std::errc{}) out = kExponentMax;
  out = std::min(out, kExponentMax);
  return negative ? -out : out;
}

void multiply(std::string& digits, int factor) {
  int carry = 0;
  for (std::size_t i = digits.size(); i-- > 0;) {
    const int product = (digits[i] - '0') * factor + carry;
    digits[i] = static_cast<char>('0' + product % 10);
    carry = product / 10;
  }
  if (carry > 0) digits.insert(0, std::to_string(carry));
}

// The smallest integer that is not less; nothing when it does not fit.
std::optional<std::int64_t> round_up(const Decimal& amount) {
  std::string digits = amount.digits;
  digits.erase(0, std::min(digits.find_first_not_of('0'), digits.size()));
  if (digits.empty()) return 0;
  const int whole_size = static_cast<int>(digits.size()) + amount.exponent;
  if (whole_size > std::numeric_limits<std::int64_t>::digits10 + 1) return std::nullopt;
  std::string whole = digits.substr(0, static_cast<std::size_t>(std::max(whole_size, 0)));
  const bool has_fraction = digits.find_first_not_of('0', whole.size()) != std::string::npos;
  if (whole_size > 0) whole.resize(static_cast<std::size_t>(whole_size), '0');
  std::int64_t out = 0;
  if (!whole.empty()) {
    const auto [end, error] = std::from_chars(whole.data(), whole.data() + whole.size(), out);
    if (error != std::errc{}) return std::nullopt;
  }
  if (!has_fraction) return out;
  if (out == std::numeric_limits<std::int64_t>::max()) return std::nullopt;
  return out + 1;
}

// In units of 10^-unit_exponent.
Result<std::int64_t> parse_quantity(std::string_view text, int unit_exponent,
                                    std::string_view examples) {
  if (text.size() > kTextBytesMax) return refuse(text, "it is too long");
  std::string_view rest = text;
  if (rest.starts_with('-')) return refuse(text, "it must not be negative");
  take(rest, '+');
  auto amount = take_number(rest);
  if (!amount)
    return refuse(text, fmt::format("write a number with an optional unit, as in {}", examples));
  amount->exponent += unit_exponent;
  if (const auto exponent = parse_exponent(rest)) {
    amount->exponent += *exponent;
  } else {
    const auto* suffix = std::ranges::find(kSuffixes, rest, &Suffix::text);
    if (suffix == kSuffixes.end()) {
      return refuse(text, fmt::format("\"{}\" is no unit; write one of n u m k M G T P E "
                                      "Ki Mi Gi Ti Pi Ei, as in {}",
                                      rest, examples));
    }
    amount->exponent += suffix->exponent_of_ten;
    for (int i = 0; i < suffix->exponent_of_1024; ++i) multiply(amount->digits, 1024);
  }
  const auto out = round_up(*amount);
  if (!out) return refuse(text, "it is too large");
  return *out;
}

}  // namespace

Result<std::int64_t> parse_cpu_millis(std::string_view text) {
  return parse_quantity(text, 3, "500m or 1.5");
}

Result<std::int64_t> parse_bytes(std::string_view text) {
  return parse_quantity(text, 0, "512Mi or 2G");
}

}  // namespace cresset::text
