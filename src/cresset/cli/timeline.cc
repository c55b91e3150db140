#include "cresset/cli/timeline.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <numeric>
#include <unordered_map>

#include "cresset/cli/run_text.h"

namespace cresset::cli {

using model::State;

namespace {

constexpr std::size_t kColumnsMin = 40;
constexpr std::size_t kLabelMin = 9;
constexpr std::size_t kLabelMax = 32;
constexpr std::size_t kNumberWidth = 7;  // "3m05s", "340ms"
constexpr std::array<std::string_view, 4> kPhases = {"wait", "start", "run", "finish"};

enum class Cell { kNone, kWaiting, kStarting, kRunning, kFinishing, kCached };

// ---- From a view ----

bool is_step(const model::TaskView& task) {
  return task.kind == model::TaskKind::kContainer || task.kind == model::TaskKind::kImporter;
}

// Runs of older programs tell no more than when a process started.
std::optional<WallTime> ready_at(const model::TaskView& task) {
  return task.ready_at ? task.ready_at : task.started_at;
}

TimelineStep step_of(const model::TaskView& task, WallTime now) {
  TimelineStep out;
  out.path = task.path;
  out.state = task.state;
  out.cached = task.cached;
  out.attempts = task.attempts;
  out.ready_at = *ready_at(task);
  out.started_at = task.started_at;
  out.spent = task.spent;
  const Duration until_now = task.doing_since ? now - *task.doing_since : Duration{0};
  const Duration more = std::max(Duration{0}, until_now);
  if (task.doing == model::Doing::kWaiting) out.spent.waiting += more;
  if (task.doing == model::Doing::kStarting) out.spent.starting += more;
  if (task.doing == model::Doing::kRunning) out.spent.running += more;
  out.end = task.finished_at ? *task.finished_at + task.spent.finishing : now;
  out.end = std::max(out.end, out.ready_at);
  return out;
}

Duration total(const TimelineStep& step) { return step.end - step.ready_at; }

Duration share_of(const model::Spent& spent, std::size_t phase) {
  const std::array<Duration, 4> parts = {spent.waiting, spent.starting, spent.running,
                                         spent.finishing};
  return parts[phase];
}

void find_critical(const std::vector<const model::TaskView*>& views,
                   const std::unordered_map<std::uint32_t, std::size_t>& by_ordinal,
                   Timeline& out) {
  if (out.steps.empty()) return;
  const auto last = std::ranges::max_element(out.steps, {}, &TimelineStep::end);
  auto at = static_cast<std::size_t>(last - out.steps.begin());
  while (!out.steps[at].critical) {
    out.steps[at].critical = true;
    out.critical.push_back(at);
    if (!views[at]->released_by) break;
    const auto earlier = by_ordinal.find(*views[at]->released_by);
    if (earlier == by_ordinal.end()) break;
    at = earlier->second;
  }
  std::ranges::reverse(out.critical);
}

// ---- To text ----

// The end of a path tells more than its beginning.
std::string label_of(const std::string& path, std::size_t columns, const Style& style) {
  std::string plain = printable_line(path, path.size(), style);
  const std::size_t width = width_of(plain);
  if (width <= columns) return plain;
  const std::string_view mark = style.ellipsis();
  std::size_t drop = width - columns + width_of(mark);
  std::size_t from = 0;
  while (from < plain.size() &&
         (drop > 0 || (static_cast<unsigned char>(plain[from]) & 0xC0) == 0x80)) {
    if ((static_cast<unsigned char>(plain[from]) & 0xC0) != 0x80) --drop;
    ++from;
  }
  return std::string(mark) + plain.substr(from);
}

std::string padded(std::string text, std::size_t columns) {
  const std::size_t width = width_of(text);
  if (width < columns) text.append(columns - width, ' ');
  return text;
}

std::string right(const std::string& text, std::size_t columns) {
  const std::size_t width = width_of(text);
  return width < columns ? std::string(columns - width, ' ') + text : text;
}

class Axis {
 public:
  Axis(const Timeline& timeline, std::size_t cells)
      : begin_(timeline.begin),
        length_(std::max<std::int64_t>(1, Duration(timeline.end - timeline.begin).count())),
        cells_(cells) {}

