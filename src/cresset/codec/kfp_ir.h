#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "cresset/codec/diagnostic.h"
#include "cresset/model/pipeline.h"

// Kubeflow Pipelines v2 IR (schema 2.1.0) -> model::Pipeline. What each field is to this engine:
// docs/kfp-support.md.
namespace cresset::codec {

struct ReadResult {
  std::optional<model::Pipeline> pipeline;  // when there is no error
  // What could be read of a file with errors, if it has the shape of a pipeline: for finding what
  // else is wrong, never for running.
  std::optional<model::Pipeline> draft;
  std::vector<Diagnostic> diagnostics;  // errors and warnings, in the order of the file
};

// Reads the text of a pipeline file: a PipelineSpec (YAML with an optional second document, a
// PlatformSpec; or JSON),
// {"pipeline_spec": …, "platform_spec": …}, or a PipelineJob. Finds everything wrong in one go:
// syntax, unknown, missing, misspelled and refused fields, wrong kinds of values. What the names in
// it refer to is app/read_pipeline.h's to check.
ReadResult read_pipeline(std::string_view text, std::string_view file_name);

}  // namespace cresset::codec
