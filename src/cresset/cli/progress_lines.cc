#include "cresset/cli/progress_lines.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "cresset/cli/task_tree.h"

namespace cresset::cli {

namespace {

using model::State;

constexpr std::size_t kTailLines = 10;
// Of a fan-out, the first few say what there is to say.
constexpr std::size_t kRunningMax = 20;
constexpr std::size_t kWaitsMax = 8;

std::string at_text(const dag::Plan& plan, WallTime at) {
  const Duration since = at - plan.started_at().value_or(at);
  return fmt::format("{:>7}", to_short_text(std::max(Duration{0}, since)));
}

bool is_running(const dag::TaskBrief& brief) {
  return brief.state == State::kRunning &&
         (is_group(brief.kind) || brief.doing == model::Doing::kRunning);
}

std::string_view end_word(State state) {
  switch (state) {
    case State::kSucceeded:
      return "succeeded";
    case State::kFailed:
      return "failed";
    case State::kSkipped:
      return "skipped";
    case State::kCanceled:
      return "cancelled";
    case State::kPending:
    case State::kRunning:
      break;
  }
  return {};
}

std::string attempt_text(const dag::TaskBrief& brief) {
  const bool is_first = is_group(brief.kind) || brief.attempt <= 1;
  return is_first ? std::string() : fmt::format(" (attempt {})", brief.attempt);
}

}  // namespace

std::string setback_text(const dag::TaskBrief& brief) {
  std::string out = fmt::format("attempt {} {}, attempt {} follows", brief.setbacks,
                                brief.setback->lost ? "was lost" : "failed", brief.setbacks + 1);
  if (brief.retry_at && brief.setback->finished_at && *brief.retry_at > *brief.setback->finished_at)
    out += " in " + to_short_text(*brief.retry_at - *brief.setback->finished_at);
  return out;
}

// Returns what had been told before.
ProgressLines::Told ProgressLines::take(const dag::TaskBrief& brief) {
  if (told_.size() <= brief.ordinal) told_.resize(brief.ordinal + std::size_t{1});
  Told& told = told_[brief.ordinal];
  const Told before = told;
  told = {brief.state, brief.attempt, std::max(before.setbacks, brief.setbacks), is_running(brief)};
  if (brief.doing != model::Doing::kStarting) {
    waits_.erase(brief.ordinal);
  } else if (brief.doing_since &&
             !(waits_.contains(brief.ordinal) && before.attempt == brief.attempt)) {
    waits_[brief.ordinal] = {*brief.doing_since, {}, false};
    not_told_.emplace(*brief.doing_since, brief.ordinal);
  }
  return before;
}

std::string ProgressLines::attach(const dag::Plan& plan, WallTime now) {
  std::string out;
  std::string running;
  std::size_t count = 0;
  for (const dag::TaskOrdinal task : plan.tasks()) {
    const dag::TaskBrief brief = plan.brief(task);
    if (attached_) {
      out += text_of(plan, brief, now);
      continue;
    }
    take(brief);
    if (is_group(brief.kind) || !is_running(brief) || ++count > kRunningMax) continue;
    running += fmt::format("{}  {}: running for {}{}\n", at_text(plan, now), brief.path,
                           to_short_text(std::max(Duration{0}, Duration(now - *brief.doing_since))),
                           attempt_text(brief));
  }
  if (std::exchange(attached_, true)) return out;
  out = fmt::format("{}  going on: {}\n", at_text(plan, now), counts_text(plan.counts(), style_));
  if (count > kRunningMax)
    running += fmt::format("{}  and {} more\n", at_text(plan, now), count - kRunningMax);
  return out + running;
}

std::string ProgressLines::changes(const dag::Plan& plan, const std::vector<dag::TaskBrief>& briefs,
                                   WallTime now) {
  attached_ = true;
  std::string out;
  for (const dag::TaskBrief& brief : briefs) out += text_of(plan, brief, now);
  return out;
}

// A loop's progress is told by its iterations.
std::string ProgressLines::text_of(const dag::Plan& plan, const dag::TaskBrief& brief,
                                   WallTime now) {
  const Told before = take(brief);
  std::string out;
  if (brief.setback && brief.setbacks > before.setbacks) {
    out += fmt::format("{}  {}: {}\n         {}\n",
                       at_text(plan, brief.setback->finished_at.value_or(now)), brief.path,
                       setback_text(brief),
                       printable_line(brief.setback->reason, kMessageColumns, style_));
  }
  const bool is_same_try = before.attempt == brief.attempt;
  if (is_running(brief) && !(before.runs && (is_same_try || is_group(brief.kind)))) {
    const auto began = is_group(brief.kind) ? brief.started_at : brief.doing_since;
    out += fmt::format("{}  {}: started{}\n", at_text(plan, began.value_or(now)), brief.path,
                       attempt_text(brief));
  } else if (is_final(brief.state) && !(before.state == brief.state && is_same_try)) {
    out += at_text(plan, brief.finished_at.value_or(now)) + end_text(brief, now);
  }
  return out;
}

std::string ProgressLines::end_text(const dag::TaskBrief& brief, WallTime now) const {
  std::string out = fmt::format("  {}: {}", brief.path, end_word(brief.state));
  if (const std::string note = task_note(brief, now); !note.empty()) out += " (" + note + ")";
  out += '\n';
  // A group's failure is that of a step inside it, which has been told.
  if (brief.state == State::kFailed && brief.error && !is_group(brief.kind)) {
    out +=
        fmt::format("         {}\n", printable_line(brief.error->message, kMessageColumns, style_));
    out += tail(brief.error->log_tail);
  }
  return out;
}

std::string ProgressLines::tail(std::string_view text) const {
  std::string out;
  for (const std::string_view line : last_lines(text, kTailLines)) {
    if (out.empty() && line.empty()) continue;
    out += fmt::format("         | {}\n", printable_line(line, kMessageColumns, style_));
  }
  return out;
}

void ProgressLines::note_wait(dag::TaskOrdinal task, std::string_view for_what, WallTime now) {
  const auto known = waits_.find(task);
  if (known == waits_.end() || known->second.for_what == for_what) return;
  known->second = {now, std::string(for_what), false};
  not_told_.emplace(now, task);
}

std::string ProgressLines::waits(const dag::Plan& plan, WallTime now) {
  std::string out;
  std::size_t count = 0;
  while (!not_told_.empty() && now - not_told_.begin()->first >= kWaitTold) {
    const auto [since, task] = *not_told_.begin();
    not_told_.erase(not_told_.begin());
    const auto wait = waits_.find(task);
    if (wait == waits_.end() || wait->second.since != since) continue;
    if (std::exchange(wait->second.is_told, true) || ++count > kWaitsMax) continue;
    const dag::TaskBrief brief = plan.brief(task);
    out += fmt::format("{}  {}: {}{}\n", at_text(plan, now), brief.path,
                       wait_text(wait->second.for_what), attempt_text(brief));
  }
  if (count > kWaitsMax)
    out += fmt::format("{}  and {} more wait\n", at_text(plan, now), count - kWaitsMax);
  return out;
}

}  // namespace cresset::cli
