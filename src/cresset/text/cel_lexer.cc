#include "cresset/text/cel_lexer.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "cresset/base/error.h"
#include "cresset/base/result.h"
#include "cresset/text/utf8.h"

namespace cresset::text {

namespace {

using Kind = CelToken::Kind;

constexpr std::uint64_t kInt64MinMagnitude = std::uint64_t{1} << 63u;

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_name_start(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_name_part(char c) { return is_name_start(c) || is_digit(c); }
bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f'; }

std::optional<unsigned> digit_value(char c, unsigned base) {
  unsigned value = base;
  if (is_digit(c)) value = static_cast<unsigned>(c - '0');
  if (c >= 'a' && c <= 'f') value = static_cast<unsigned>(c - 'a') + 10;
  if (c >= 'A' && c <= 'F') value = static_cast<unsigned>(c - 'A') + 10;
  if (value >= base) return std::nullopt;
  return value;
}

std::optional<char> simple_escape(char c) {
  switch (c) {
    case 'a':
      return '\a';
    case 'b':
      return '\b';
    case 'f':
      return '\f';
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    case 'v':
      return '\v';
    case '\\':
    case '?':
    case '"':
    case '\'':
    case '`':
      return c;
    default:
      return std::nullopt;
  }
}

class Lexer {
 public:
  explicit Lexer(std::string_view text) : text_(text) {}

  Result<std::vector<CelToken>> run() {
    std::vector<CelToken> tokens;
    while (true) {
      skip_blank();
      CelToken token;
      token.begin = position_;
      CR_TRY_VOID(read(token));
      token.end = position_;
      tokens.push_back(std::move(token));
      if (tokens.back().kind == Kind::kEnd) return tokens;
    }
  }

 private:
  [[nodiscard]] char peek(std::size_t ahead = 0) const {
    return ahead < text_.size() - position_ ? text_[position_ + ahead] : '\0';
  }
  [[nodiscard]] bool at_end() const { return position_ == text_.size(); }
  [[nodiscard]] bool follows(std::string_view word) const {
    return text_.substr(position_).starts_with(word);
  }
  [[nodiscard]] Error error_at(std::size_t offset, std::string_view message) const {
    return cel_error_at(text_, offset, message);
  }

  void skip_blank() {
    while (!at_end()) {
      if (is_space(peek())) {
        ++position_;
      } else if (follows("//")) {
        position_ = std::min(text_.find('\n', position_), text_.size());
      } else {
        return;
      }
    }
  }

  Result<void> read(CelToken& token) {
    if (at_end()) return {};
    const std::size_t prefix = string_prefix();
    const char next = peek(prefix);
    if (next == '\'' || next == '"') return read_string(token, prefix);
    if (is_name_start(peek())) {
      read_name(token);
      return {};
    }
    if (is_digit(peek()) || (peek() == '.' && is_digit(peek(1)))) return read_number(token);
    return read_symbol(token);
  }

  // Letters before the quote of a string: r, b, and both in any order.
  [[nodiscard]] std::size_t string_prefix() const {
    constexpr std::string_view kLetters = "rRbB";
    std::size_t length = 0;
    while (length < 2 && !at_end() && peek(length) != '\0' &&
           kLetters.find(peek(length)) != std::string_view::npos) {
      ++length;
    }
    return length;
  }

  void read_name(CelToken& token) {
    while (is_name_part(peek())) ++position_;
    token.text = text_.substr(token.begin, position_ - token.begin);
    token.kind = token.text == "in" ? Kind::kSymbol : Kind::kName;
  }

  Result<void> read_symbol(CelToken& token) {
    constexpr std::string_view kPairs[] = {"&&", "||", "==", "!=", "<=", ">="};
    token.kind = Kind::kSymbol;
    for (const std::string_view pair : kPairs) {
      if (!follows(pair)) continue;
      token.text = pair;
      position_ += pair.size();
      return {};
    }
    constexpr std::string_view kSingles = "()[]{}.,:?!<>+-*/%";
    const char c = peek();
    if (kSingles.find(c) == std::string_view::npos || c == '\0') return unknown_symbol();
    token.text = c;
    ++position_;
    return {};
  }

  [[nodiscard]] Error unknown_symbol() const {
    switch (peek()) {
      case '=':
        return error_at(position_, "\"=\" is no operator: compare with \"==\"");
      case '&':
        return error_at(position_, "\"&\" is no operator: join conditions with \"&&\"");
      case '|':
        return error_at(position_, "\"|\" is no operator: join conditions with \"||\"");
      default:
        break;
    }
    const unsigned char byte = static_cast<unsigned char>(peek());
    if (byte < 0x20u || byte == 0x7Fu) {
      return error_at(position_,
                      fmt::format("the control character 0x{:02X} has no meaning here", byte));
    }
    const std::string_view character = text_.substr(position_, utf8_length(text_, position_));
    return error_at(position_, fmt::format("the character \"{}\" has no meaning here", character));
  }

  Result<void> read_number(CelToken& token) {
    if (peek() == '0' && (peek(1) == 'x' || peek(1) == 'X')) return read_hexadecimal(token);
    bool real = false;
    while (is_digit(peek())) ++position_;
    if (peek() == '.' && is_digit(peek(1))) {
      real = true;
      ++position_;
      while (is_digit(peek())) ++position_;
    }
    if (peek() == 'e' || peek() == 'E') {
      const std::size_t sign = peek(1) == '+' || peek(1) == '-' ? 1 : 0;
      if (is_digit(peek(1 + sign))) {
        real = true;
        position_ += 1 + sign;
        while (is_digit(peek())) ++position_;
      }
    }
    if (!real) return read_whole(token, token.begin, 10);
    token.kind = Kind::kDouble;
    auto [end, error] =
        std::from_chars(text_.data() + token.begin, text_.data() + position_, token.number);
    if (error == std::errc{} && end == text_.data() + position_) return {};
    // from_chars gives up on what is too small to tell from zero, too.
    return error_at(token.begin, fmt::format("the number {} is out of the range of a double",
                                             shorten(written(token), kShown)));
  }

  Result<void> read_hexadecimal(CelToken& token) {
    position_ += 2;
    const std::size_t digits = position_;
    while (digit_value(peek(), 16)) ++position_;
    if (position_ == digits) {
      return error_at(position_, "expected a hexadecimal digit after \"0x\"");
    }
    return read_whole(token, digits, 16);
  }

  Result<void> read_whole(CelToken& token, std::size_t digits, int base) {
    auto [end, error] =
        std::from_chars(text_.data() + digits, text_.data() + position_, token.magnitude, base);
    const bool fits = error == std::errc{} && end == text_.data() + position_;
    token.kind = Kind::kInt;
    if (peek() == 'u' || peek() == 'U') {
      ++position_;
      token.kind = Kind::kUint;
    }
    if (fits && (token.kind == Kind::kUint || token.magnitude <= kInt64MinMagnitude)) return {};
    return error_at(token.begin, fmt::format("the integer {} needs more than 64 bits",
                                             shorten(written(token), kShown)));
  }

  [[nodiscard]] std::string_view written(const CelToken& token) const {
    return text_.substr(token.begin, position_ - token.begin);
  }

  Result<void> read_string(CelToken& token, std::size_t prefix) {
    const std::string_view letters = text_.substr(position_, prefix);
    if (letters.find_first_of("bB") != std::string_view::npos) {
      return error_at(position_, "bytes literals are not supported: write a string without the b");
    }
    const bool raw = !letters.empty();
    position_ += prefix;
    std::string_view quote = text_.substr(position_, 1);
    const std::string_view triple = text_.substr(position_, 3);
    if (triple.size() == 3 && triple[1] == quote[0] && triple[2] == quote[0]) quote = triple;
    position_ += quote.size();
    token.kind = Kind::kString;
    while (!follows(quote)) {
      if (at_end() || (quote.size() == 1 && (peek() == '\n' || peek() == '\r'))) {
        return error_at(token.begin, fmt::format("expected {} at the end of this string", quote));
      }
      if (peek() == '\\' && !raw) {
        CR_TRY_VOID(read_escape(token.text));
      } else {
        token.text += peek();
        ++position_;
      }
    }
    position_ += quote.size();
    return {};
  }

  Result<void> read_escape(std::string& out) {
    const std::size_t begin = position_;
    ++position_;
    const char c = peek();
    if (const auto simple = simple_escape(c); simple && !at_end()) {
      out += *simple;
      ++position_;
      return {};
    }
    if (c >= '0' && c <= '3') return read_code_point(out, begin, 3, 8);
    ++position_;
    if (c == 'x' || c == 'X') return read_code_point(out, begin, 2, 16);
    if (c == 'u') return read_code_point(out, begin, 4, 16);
    if (c == 'U') return read_code_point(out, begin, 8, 16);
    position_ = begin;
    return error_at(begin,
                    "this escape does not exist: expected \\n, \\t, \\', \\\", \\\\, \\x41, "
                    "\\u0041, \\101 or the like, or a raw string r'...'");
  }

  Result<void> read_code_point(std::string& out, std::size_t begin, std::size_t digits,
                               unsigned base) {
    std::uint32_t code_point = 0;
    for (std::size_t i = 0; i < digits; ++i) {
      const auto digit = digit_value(peek(), base);
      if (!digit || at_end()) {
        return error_at(begin, fmt::format("expected {} {} digits in this escape", digits,
                                           base == 8 ? "octal" : "hexadecimal"));
      }
      code_point = code_point * base + *digit;
      ++position_;
    }
    if (append_character(out, code_point)) return {};
    return error_at(begin, fmt::format("no character has the number U+{:04X}", code_point));
  }

  static constexpr std::size_t kShown = 40;

  std::string_view text_;
  std::size_t position_ = 0;
};

}  // namespace

Error cel_error_at(std::string_view text, std::size_t offset, std::string_view message) {
  const std::string_view before = text.substr(0, offset);
  const auto lines = std::ranges::count(before, '\n');
  const std::size_t column = count_characters(before.substr(before.rfind('\n') + 1)) + 1;
  if (lines == 0) return make_error(Code::kInvalidArgument, "column {}: {}", column, message);
  return make_error(Code::kInvalidArgument, "line {}, column {}: {}", lines + 1, column, message);
}

Result<std::vector<CelToken>> lex_cel(std::string_view text) {
  if (const std::size_t bad = find_invalid_utf8(text); bad != std::string_view::npos) {
    return cel_error_at(
        text, bad,
        fmt::format("the byte 0x{:02X} is not valid UTF-8", static_cast<unsigned char>(text[bad])));
  }
  return Lexer(text).run();
}

}  // namespace cresset::text
