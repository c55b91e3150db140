#include "cresset/cli/run_text.h"
#include "cresset/cli/task_tree.h"
#include "cresset/cli/verbs.h"
#include "cresset/codec/run_json.h"
#include "cresset/text/json.h"

namespace cresset::cli {

int exit_status(const model::RunView& view) {
  return view.state == model::State::kSucceeded ? kFine : kRunFailed;
}

bool prints_tasks(Format format, Session session) {
  return format == Format::kJson || session.terminal.out_is_terminal();
}

void print_view(const model::RunView& view, Format format, Session session) {
  Terminal& terminal = session.terminal;
  if (format == Format::kJson) {
    const Value value = codec::to_value(view);
    terminal.out((terminal.out_is_terminal() ? text::to_json_pretty(value) : text::to_json(value)) +
                 "\n");
    return;
  }
  const Style style(terminal.out_colour(), terminal.utf8());
  const WallTime now = session.backend.clock().wall_now();
  // What the live display took down; elsewhere each change has its line already.
  if (prints_tasks(format, session) && !view.tasks.empty() && is_final(view.state)) {
    TaskTree tree;
    for (const model::TaskView& task : view.tasks) tree.update(to_brief(task));
    TaskTree::Look look;
    look.now = now;
    look.columns = terminal.size().columns;
    look.lines_max = 200;
    for (const std::string& line : tree.render(look, style)) terminal.out(line + "\n");
  }
  terminal.out(summary_text(view, now, style));
}

}  // namespace cresset::cli
