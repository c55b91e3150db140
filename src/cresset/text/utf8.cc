#include "cresset/text/utf8.h"

#include <algorithm>

namespace cresset::text {

namespace {

constexpr std::uint32_t kCodePointMax = 0x10FFFF;

bool is_surrogate(std::uint32_t code_point) { return code_point >= 0xD800 && code_point <= 0xDFFF; }

bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xC0u) == 0x80u; }

// Length that the first byte announces, and the bits of the code point that it holds.
struct Lead {
  std::size_t length = 0;
  std::uint32_t bits = 0;
};

Lead lead_of(unsigned char byte) {
  if (byte < 0x80u) return {1, byte};
  if (byte < 0xC0u) return {};
  if (byte < 0xE0u) return {2, byte & 0x1Fu};
  if (byte < 0xF0u) return {3, byte & 0x0Fu};
  if (byte < 0xF8u) return {4, byte & 0x07u};
  return {};
}

char as_char(std::uint32_t byte) { return static_cast<char>(static_cast<unsigned char>(byte)); }

}  // namespace

std::size_t utf8_length(std::string_view text, std::size_t offset) {
  if (offset >= text.size()) return 0;
  const Lead lead = lead_of(static_cast<unsigned char>(text[offset]));
  if (lead.length == 0 || lead.length > text.size() - offset) return 0;
  std::uint32_t code_point = lead.bits;
  for (std::size_t i = 1; i < lead.length; ++i) {
    const char c = text[offset + i];
    if (!is_continuation(c)) return 0;
    code_point = (code_point << 6u) | (static_cast<unsigned char>(c) & 0x3Fu);
  }
  constexpr std::uint32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
  const bool scalar =
      code_point >= kLeast[lead.length] && code_point <= kCodePointMax && !is_surrogate(code_point);
  return scalar ? lead.length : 0;
}

std::size_t find_invalid_utf8(std::string_view text) {
  std::size_t offset = 0;
  while (offset < text.size()) {
    const std::size_t length = utf8_length(text, offset);
    if (length == 0) return offset;
    offset += length;
  }
  return std::string_view::npos;
}

std::size_t count_characters(std::string_view text) {
  return static_cast<std::size_t>(
      std::ranges::count_if(text, [](char c) { return !is_continuation(c); }));
}

bool append_character(std::string& out, std::uint32_t code_point) {
  if (code_point > kCodePointMax || is_surrogate(code_point)) return false;
  if (code_point < 0x80u) {
    out += as_char(code_point);
  } else if (code_point < 0x800u) {
    out += as_char(0xC0u | (code_point >> 6u));
    out += as_char(0x80u | (code_point & 0x3Fu));
  } else if (code_point < 0x10000u) {
    out += as_char(0xE0u | (code_point >> 12u));
    out += as_char(0x80u | ((code_point >> 6u) & 0x3Fu));
    out += as_char(0x80u | (code_point & 0x3Fu));
  } else {
    out += as_char(0xF0u | (code_point >> 18u));
    out += as_char(0x80u | ((code_point >> 12u) & 0x3Fu));
    out += as_char(0x80u | ((code_point >> 6u) & 0x3Fu));
    out += as_char(0x80u | (code_point & 0x3Fu));
  }
  return true;
}

std::string shorten(std::string_view text, std::size_t bytes_max) {
  if (text.size() <= bytes_max) return std::string(text);
  std::size_t end = bytes_max;
  while (end > 0 && is_continuation(text[end])) --end;
  return std::string(text.substr(0, end)) + "...";
}

}  // namespace cresset::text
