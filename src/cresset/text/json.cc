#include "cresset/text/json.h"

#include <fmt/core.h>

#include <cstddef>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "cresset/base/error.h"
#include "cresset/base/result.h"
#include "cresset/base/value.h"
#include "cresset/text/json_scanner.h"
#include "cresset/text/utf8.h"

namespace cresset::text {

namespace {

constexpr std::size_t kShownKeyBytesMax = 60;

// Answers whether an object already has a key. Objects of a few fields are searched; larger ones
// get an ordered index, which hostile keys cannot slow down as they could a hash table.
class KeyIndex {
 public:
  explicit KeyIndex(const Value::Struct& fields) : fields_(fields), order_(ByKey{&fields}) {}

  bool contains(std::string_view key) {
    if (fields_.size() < kIndexedMin) return fields_.find(key) != nullptr;
    for (std::size_t i = order_.size(); i < fields_.size(); ++i) order_.insert(i);
    return order_.contains(key);
  }

 private:
  static constexpr std::size_t kIndexedMin = 16;

  struct ByKey {
    using is_transparent = void;
    const Value::Struct* fields;

    [[nodiscard]] std::string_view key(std::size_t index) const {
      return fields->begin()[static_cast<std::ptrdiff_t>(index)].first;
    }
    [[nodiscard]] static std::string_view key(std::string_view name) { return name; }
    template <class A, class B>
    bool operator()(const A& a, const B& b) const {
      return key(a) < key(b);
    }
  };

  const Value::Struct& fields_;
  std::set<std::size_t, ByKey> order_;
};

class Parser {
 public:
  Parser(std::string_view text, const JsonLimits& limits) : scanner_(text), limits_(limits) {}

  bool read_document(Value& out) {
    scanner_.skip_space();
    if (scanner_.at_end())
      return scanner_.fail(0, "the text is empty; a JSON value should stand here");
    if (!read_value(out)) return false;
    scanner_.skip_space();
    return scanner_.at_end() || scanner_.fail_expected("the end of the text");
  }

  [[nodiscard]] const JsonScanner& scanner() const { return scanner_; }

 private:
  bool read_value(Value& out) {
    if (values_++ == limits_.values) {
      return scanner_.fail(scanner_.offset(),
                           fmt::format("more than {} values in one text; split it, or pass large "
                                       "values as artifacts",
                                       limits_.values));
    }
    switch (scanner_.peek()) {
      case '{':
        return read_nested(out, &Parser::read_object);
      case '[':
        return read_nested(out, &Parser::read_list);
      case '"': {
        std::string string;
        if (!scanner_.read_string(string)) return false;
        out = Value(std::move(string));
        return true;
      }
      case 't':
        return read_word("true", Value(true), out);
      case 'f':
        return read_word("false", Value(false), out);
      case 'n':
        return read_word("null", Value(), out);
      default:
        return read_number(out);
    }
  }

  bool read_word(std::string_view word, Value meaning, Value& out) {
    if (!scanner_.take_word(word)) return scanner_.fail_value();
    out = std::move(meaning);
    return true;
  }

  bool read_number(Value& out) {
    const char first = scanner_.peek();
    if (first != '-' && (first < '0' || first > '9')) return scanner_.fail_value();
    double number = 0;
    if (!scanner_.read_number(number)) return false;
    out = Value(number);
    return true;
  }

  bool read_nested(Value& out, bool (Parser::*read)(Value&)) {
    if (depth_ == limits_.depth) {
      return scanner_.fail(
          scanner_.offset(),
          fmt::format("nested deeper than {} levels; make it flatter", limits_.depth));
    }
    ++depth_;
    const bool done = (this->*read)(out);
    --depth_;
    return done;
  }

  bool read_list(Value& out) {
    const std::size_t opening = scanner_.offset();
    scanner_.advance();
    Value::List items;
    scanner_.skip_space();
    if (scanner_.at_end()) return fail_open(opening, ']');
    bool more = !scanner_.take(']');
    while (more) {
      if (!read_value(items.emplace_back()) || !read_separator(opening, ']', more)) return false;
    }
    out = Value(std::move(items));
    return true;
  }

