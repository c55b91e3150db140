#include "cresset/cli/log_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "cresset/app/run_service.h"

namespace cresset::cli {

namespace {

constexpr std::size_t kReadBytes = 1 << 20;

using Attempt = std::pair<dag::TaskOrdinal, std::uint32_t>;

std::vector<Attempt> in_order_of_start(const dag::Plan& plan) {
  std::vector<std::pair<WallTime, Attempt>> timed;
  for (const Attempt& attempt : plan.attempts())
    timed.emplace_back(plan.brief(attempt.first).started_at.value_or(WallTime::max()), attempt);
  std::ranges::sort(timed);
  std::vector<Attempt> out;
  for (const auto& [started, attempt] : timed) out.push_back(attempt);
  return out;
}

// "--- attempt 2 of 3, begun at 2026-11-30T08:00:00Z ---"
std::string attempt_line(const dag::Plan& plan, const model::AttemptId& id, std::string_view path) {
  const std::vector<model::AttemptView> history = plan.history(id.task);
  std::string out = "---";
  if (!path.empty()) out += fmt::format(" {}:", path);
  if (id.attempt == 1) {
    out += " again, with the group around it";
  } else {
    out += fmt::format(" attempt {}", id.attempt);
    // There may be more to come.
    if (is_final(plan.brief(id.task).state)) out += fmt::format(" of {}", history.size());
  }
  const auto& began = history.at(id.attempt - 1).started_at;
  // Its output may come before word of its beginning.
  if (began) out += fmt::format(", begun at {}", to_rfc3339(*began));
  return out + " ---\n";
}

}  // namespace

LogReader::LogReader(ports::LogStore& logs, Terminal& terminal, std::string task, Look look)
    : logs_(logs), terminal_(terminal), task_(std::move(task)), look_(look) {}

bool LogReader::find_scope(const dag::Plan& plan) {
  if (task_.empty() || !scope_.empty()) return true;
  auto task = app::RunService::find_task(plan, task_);
  if (task) scope_ = plan.brief(*task).path;
  return task.has_value();
}

bool LogReader::in_scope(const std::string& path) const {
  if (scope_.empty() || path == scope_) return true;
  return path.size() > scope_.size() && path.starts_with(scope_) &&
         (path[scope_.size()] == '/' || path[scope_.size()] == '[');
}

Result<void> LogReader::read(const dag::Plan& plan) {
  if (!find_scope(plan)) return {};
  std::set<std::pair<dag::TaskOrdinal, std::uint32_t>> live;
  for (const auto& attempt : plan.live_attempts()) live.insert(attempt);
  for (const auto& attempt : in_order_of_start(plan)) {
    auto known = cursors_.find(attempt);
    if (known == cursors_.end()) {
      std::string path = plan.brief(attempt.first).path;
      const bool wanted = in_scope(path);
      known = cursors_.emplace(attempt, Cursor{}).first;
      known->second.path = std::move(path);
      known->second.drained = !wanted;
    }
    Cursor& cursor = known->second;
    if (cursor.drained) continue;
    const model::AttemptId id = {plan.context().id, attempt.first, attempt.second};
    CR_TRY_VOID(read_attempt(plan, id, cursor));
    if (live.contains(attempt)) continue;
    begin(plan, id, cursor);
    cursor.drained = true;
    if (cursor.partial.empty()) continue;
    print_line(cursor, cursor.partial + "\n");
    cursor.partial.clear();
  }
  return {};
}

// One without output has its line, too: else what comes next were taken for its output.
void LogReader::begin(const dag::Plan& plan, const model::AttemptId& id, Cursor& cursor) {
  if (std::exchange(cursor.begun, true) || task_.empty()) return;
  if (printed_.insert(cursor.path).second && id.attempt == 1) return;
  const std::string line =
      attempt_line(plan, id, cursor.path == scope_ ? std::string_view() : cursor.path);
  terminal_.out(look_.prefix ? fmt::format("{} | {}", cursor.path, line) : line);
}

Result<void> LogReader::read_attempt(const dag::Plan& plan, const model::AttemptId& id,
                                     Cursor& cursor) {
  while (!terminal_.out_is_closed()) {
    CR_TRY(const std::string text, logs_.read(id, cursor.offset, kReadBytes));
    if (text.empty()) return {};
    begin(plan, id, cursor);
    if (look_.timestamps) {
      CR_TRY(cursor.chunks, logs_.chunks(id));
    }
    cursor.offset += text.size();
    print_lines(cursor, text);
  }
  return {};
}

void LogReader::print_lines(Cursor& cursor, std::string_view text) {
  const std::size_t last = text.rfind('\n');
  if (last == std::string_view::npos) {
    cursor.partial += text;
    return;
  }
  const std::string whole = std::exchange(cursor.partial, std::string(text.substr(last + 1))) +
                            std::string(text.substr(0, last + 1));
  if (!look_.prefix && !look_.timestamps) return terminal_.out(whole);
  std::string_view rest = whole;
  while (!rest.empty()) {
    const std::string_view line = rest.substr(0, rest.find('\n') + 1);
    print_line(cursor, line);
    cursor.line_offset += line.size();
    rest.remove_prefix(line.size());
  }
}

void LogReader::print_line(const Cursor& cursor, std::string_view line) {
  std::string out;
  if (look_.timestamps) {
    const auto after =
        std::ranges::upper_bound(cursor.chunks, cursor.line_offset, {},
                                 [](const ports::LogChunk& chunk) { return chunk.offset; });
    if (after != cursor.chunks.begin()) out += to_rfc3339(std::prev(after)->at) + " ";
  }
  if (look_.prefix) out += cursor.path + " | ";
  terminal_.out(out + std::string(line));
}

void LogReader::flush() {
  for (auto& [attempt, cursor] : cursors_) {
    if (!cursor.partial.empty()) print_line(cursor, cursor.partial + "\n");
    cursor.partial.clear();
  }
}

}  // namespace cresset::cli
