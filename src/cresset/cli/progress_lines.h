#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cresset/base/time.h"
#include "cresset/cli/style.h"
#include "cresset/dag/plan.h"

namespace cresset::cli {

// How a run goes, as lines of text: one a change, each with the time since the run's start at which
// it happened. Pure: the time of day is passed in.
class ProgressLines {
 public:
  // How a run stands that had begun before. When asked again, what has changed since.
  std::string attach(const dag::Plan& plan, WallTime now);
  std::string changes(const dag::Plan& plan, const std::vector<dag::TaskBrief>& briefs,
                      WallTime now);
  // For what a step waits that was asked to start.
  void note_wait(dag::TaskOrdinal task, std::string_view for_what, WallTime now);
  // Steps that have waited so long by now that it is worth a line, each once for what it waits for.
  std::string waits(const dag::Plan& plan, WallTime now);

 private:
  struct Told {
    model::State state = model::State::kPending;
    std::uint32_t attempt = 0;
    std::uint32_t setbacks = 0;
    bool runs = false;
  };
  struct Wait {
    WallTime since{};
    std::string for_what;
    bool is_told = false;
  };
  Told take(const dag::TaskBrief& brief);
  std::string text_of(const dag::Plan& plan, const dag::TaskBrief& brief, WallTime now);
  std::string end_text(const dag::TaskBrief& brief, WallTime now) const;
  std::string tail(std::string_view text) const;

  Style style_{false, false};
  bool attached_ = false;
  std::vector<Told> told_;  // by ordinal
  std::map<dag::TaskOrdinal, Wait> waits_;
  std::set<std::pair<WallTime, dag::TaskOrdinal>> not_told_;  // of `waits_`: since when, and whose
};

// "attempt 1 was lost, attempt 2 follows", "attempt 1 failed, attempt 2 follows in 10s": of a brief
// that has a setback.
std::string setback_text(const dag::TaskBrief& brief);

}  // namespace cresset::cli
