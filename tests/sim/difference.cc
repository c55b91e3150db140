#include "sim/difference.h"

#include <fmt/format.h>

namespace cresset::sim {

namespace {

std::string difference(const TaskFate& foreseen, const model::TaskView& task,
                       const ports::testing::MemoryFiles& files) {
  const std::string_view state = to_string(task.state);
  if (state != to_string(foreseen.fate)) {
    return fmt::format("task {} is {}, and should be {}: {}{}", task.path, state,
                       to_string(foreseen.fate), task.reason,
                       task.error ? task.error->message : "");
  }
  if (foreseen.began) {
    const Data inputs = data_of(task.inputs, files);
    if (!same(foreseen.inputs, inputs)) {
      return fmt::format("task {} has the inputs {}, and should have {}", task.path,
                         to_text(inputs), to_text(foreseen.inputs));
    }
  }
  if (foreseen.fate == Fate::kSucceeded) {
    const Data outputs = data_of(task.outputs, files);
    if (!same(foreseen.outputs, outputs)) {
      return fmt::format("task {} gave {}, and should have given {}", task.path, to_text(outputs),
                         to_text(foreseen.outputs));
    }
  }
  return {};
}

}  // namespace

std::string difference(const Outcome& foreseen, const model::RunView& view,
                       const ports::testing::MemoryFiles& files) {
  std::size_t found = 0;
  for (const model::TaskView& task : view.tasks) {
    const auto fate = foreseen.tasks.find(task.path);
    if (fate == foreseen.tasks.end()) return fmt::format("there should be no task {}", task.path);
    ++found;
    if (std::string why = difference(fate->second, task, files); !why.empty()) return why;
  }
  if (found != foreseen.tasks.size())
    return fmt::format("it has {} tasks, and should have {}", found, foreseen.tasks.size());
  const Data outputs = data_of(view.outputs, files);
  if (!same(foreseen.outputs, outputs)) {
    return fmt::format("it gave {}, and should have given {}", to_text(outputs),
                       to_text(foreseen.outputs));
  }
  return {};
}

}  // namespace cresset::sim
