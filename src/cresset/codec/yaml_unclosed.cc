#include <algorithm>
#include <vector>

#include "cresset/codec/yaml_events.h"

namespace cresset::codec {

namespace {

constexpr std::string_view kSpace = " \t\r\n";

// Past the end of the quoted text at `offset`; npos when it has none.
std::size_t skip_quoted(std::string_view text, std::size_t offset) {
  const char quote = text[offset];
  for (std::size_t i = offset + 1; i < text.size(); ++i) {
    if (quote == '"' && text[i] == '\\') {
      ++i;
    } else if (text[i] == quote) {
      if (quote == '"' || i + 1 == text.size() || text[i + 1] != quote) return i + 1;
      ++i;
    }
  }
  return std::string_view::npos;
}

// Past anchors and tags.
std::size_t skip_properties(std::string_view text, std::size_t offset) {
  while (offset < text.size() && (text[offset] == '&' || text[offset] == '!')) {
    offset = std::min(text.find_first_of(kSpace, offset), text.size());
    offset = std::min(text.find_first_not_of(kSpace, offset), text.size());
  }
  return offset;
}

}  // namespace

bool is_unclosed_quote(std::string_view text, std::size_t offset) {
  offset = skip_properties(text, offset);
  if (offset >= text.size() || (text[offset] != '"' && text[offset] != '\'')) return false;
  return skip_quoted(text, offset) == std::string_view::npos;
}

std::optional<std::size_t> find_unclosed(std::string_view text, std::size_t offset) {
  std::vector<std::size_t> open;
  char before = ':';  // the last character that is no space
  bool after_space = true;
  offset = skip_properties(text, offset);
  while (offset < text.size()) {
    const char c = text[offset];
    const bool begins = std::string_view("[{,:?-").find(before) != std::string_view::npos;
    if (c == '#' && after_space) {
      offset = std::min(text.find('\n', offset), text.size());
      continue;
    }
    if ((c == '"' || c == '\'') && begins) {
      const std::size_t end = skip_quoted(text, offset);
      if (end == std::string_view::npos) return offset;
      offset = end;
      before = c;
      after_space = false;
      continue;
    }
    if ((c == '[' || c == '{') && (begins || !open.empty())) open.push_back(offset);
    if ((c == ']' || c == '}') && !open.empty()) {
      open.pop_back();
      if (open.empty()) return std::nullopt;
    }
    after_space = kSpace.find(c) != std::string_view::npos;
    if (!after_space) before = c;
    if (c == '\n' && open.empty()) before = ':';
    ++offset;
  }
  if (open.empty()) return std::nullopt;
  return open.back();
}

}  // namespace cresset::codec
