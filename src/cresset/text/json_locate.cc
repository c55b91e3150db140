#include <charconv>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>

#include "cresset/text/json.h"
#include "cresset/text/json_scanner.h"

namespace cresset::text {

namespace {

// One token of a pointer, unescaped; removes it from the pointer's front.
std::string take_token(std::string_view& pointer) {
  pointer.remove_prefix(1);
  const std::string_view raw = pointer.substr(0, pointer.find('/'));
  pointer.remove_prefix(raw.size());
  std::string out;
  for (std::size_t i = 0; i < raw.size(); ++i) {
    const bool escaped =
        raw[i] == '~' && i + 1 < raw.size() && (raw[i + 1] == '0' || raw[i + 1] == '1');
    if (escaped) ++i;
    out += escaped ? (raw[i] == '1' ? '/' : '~') : raw[i];
  }
  return out;
}

// A list's index: digits without leading zeros.
std::optional<std::size_t> as_index(const std::string& token) {
  std::size_t out = 0;
  const auto [end, error] = std::from_chars(token.data(), token.data() + token.size(), out);
  const bool whole = error == std::errc{} && end == token.data() + token.size();
  if (!whole || (token.size() > 1 && token.front() == '0')) return std::nullopt;
  return out;
}

class Locator {
 public:
  explicit Locator(std::string_view text) : scanner_(text) {}

  std::size_t find(std::string_view pointer) {
    scanner_.skip_space();
    std::size_t found = scanner_.offset();
    while (pointer.starts_with('/') && enter(take_token(pointer))) found = scanner_.offset();
    return found;
  }

 private:
  // From the start of a value to the start of the one that the token names within it.
  bool enter(const std::string& token) {
    if (scanner_.take('{')) return enter_field(token);
    if (!scanner_.take('[')) return false;
    const auto index = as_index(token);
    return index && enter_item(*index);
  }

  bool enter_field(const std::string& token) {
    std::string key;
    scanner_.skip_space();
    while (scanner_.peek() == '"') {
      key.clear();
      if (!scanner_.read_string(key)) return false;
      scanner_.skip_space();
      if (!scanner_.take(':')) return false;
      scanner_.skip_space();
      if (key == token) return true;
      skip_value();
      if (!scanner_.take(',')) return false;
      scanner_.skip_space();
    }
    return false;
  }

  bool enter_item(std::size_t index) {
    scanner_.skip_space();
    if (scanner_.peek() == ']') return false;
    for (; index > 0; --index) {
      skip_value();
      if (!scanner_.take(',')) return false;
      scanner_.skip_space();
    }
    return !scanner_.at_end();
  }

  // To the comma or bracket behind a value. The text is known to be JSON, so only brackets and
  // strings matter.
  void skip_value() {
    std::size_t depth = 0;
    std::string ignored;
    while (!scanner_.at_end()) {
      const char c = scanner_.peek();
      if (c == '"') {
        ignored.clear();
        if (!scanner_.read_string(ignored)) return;
        continue;
      }
      const bool opens = c == '{' || c == '[';
      const bool closes = c == '}' || c == ']';
      if (depth == 0 && (closes || c == ',')) return;
      if (opens) ++depth;
      if (closes) --depth;
      scanner_.advance();
    }
  }

  JsonScanner scanner_;
};

}  // namespace

Position locate_json(std::string_view text, std::string_view pointer) {
  return position_at(text, Locator(text).find(pointer));
}

}  // namespace cresset::text
