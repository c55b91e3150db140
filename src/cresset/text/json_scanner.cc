#include "cresset/text/json_scanner.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "cresset/base/value.h"
#include "cresset/text/json.h"
#include "cresset/text/utf8.h"

namespace cresset::text {

namespace {

constexpr std::size_t kShownBytesMax = 60;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_word_character(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

bool is_high_surrogate(int unit) { return unit >= 0xD800 && unit < 0xDC00; }
bool is_low_surrogate(int unit) { return unit >= 0xDC00 && unit < 0xE000; }

std::string control_character(char c) {
  switch (c) {
    case '\n':
      return "a string must end on its line: close it with \", or write a line break as \\n";
    case '\r':
      return "a string must end on its line: close it with \", or write a carriage return as \\r";
    case '\t':
      return "a tab within a string must be written as \\t";
    default:
      return fmt::format(
          "the control character U+{0:04X} within a string must be written as \\u{0:04x}",
          static_cast<unsigned>(c));
  }
}

// What other languages write where JSON has its own word, or none.
std::string foreign_word(std::string_view word) {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 10> kWords{{
      {"True", "true"},
      {"TRUE", "true"},
      {"False", "false"},
      {"FALSE", "false"},
      {"None", "null"},
      {"Null", "null"},
      {"NULL", "null"},
      {"nil", "null"},
      {"undefined", "null"},
      {"yes", "true"},
  }};
  const auto* match =
      std::ranges::find(kWords, word, [](const auto& entry) { return entry.first; });
  if (match != kWords.end()) return fmt::format("{} is not JSON; write {}", word, match->second);
  if (word == "NaN" || word == "Infinity" || word == "-Infinity" || word == "nan" || word == "inf")
    return fmt::format("{} is not JSON: numbers are finite; write null, or put the text in quotes",
                       word);
  return fmt::format("{} is not JSON; put text in double quotes", shorten(word, kShownBytesMax));
}

}  // namespace

Position position_at(std::string_view text, std::size_t offset) {
  const std::string_view before = text.substr(0, offset);
  const std::size_t newline = before.rfind('\n');
  const std::string_view line =
      newline == std::string_view::npos ? before : before.substr(newline + 1);
  const auto is_first_byte = [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; };
  return {static_cast<std::size_t>(std::ranges::count(before, '\n')) + 1,
          static_cast<std::size_t>(std::ranges::count_if(line, is_first_byte)) + 1};
}

void JsonScanner::skip_space() {
  while (!at_end()) {
    const char c = text_[offset_];
    if (c != ' ' && c != '\n' && c != '\t' && c != '\r') return;
    ++offset_;
  }
}

bool JsonScanner::take(char c) {
  if (peek() != c || at_end()) return false;
  ++offset_;
  return true;
}

bool JsonScanner::take_word(std::string_view word) {
  if (!rest().starts_with(word)) return false;
  const std::size_t end = offset_ + word.size();
  if (end < text_.size() && is_word_character(text_[end])) return false;
  offset_ = end;
  return true;
}

// --- strings ---

bool JsonScanner::read_string(std::string& out) {
  const std::size_t opening = offset_;
  advance();
  while (true) {
    const std::size_t start = offset_;
    skip_plain();
    out.append(text_.substr(start, offset_ - start));
    if (at_end()) return fail(opening, "this string is not closed; end it with \"");
    if (take('"')) return true;
    if (peek() == '\\') {
      if (!read_escape(out)) return false;
    } else if (static_cast<unsigned char>(peek()) < 0x20) {
      return fail(offset_, control_character(peek()));
    } else {
      return fail(offset_, invalid_byte());
    }
  }
}

// Up to the next byte that is no part of a string as it is: quote, backslash, control, no UTF-8.
void JsonScanner::skip_plain() {
  while (!at_end()) {
    const auto byte = static_cast<unsigned char>(text_[offset_]);
    if (byte < 0x20 || byte == '"' || byte == '\\') return;
    const std::size_t length = byte < 0x80 ? 1 : utf8_length(text_, offset_);
    if (length == 0) return;
    offset_ += length;
  }
}

bool JsonScanner::read_escape(std::string& out) {
  static constexpr std::string_view kEscapes = "\"\\/bfnrtu";
  static constexpr std::string_view kMeanings = "\"\\/\b\f\n\r\t";
  if (offset_ + 1 == text_.size()) return fail(offset_, "the text ends within an escape sequence");
  const std::size_t index = kEscapes.find(text_[offset_ + 1]);
  if (index == kMeanings.size()) return read_unicode_escape(out);
  if (index == std::string_view::npos) {
    const std::string_view escaped = text_.substr(offset_ + 1, utf8_length(text_, offset_ + 1));
    const bool printable = escaped.size() > 1 ||
                           (!escaped.empty() && escaped.front() > 0x20 && escaped.front() < 0x7F);
    return fail(offset_, fmt::format("{} is no escape sequence; write a backslash as \\\\",
                                     printable ? fmt::format("\\{}", escaped)
                                               : "a backslash at this place"));
  }
  out += kMeanings[index];
  offset_ += 2;
  return true;
}

bool JsonScanner::read_unicode_escape(std::string& out) {
  constexpr std::size_t kLength = 6;  // \uXXXX
  const int first = unicode_escape_at(offset_);
  if (first < 0)
    return fail(offset_, "\\u must be followed by four hexadecimal digits, as in \\u00e9");
  auto character = static_cast<std::uint32_t>(first);
  std::size_t length = kLength;
  if (is_high_surrogate(first)) {
    const int second = unicode_escape_at(offset_ + kLength);
    if (is_low_surrogate(second)) {
      character =
          0x10000 + ((character - 0xD800) << 10) + (static_cast<std::uint32_t>(second) - 0xDC00);
      length = 2 * kLength;
    }
  }
  if (length == kLength && (is_high_surrogate(first) || is_low_surrogate(first))) {
    return fail(offset_, fmt::format("{} is one half of a surrogate pair without the other; "
                                     "write the character itself",
                                     text_.substr(offset_, kLength)));
  }
  append_character(out, character);
  offset_ += length;
  return true;
}

int JsonScanner::unicode_escape_at(std::size_t offset) const {
  if (offset + 6 > text_.size() || text_[offset] != '\\' || text_[offset + 1] != 'u') return -1;
  const char* digits = text_.data() + offset + 2;
  unsigned out = 0;
  const auto [end, error] = std::from_chars(digits, digits + 4, out, 16);
  return error == std::errc{} && end == digits + 4 ? static_cast<int>(out) : -1;
}

// --- numbers ---

bool JsonScanner::read_number(double& out) {
  const std::size_t start = offset_;
  bool is_integer = false;
  if (!scan_number(is_integer)) return false;
  const std::string_view digits = text_.substr(start, offset_ - start);
  if (is_integer) return read_integer(digits, start, out);
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), out);
  if (error == std::errc{}) return true;
  return fail(start, fmt::format("the number {} is too large or too small to be held",
                                 digits.substr(0, kShownBytesMax)));
}

