#include "cresset/cli/run_text.h"

#include <fmt/format.h>

#include <algorithm>

#include "cresset/cli/task_tree.h"
#include "cresset/text/json.h"

namespace cresset::cli {

using model::State;

namespace {

constexpr std::size_t kShortId = 8;
constexpr std::size_t kValueColumns = 160;
constexpr std::size_t kTreeLinesMax = 500;

std::string elapsed(const std::optional<WallTime>& from, const std::optional<WallTime>& to,
                    WallTime now) {
  if (!from) return "not started";
  return to_short_text(std::max(Duration{0}, Duration(to.value_or(now) - *from)));
}

std::string time_text(const std::optional<WallTime>& time) {
  return time ? to_rfc3339(*time) : std::string("-");
}

std::string indented(std::string_view text, std::string_view indent) {
  std::string out;
  while (!text.empty()) {
    const std::size_t cut = text.find('\n');
    out += fmt::format("{}{}\n", indent, text.substr(0, cut));
    text = cut == std::string_view::npos ? std::string_view() : text.substr(cut + 1);
  }
  return out;
}

// One line an attempt: how it went, when its process began and ended, how long that took, and why.
std::string history_text(const std::vector<model::AttemptView>& history, WallTime now,
                         const Style& style) {
  std::vector<std::vector<std::string>> rows;
  for (std::size_t i = 0; i < history.size(); ++i) {
    const model::AttemptView& attempt = history[i];
    const bool waits = attempt.state == State::kPending;
    rows.push_back({fmt::format("  {}", i + 1),
                    style.paint(tone_of(attempt.state), attempt.lost ? "LOST"
                                                        : waits      ? "WAITING"
                                                                     : to_string(attempt.state)),
                    time_text(attempt.started_at), time_text(attempt.finished_at),
                    elapsed(attempt.started_at, attempt.finished_at, now),
                    printable_line(attempt.reason, kMessageColumns, style)});
  }
  return "By attempt: state, start, end, time, why\n" + align(rows);
}

}  // namespace

std::string short_id(const model::RunId& run) { return run.str().substr(0, kShortId); }

std::string outcome_text(const model::RunView& run, WallTime now, const Style& style) {
  const std::string state = style.paint(tone_of(run.state), to_string(run.state));
  if (!run.started_at) return state;
  return fmt::format("{} {} {}", state, is_final(run.state) ? "in" : "for",
                     elapsed(run.started_at, run.finished_at, now));
}

std::string bindings_text(const model::Bindings& bindings, const Style& style) {
  std::string out;
  for (const auto& [name, value] : bindings.parameters) {
    out += fmt::format("  {} = {}\n", name,
                       printable_line(text::to_json(value), kValueColumns, style));
  }
  for (const auto& [name, list] : bindings.artifacts) {
    for (const model::Artifact& artifact : list) {
      out += fmt::format("  {}: {}  {}\n", name, artifact.uri,
                         style.paint(Style::Tone::kDim, artifact.type.schema_title));
      if (!artifact.metadata.is_struct() || artifact.metadata.as_struct().empty()) continue;
      for (const auto& [key, value] : artifact.metadata.as_struct()) {
        out += fmt::format("    {} = {}\n", key,
                           printable_line(text::to_json(value), kValueColumns, style));
      }
    }
  }
  return out;
}

std::string summary_text(const model::RunView& run, WallTime now, const Style& style) {
  std::string out =
      fmt::format("Run {} ({}) {}\n", short_id(run.id),
                  printable_line(run.name, kValueColumns, style), outcome_text(run, now, style));
  if (run.error)
    out += fmt::format("  {}\n", printable_line(run.error->message, kMessageColumns, style));
  out += bindings_text(run.outputs, style);
  const std::string id = short_id(run.id);
  if (run.state == State::kSucceeded) {
    out += fmt::format("See: cresset show {0}{1}cresset artifacts {0}{1}cresset logs {0}\n", id,
                       style.dot());
  } else if (is_final(run.state)) {
    out += fmt::format("See: cresset show {0}{1}cresset logs {0}; go on: cresset retry {0}\n", id,
                       style.dot());
  } else {
    out += fmt::format("See: cresset show {0}{1}cresset logs -f {0}{1}cresset wait {0}\n", id,
                       style.dot());
  }
  return out;
}

std::string show_run_text(const model::RunView& run, WallTime now, std::size_t columns,
                          const Style& style) {
  std::string out = fmt::format("Run      {}\nName     {}\nState    {}\nCreated  {}\n",
                                run.id.str(), printable_line(run.name, kValueColumns, style),
                                outcome_text(run, now, style), to_rfc3339(run.created_at));
  if (run.error)
    out += fmt::format("Error    {}\n", printable_line(run.error->message, kMessageColumns, style));
  if (const std::string inputs = bindings_text(run.inputs, style); !inputs.empty())
    out += "Inputs\n" + inputs;
  if (const std::string outputs = bindings_text(run.outputs, style); !outputs.empty())
    out += "Outputs\n" + outputs;
  if (run.tasks.empty()) return out;
  out += "Tasks\n";
  TaskTree tree;
  for (const model::TaskView& task : run.tasks) tree.update(to_brief(task));
  TaskTree::Look look;
  look.now = now;
  look.columns = columns > 2 ? columns - 2 : columns;
  look.lines_max = kTreeLinesMax;
  for (const std::string& line : tree.render(look, style)) out += "  " + line + "\n";
  return out;
}

std::string show_task_text(const model::TaskView& task,
                           const std::vector<model::AttemptView>& history, WallTime now,
                           const Style& style) {
  std::string out = fmt::format(
      "Task      {}\nKind      {}\nState     {}{}\nAttempts  {}\nStarted   {}\n"
      "Finished  {}\nTook      {}\n",
      task.path, to_string(task.kind), style.paint(tone_of(task.state), to_string(task.state)),
      task.cached ? " (cached)" : "", task.attempts, time_text(task.started_at),
      time_text(task.finished_at), elapsed(task.started_at, task.finished_at, now));
  if (task.kind == model::TaskKind::kLoop)
    out += fmt::format("Items     {} of {} done\n", task.iterations_done, task.iterations);
  if (!task.reason.empty()) out += fmt::format("Reason    {}\n", task.reason);
  if (history.size() > 1) out += history_text(history, now, style);
  if (task.error) {
    out += fmt::format("Error     {}\n", printable_line(task.error->message, 1000, style));
    std::string tail;
    for (const char c : task.error->log_tail)
      tail += (static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t') ? '?' : c;
    out += indented(tail, "  | ");
  }
  if (const std::string inputs = bindings_text(task.inputs, style); !inputs.empty())
    out += "Inputs\n" + inputs;
  if (const std::string outputs = bindings_text(task.outputs, style); !outputs.empty())
    out += "Outputs\n" + outputs;
  return out;
}

}  // namespace cresset::cli
