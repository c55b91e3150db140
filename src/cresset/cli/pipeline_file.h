#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cresset/cli/verbs.h"
#include "cresset/codec/kfp_ir.h"

namespace cresset::cli {

// Where a pipeline comes from: a compiled file, standard input ("-"), or Python source, which the
// user's kfp compiles.
struct PipelineSource {
  std::string file;
  std::string function;  // of Python source: which pipeline; empty = its only one
  std::string python;    // empty = default_interpreter()
  bool more_follow = false;
};

bool is_python_source(const std::string& file);
std::string absolute_path(const std::string& file);

struct PipelineReading {
  int status = kFine;  // else nothing was read, and the user has been told why
  std::string name;    // of the text, for those who are told of places in it
  std::string text;
  codec::ReadResult read;          // nobody has been told of its diagnostics yet
  std::vector<std::string> files;  // absolute: what has to change for another result
};

PipelineReading read_pipeline_file(const PipelineSource& source, Session session);

}  // namespace cresset::cli
