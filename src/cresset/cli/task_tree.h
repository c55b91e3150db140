#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "cresset/base/time.h"
#include "cresset/cli/style.h"
#include "cresset/dag/plan.h"

namespace cresset::cli {

// The tasks of a run as an indented list, kept up to date from briefs. Pure: time and size of the
// terminal are passed in.
class TaskTree {
 public:
  void update(const dag::TaskBrief& brief);
  // For what the task at this path waits, until its next update.
  void note_wait(std::string_view path, std::string_view for_what);
  [[nodiscard]] bool empty() const { return nodes_.empty(); }

  struct Look {
    WallTime now{};
    std::size_t columns = 80;
    std::size_t lines_max = 20;
    std::size_t frame = 0;
    // Finished groups are closed and finished iterations left out, as befits a display that moves.
    bool live = false;
  };
  // One text a line, painted, without line breaks; at most lines_max of them: what failed or runs
  // is kept longest.
  [[nodiscard]] std::vector<std::string> render(const Look& look, const Style& style) const;

 private:
  struct Node {
    dag::TaskBrief brief;
    std::string label;
    std::string waits_for;
    std::vector<std::size_t> children;
  };
  struct Line {
    std::size_t node = 0;
    std::size_t depth = 0;
  };

  std::size_t find_parent(std::string_view path) const;
  void collect(std::size_t node, std::size_t depth, const Look& look, std::vector<Line>& out) const;
  [[nodiscard]] bool is_shown(const Node& parent, const Node& child, const Look& look) const;
  void append_lines(const Line& line, const Look& look, const Style& style, std::size_t label_width,
                    std::vector<std::string>& out) const;

  std::vector<Node> nodes_;
  std::vector<std::size_t> roots_;
  std::map<std::string, std::size_t, std::less<>> by_path_;
};

// Dags, loops and conditions.
bool is_group(model::TaskKind kind);

dag::TaskBrief to_brief(const model::TaskView& view);

// "3.2s", "3/8  3.2s", "cached", "its condition is false" …: what stands behind a task's name.
std::string task_note(const dag::TaskBrief& brief, WallTime now, std::string_view waits_for = {});

// How long a step waits to start before that is worth a word.
inline constexpr Duration kWaitTold = std::chrono::seconds(1);
// "waiting for 1 CPU"; "waiting to start" where it is not known for what.
std::string wait_text(std::string_view for_what);

// "12 succeeded · 3 cached · 1 running"
std::string counts_text(const dag::Plan::Counts& counts, const Style& style);

}  // namespace cresset::cli
