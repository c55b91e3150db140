#include "cresset/app/read_pipeline.h"

#include <algorithm>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "cresset/codec/document.h"
#include "cresset/codec/kfp_locate.h"
#include "cresset/dag/check.h"

namespace cresset::app {

namespace {

void add_problems(std::vector<dag::Problem> problems, std::string_view text,
                  std::string_view file_name, std::vector<codec::Diagnostic>& out) {
  std::vector<std::string> pointers;
  pointers.reserve(problems.size());
  for (const dag::Problem& problem : problems) pointers.push_back(problem.pointer);
  const std::vector<codec::Place> places = codec::find_places(text, pointers);
  const std::vector<text::Position> positions = codec::locate(text, places);
  for (std::size_t i = 0; i < problems.size(); ++i) {
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
  if (!out.pipeline) return out;
  std::vector<dag::Problem> problems = dag::check_pipeline(*out.pipeline);
  if (problems.empty()) return out;
  add_problems(std::move(problems), text, file_name, out.diagnostics);
  out.pipeline.reset();
  return out;
}

}  // namespace cresset::app
