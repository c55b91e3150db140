#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cresset/base/value.h"
#include "cresset/text/json.h"
#include "cresset/text/utf8.h"

namespace cresset::text {

namespace {

enum class Style { kCompact, kPretty, kCanonical };

// The shortest digits that read back the same; the format is one that to_chars may be told, if any.
template <class... Format>
std::string shortest(double number, Format... format) {
  std::array<char, 32> buffer{};
  const auto [end, error] =
      std::to_chars(buffer.data(), buffer.data() + buffer.size(), number, format...);
  return {buffer.data(), end};
}

// JSON's form of a finite number. One that reads as an integer though it is beyond the exact ones
// gets a fraction: parse_json refuses such an integer literal.
std::string number_text(double number) {
  if (Value(number).is_integer()) return std::to_string(static_cast<std::int64_t>(number));
  std::string out = shortest(number);
  if (out.find_first_of(".e") == std::string::npos) out += ".0";
  return out;
}

// The shortest digits that read back the same, laid out without an exponent.
std::string plain_decimal(double number) {
  const std::string text = shortest(std::abs(number), std::chars_format::scientific);  // d.ddde±xx
  const std::size_t mark = text.find('e');
  std::string digits = text.substr(0, mark);
  std::erase(digits, '.');
  int exponent = 0;
  const char* first = text.data() + mark + (text[mark + 1] == '+' ? 2 : 1);
  std::from_chars(first, text.data() + text.size(), exponent);

  const std::string sign = number < 0 ? "-" : "";
  if (exponent < 0)
    return sign + "0." + std::string(static_cast<std::size_t>(-exponent - 1), '0') + digits;
  const auto whole = static_cast<std::size_t>(exponent) + 1;
  if (digits.size() <= whole) return sign + digits + std::string(whole - digits.size(), '0');
  return sign + digits.substr(0, whole) + "." + digits.substr(whole);
}

class Printer {
 public:
  explicit Printer(Style style) : style_(style) {}

  std::string print(const Value& value) && {
    append(value);
    return std::move(out_);
  }

 private:
  void append(const Value& value) {
    if (value.is_string()) return append_string(value.as_string());
    if (value.is_list()) return append_list(value.as_list());
    if (value.is_struct()) return append_struct(value.as_struct());
    if (value.is_bool()) {
      out_ += value.as_bool() ? "true" : "false";
    } else if (value.is_number() && std::isfinite(value.as_number())) {
      out_ += number_text(value.as_number());
    } else {
      out_ += "null";
    }
  }

  void append_list(const Value::List& items) {
    open('[');
    for (const Value& item : items) {
      separate(&item == items.data());
      append(item);
    }
    close(']', items.empty());
  }

  void append_struct(const Value::Struct& fields) {
    std::vector<const Value::Struct::Field*> order;
    order.reserve(fields.size());
    for (const Value::Struct::Field& field : fields) order.push_back(&field);
    if (style_ == Style::kCanonical)
      std::ranges::sort(order, {},
                        [](const auto* field) -> const std::string& { return field->first; });
    open('{');
    for (const Value::Struct::Field* field : order) {
      separate(field == order.front());
      append_string(field->first);
      out_ += style_ == Style::kPretty ? ": " : ":";
      append(field->second);
    }
    close('}', fields.empty());
  }

  void open(char bracket) {
    out_ += bracket;
    ++depth_;
  }

  void separate(bool first) {
    if (!first) out_ += ',';
    break_line();
  }

  void close(char bracket, bool empty) {
    --depth_;
    if (!empty) break_line();
    out_ += bracket;
  }

  void break_line() {
    if (style_ != Style::kPretty) return;
    out_ += '\n';
    out_.append(2 * depth_, ' ');
  }

  void append_string(std::string_view text) {
    out_ += '"';
    while (!text.empty()) {
      const std::size_t plain = plain_prefix(text);
      out_.append(text.substr(0, plain));
      text.remove_prefix(plain);
      if (text.empty()) break;
      append_special(text.front());
      text.remove_prefix(1);
    }
    out_ += '"';
  }

  static std::size_t plain_prefix(std::string_view text) {
    std::size_t size = 0;
    while (size < text.size()) {
      const auto byte = static_cast<unsigned char>(text[size]);
      if (byte < 0x20 || byte == '"' || byte == '\\') break;
      const std::size_t length = byte < 0x80 ? 1 : utf8_length(text, size);
      if (length == 0) break;
      size += length;
    }
    return size;
  }

  void append_special(char c) {
    static constexpr std::string_view kNamed = "\"\\\b\f\n\r\t";
    static constexpr std::string_view kNames = "\"\\bfnrt";
    static constexpr std::string_view kDigits = "0123456789abcdef";
    const auto byte = static_cast<unsigned char>(c);
    if (const std::size_t index = kNamed.find(c); index != std::string_view::npos) {
      out_ += {'\\', kNames[index]};
    } else if (byte < 0x20) {
      out_ += "\\u00";
      out_ += {kDigits[byte >> 4], kDigits[byte & 15]};
    } else if (style_ == Style::kCanonical) {
      out_ += c;
    } else {
      out_ += "\xEF\xBF\xBD";  // U+FFFD
    }
  }

  Style style_;
  std::size_t depth_ = 0;
  std::string out_;
};

}  // namespace

std::string to_json(const Value& value) { return Printer(Style::kCompact).print(value); }
std::string to_json_pretty(const Value& value) { return Printer(Style::kPretty).print(value); }
std::string to_canonical_json(const Value& value) {
  return Printer(Style::kCanonical).print(value);
}

std::string to_text(const Value& value) {
  if (value.is_string()) return value.as_string();
  if (value.is_integer()) return std::to_string(value.as_integer());
  if (value.is_number())
    return std::isfinite(value.as_number()) ? plain_decimal(value.as_number()) : "";
  return value.is_null() ? "" : to_json(value);
}

}  // namespace cresset::text
