#include "sim/again.h"

#include <algorithm>
#include <vector>

#include "cresset/base/check.h"

namespace cresset::sim {

namespace {

// A task on the way to a step, the dag that it is in, and the path up to there.
struct Level {
  const Dag* dag = nullptr;
  const Task* task = nullptr;
  std::string prefix;  // "" or "a/b[3]/"
};

const Task& task_in(const Dag& dag, std::string_view name) {
  const auto found = std::ranges::find(dag.tasks, name, &Task::name);
  CHECK(found != dag.tasks.end());
  return *found;
}

std::vector<Level> levels_of(const Sketch& sketch, std::string_view path) {
  std::vector<Level> levels;
  const Dag* dag = &sketch.root;
  std::size_t begin = 0;
  while (begin < path.size()) {
    CHECK(dag != nullptr);
    const std::size_t end = std::min(path.find('/', begin), path.size());
    const std::string_view part = path.substr(begin, end - begin);
    const Task& task = task_in(*dag, part.substr(0, part.find('[')));
    levels.push_back({dag, &task, std::string(path.substr(0, begin))});
    dag = task.dag();
    begin = end + 1;
  }
  return levels;
}

std::set<std::string> upstream_of(const Task& task) {
  std::set<std::string> names(task.after.begin(), task.after.end());
  const auto add = [&names](const Source& source) {
    if (source.from == Source::From::kTask || source.from == Source::From::kStatus)
      names.insert(source.name);
  };
  for (const auto& [name, source] : task.parameter_sources) add(source);
  for (const auto& [name, source] : task.artifact_sources) add(source);
  if (const Step* step = task.step()) {
    for (const Setting& setting : step->settings) add(setting.name);
  }
  return names;
}

// One that does not ignore failures began because all before it had succeeded.
bool waits_for_more(const Level& level, const Paths& done) {
  for (const std::string& name : upstream_of(*level.task)) {
    if (level.task->ignores_failures && !done.contains(level.prefix + name)) return true;
    if (waits_for_more({level.dag, &task_in(*level.dag, name), level.prefix}, done)) return true;
  }
  return false;
}

}  // namespace

bool may_run_again(const Sketch& sketch, std::string_view path, const Paths& done) {
  return std::ranges::any_of(levels_of(sketch, path),
                             [&](const Level& level) { return waits_for_more(level, done); });
}

bool is_in_retried_group(const Sketch& sketch, std::string_view path) {
  std::vector<Level> levels = levels_of(sketch, path);
  levels.pop_back();
  return std::ranges::any_of(levels,
                             [](const Level& level) { return level.task->retry.has_value(); });
}

}  // namespace cresset::sim
