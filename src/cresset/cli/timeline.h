#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "cresset/base/value.h"
#include "cresset/cli/style.h"
#include "cresset/model/run.h"

// Where the time of a run went. Pure.
namespace cresset::cli {

struct TimelineStep {
  std::string path;
  model::State state = model::State::kPending;
  bool cached = false;
  std::uint32_t attempts = 0;
  WallTime ready_at{};
  std::optional<WallTime> started_at;  // of its first process
  WallTime end{};                      // finishing included; now for what goes on
  model::Spent spent;                  // what it does now included
  bool critical = false;
};

struct Timeline {
  std::string id;
  std::string name;
  model::State state = model::State::kPending;
  WallTime begin{};
  WallTime end{};
  std::vector<TimelineStep> steps;    // that had all they need, by when that was
  std::vector<std::size_t> critical;  // of `steps`: each made the next one ready, the last is the
                                      // last to end
};

Timeline make_timeline(const model::RunView& run, WallTime now);

struct TimelineLook {
  std::size_t columns = 80;
  std::size_t steps_max = 40;  // when there are more: those that took longest
};

// Bars over a common axis, then the critical path with what each of its steps spent on what.
std::string timeline_text(const Timeline& timeline, const TimelineLook& look, const Style& style);

// docs/reference/cli.md
Value timeline_value(const Timeline& timeline);

}  // namespace cresset::cli