  bool read_object(Value& out) {
    const std::size_t opening = scanner_.offset();
    scanner_.advance();
    Value::Struct fields;
    KeyIndex keys(fields);
    scanner_.skip_space();
    if (scanner_.at_end()) return fail_open(opening, '}');
    bool more = !scanner_.take('}');
    while (more) {
      std::string key;
      Value value;
      if (!read_key(keys, key) || !read_value(value)) return false;
      fields.append(std::move(key), std::move(value));
      if (!read_separator(opening, '}', more)) return false;
    }
    out = Value(std::move(fields));
    return true;
  }

  bool read_key(KeyIndex& keys, std::string& key) {
    const std::size_t start = scanner_.offset();
    if (scanner_.peek() != '"') return fail_key();
    if (!scanner_.read_string(key)) return false;
    if (keys.contains(key)) {
      return scanner_.fail(start,
                           fmt::format("the key {} occurs twice in one object; keep one of them",
                                       to_json(shorten(key, kShownKeyBytesMax))));
    }
    scanner_.skip_space();
    if (!scanner_.take(':')) return scanner_.fail_expected("the colon after a key");
    scanner_.skip_space();
    return true;
  }

  // After a list's item or an object's field. `more` becomes false behind the closing bracket.
  bool read_separator(std::size_t opening, char closing, bool& more) {
    scanner_.skip_space();
    const std::size_t separator = scanner_.offset();
    more = scanner_.take(',');
    if (!more) {
      if (scanner_.take(closing)) return true;
      if (scanner_.at_end()) return fail_open(opening, closing);
      return scanner_.fail_expected(fmt::format("a comma or \"{}\"", closing));
    }
    scanner_.skip_space();
    if (scanner_.peek() == closing) {
      return scanner_.fail(
          separator, fmt::format("nothing follows this comma; remove it before \"{}\"", closing));
    }
    return !scanner_.at_end() || fail_open(opening, closing);
  }

  bool fail_key() {
    const char c = scanner_.peek();
    const bool is_bare = c == '\'' || c == '_' || c == '-' || (c >= '0' && c <= '9') ||
                         (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (is_bare) return scanner_.fail(scanner_.offset(), "a key must stand in double quotes");
    return scanner_.fail_expected("a key in double quotes");
  }

  bool fail_open(std::size_t opening, char closing) {
    return scanner_.fail(opening, fmt::format("this {} is not closed; end it with \"{}\"",
                                              closing == '}' ? "object" : "list", closing));
  }

  JsonScanner scanner_;
  const JsonLimits& limits_;
  std::size_t depth_ = 0;
  std::size_t values_ = 0;
};

Error refuse(std::string_view text, std::size_t offset, const std::string& message,
             JsonError* detail) {
  const Position position = position_at(text, offset);
  if (detail != nullptr) *detail = {position, message};
  return make_error(Code::kInvalidArgument, "line {}, column {}: {}", position.line,
                    position.column, message);
}

}  // namespace

Result<Value> parse_json(std::string_view text, const JsonLimits& limits, JsonError* detail) {
  if (text.size() > limits.bytes) {
    return refuse(text, limits.bytes,
                  fmt::format("the text has {} bytes, and {} are allowed; split it, or pass large "
                              "values as artifacts",
                              text.size(), limits.bytes),
                  detail);
  }
  Parser parser(text, limits);
  Value out;
  if (parser.read_document(out)) return out;
  return refuse(text, parser.scanner().fault_offset(), parser.scanner().fault_message(), detail);
}

std::string pointer_token(std::string_view name) {
  std::string out;
  for (char c : name) {
    if (c == '~') {
      out += "~0";
    } else if (c == '/') {
      out += "~1";
    } else {
      out += c;
    }
  }
  return out;
}

}  // namespace cresset::text
