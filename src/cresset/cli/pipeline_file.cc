#include "cresset/cli/pipeline_file.h"

#include <fmt/format.h>

#include <filesystem>
#include <system_error>
#include <utility>

#include "cresset/app/read_pipeline.h"
#include "cresset/cli/interpreter.h"

namespace cresset::cli {

namespace {

// Whatever is wrong is wrong with what the user named.
int refuse(Error error, const std::string& file, Session session) {
  if (error.code == Code::kCancelled) session.backend.die_of_interrupt();
  error.code = Code::kInvalidArgument;
  return report(std::move(error).with("{}", file), session);
}

int compile(const PipelineSource& source, Session session, PipelineReading& out) {
  const std::string python =
      source.python.empty() ? default_interpreter(session.backend) : source.python;
  auto compiled = session.backend.compile(
      {python, absolute_path(source.file), source.function, source.more_follow});
  if (!compiled) return refuse(std::move(compiled).error(), source.file, session);
  for (std::string& file : compiled->files) {
    if (file != out.files.front()) out.files.push_back(std::move(file));
  }
  if (!compiled->text) {
    session.terminal.err(
        compiled->problem.empty()
            ? fmt::format("cresset: {} does not compile: Python says why above\n", source.file)
            : fmt::format("cresset: {}\n", compiled->problem));
    return kWrongUse;
  }
  out.text = *std::move(compiled->text);
  out.name = source.file + " (compiled)";
  out.read = app::read_and_check(out.text, out.name);
  return kFine;
}

}  // namespace

std::string absolute_path(const std::string& file) {
  std::error_code failed;  // the working folder is gone: the name stays as it is
  const std::filesystem::path path = std::filesystem::absolute(file, failed);
  return failed ? file : path.lexically_normal().native();
}

bool is_python_source(const std::string& file) { return file.ends_with(".py"); }

PipelineReading read_pipeline_file(const PipelineSource& source, Session session) {
  PipelineReading out;
  out.name = source.file;
  out.files.push_back(absolute_path(source.file));
  auto text = read_file(source.file);
  if (!text) {
    out.status = report(text.error(), session);
  } else if (is_python_source(source.file)) {
    out.status = compile(source, session, out);
  } else if (!source.function.empty()) {
    out.status = report(make_error(Code::kInvalidArgument,
                                   "--function chooses a pipeline of a .py file, and {} is "
                                   "compiled already",
                                   source.file),
                        session);
  } else {
    out.text = *std::move(text);
    out.read = app::read_and_check(out.text, source.file);
  }
  return out;
}

}  // namespace cresset::cli
