#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "cresset/text/json.h"

// Looking at a source text: where a byte stands, and whether it is text at all.
namespace cresset::codec {

// Line and column (in characters, both from 1) of the byte at `offset`.
text::Position position_at(std::string_view text, std::size_t offset);
// The same when the line and the bytes before the place in that line are known (both from 0).
text::Position position_in_line(std::string_view text, std::size_t offset, std::size_t line,
                                std::size_t bytes_before);

struct TextFault {
  std::size_t offset = 0;
  std::string message;
};
// The first byte that no YAML or JSON text may hold: invalid UTF-8, or a control character other
// than tab and line break.
std::optional<TextFault> find_text_fault(std::string_view text);

// Without the byte order marks at its beginning.
std::string_view without_bom(std::string_view text);

// One line of the text, from 1, without its line break; empty past the end.
std::string_view line_of(std::string_view text, std::size_t line);

// Offset of the character that `count` others precede; the text's size when there are fewer.
std::size_t offset_of_character(std::string_view text, std::size_t count);

// The start of a text that may be long, for a message.
std::string clipped(std::string_view text);

// Length in bytes of the UTF-8 character that starts at `offset` (which is within the text); 1 for
// a byte that starts none.
std::size_t character_length(std::string_view text, std::size_t offset);

}  // namespace cresset::codec
