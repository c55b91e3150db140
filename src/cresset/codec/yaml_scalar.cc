#include "cresset/codec/yaml_scalar.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <optional>

#include "cresset/codec/source_text.h"

namespace cresset::codec {

namespace {

constexpr std::string_view kCoreTag = "tag:yaml.org,2002:";

template <std::size_t N>
bool is_one_of(std::string_view text, const std::array<std::string_view, N>& words) {
  return std::ranges::find(words, text) != words.end();
}

bool is_null(std::string_view text) {
  return is_one_of(text, std::array<std::string_view, 5>{"", "~", "null", "Null", "NULL"});
}

std::optional<bool> as_bool(std::string_view text) {
  static constexpr std::array<std::string_view, 9> kTrue{"yes",  "Yes", "YES", "true", "True",
                                                         "TRUE", "on",  "On",  "ON"};
  static constexpr std::array<std::string_view, 9> kFalse{"no",    "No",  "NO",  "false", "False",
                                                          "FALSE", "off", "Off", "OFF"};
  if (is_one_of(text, kTrue)) return true;
  if (is_one_of(text, kFalse)) return false;
  return std::nullopt;
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Splits the sign off; -1 or 1.
int take_sign(std::string_view& text) {
  if (text.empty() || (text.front() != '-' && text.front() != '+')) return 1;
  const int sign = text.front() == '-' ? -1 : 1;
  text.remove_prefix(1);
  return sign;
}

bool all_of(std::string_view text, std::string_view allowed) {
  return text.find_first_not_of(allowed) == std::string_view::npos;
}

bool has_digit(std::string_view text) {
  return text.find_first_not_of('_') != std::string_view::npos;
}

// (:[0-5]?[0-9])+ , the minutes and seconds of YAML 1.1's base-60 numbers.
bool is_sexagesimal_tail(std::string_view text) {
  if (text.empty()) return false;
  while (!text.empty()) {
    if (text.front() != ':') return false;
    text.remove_prefix(1);
    const std::string_view part = text.substr(0, text.find(':'));
    if (part.empty() || part.size() > 2 || !all_of(part, "0123456789")) return false;
    if (part.size() == 2 && part.front() > '5') return false;
    text.remove_prefix(part.size());
  }
  return true;
}

// [0-9][0-9_]* (or from 1 on)
bool is_decimal(std::string_view text, char first_min) {
  return !text.empty() && text.front() >= first_min && text.front() <= '9' &&
         all_of(text, "0123456789_");
}

struct IntegerForm {
  int base = 10;
  std::string_view digits;      // may hold '_'
  std::string_view base_sixty;  // ":30:00" or empty
};

std::optional<IntegerForm> integer_form(std::string_view text) {
  if (text.starts_with("0b") && text.size() > 2 && all_of(text.substr(2), "01_") &&
      has_digit(text.substr(2))) {
    return IntegerForm{2, text.substr(2), {}};
  }
  if (text.starts_with("0x") && text.size() > 2 &&
      all_of(text.substr(2), "0123456789abcdefABCDEF_") && has_digit(text.substr(2))) {
    return IntegerForm{16, text.substr(2), {}};
  }
  if (text == "0") return IntegerForm{10, text, {}};
  if (text.starts_with('0') && text.size() > 1 && all_of(text, "01234567_"))
    return IntegerForm{8, text.substr(1), {}};
  if (is_decimal(text, '1')) return IntegerForm{10, text, {}};
  const std::size_t colon = text.find(':');
  if (colon != std::string_view::npos && is_decimal(text.substr(0, colon), '1') &&
      is_sexagesimal_tail(text.substr(colon))) {
    return IntegerForm{10, text.substr(0, colon), text.substr(colon)};
  }
  return std::nullopt;
}

// Nothing when it is larger than a number holds exactly.
std::optional<std::int64_t> magnitude(const IntegerForm& form) {
  std::int64_t out = 0;
  const auto add = [&out](std::int64_t base, std::int64_t digit) {
    if (out > (kIntegerMax - digit) / base) return false;
    out = out * base + digit;
    return true;
  };
  for (char c : form.digits) {
    if (c == '_') continue;
    const int digit = is_digit(c) ? c - '0' : (c | 0x20) - 'a' + 10;
    if (!add(form.base, digit)) return std::nullopt;
  }
  std::string_view rest = form.base_sixty;
  while (!rest.empty()) {
    rest.remove_prefix(1);
    const std::string_view part = rest.substr(0, rest.find(':'));
    std::int64_t value = 0;
    for (char c : part) value = value * 10 + (c - '0');
    if (!add(60, value)) return std::nullopt;
    rest.remove_prefix(part.size());
  }
  return out;
}

std::string without_underscores(std::string_view text) {
  std::string out(text);
  std::erase(out, '_');
  return out;
}

Result<Value> parse_finite(std::string_view text, std::string_view shown) {
  double out = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error != std::errc{} || end != text.data() + text.size()) {
    return make_error(Code::kInvalidArgument, "the number {} is too large or too small to be held",
                      shown);
  }
  return Value(out);
}

// [0-9][0-9_]*\.[0-9_]*([eE][-+][0-9]+)? and the same without digits before the point.
bool is_float(std::string_view text) {
  const std::size_t point = text.find('.');
  if (point == std::string_view::npos) return false;
  const std::string_view whole = text.substr(0, point);
  std::string_view rest = text.substr(point + 1);
  const std::size_t fraction_end = std::min(rest.find_first_not_of("0123456789_"), rest.size());
  const std::string_view fraction = rest.substr(0, fraction_end);
  rest.remove_prefix(fraction_end);
  if (!whole.empty() ? !is_decimal(whole, '0') : fraction.empty() || !is_digit(fraction.front()))
    return false;
  if (rest.empty()) return true;
  return rest.size() >= 3 && (rest[0] == 'e' || rest[0] == 'E') &&
         (rest[1] == '-' || rest[1] == '+') && all_of(rest.substr(2), "0123456789");
}

// [0-9][0-9_]*(:[0-5]?[0-9])+\.[0-9_]*
bool is_sexagesimal_float(std::string_view text) {
  const std::size_t colon = text.find(':');
  const std::size_t point = text.find('.');
  return colon != std::string_view::npos && point != std::string_view::npos && colon < point &&
         is_decimal(text.substr(0, colon), '0') &&
         is_sexagesimal_tail(text.substr(colon, point - colon)) &&
         all_of(text.substr(point + 1), "0123456789_");
}

Value sexagesimal_float(std::string_view text) {
  double out = 0;
  while (true) {
    const std::size_t colon = text.find(':');
    const std::string part = without_underscores(text.substr(0, colon));
    double value = 0;
    std::from_chars(part.data(), part.data() + part.size(), value);
    out = out * 60 + value;
    if (colon == std::string_view::npos) return Value(out);
    text.remove_prefix(colon + 1);
  }
}

Error not_finite(std::string_view text) {
  return make_error(Code::kInvalidArgument,
                    "{} is no finite number; to mean the text, put it in quotes", clipped(text));
}

std::optional<Result<Value>> as_integer(std::string_view text) {
  std::string_view unsigned_text = text;
  const int sign = take_sign(unsigned_text);
  const auto form = integer_form(unsigned_text);
  if (!form) return std::nullopt;
  const auto value = magnitude(*form);
  if (!value) {
    return make_error(Code::kInvalidArgument,
                      "the integer {} is beyond ±9007199254740991, which a number cannot hold "
                      "exactly; to mean the "
                      "text, put it in quotes",
                      clipped(text));
  }
  return Value(*value * sign);
}

std::optional<Result<Value>> as_float(std::string_view text) {
  std::string_view unsigned_text = text;
  const int sign = take_sign(unsigned_text);
  const bool has_sign = unsigned_text.size() != text.size();
  if (is_one_of(unsigned_text, std::array<std::string_view, 3>{".inf", ".Inf", ".INF"}))
    return not_finite(text);
  if (!has_sign && is_one_of(text, std::array<std::string_view, 3>{".nan", ".NaN", ".NAN"}))
    return not_finite(text);
  // PyYAML reads "-.5" as text: a sign goes with a digit before the point only.
  if (is_float(unsigned_text) && !(has_sign && unsigned_text.front() == '.')) {
    std::string digits = without_underscores(unsigned_text);
    if (const std::size_t plus = digits.find('+'); plus != std::string::npos) digits.erase(plus, 1);
    auto value = parse_finite(digits, clipped(text));
    if (!value) return std::move(value).error();
    return Value(value->as_number() * sign);
  }
  if (is_sexagesimal_float(unsigned_text)) {
    const Value value = sexagesimal_float(unsigned_text);
    if (!std::isfinite(value.as_number())) return not_finite(text);
    return Value(value.as_number() * sign);
  }
  return std::nullopt;
}

}  // namespace

Result<Value> resolve_plain_scalar(std::string_view text) {
  if (is_null(text)) return Value();
  if (auto value = as_bool(text)) return Value(*value);
  if (text.find_first_of("0123456789.") == std::string_view::npos) return Value(text);
  if (auto value = as_float(text)) return *std::move(value);
  if (auto value = as_integer(text)) return *std::move(value);
  return Value(text);
}

Result<Value> resolve_tagged_scalar(std::string_view tag, std::string_view text) {
  if (!tag.starts_with(kCoreTag))
    return make_error(Code::kUnimplemented, "the tag {} is not supported", clipped(tag));
  const std::string_view kind = tag.substr(kCoreTag.size());
  const auto mismatch = [&] {
    return make_error(Code::kInvalidArgument, "\"{}\" is no value of !!{}", clipped(text), kind);
  };
  if (kind == "str") return Value(text);
  if (kind == "null") return is_null(text) ? Result<Value>(Value()) : mismatch();
  if (kind == "bool") {
    const auto value = as_bool(text);
    return value ? Result<Value>(Value(*value)) : mismatch();
  }
  if (kind == "int") {
    auto value = as_integer(text);
    return value ? *std::move(value) : mismatch();
  }
  if (kind == "float") {
    if (auto value = as_float(text)) return *std::move(value);
    auto value = as_integer(text);
    return value ? *std::move(value) : mismatch();
  }
  return make_error(Code::kUnimplemented, "the tag !!{} is not supported", clipped(kind));
}

}  // namespace cresset::codec
