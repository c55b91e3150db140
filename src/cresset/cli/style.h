#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "cresset/model/run.h"

namespace cresset::cli {

// How states look: signs and colours. Pure.
class Style {
 public:
  Style(bool colour, bool utf8) : colour_(colour), utf8_(utf8) {}

  enum class Tone { kPlain, kGood, kBad, kActive, kDim, kStrong };
  [[nodiscard]] std::string paint(Tone tone, std::string_view text) const;
  // One column wide, painted. `frame` turns the sign of what is running.
  [[nodiscard]] std::string sign(model::State state, bool cached, std::size_t frame = 0) const;
  [[nodiscard]] std::string_view ellipsis() const { return utf8_ ? "…" : "..."; }
  [[nodiscard]] std::string_view dot() const { return utf8_ ? " · " : " - "; }
  [[nodiscard]] bool utf8() const { return utf8_; }

 private:
  bool colour_;
  bool utf8_;
};

Style::Tone tone_of(model::State state);

// What a step prints must not move the cursor or change colours: control characters but tab become
// visible; at most `columns` characters, cut with an ellipsis.
std::string printable_line(std::string_view line, std::size_t columns, const Style& style);
// Of a message that stands on a line of its own.
inline constexpr std::size_t kMessageColumns = 400;
// The last `count` lines at most, without empty ones at the end.
std::vector<std::string_view> last_lines(std::string_view text, std::size_t count);

// Columns padded to their widest cell; the last is left as it is. One line a row.
std::string align(const std::vector<std::vector<std::string>>& rows);

// How wide a text is on a terminal: characters, without escape codes.
std::size_t width_of(std::string_view text);

// "1.4 GiB"
std::string bytes_text(std::int64_t bytes);

}  // namespace cresset::cli
