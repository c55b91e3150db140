#include "cresset/cli/progress.h"

#include <fmt/format.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "cresset/cli/style.h"
#include "cresset/cli/task_tree.h"

namespace cresset::cli {

namespace {

using model::State;

constexpr Duration kFrame = std::chrono::milliseconds(100);
constexpr std::size_t kTailLines = 10;

// Each notice once, however often an adapter repeats it.
class Notices {
 public:
  [[nodiscard]] bool is_new(std::string_view text) { return seen_.emplace(text).second; }

 private:
  std::set<std::string, std::less<>> seen_;
};

class QuietProgress final : public Progress {
 public:
  explicit QuietProgress(Session session) : session_(session) {}
  void on_changes(const dag::Plan&, const std::vector<dag::TaskBrief>&) override {}
  void on_notice(std::string_view text) override {
    if (notices_.is_new(text)) session_.terminal.err(fmt::format("note: {}\n", text));
  }
  void on_tick(const dag::Plan&) override {
    if (session_.backend.hung_up()) session_.terminal.mute();
  }
  void finish() override {}

 private:
  Session session_;
  Notices notices_;
};

class PlainProgress final : public Progress {
 public:
  explicit PlainProgress(Session session) : session_(session), style_(false, false) {}

  void on_changes(const dag::Plan& plan, const std::vector<dag::TaskBrief>& changes) override {
    std::string text;
    for (const dag::TaskBrief& brief : changes) {
      if (brief.state == State::kPending) continue;
      // A loop's progress is told by its iterations.
      const auto state = std::pair(brief.state, brief.attempt);
      if (std::exchange(told_[brief.ordinal], state) == state) continue;
      text += line(plan, brief);
    }
    if (!text.empty()) session_.terminal.err(text);
  }

  void on_notice(std::string_view text) override {
    if (notices_.is_new(text)) session_.terminal.err(fmt::format("note: {}\n", text));
  }

  void on_tick(const dag::Plan&) override {
    if (session_.backend.hung_up()) session_.terminal.mute();
  }

  void finish() override {}

 private:
  std::string line(const dag::Plan& plan, const dag::TaskBrief& brief) {
    const WallTime now = session_.backend.clock().wall_now();
    const Duration since = now - plan.started_at().value_or(now);
    std::string out = fmt::format("{:>7}  {}: {}", to_short_text(std::max(Duration{0}, since)),
                                  brief.path, verb(brief));
    if (brief.state != State::kRunning) {
      if (const std::string note = task_note(brief, now); !note.empty()) out += " (" + note + ")";
    }
    out += '\n';
    // A group's failure is that of a step inside it, which has been told.
    if (brief.state == State::kFailed && brief.error && !is_group(brief.kind)) {
      out += fmt::format("         {}\n", printable_line(brief.error->message, 400, style_));
      out += tail(brief.error->log_tail);
    }
    return out;
  }

  static std::string_view verb(const dag::TaskBrief& brief) {
    switch (brief.state) {
      case State::kRunning:
        return "started";
      case State::kSucceeded:
        return "succeeded";
      case State::kFailed:
        return "failed";
      case State::kSkipped:
        return "skipped";
      case State::kCanceled:
        return "cancelled";
      case State::kPending:
        break;
    }
    return "pending";
  }

  std::string tail(std::string_view text) const {
    while (!text.empty() && text.back() == '\n') text.remove_suffix(1);
    std::size_t start = text.size();
    for (std::size_t i = 0; i < kTailLines && start != std::string_view::npos && start > 0; ++i)
      start = text.rfind('\n', start - 1);
    if (start != std::string_view::npos && start < text.size()) text.remove_prefix(start);
    while (!text.empty() && text.front() == '\n') text.remove_prefix(1);
    std::string out;
    while (!text.empty()) {
      const std::size_t cut = text.find('\n');
      out += fmt::format("         | {}\n", printable_line(text.substr(0, cut), 400, style_));
      text = cut == std::string_view::npos ? std::string_view() : text.substr(cut + 1);
    }
    return out;
  }

  Session session_;
  Style style_;
  Notices notices_;
  std::map<dag::TaskOrdinal, std::pair<State, std::uint32_t>> told_;
};

class LiveProgress final : public Progress {
 public:
  explicit LiveProgress(Session session)
      : session_(session), style_(session.terminal.err_colour(), session.terminal.utf8()) {}

  ~LiveProgress() override { take_down(); }

  void on_changes(const dag::Plan&, const std::vector<dag::TaskBrief>& changes) override {
    for (const dag::TaskBrief& brief : changes) tree_.update(brief);
  }

  void on_notice(std::string_view text) override {
    if (!notices_.is_new(text)) return;
    take_down();
    session_.terminal.err(style_.paint(Style::Tone::kDim, fmt::format("note: {}", text)) + "\n");
  }

  void on_tick(const dag::Plan& plan) override {
    if (session_.backend.hung_up()) return session_.terminal.mute();
    const TimePoint now = session_.backend.clock().now();
    if (drawn_at_ && now - *drawn_at_ < kFrame) return;
    drawn_at_ = now;
    ++frame_;
    draw(plan);
  }

  void finish() override { take_down(); }

 private:
  void draw(const dag::Plan& plan) {
    const Terminal::Size size = session_.terminal.size();
    const WallTime now = session_.backend.clock().wall_now();
    TaskTree::Look look;
    look.now = now;
    look.columns = size.columns;
    look.lines_max = size.rows > 8 ? size.rows / 2 : 4;
    look.frame = frame_;
    look.live = true;
    std::vector<std::string> lines = tree_.render(look, style_);
    // Log tails add lines: what does not fit would scroll and could not be taken down again.
    if (size.rows > 3 && lines.size() > size.rows - 3) lines.resize(size.rows - 3);
    const Duration since = now - plan.started_at().value_or(now);
    lines.push_back(style_.paint(
        Style::Tone::kStrong,
        printable_line(fmt::format("{}{}{}", counts_text(plan.counts(), style_), style_.dot(),
                                   to_short_text(std::max(Duration{0}, since))),
                       size.columns - 1, style_)));
    if (plan.cancelling()) lines.push_back("stopping; Ctrl-C again kills");
    std::string text = erase_text();
    for (const std::string& line : lines) text += line + "\n";
    session_.terminal.err(text);
    lines_up_ = lines.size();
  }

  [[nodiscard]] std::string erase_text() const {
    return lines_up_ == 0 ? std::string("\r\033[J") : fmt::format("\r\033[{}A\033[J", lines_up_);
  }

  void take_down() {
    if (lines_up_ == 0) return;
    session_.terminal.err(erase_text());
    lines_up_ = 0;
  }

  Session session_;
  Style style_;
  Notices notices_;
  TaskTree tree_;
  std::size_t frame_ = 0;
  std::size_t lines_up_ = 0;
  std::optional<TimePoint> drawn_at_;
};

}  // namespace

std::unique_ptr<Progress> make_progress(Session session, bool quiet) {
  if (quiet) return std::make_unique<QuietProgress>(session);
  if (session.terminal.err_is_terminal()) return std::make_unique<LiveProgress>(session);
  return std::make_unique<PlainProgress>(session);
}

}  // namespace cresset::cli