// -? (0 | [1-9][0-9]*) (\.[0-9]+)? ([eE][-+]?[0-9]+)?
bool JsonScanner::scan_number(bool& is_integer) {
  const std::size_t start = offset_;
  if (take('-') && !is_digit(peek())) {
    if (word() == "Infinity") return fail(start, foreign_word("-Infinity"));
    return fail(offset_, "a digit must follow the minus sign");
  }
  const std::size_t digits = offset_;
  take_digits();
  if (text_[digits] == '0' && offset_ > digits + 1)
    return fail(digits,
                "a number must not begin with a zero; remove it, or put the text in quotes");
  is_integer = true;
  if (take('.')) {
    is_integer = false;
    if (!take_digits()) return fail(offset_, "a digit must follow the decimal point");
  }
  if (take('e') || take('E')) {
    is_integer = false;
    if (!take('-')) take('+');
    if (!take_digits()) return fail(offset_, "a digit must stand in the exponent");
  }
  return true;
}

bool JsonScanner::read_integer(std::string_view digits, std::size_t start, double& out) {
  std::int64_t integer = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), integer);
  if (error != std::errc{} || integer > kIntegerMax || integer < -kIntegerMax) {
    return fail(start, fmt::format("the integer {} is beyond ±{}, which a number cannot hold "
                                   "exactly; to mean the text, put it in quotes",
                                   digits.substr(0, kShownBytesMax), kIntegerMax));
  }
  out = static_cast<double>(integer);
  return true;
}

bool JsonScanner::take_digits() {
  const std::size_t start = offset_;
  while (is_digit(peek())) ++offset_;
  return offset_ > start;
}

// --- faults ---

bool JsonScanner::fail(std::size_t offset, std::string message) {
  fault_offset_ = offset;
  fault_message_ = std::move(message);
  return false;
}

bool JsonScanner::fail_value() {
  if (at_end()) return fail(offset_, "the text ends where a value should stand");
  if (is_word_character(peek())) return fail(offset_, foreign_word(word()));
  switch (peek()) {
    case '\'':
      return fail(offset_, "text stands in double quotes, not in single ones");
    case '+':
      return fail(offset_, "a number must not begin with a plus sign; remove it");
    case '.':
      return fail(offset_, "a digit must stand before the decimal point");
    default:
      return fail_expected("a value");
  }
}

bool JsonScanner::fail_expected(std::string_view wanted) {
  if (at_end()) return fail(offset_, fmt::format("the text ends where {} should stand", wanted));
  if (peek() == '/' || peek() == '#') return fail(offset_, "JSON has no comments; remove this one");
  if (rest().starts_with("\xEF\xBB\xBF"))
    return fail(offset_, "a byte order mark is not JSON; save the text as UTF-8 without it");
  if (utf8_length(text_, offset_) == 0) return fail(offset_, invalid_byte());
  return fail(offset_, fmt::format("{} stands where {} should", found(), wanted));
}

std::string_view JsonScanner::word() const {
  const std::string_view text = rest();
  const auto* end = std::ranges::find_if_not(text, is_word_character);
  return text.substr(0, static_cast<std::size_t>(end - text.begin()));
}

std::string JsonScanner::found() const {
  const std::string_view character = rest().substr(0, utf8_length(text_, offset_));
  const auto byte = static_cast<unsigned char>(character.front());
  if (byte < 0x20 || byte == 0x7F) return fmt::format("the control character U+{:04X}", byte);
  return is_word_character(peek()) ? shorten(word(), kShownBytesMax) : std::string(character);
}

std::string JsonScanner::invalid_byte() const {
  return fmt::format("the byte 0x{:02X} is not valid UTF-8; save the text as UTF-8",
                     static_cast<unsigned char>(peek()));
}

}  // namespace cresset::text
