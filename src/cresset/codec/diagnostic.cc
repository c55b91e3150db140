#include "cresset/codec/diagnostic.h"

#include <fmt/format.h>

#include "cresset/codec/source_text.h"

namespace cresset::codec {

namespace {

constexpr std::size_t kWindow = 100;  // characters of a source line that are shown
constexpr std::size_t kBefore = 60;   // of them, at most before the place

struct Shown {
  std::string line;
  std::size_t caret = 0;
};

// A terminal must not be steered by a file: what is no printable character becomes one that is.
std::string visible(std::string_view character) {
  const auto byte = static_cast<unsigned char>(character.front());
  if (byte == '\t') return " ";
  if (character.size() == 1 && (byte < 0x20 || byte >= 0x7F)) return "\xEF\xBF\xBD";
  if (character.size() == 2 && byte == 0xC2 && static_cast<unsigned char>(character[1]) < 0xA0)
    return "\xEF\xBF\xBD";
  // Marks that reorder or hide text (U+200B…200F, U+2028…202E, U+2066…2069).
  if (character.size() == 3 && byte == 0xE2) {
    const auto second = static_cast<unsigned char>(character[1]);
    const auto third = static_cast<unsigned char>(character[2]);
    if (second == 0x80 && ((third >= 0x8B && third <= 0x8F) || (third >= 0xA8 && third <= 0xAE)))
      return "\xEF\xBF\xBD";
    if (second == 0x81 && third >= 0xA6 && third <= 0xA9) return "\xEF\xBF\xBD";
  }
  return std::string(character);
}

Shown window_of(std::string_view line, std::size_t column) {
  const std::size_t place = column == 0 ? 0 : column - 1;
  const std::size_t first = place > kBefore ? place - kBefore : 0;
  Shown out;
  if (first > 0) out.line = "… ";
  out.caret = place - first + (first > 0 ? 2 : 0);
  line.remove_prefix(offset_of_character(line, first));
  for (std::size_t shown = 0; !line.empty(); ++shown) {
    if (shown == kWindow) {
      out.line += " …";
      break;
    }
    const std::size_t length = character_length(line, 0);
    out.line += visible(line.substr(0, length));
    line.remove_prefix(length);
  }
  return out;
}

std::string visible_text(std::string_view text) {
  std::string out;
  for (std::size_t offset = 0; offset < text.size();) {
    const std::size_t length = character_length(text, offset);
    out += visible(text.substr(offset, length));
    offset += length;
  }
  return out;
}

}  // namespace

std::string render(const Diagnostic& diagnostic, std::string_view text) {
  const std::string_view word = diagnostic.severity == Severity::kError ? "error" : "warning";
  std::string out =
      fmt::format("{}:{}:{}: {}: {}\n", visible_text(diagnostic.file), diagnostic.position.line,
                  diagnostic.position.column, word, visible_text(diagnostic.message));
  const Shown shown =
      window_of(line_of(without_bom(text), diagnostic.position.line), diagnostic.position.column);
  if (!shown.line.empty())
    out += fmt::format("  {}\n  {}^\n", shown.line, std::string(shown.caret, ' '));
  if (!diagnostic.help.empty()) out += fmt::format("help: {}\n", visible_text(diagnostic.help));
  return out;
}

}  // namespace cresset::codec
