#pragma once

#include <string>
#include <vector>

#include "cresset/model/pipeline.h"

// What can be said about a pipeline before it runs.
namespace cresset::dag {

struct Problem {
  // JSON pointer in the IR's own spelling: /root/dag/tasks/train/inputs/parameters/x,
  // /components/comp-x/dag/…. What an executor holds is addressed through the component that uses
  // it: /components/comp-x/container/args/0, /components/comp-x/importer/artifactUri,
  // /components/comp-x/kubernetes/secretAsEnv/0.
  std::string pointer;
  std::string message;
  std::string help;  // what to do; may be empty
};

// Everything that is wrong, at most 100 problems: unknown components, tasks, inputs and outputs; a
// parameter where an artifact is meant and the other way round; types that do not fit; cycles among
// tasks and components that contain themselves; required inputs without a source; defaults and
// constants that do not fit; loops over what is no list; malformed conditions, selectors and
// placeholders, and those that name what does not exist; resource amounts, retries and limits out
// of range; a dag of exit tasks only; pipelines that expand to too many tasks. Deliberately fine:
// inputs that a task passes and its component does not declare, components that nothing uses, data
// edges that dependentTasks does not repeat.
std::vector<Problem> check_pipeline(const model::Pipeline& pipeline);

}  // namespace cresset::dag
