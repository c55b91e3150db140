#include "cresset/cli/task_tree.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace cresset::cli {

using model::State;

namespace {

constexpr std::size_t kNowhere = std::numeric_limits<std::size_t>::max();
constexpr std::size_t kIndent = 2;
constexpr std::size_t kLabelMax = 48;
constexpr std::size_t kTailLinesMax = 6;

// Low numbers stay when there is no room for all.
int rank(const dag::TaskBrief& brief) {
  switch (brief.state) {
    case State::kFailed:
      return 0;
    case State::kRunning:
      return 1;
    case State::kPending:
      return 2;
    default:
      return 3;
  }
}

// Begun before, and not running now.
bool is_between_attempts(const dag::TaskBrief& brief) {
  return brief.state == State::kRunning &&
         (brief.doing == model::Doing::kWaiting || brief.doing == model::Doing::kStarting);
}

}  // namespace

bool is_group(model::TaskKind kind) {
  return kind == model::TaskKind::kDag || kind == model::TaskKind::kLoop ||
         kind == model::TaskKind::kCondition;
}

dag::TaskBrief to_brief(const model::TaskView& view) {
  dag::TaskBrief brief;
  brief.ordinal = view.ordinal;
  brief.path = view.path;
  // Iterations of a step have its name, and a path of their own.
  if (view.display_name != view.name && !view.path.ends_with(']'))
    brief.display_name = view.display_name;
  brief.kind = view.kind;
  brief.state = view.state;
  brief.cached = view.cached;
  brief.attempt = view.attempts;
  brief.reason = view.reason;
  brief.error = view.error;
  brief.started_at = view.started_at;
  brief.finished_at = view.finished_at;
  brief.iterations = view.iterations;
  brief.iterations_done = view.iterations_done;
  brief.doing = view.doing;
  brief.doing_since = view.doing_since;
  return brief;
}

std::string wait_text(std::string_view for_what) {
  return for_what.empty() ? "waiting to start" : fmt::format("waiting for {}", for_what);
}

std::string task_note(const dag::TaskBrief& brief, WallTime now, std::string_view waits_for) {
  std::vector<std::string> parts;
  if (!brief.display_name.empty()) parts.push_back(fmt::format("\"{}\"", brief.display_name));
  if (brief.kind == model::TaskKind::kLoop)
    parts.push_back(fmt::format("{}/{}", brief.iterations_done, brief.iterations));
  if (brief.cached) parts.emplace_back("cached");
  if (!brief.reason.empty()) parts.push_back(brief.reason);
  if (is_between_attempts(brief) || brief.doing == model::Doing::kStarting || brief.retry_at) {
    const Duration waited = now - brief.doing_since.value_or(now);
    if (waited >= kWaitTold) {
      parts.push_back(brief.doing == model::Doing::kStarting ? wait_text(waits_for)
                                                             : "waiting to be tried again");
      parts.push_back(to_short_text(waited));
    }
  } else if (brief.started_at && !brief.cached) {
    const WallTime end = brief.finished_at.value_or(now);
    parts.push_back(to_short_text(std::max(Duration{0}, Duration(end - *brief.started_at))));
  }
  if (!is_group(brief.kind) && brief.attempt > 1)
    parts.push_back(fmt::format("attempt {}", brief.attempt));
  return fmt::format("{}", fmt::join(parts, "  "));
}

std::string counts_text(const dag::Plan::Counts& counts, const Style& style) {
  const std::pair<std::uint32_t, std::string_view> kinds[] = {
      {counts.succeeded, "succeeded"},
      {counts.cached, "cached"},
      {counts.failed, "failed"},
      {counts.canceled, "cancelled"},
      {counts.skipped, "skipped"},
      {counts.running - counts.waiting, "running"},
      {counts.pending + counts.waiting, "pending"}};
  std::string out;
  for (const auto& [count, word] : kinds) {
    if (count == 0) continue;
    if (!out.empty()) out += style.dot();
    out += fmt::format("{} {}", count, word);
  }
  return out;
}

void TaskTree::update(const dag::TaskBrief& brief) {
  const auto known = by_path_.find(brief.path);
  if (known != by_path_.end()) {
    nodes_[known->second].brief = brief;
    nodes_[known->second].waits_for.clear();
    return;
  }
  const std::size_t parent = find_parent(brief.path);
  const std::size_t id = nodes_.size();
  std::string label = brief.path;
  if (parent != kNowhere) {
    const std::string& above = nodes_[parent].brief.path;
    label = brief.path.substr(above.size());
    if (label.starts_with('/')) label.erase(0, 1);
  }
  nodes_.push_back({brief, std::move(label), {}, {}});
  (parent == kNowhere ? roots_ : nodes_[parent].children).push_back(id);
  by_path_.emplace(brief.path, id);
}

