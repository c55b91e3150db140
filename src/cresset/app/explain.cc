#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <utility>

#include "cresset/app/run_service.h"
#include "cresset/base/check.h"
#include "cresset/text/json.h"

// RunService::explain: why a task was, or was not, taken from the cache.
namespace cresset::app {

namespace {

std::string shown(const Value* part) {
  return part == nullptr ? std::string() : text::to_text(*part);
}

std::vector<Ingredient> compare(const Value& mine, const Value* other) {
  std::vector<Ingredient> out;
  for (const auto& [name, value] : mine.as_struct()) {
    const Value* theirs = other == nullptr ? nullptr : other->find(name);
    out.push_back({name, text::to_text(value), shown(theirs),
                   other != nullptr && (theirs == nullptr || !(*theirs == value))});
  }
  if (other == nullptr) return out;
  for (const auto& [name, value] : other->as_struct()) {
    if (mine.find(name) == nullptr) out.push_back({name, "", text::to_text(value), true});
  }
  return out;
}

std::vector<std::string> differences_of(const std::vector<Ingredient>& ingredients) {
  std::vector<std::string> names;
  for (const Ingredient& ingredient : ingredients) {
    if (ingredient.differs) names.push_back(ingredient.name);
  }
  return names;
}

// Of the steps before, the one that came nearest to being reused, and of equals the newest.
const ports::StepMatch* nearest(const ports::StepRecord& mine,
                                const std::vector<ports::StepMatch>& newest_first) {
  const ports::StepMatch* best = nullptr;
  std::pair<std::size_t, bool> best_distance;
  for (const ports::StepMatch& match : newest_first) {
    const std::pair distance(differences_of(compare(mine.parts, &match.step.parts)).size(),
                             !match.step.reusable);
    if (best != nullptr && distance >= best_distance) continue;
    best = &match;
    best_distance = distance;
  }
  return best;
}

// Of a task that is cached, whose events these are among.
const dag::CacheHit& last_hit(const std::vector<dag::Event>& events, dag::TaskOrdinal task) {
  const dag::CacheHit* last = nullptr;
  for (const dag::Event& event : events) {
    const auto* hit = std::get_if<dag::CacheHit>(&event);
    if (hit != nullptr && hit->task == task) last = hit;
  }
  CHECK(last != nullptr);
  return *last;
}

std::string stamp(const ports::StepMatch& match) {
  return fmt::format("run {} of {}", match.run.str(), to_rfc3339(match.at));
}

}  // namespace

Result<Explanation> RunService::explain(const model::RunId& run, const std::string& task_path) {
  CR_TRY(const Loaded loaded, load(run));
  CR_TRY(const dag::TaskOrdinal task, find_task(*loaded.plan, task_path));
  CR_TRY(const std::vector<dag::Event> events, events_of(loaded));
  Explanation out;
  CR_TRY_VOID(explain_cache(loaded, task, events, out));
  for (const dag::Event& event : events) {
    const auto* began = std::get_if<dag::AttemptRunning>(&event);
    if (began == nullptr || began->task != task) continue;
    for (const std::string& text : began->notices) out.notices.push_back({began->attempt, text});
  }
  return out;
}

// What it depended on is kept once, with the step that ran. Only hits of older homes have a record
// of their own.
Result<void> RunService::explain_hit(const model::RunId& run, const dag::CacheHit& hit,
                                     Explanation& out) {
  out.verdict = fmt::format("cached: everything it depends on is as in run {}", hit.from.str());
  auto step =
      hit.source ? ports_.store.step(hit.from, hit.source->task) : ports_.store.step(run, hit.task);
  if (!step && step.error().code == Code::kNotFound) {
    out.verdict += ", which has been removed since";
    return {};
  }
  if (!step) return std::move(step).error();
  out.compared_with = hit.from;
  if (*step && (!hit.source || (*step)->key == hit.source->key)) {
    out.ingredients = compare((*step)->parts, nullptr);
  } else {
    out.verdict += ", which has run it again since";
  }
  return {};
}

// Fills in all but the notices.
Result<void> RunService::explain_cache(const Loaded& loaded, dag::TaskOrdinal task,
                                       const std::vector<dag::Event>& events, Explanation& out) {
  const model::RunId& run = loaded.record.id;
  const dag::TaskBrief brief = loaded.plan->brief(task);
  out.path = brief.path;
  if (brief.kind != model::TaskKind::kContainer) {
    out.verdict = fmt::format("a {} is never cached itself; its steps are", to_string(brief.kind));
    return {};
  }
  if (brief.state == model::State::kSkipped || brief.state == model::State::kCanceled) {
    out.verdict =
        fmt::format("{}: {}", brief.started_at ? "was ended" : "did not run", brief.reason);
    return {};
  }
  if (!loaded.plan->leaf(task).cacheable) {
    out.verdict =
        "ran: this run takes it from no cache (its pipeline says so, or the run is a rerun)";
    return {};
  }
  if (brief.cached) return explain_hit(run, last_hit(events, task), out);
  CR_TRY(const std::optional<ports::StepRecord> step, ports_.store.step(run, task));
  if (!step) {
    out.verdict =
        is_final(brief.state) ? "ran: what it ran with is not known" : "has not ended yet";
    return {};
  }
  constexpr std::size_t kLookedAt = 50;
  CR_TRY(const std::vector<ports::StepMatch> earlier,
         ports_.store.previous_steps(loaded.record.pipeline, brief.path, run, kLookedAt));
  const ports::StepMatch* const previous = nearest(*step, earlier);
  out.ingredients = compare(step->parts, previous ? &previous->step.parts : nullptr);
  const std::vector<std::string> differences = differences_of(out.ingredients);
  if (previous) out.compared_with = previous->run;
  if (!loaded.options.use_cache) {
    out.verdict = "ran: the run was started with --no-cache";
  } else if (!previous) {
    out.verdict = "ran: no earlier run of this pipeline that is stored has run this task itself";
  } else if (!differences.empty()) {
    out.verdict = fmt::format("ran: {} {} from {}", fmt::join(differences, ", "),
                              differences.size() == 1 ? "differs" : "differ", stamp(*previous));
  } else if (!previous->step.reusable) {
    out.verdict =
        fmt::format("ran: what it gave in {} is not to be taken (it failed, or was lost since)",
                    stamp(*previous));
  } else {
    out.verdict =
        fmt::format("ran: what it made in {} was gone or changed, or that run had not ended yet",
                    stamp(*previous));
  }
  return {};
}

}  // namespace cresset::app
