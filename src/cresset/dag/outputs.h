#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cresset/base/result.h"
#include "cresset/dag/launch.h"

namespace cresset::dag {

// What a step left behind, as raw file contents (nullopt = no such file).
struct RawOutputs {
  std::optional<std::string> metadata;                 // of ExpectedOutputs::metadata_path
  std::vector<std::optional<std::string>> parameters;  // by index in ExpectedOutputs::parameters
};

// The outputs of a step by the contract of kfp.md §2.3–2.6: values in the executor output win over
// files; a declared parameter that is in neither place, a value of the wrong type, an unknown
// output and a path that leaves its place are kFailedPrecondition, with what the step should have
// written. Artifacts come without digests.
Result<model::Bindings> read_outputs(const ExpectedOutputs& expected, const RawOutputs& raw);

// Paths whose bytes belong to the artifacts, in their order (duplicates kept): what is to be
// digested.
std::vector<std::string> artifact_paths(const model::Bindings& outputs);
// Writes digests in the order of artifact_paths(); an artifact without bytes keeps an empty one.
void set_digests(model::Bindings& outputs, const std::vector<std::optional<std::string>>& digests);

}  // namespace cresset::dag