void TaskTree::note_wait(std::string_view path, std::string_view for_what) {
  const auto known = by_path_.find(path);
  if (known != by_path_.end()) nodes_[known->second].waits_for = for_what;
}

// "a/loop[1]/b" stands below "a/loop[1]" where that is a task, else below "a/loop".
std::size_t TaskTree::find_parent(std::string_view path) const {
  while (true) {
    const std::size_t cut = path.find_last_of("/[");
    if (cut == std::string_view::npos) return kNowhere;
    path = path.substr(0, cut);
    const auto found = by_path_.find(path);
    if (found != by_path_.end()) return found->second;
  }
}

bool TaskTree::is_shown(const Node& parent, const Node& child, const Look& look) const {
  if (!look.live) return true;
  const State above = parent.brief.state;
  if (above != State::kRunning && above != State::kFailed) return false;
  const State state = child.brief.state;
  if (state == State::kRunning || state == State::kFailed) return true;
  return above == State::kRunning && parent.brief.kind != model::TaskKind::kLoop;
}

void TaskTree::collect(std::size_t id, std::size_t depth, const Look& look,
                       std::vector<Line>& out) const {
  const Node& node = nodes_[id];
  out.push_back({id, depth});
  for (const std::size_t child : node.children) {
    if (is_shown(node, nodes_[child], look)) collect(child, depth + 1, look, out);
  }
}

std::vector<std::string> TaskTree::render(const Look& look, const Style& style) const {
  std::vector<Line> lines;
  for (const std::size_t root : roots_) collect(root, 0, look, lines);
  std::size_t left_out = 0;
  for (int worst = 3; worst >= 0 && lines.size() > look.lines_max; --worst) {
    const std::size_t excess = lines.size() - look.lines_max + 1;
    std::size_t dropped = 0;
    std::erase_if(lines, [&](const Line& line) {
      if (dropped >= excess || rank(nodes_[line.node].brief) != worst) return false;
      ++dropped;
      return true;
    });
    left_out += dropped;
  }
  std::size_t width = 0;
  for (const Line& line : lines) {
    width = std::max(width,
                     std::min(kLabelMax, width_of(nodes_[line.node].label)) + line.depth * kIndent);
  }
  std::vector<std::string> out;
  for (const Line& line : lines) append_lines(line, look, style, width, out);
  if (left_out > 0) {
    out.push_back(style.paint(Style::Tone::kDim,
                              fmt::format("{} {} more tasks", style.ellipsis(), left_out)));
  }
  return out;
}

void TaskTree::append_lines(const Line& line, const Look& look, const Style& style,
                            std::size_t label_width, std::vector<std::string>& out) const {
  const Node& node = nodes_[line.node];
  const std::string indent(line.depth * kIndent, ' ');
  const std::string label = printable_line(node.label, kLabelMax, style);
  const std::string padding(label_width - indent.size() - width_of(label) + 2, ' ');
  const std::size_t used = label_width + 4;
  const std::size_t room = look.columns > used + 1 ? look.columns - used - 1 : 1;
  out.push_back(fmt::format(
      "{}{} {}{}{}", indent,
      style.sign(is_between_attempts(node.brief) ? State::kPending : node.brief.state,
                 node.brief.cached, look.frame),
      label, padding,
      style.paint(Style::Tone::kDim,
                  printable_line(task_note(node.brief, look.now, node.waits_for), room, style))));
  // A group's failure is that of a step below it, which tells the story itself.
  if (node.brief.state != State::kFailed || !node.brief.error) return;
  const bool told_below = std::ranges::any_of(node.children, [this](std::size_t child) {
    return nodes_[child].brief.state == State::kFailed;
  });
  if (told_below) return;
  const std::size_t columns =
      look.columns > indent.size() + 5 ? look.columns - indent.size() - 5 : 1;
  out.push_back(
      indent + "  " +
      style.paint(Style::Tone::kBad, printable_line(node.brief.error->message, columns, style)));
  for (const std::string_view text : last_lines(node.brief.error->log_tail, kTailLinesMax)) {
    out.push_back(indent + "  " + (style.utf8() ? "│ " : "| ") +
                  style.paint(Style::Tone::kDim, printable_line(text, columns, style)));
  }
}

}  // namespace cresset::cli
