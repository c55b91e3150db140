#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace cresset::text {

// Bytes of the character that starts at `offset`, or 0 when none does: a stray or missing
// continuation byte, an overlong form, a surrogate, a code point above U+10FFFF.
std::size_t utf8_length(std::string_view text, std::size_t offset);

// Offset of the first byte that is not valid UTF-8; npos when there is none.
std::size_t find_invalid_utf8(std::string_view text);

// Code points of a valid text.
std::size_t count_characters(std::string_view text);

// False, and nothing appended, when no character has that number.
bool append_character(std::string& out, std::uint32_t code_point);

// At most `bytes_max` bytes and then "..." when something was cut off, never inside a character.
std::string shorten(std::string_view text, std::size_t bytes_max);

}  // namespace cresset::text
