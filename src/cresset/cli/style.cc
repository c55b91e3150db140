#include "cresset/cli/style.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace cresset::cli {

using model::State;

std::string Style::paint(Tone tone, std::string_view text) const {
  if (!colour_ || tone == Tone::kPlain) return std::string(text);
  std::string_view code;
  switch (tone) {
    case Tone::kGood:
      code = "32";
      break;
    case Tone::kBad:
      code = "31";
      break;
    case Tone::kActive:
      code = "36";
      break;
    case Tone::kDim:
      code = "2";
      break;
    default:
      code = "1";
      break;
  }
  return fmt::format("\033[{}m{}\033[0m", code, text);
}

Style::Tone tone_of(State state) {
  switch (state) {
    case State::kSucceeded:
      return Style::Tone::kGood;
    case State::kFailed:
      return Style::Tone::kBad;
    case State::kRunning:
      return Style::Tone::kActive;
    case State::kPending:
    case State::kSkipped:
    case State::kCanceled:
      return Style::Tone::kDim;
  }
  return Style::Tone::kPlain;
}

std::string Style::sign(State state, bool cached, std::size_t frame) const {
  constexpr std::array<std::string_view, 4> kTurning = {"◐", "◓", "◑", "◒"};
  constexpr std::array<std::string_view, 4> kTurningAscii = {"|", "/", "-", "\\"};
  std::string_view text;
  switch (state) {
    case State::kPending:
      text = utf8_ ? "·" : ".";
      break;
    case State::kRunning:
      text = (utf8_ ? kTurning : kTurningAscii)[frame % kTurning.size()];
      break;
    case State::kSucceeded:
      if (cached) {
        text = utf8_ ? "≡" : "=";
      } else {
        text = utf8_ ? "✓" : "+";
      }
      break;
    case State::kFailed:
      text = utf8_ ? "✗" : "x";
      break;
    case State::kSkipped:
      text = utf8_ ? "○" : "o";
      break;
    case State::kCanceled:
      text = utf8_ ? "⊘" : "!";
      break;
  }
  return paint(tone_of(state), text);
}

std::string printable_line(std::string_view line, std::size_t columns, const Style& style) {
  std::string out;
  std::size_t width = 0;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const auto c = static_cast<unsigned char>(line[i]);
    const bool continues = (c & 0xC0) == 0x80;
    if (!continues && width == columns) {
      while (!out.empty() && (static_cast<unsigned char>(out.back()) & 0xC0) == 0x80)
        out.pop_back();
      if (!out.empty()) out.pop_back();
      return out + std::string(style.ellipsis());
    }
    if (!continues) ++width;
    if (c == '\t') {
      out += ' ';
    } else if (c < 0x20 || c == 0x7F) {
      out += '?';
    } else {
      out += line[i];
    }
  }
  return out;
}

std::size_t width_of(std::string_view text) {
  std::size_t width = 0;
  bool escape = false;
  for (const char c : text) {
    if (c == '\033') escape = true;
    if (!escape && (static_cast<unsigned char>(c) & 0xC0) != 0x80) ++width;
    if (escape && c == 'm') escape = false;
  }
  return width;
}

std::string align(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width_of(row[i]));
  }
  std::string out;
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      out += row[i];
      if (i + 1 < row.size()) out.append(widths[i] - width_of(row[i]) + 2, ' ');
    }
    while (!out.empty() && out.back() == ' ') out.pop_back();
    out += '\n';
  }
  return out;
}

std::vector<std::string_view> last_lines(std::string_view text, std::size_t count) {
  while (!text.empty() && text.back() == '\n') text.remove_suffix(1);
  std::vector<std::string_view> out;
  while (!text.empty() && out.size() < count) {
    const std::size_t cut = text.rfind('\n');
    out.push_back(cut == std::string_view::npos ? text : text.substr(cut + 1));
    text = cut == std::string_view::npos ? std::string_view() : text.substr(0, cut);
  }
  std::ranges::reverse(out);
  return out;
}

std::string bytes_text(std::int64_t bytes) {
  constexpr std::array<std::string_view, 5> kUnits = {"B", "KiB", "MiB", "GiB", "TiB"};
  constexpr double kStep = 1024;
  auto amount = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (amount >= kStep && unit + 1 < kUnits.size()) {
    amount /= kStep;
    ++unit;
  }
  return unit == 0 ? fmt::format("{} B", bytes) : fmt::format("{:.1f} {}", amount, kUnits[unit]);
}

}  // namespace cresset::cli
