#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "cresset/adapters/posix/unique_fd.h"
#include "cresset/adapters/python/child_start.h"
#include "cresset/base/result.h"
#include "cresset/base/time.h"
#include "cresset/base/value.h"

namespace cresset::python {

struct PipelineCompilerOptions {
  std::string helper;                        // the text of runtime/python/cresset_compile.py
  std::string path_variable;                 // where interpreters are looked up
  Variables env;                             // the user's own: it is their program that runs
  Duration limit = std::chrono::minutes(2);  // of one file
};

struct PipelineFile {
  std::string python;  // a path, or a name that is looked up
  std::string path;    // absolute
  std::string function;
};

struct CompiledPipeline {
  std::optional<std::string> text;  // the IR as YAML
  // Why there is none; empty when Python's own traceback has been printed.
  std::string problem;
  std::vector<std::string> files;  // of the user's, that it depends on
};

// Compiles pipeline files with the kfp of an interpreter. The process that does it stays for the
// next file, with kfp imported, until this object goes; what the user's code prints goes to this
// process's standard error. One thread.
class PipelineCompiler {
 public:
  explicit PipelineCompiler(PipelineCompilerOptions options);
  ~PipelineCompiler();
  PipelineCompiler(const PipelineCompiler&) = delete;
  PipelineCompiler& operator=(const PipelineCompiler&) = delete;

  // `is_stopped` is asked some twenty times a second. Errors: kCancelled (it said so; what runs is
  // killed), kDeadlineExceeded (so too), kNotFound and kPermissionDenied (no such interpreter),
  // kFailedPrecondition (it is none).
  Result<CompiledPipeline> compile(const PipelineFile& file,
                                   const std::function<bool()>& is_stopped);

 private:
  Result<void> start(const std::string& python);
  // The status that it ended with, as the shell counts.
  int stop();
  [[nodiscard]] bool has_ended() const;
  Result<Value> ask(const Value& question, const std::function<bool()>& is_stopped);

  PipelineCompilerOptions options_;
  std::string python_;  // of the process that runs
  StartedChild child_;
  posix::UniqueFd questions_;
  posix::UniqueFd answers_;
};

}  // namespace cresset::python
