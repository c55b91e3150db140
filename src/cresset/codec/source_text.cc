#include "cresset/codec/source_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>

#include "cresset/text/utf8.h"

namespace cresset::codec {

namespace {

constexpr std::size_t kClippedBytes = 80;
constexpr std::size_t kBlock = 4096;

bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }
bool is_lead(char c) { return !is_continuation(c); }
bool is_newline(char c) { return c == '\n'; }

// Offset of the `index`-th byte (from 0) that `is_wanted`; the text's size when there are fewer.
// Whole blocks are counted, which compilers do many bytes at a time: texts are large, and each of
// a hundred diagnostics looks for its line.
template <class F>
std::size_t find_nth(std::string_view text, std::size_t index, F is_wanted) {
  std::size_t offset = 0;
  for (; offset < text.size(); offset += kBlock) {
    const auto inside =
        static_cast<std::size_t>(std::ranges::count_if(text.substr(offset, kBlock), is_wanted));
    if (inside > index) break;
    index -= inside;
  }
  for (; offset < text.size(); ++offset) {
    if (is_wanted(text[offset]) && index-- == 0) return offset;
  }
  return text.size();
}

// The character at `offset`, or nothing when it is no shortest-form UTF-8 of a scalar value.
std::optional<std::uint32_t> decode(std::string_view text, std::size_t offset,
                                    std::size_t& length) {
  const auto byte = [&](std::size_t i) {
    return static_cast<std::uint32_t>(static_cast<unsigned char>(text[offset + i]));
  };
  const std::uint32_t lead = byte(0);
  length = 1;
  if (lead < 0x80) return lead;
  const std::size_t wanted = lead >= 0xF0 && lead < 0xF8   ? 4
                             : lead >= 0xE0 && lead < 0xF0 ? 3
                             : lead >= 0xC2 && lead < 0xE0 ? 2
                                                           : 0;
  if (wanted == 0 || offset + wanted > text.size()) return std::nullopt;
  std::uint32_t out = lead & (0xFFu >> (wanted + 1));
  for (std::size_t i = 1; i < wanted; ++i) {
    if (!is_continuation(text[offset + i])) return std::nullopt;
    out = (out << 6) | (byte(i) & 0x3F);
  }
  constexpr std::uint32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
  if (out < kSmallest[wanted] || out > 0x10FFFF || (out >= 0xD800 && out < 0xE000))
    return std::nullopt;
  length = wanted;
  return out;
}

}  // namespace

text::Position position_in_line(std::string_view text, std::size_t offset, std::size_t line,
                                std::size_t bytes_before) {
  const std::string_view before = text.substr(offset - bytes_before, bytes_before);
  const auto characters = static_cast<std::size_t>(std::ranges::count_if(before, is_lead));
  return {line + 1, characters + 1};
}

text::Position position_at(std::string_view text, std::size_t offset) {
  offset = std::min(offset, text.size());
  const std::string_view before = text.substr(0, offset);
  const std::size_t newline = before.rfind('\n');
  const std::size_t line_start = newline == std::string_view::npos ? 0 : newline + 1;
  const auto line = static_cast<std::size_t>(std::ranges::count(before, '\n'));
  return position_in_line(text, offset, line, offset - line_start);
}

std::optional<TextFault> find_text_fault(std::string_view text) {
  std::size_t offset = 0;
  while (offset < text.size()) {
    const auto byte = static_cast<unsigned char>(text[offset]);
    if (byte >= 0x20 && byte < 0x7F) {
      ++offset;
      continue;
    }
    std::size_t length = 1;
    const auto character = decode(text, offset, length);
    if (!character)
      return TextFault{offset, fmt::format("the byte 0x{:02X} is not valid UTF-8", byte)};
    const bool line_break_or_tab =
        *character == '\t' || *character == '\n' || *character == '\r' || *character == 0x85;
    if (!line_break_or_tab && (*character < 0x20 || (*character >= 0x7F && *character < 0xA0))) {
      return TextFault{offset, fmt::format("the control character U+{:04X} may not stand in a text",
                                           *character)};
    }
    offset += length;
  }
  return std::nullopt;
}

std::string_view without_bom(std::string_view text) {
  constexpr std::string_view kMark = "\xEF\xBB\xBF";
  // yaml-cpp would step over a second one without counting it.
  while (text.starts_with(kMark)) text.remove_prefix(kMark.size());
  return text;
}

std::string_view line_of(std::string_view text, std::size_t line) {
  if (line > 1) {
    const std::size_t newline = find_nth(text, line - 2, is_newline);
    if (newline == text.size()) return {};
    text.remove_prefix(newline + 1);
  }
  std::string_view out = text.substr(0, text.find('\n'));
  if (out.ends_with('\r')) out.remove_suffix(1);
  return out;
}

std::size_t offset_of_character(std::string_view text, std::size_t count) {
  return find_nth(text, count, is_lead);
}

std::string clipped(std::string_view text) { return text::shorten(text, kClippedBytes); }

std::size_t character_length(std::string_view text, std::size_t offset) {
  std::size_t length = 1;
  decode(text, offset, length);
  return length;
}

}  // namespace cresset::codec