  [[nodiscard]] std::size_t cells() const { return cells_; }
  [[nodiscard]] std::size_t cell_of(WallTime time) const {
    const std::int64_t since =
        std::clamp<std::int64_t>(Duration(time - begin_).count(), 0, length_);
    const double share = static_cast<double>(since) / static_cast<double>(length_);
    return std::min(cells_ - 1, static_cast<std::size_t>(share * static_cast<double>(cells_)));
  }

 private:
  WallTime begin_;
  std::int64_t length_;
  std::size_t cells_;
};

// What a step does in each cell; what came later, or is rarer, is not painted over.
std::vector<Cell> cells_of(const TimelineStep& step, const Axis& axis) {
  std::vector<Cell> out(axis.cells(), Cell::kNone);
  const auto paint = [&](Cell cell, WallTime from, WallTime to) {
    for (std::size_t i = axis.cell_of(from); i <= axis.cell_of(to); ++i) out[i] = cell;
  };
  if (step.cached) {
    paint(Cell::kCached, step.ready_at, step.end);
    return out;
  }
  const WallTime started = step.started_at.value_or(step.end);
  const WallTime asked = std::max(step.ready_at, started - step.spent.starting);
  paint(Cell::kWaiting, step.ready_at, asked);
  if (step.spent.starting > Duration{0}) paint(Cell::kStarting, asked, started);
  if (!step.started_at) return out;
  const WallTime exited = std::max(started, step.end - step.spent.finishing);
  if (axis.cell_of(exited) < axis.cell_of(step.end)) paint(Cell::kFinishing, exited, step.end);
  paint(Cell::kRunning, started, exited);
  return out;
}

std::string_view text_of(Cell cell, bool utf8) {
  switch (cell) {
    case Cell::kWaiting:
      return utf8 ? "·" : ".";
    case Cell::kStarting:
      return utf8 ? "░" : ":";
    case Cell::kRunning:
      return utf8 ? "█" : "#";
    case Cell::kFinishing:
      return utf8 ? "▒" : "%";
    case Cell::kCached:
      return utf8 ? "≡" : "=";
    case Cell::kNone:
      break;
  }
  return " ";
}

std::string bar_of(const TimelineStep& step, const Axis& axis, const Style& style) {
  const std::vector<Cell> cells = cells_of(step, axis);
  std::string out;
  for (std::size_t i = 0; i < cells.size();) {
    std::size_t end = i;
    std::string part;
    while (end < cells.size() && cells[end] == cells[i])
      part += text_of(cells[end++], style.utf8());
    const bool is_work = cells[i] == Cell::kRunning || cells[i] == Cell::kCached;
    out += cells[i] == Cell::kNone
               ? part
               : style.paint(is_work ? tone_of(step.state) : Style::Tone::kDim, part);
    i = end;
  }
  return out;
}

struct Chosen {
  std::vector<std::size_t> steps;  // in the timeline's order
  Duration longest_left{0};
};

Chosen choose(const Timeline& timeline, std::size_t steps_max) {
  Chosen out;
  out.steps.resize(timeline.steps.size());
  std::iota(out.steps.begin(), out.steps.end(), std::size_t{0});
  if (out.steps.size() <= steps_max) return out;
  std::ranges::sort(out.steps, {},
                    [&](std::size_t i) { return std::pair(-total(timeline.steps[i]), i); });
  out.longest_left = total(timeline.steps[out.steps[steps_max]]);
  out.steps.resize(steps_max);
  std::ranges::sort(out.steps);
  return out;
}

std::string more_text(std::size_t count, Duration longest, const Style& style) {
  return style.paint(Style::Tone::kDim,
                     fmt::format("{} {} shorter {}, of at most {}", style.ellipsis(), count,
                                 count == 1 ? "step" : "steps", to_short_text(longest))) +
         "\n";
}

std::string axis_text(const Timeline& timeline, std::size_t cells) {
  const std::string end = to_short_text(timeline.end - timeline.begin);
  return "0" + right(end, cells > 1 ? cells - 1 : 1);
}

std::size_t label_width(const Timeline& timeline, const std::vector<std::size_t>& steps,
                        std::size_t most, const Style& style) {
  std::size_t width = kLabelMin;
  for (const std::size_t i : steps)
    width = std::max(width, width_of(label_of(timeline.steps[i].path, most, style)));
  return width;
}

std::string gantt_text(const Timeline& timeline, const TimelineLook& look, const Style& style) {
  const Chosen chosen = choose(timeline, look.steps_max);
  const std::size_t label_max = std::clamp(look.columns / 3, kLabelMin, kLabelMax);
  const std::size_t label = label_width(timeline, chosen.steps, label_max, style);
  const Axis axis(timeline, look.columns - label - kNumberWidth - 5);
  std::string out = fmt::format("{}{}\n", std::string(label + 3, ' '),
                                style.paint(Style::Tone::kDim, axis_text(timeline, axis.cells())));
  for (const std::size_t i : chosen.steps) {
    const TimelineStep& step = timeline.steps[i];
    const std::string name = padded(label_of(step.path, label, style), label);
    out +=
        fmt::format("{} {} {} {}\n", style.sign(step.state, step.cached),
                    style.paint(step.critical ? Style::Tone::kStrong : Style::Tone::kPlain, name),
                    bar_of(step, axis, style), right(to_short_text(total(step)), kNumberWidth));
  }
  const std::size_t left_out = timeline.steps.size() - chosen.steps.size();
  if (left_out > 0) out += more_text(left_out, chosen.longest_left, style);
  return out;
}

std::string legend_text(const Style& style) {
  std::string out;
  const std::array<Cell, 5> cells = {Cell::kWaiting, Cell::kStarting, Cell::kRunning,
                                     Cell::kFinishing, Cell::kCached};
  const std::array<std::string_view, 5> words = {"wait", "start", "run", "finish", "cached"};
  for (std::size_t i = 0; i < cells.size(); ++i)
    out += fmt::format("{}{} {}", i == 0 ? "" : "  ", text_of(cells[i], style.utf8()), words[i]);
  return style.paint(Style::Tone::kDim, out) + "\n";
}

std::string row_text(const std::string& label, const model::Spent& spent, const std::string& note) {
  std::string out = label;
  for (std::size_t phase = 0; phase < kPhases.size(); ++phase)
    out += right(to_short_text(share_of(spent, phase)), kNumberWidth + 1);
  return out + note;
}

void add(const model::Spent& more, model::Spent& sum) {
  sum.waiting += more.waiting;
  sum.starting += more.starting;
  sum.running += more.running;
  sum.finishing += more.finishing;
}

// Of a long path the steps that took longest, in its order.
std::string critical_text(const Timeline& timeline, const TimelineLook& look, const Style& style) {
  Timeline path;
  model::Spent sum;
  Duration took{0};
  for (const std::size_t i : timeline.critical) {
    path.steps.push_back(timeline.steps[i]);
    add(timeline.steps[i].spent, sum);
    took += total(timeline.steps[i]);
  }
  const Chosen chosen = choose(path, look.steps_max);
  const std::size_t numbers = kPhases.size() * (kNumberWidth + 1);
  const std::size_t label_max = std::clamp(look.columns - numbers - 1, kLabelMin, kLabelMax);
  const std::size_t label = label_width(path, chosen.steps, label_max, style);
  std::string out =
      style.paint(Style::Tone::kStrong, fmt::format("Critical path: {} of {}", to_short_text(took),
                                                    to_short_text(timeline.end - timeline.begin))) +
      "\n";
  std::string head(label, ' ');
  for (const std::string_view phase : kPhases) head += right(std::string(phase), kNumberWidth + 1);
  out += style.paint(Style::Tone::kDim, head) + "\n";
  for (const std::size_t i : chosen.steps) {
    const TimelineStep& step = path.steps[i];
    std::string note;
    if (step.cached) note = "  cached";
    if (step.attempts > 1) note = fmt::format("  {} attempts", step.attempts);
    if (label + numbers + note.size() > look.columns) note.clear();
    out += row_text(padded(label_of(step.path, label, style), label), step.spent, note) + "\n";
  }
  const std::size_t left_out = path.steps.size() - chosen.steps.size();
  if (left_out > 0) out += more_text(left_out, chosen.longest_left, style);
  if (path.steps.size() > 1)
    out += style.paint(Style::Tone::kDim, row_text(padded("all of it", label), sum, "")) + "\n";
  return out;
}

double seconds(Duration duration) {
  constexpr double kMicros = 1e6;
  return static_cast<double>(duration.count()) / kMicros;
}

}  // namespace

Timeline make_timeline(const model::RunView& run, WallTime now) {
  Timeline out;
  out.id = run.id.str();
  out.name = run.name;
  out.state = run.state;
  out.begin = run.started_at.value_or(run.created_at);
  out.end = std::max(out.begin, run.finished_at.value_or(now));
  std::vector<const model::TaskView*> views;
  for (const model::TaskView& task : run.tasks) {
    if (is_step(task) && ready_at(task)) views.push_back(&task);
  }
  std::ranges::sort(views, {}, [](const model::TaskView* task) {
    return std::pair(*ready_at(*task), task->ordinal);
  });
  std::unordered_map<std::uint32_t, std::size_t> by_ordinal;
  for (const model::TaskView* view : views) {
    by_ordinal.emplace(view->ordinal, out.steps.size());
    out.steps.push_back(step_of(*view, std::max(now, out.begin)));
    out.end = std::max(out.end, out.steps.back().end);
  }
  find_critical(views, by_ordinal, out);
  return out;
}

std::string timeline_text(const Timeline& timeline, const TimelineLook& look, const Style& style) {
  TimelineLook wide = look;
  wide.columns = std::max(kColumnsMin, look.columns);
  std::string out = fmt::format("Run {} ({}) {} {} {}\n", timeline.id.substr(0, 8),
                                printable_line(timeline.name, wide.columns - 24, style),
                                style.paint(tone_of(timeline.state), to_string(timeline.state)),
                                is_final(timeline.state) ? "in" : "for",
                                to_short_text(timeline.end - timeline.begin));
  if (timeline.steps.empty()) return out + "No step has begun.\n";
  return out + gantt_text(timeline, wide, style) + legend_text(style) +
         critical_text(timeline, wide, style);
}

Value timeline_value(const Timeline& timeline) {
  Value::List path;
  for (const std::size_t i : timeline.critical) path.emplace_back(timeline.steps[i].path);
  Value::List steps;
  for (const TimelineStep& step : timeline.steps) {
    steps.push_back(Value::make_struct(
        {{"path", step.path},
         {"state", to_string(step.state)},
         {"cached", step.cached},
         {"attempts", step.attempts},
         {"critical", step.critical},
         {"ready_at", to_rfc3339(step.ready_at)},
         {"started_at", step.started_at ? Value(to_rfc3339(*step.started_at)) : Value()},
         {"ended_at", to_rfc3339(step.end)},
         {"waiting", seconds(step.spent.waiting)},
         {"starting", seconds(step.spent.starting)},
         {"running", seconds(step.spent.running)},
         {"finishing", seconds(step.spent.finishing)}}));
  }
  return Value::make_struct({{"id", timeline.id},
                             {"name", timeline.name},
                             {"state", to_string(timeline.state)},
                             {"began_at", to_rfc3339(timeline.begin)},
                             {"ended_at", to_rfc3339(timeline.end)},
                             {"critical_path", Value(std::move(path))},
                             {"steps", Value(std::move(steps))}});
}

}  // namespace cresset::cli
