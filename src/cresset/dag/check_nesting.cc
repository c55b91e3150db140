#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "cresset/dag/check_parts.h"

namespace cresset::dag {

namespace {

constexpr std::uint64_t kTasksMax = 1'000'000;
constexpr std::size_t kLevelsMax = 500;
constexpr std::size_t kShownOnCycle = 10;

std::uint64_t add(std::uint64_t a, std::uint64_t b) {
  return a > kTasksMax || b > kTasksMax ? kTasksMax + 1 : std::min(a + b, kTasksMax + 1);
}

std::uint64_t multiply(std::uint64_t a, std::uint64_t b) {
  if (a == 0 || b == 0) return 0;
  return a > kTasksMax / b ? kTasksMax + 1 : a * b;
}

// Walks the dags within dags, each component once, without recursion.
class NestingChecker {
 public:
  explicit NestingChecker(Checked& checked) : checked_(checked) {}

  void check() {
    walk({}, checked_.pipeline.root);
    report_size();
    for (const auto& [name, component] : checked_.pipeline.components) walk(name, component);
  }

 private:
  struct Size {
    bool open = true;         // it is being looked through
    std::uint64_t tasks = 0;  // that it expands to
    std::size_t levels = 0;   // of dags within it
  };
  struct Step {
    std::string_view name;  // of the component; empty for the root
    const model::Component* component;
    model::ByName<model::TaskSpec>::const_iterator next;
    Size* size;
  };

  [[nodiscard]] static const model::Dag* dag_of(const model::Component& component) {
    return std::get_if<model::Dag>(&component.body);
  }

  void walk(std::string_view name, const model::Component& component) {
    if (dag_of(component) == nullptr || sizes_.contains(&component)) return;
    open(name, component);
    while (!path_.empty()) {
      Step& step = path_.back();
      if (step.next == dag_of(*step.component)->tasks.end()) {
        step.size->open = false;
        path_.pop_back();
        continue;
      }
      visit(step);
    }
  }

  void open(std::string_view name, const model::Component& component) {
    path_.push_back({name, &component, dag_of(component)->tasks.begin(), &sizes_[&component]});
  }

  void visit(Step& step) {
    const auto& [task_name, task] = *step.next;
    const model::Component* inner = checked_.component_of(task);
    if (inner == nullptr || dag_of(*inner) == nullptr) {
      count(step, task, {});
      ++step.next;
      return;
    }
    const auto known = sizes_.find(inner);
    if (known == sizes_.end()) return open(task.component, *inner);
    if (known->second.open) {
      report_recursion(step, task_name, *inner);
    } else {
      count(step, task, known->second);
      check_levels(step, task_name);
    }
    ++step.next;
  }

  void count(Step& step, const model::TaskSpec& task, const Size& inner) const {
    std::uint64_t tasks = add(1, inner.tasks);
    if (const auto fixed = checked_.fixed_items.find(&task); fixed != checked_.fixed_items.end())
      tasks = add(1, multiply(tasks, fixed->second));
    step.size->tasks = add(step.size->tasks, tasks);
    step.size->levels = std::max(step.size->levels, inner.levels + 1);
  }

  void check_levels(const Step& step, const std::string& task) {
    if (step.size->levels != kLevelsMax + 1) return;
    step.size->levels = 0;  // reported once, not for each dag around it
    at_task(step, task, [&](const Where& where) {
      checked_.problems.add(where, fmt::format("dags are nested more than {} deep", kLevelsMax),
                            "replace the nesting by a loop, or split the pipeline");
    });
  }

  template <class F>
  static void at_task(const Step& step, const std::string& task, F&& report) {
    const Where root("root");
    const Where components("components");
    const Where component = step.name.empty() ? root : components.at(step.name);
    report(component.at("dag").at("tasks").at(task));
  }

  void report_recursion(const Step& step, const std::string& task, const model::Component& inner) {
    std::string shown;
    std::size_t count = 0;
    std::string_view first;
    for (auto at = std::ranges::find(path_, &inner, &Step::component); at != path_.end(); ++at) {
      if (count == 0) first = at->name;
      if (count++ < kShownOnCycle) shown += fmt::format("{} → ", at->name);
    }
    if (count > kShownOnCycle) shown += fmt::format("{} more → ", count - kShownOnCycle);
    at_task(step, task, [&](const Where& where) {
      checked_.problems.add(where.at("componentRef").at("name"),
                            fmt::format("{} contains itself: {}{}", first, shown, first),
                            "a pipeline cannot recurse; loop over a list instead");
    });
  }

  // Said at the task of the root that brings the most.
  void report_size() {
    const auto root = sizes_.find(&checked_.pipeline.root);
    if (root == sizes_.end() || root->second.tasks <= kTasksMax) return;
    const Where tasks = Where("root").at("dag").at("tasks");
    const std::string* largest = nullptr;
    std::uint64_t most = 0;
    for (const auto& [name, task] : dag_of(checked_.pipeline.root)->tasks) {
      Size alone;
      Step step{{}, nullptr, {}, &alone};
      const auto inner = sizes_.find(checked_.component_of(task));
      count(step, task, inner == sizes_.end() ? Size{} : inner->second);
      if (largest != nullptr && alone.tasks <= most) continue;
      largest = &name;
      most = alone.tasks;
    }
    checked_.problems.add(largest == nullptr ? tasks : tasks.at(*largest),
                          fmt::format("the pipeline expands to more than {} tasks", kTasksMax),
                          "loop over fewer items, or split it into several pipelines");
  }

  Checked& checked_;
  std::map<const model::Component*, Size> sizes_;
  std::vector<Step> path_;
};

}  // namespace

void check_nesting(Checked& checked) { NestingChecker(checked).check(); }

}  // namespace cresset::dag
