#pragma once

#include <gmock/gmock.h>

#include <string>
#include <vector>

#include "cresset/dag/check.h"
#include "cresset/dag/testing/pipeline_builder.h"

namespace cresset::dag::testing {

// "<pointer>: <message>" of each problem, in order.
inline std::vector<std::string> problems_of(const model::Pipeline& pipeline) {
  std::vector<std::string> out;
  for (const Problem& problem : check_pipeline(pipeline))
    out.push_back(problem.pointer + ": " + problem.message);
  return out;
}
inline std::vector<std::string> problems_of(PipelineBuilder& builder) {
  return problems_of(builder.pipeline());
}

inline std::vector<std::string> helps_of(PipelineBuilder& builder) {
  std::vector<std::string> out;
  for (const Problem& problem : check_pipeline(builder.pipeline())) out.push_back(problem.help);
  return out;
}

inline model::ParameterSource selected(model::ParameterSource source, std::string selector) {
  source.selector = std::move(selector);
  return source;
}

}  // namespace cresset::dag::testing
