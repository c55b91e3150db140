#include "cresset/text/json.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cresset/base/error.h"
#include "cresset/base/result.h"
#include "cresset/base/value.h"
#include "cresset/text/json_scanner.h"
#include "cresset/text/utf8.h"

namespace cresset::text {

namespace {

constexpr std::size_t kShownKeyBytesMax = 60;
constexpr std::size_t kRepeatedMax = 100;
constexpr std::size_t kUsualSizeMax = 16;

// Finds a key that occurs twice in one object. The first few are compared as they come; from then
// on it is done once, at the object's end, in order of hash and then of text: no choice of keys
// makes that slow, as it could a hash table.
class KeyIndex {
 public:
  explicit KeyIndex(const Value::Struct& fields) : fields_(fields) {}

  // Before the field is added: false when the key at `offset` is known to be there already.
  bool note(std::string_view key, std::size_t offset) {
    if (fields_.size() < kComparedMax) return fields_.find(key) == nullptr;
    offsets_.push_back(offset);
    return true;
  }

  // After the last field: the fields whose key equals one before them, by index, and where in the
  // text such a key stands.
  [[nodiscard]] std::vector<std::size_t> find_repeated() const {
    std::vector<std::size_t> repeated;
    if (offsets_.empty()) return repeated;
    const std::vector<Entry> order = sorted();
    for (std::size_t i = 1; i < order.size(); ++i) {
      if (order[i - 1].hash == order[i].hash && key(order[i - 1].index) == key(order[i].index))
        repeated.push_back(order[i].index);
    }
    std::ranges::sort(repeated);
    return repeated;
  }
  [[nodiscard]] std::size_t offset_of(std::size_t repeated) const {
    return offsets_[repeated - kComparedMax];
  }

 private:
  static constexpr std::size_t kComparedMax = 16;

  struct Entry {
    std::size_t hash;
    std::size_t index;
  };

  [[nodiscard]] std::string_view key(std::size_t index) const {
    return fields_.begin()[static_cast<std::ptrdiff_t>(index)].first;
  }

  // Equal keys stand side by side, the earliest first.
  [[nodiscard]] std::vector<Entry> sorted() const {
    std::vector<Entry> out;
    out.reserve(fields_.size());
    for (const auto& [name, value] : fields_)
      out.push_back({std::hash<std::string_view>{}(name), out.size()});
    std::ranges::sort(out, [this](const Entry& a, const Entry& b) {
      if (a.hash != b.hash) return a.hash < b.hash;
      const int order = key(a.index).compare(key(b.index));
      return order != 0 ? order < 0 : a.index < b.index;
    });
    return out;
  }

  const Value::Struct& fields_;
  std::vector<std::size_t> offsets_;  // of the keys from kComparedMax on
};

class Parser {
 public:
  // With `repeated`, a key that occurs twice in one object goes there instead of being an error.
  Parser(std::string_view text, const JsonLimits& limits, std::vector<JsonError>* repeated)
      : text_(text), scanner_(text), limits_(limits), repeated_(repeated) {}

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
    if (usual_sizes_.size() < depth_) usual_sizes_.resize(depth_);
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
    // Objects at one depth are alike: one with as many fields as the last needs no second block.
    if (more) fields.reserve(usual_sizes_[depth_ - 1]);
    while (more) {
      std::string key;
      Value value;
      bool is_new = true;
      if (!read_key(keys, key, is_new) || !read_value(value)) return false;
      if (is_new) fields.append(std::move(key), std::move(value));
      if (!read_separator(opening, '}', more)) return false;
    }
    if (!drop_repeated(fields, keys)) return false;
    usual_sizes_[depth_ - 1] = std::min(fields.size(), kUsualSizeMax);
    out = Value(std::move(fields));
    return true;
  }

  bool drop_repeated(Value::Struct& fields, const KeyIndex& keys) {
    const std::vector<std::size_t> repeated = keys.find_repeated();
    if (repeated.empty()) return true;
    Value::Struct kept;
    auto next = repeated.begin();
    std::size_t index = 0;
    for (auto& [key, value] : fields) {
      if (next == repeated.end() || index++ != *next) {
        kept.append(std::move(key), std::move(value));
      } else if (!meet_repeated(keys.offset_of(*next++), key)) {
        return false;
      }
    }
    fields = std::move(kept);
    return true;
  }

  bool read_key(KeyIndex& keys, std::string& key, bool& is_new) {
    const std::size_t start = scanner_.offset();
    if (scanner_.peek() != '"') return fail_key();
    if (!scanner_.read_string(key)) return false;
    is_new = keys.note(key, start);
    if (!is_new && !meet_repeated(start, key)) return false;
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

  bool meet_repeated(std::size_t offset, std::string_view key) {
    std::string message = fmt::format("the key {} occurs twice in one object; keep one of them",
                                      to_json(shorten(key, kShownKeyBytesMax)));
    if (repeated_ == nullptr) return scanner_.fail(offset, std::move(message));
    if (repeated_->size() < kRepeatedMax)
      repeated_->push_back({position_at(text_, offset), std::move(message)});
    return true;
  }

  bool fail_open(std::size_t opening, char closing) {
    return scanner_.fail(opening, fmt::format("this {} is not closed; end it with \"{}\"",
                                              closing == '}' ? "object" : "list", closing));
  }

  std::string_view text_;
  JsonScanner scanner_;
  const JsonLimits& limits_;
  std::vector<JsonError>* repeated_;
  std::size_t depth_ = 0;
  std::size_t values_ = 0;
  std::vector<std::size_t> usual_sizes_;  // fields of the last object, by depth
};

Error refuse(std::string_view text, std::size_t offset, const std::string& message,
             JsonError* detail) {
  const Position position = position_at(text, offset);
  if (detail != nullptr) *detail = {position, message};
  return make_error(Code::kInvalidArgument, "line {}, column {}: {}", position.line,
                    position.column, message);
}

}  // namespace

Result<Value> parse_json(std::string_view text, const JsonLimits& limits, JsonError* detail,
                         std::vector<JsonError>* repeated) {
  if (text.size() > limits.bytes) {
    return refuse(text, limits.bytes,
                  fmt::format("the text has {} bytes, and {} are allowed; split it, or pass large "
                              "values as artifacts",
                              text.size(), limits.bytes),
                  detail);
  }
  Parser parser(text, limits, repeated);
  Value out;
  const bool read = parser.read_document(out);
  if (repeated != nullptr) {
    std::ranges::sort(*repeated, {}, [](const JsonError& error) {
      return std::pair(error.position.line, error.position.column);
    });
  }
  if (read) return out;
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
