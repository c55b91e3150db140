#include "cresset/cli/progress.h"

#include <fmt/format.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "cresset/cli/progress_lines.h"
#include "cresset/cli/style.h"
#include "cresset/cli/task_tree.h"

namespace cresset::cli {

namespace {

constexpr Duration kFrame = std::chrono::milliseconds(100);

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
  explicit PlainProgress(Session session) : session_(session) {}

  void on_attached(const dag::Plan& plan) override { print(lines_.attach(plan, now())); }

  void on_changes(const dag::Plan& plan, const std::vector<dag::TaskBrief>& changes) override {
    print(lines_.changes(plan, changes, now()));
  }

  void on_waiting(const dag::Plan&, dag::TaskOrdinal task, std::string_view for_what) override {
    lines_.note_wait(task, for_what, now());
  }

  void on_notice(std::string_view text) override {
    if (notices_.is_new(text)) session_.terminal.err(fmt::format("note: {}\n", text));
  }

  void on_tick(const dag::Plan& plan) override {
    if (session_.backend.hung_up()) session_.terminal.mute();
    print(lines_.waits(plan, now()));
  }

  void finish() override {}

 private:
  WallTime now() { return session_.backend.clock().wall_now(); }
  void print(const std::string& text) {
    if (!text.empty()) session_.terminal.err(text);
  }

  Session session_;
  Notices notices_;
  ProgressLines lines_;
};

class LiveProgress final : public Progress {
 public:
  explicit LiveProgress(Session session)
      : session_(session), style_(session.terminal.err_colour(), session.terminal.utf8()) {}

  ~LiveProgress() override { take_down(); }

  void on_attached(const dag::Plan& plan) override {
    for (const dag::TaskOrdinal task : plan.tasks()) {
      const dag::TaskBrief brief = plan.brief(task);
      if (!attached_) setbacks_told_[task] = brief.setbacks;
      update(brief);
    }
    attached_ = true;
  }

  void on_changes(const dag::Plan&, const std::vector<dag::TaskBrief>& changes) override {
    for (const dag::TaskBrief& brief : changes) update(brief);
    attached_ = true;
  }

  void on_waiting(const dag::Plan& plan, dag::TaskOrdinal task,
                  std::string_view for_what) override {
    tree_.note_wait(plan.brief(task).path, for_what);
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
  void update(const dag::TaskBrief& brief) {
    tree_.update(brief);
    if (!brief.setback || setbacks_told_[brief.ordinal] >= brief.setbacks) return;
    setbacks_told_[brief.ordinal] = brief.setbacks;
    take_down();
    session_.terminal.err(
        fmt::format("{}: {}: {}\n", brief.path, setback_text(brief),
                    printable_line(brief.setback->reason, kMessageColumns, style_)));
  }

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
  bool attached_ = false;
  std::map<dag::TaskOrdinal, std::uint32_t> setbacks_told_;
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
