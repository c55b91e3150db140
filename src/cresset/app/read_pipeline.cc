#include "cresset/app/read_pipeline.h"

#include <algorithm>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "cresset/codec/document.h"
#include "cresset/codec/kfp_locate.h"
#include "cresset/dag/check.h"

namespace cresset::app {

namespace {

// The task, component or executor that a pointer leads into; for others what holds the value.
std::string_view unit_of(std::string_view pointer) {
  std::size_t end = 0;
  for (const std::string_view map : {"/tasks/", "/components/", "/executors/"}) {
    const std::size_t at = pointer.rfind(map);
    if (at == std::string_view::npos) continue;
    end = std::max(end, std::min(pointer.size(), pointer.find('/', at + map.size())));
  }
  if (end == 0) end = pointer.rfind('/');
  return end == 0 ? pointer : pointer.substr(0, end);
}

// What is said of a part that could not be read whole may be no more than what follows from that.
bool is_doubtful(const codec::Place& place, const std::vector<codec::Diagnostic>& known) {
  return std::ranges::any_of(known, [&place](const codec::Diagnostic& diagnostic) {
    return diagnostic.severity == codec::Severity::kError && !diagnostic.pointer.empty() &&
           place.pointer.starts_with(unit_of(diagnostic.pointer));
  });
}

void add_problems(std::vector<dag::Problem> problems, std::string_view text,
                  std::string_view file_name, std::vector<codec::Diagnostic>& out) {
  std::vector<std::string> pointers;
  pointers.reserve(problems.size());
  for (const dag::Problem& problem : problems) pointers.push_back(problem.pointer);
  const std::vector<codec::Place> places = codec::find_places(text, pointers);
  const std::vector<text::Position> positions = codec::locate(text, places);
  const std::vector<codec::Diagnostic> known = out;
  for (std::size_t i = 0; i < problems.size(); ++i) {
    if (is_doubtful(places[i], known)) continue;
    out.push_back({codec::Severity::kError, std::string(file_name), positions[i], places[i].pointer,
                   std::move(problems[i].message), std::move(problems[i].help)});
  }
  std::ranges::sort(out, {}, [](const codec::Diagnostic& d) {
    return std::tuple(d.position.line, d.position.column, std::string_view(d.message));
  });
}

}  // namespace

codec::ReadResult read_and_check(std::string_view text, std::string_view file_name) {
  codec::ReadResult out = codec::read_pipeline(text, file_name);
  const std::optional<model::Pipeline>& readable = out.pipeline ? out.pipeline : out.draft;
  if (!readable) return out;
  std::vector<dag::Problem> problems = dag::check_pipeline(*readable);
  if (problems.empty()) return out;
  add_problems(std::move(problems), text, file_name, out.diagnostics);
  out.pipeline.reset();
  return out;
}

}  // namespace cresset::app
