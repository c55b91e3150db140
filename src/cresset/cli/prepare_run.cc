#include "cresset/cli/prepare_run.h"

#include <fmt/format.h>

#include <utility>

#include "cresset/cli/interpreter.h"
#include "cresset/cli/pipeline_file.h"
#include "cresset/codec/parameters.h"

namespace cresset::cli {

namespace {

Result<app::RunOptions> options_of(const RunVerb& verb, Session session) {
  app::RunOptions options;
  options.use_cache = !verb.no_cache;
  options.offline = verb.offline;
  options.cold = verb.cold;
  options.fail_fast = verb.fail_fast;
  options.jobs = verb.jobs;
  options.success_word = verb.success_word;
  options.log_cap_bytes = verb.log_cap_mib << 20;
  const auto variable = [&session](const char* name) { return session.backend.variable(name); };
  options.python = verb.python.empty() ? default_interpreter(session.backend) : verb.python;
  if (const auto path = variable("PATH")) options.path_variable = *path;
  for (const char* name : {"LC_ALL", "LANG"}) {
    if (const auto locale = variable(name); locale && !locale->empty()) {
      options.locale = *locale;
      break;
    }
  }
  for (const std::string& text : verb.env) {
    const std::size_t equals = text.find('=');
    const std::string name = text.substr(0, equals);
    if (name.empty())
      return make_error(Code::kInvalidArgument, "--env expects NAME or NAME=VALUE, got \"{}\"",
                        text);
    if (equals != std::string::npos) {
      options.env.emplace_back(name, text.substr(equals + 1));
      continue;
    }
    const std::optional<std::string> value = session.backend.variable(name);
    if (!value) {
      return make_error(Code::kInvalidArgument,
                        "--env {}: there is no such variable here; --env {}=VALUE gives it one",
                        name, name);
    }
    options.env.emplace_back(name, *value);
  }
  return options;
}

// Later ones win: the file's own (PipelineJob), --params, -p.
Result<model::ByName<Value>> given_parameters(const RunVerb& verb,
                                              const model::Pipeline& pipeline) {
  model::ByName<Value> given = pipeline.job_parameters;
  if (!verb.parameters_file.empty()) {
    CR_TRY(const std::string text, read_file(verb.parameters_file));
    auto from_file = codec::read_parameters_file(text);
    if (!from_file) return std::move(from_file).error().with("{}", verb.parameters_file);
    for (auto& [name, value] : *from_file) given.insert_or_assign(name, std::move(value));
  }
  for (const auto& [name, text] : verb.parameters) {
    const auto declared = pipeline.root.input_parameters.find(name);
    // An unknown name is refused by resolve_inputs(), together with a suggestion.
    if (declared == pipeline.root.input_parameters.end()) {
      given.insert_or_assign(name, Value(text));
      continue;
    }
    CR_TRY(Value value, codec::parse_parameter_text(name, declared->second.type, text));
    given.insert_or_assign(name, std::move(value));
  }
  return codec::resolve_inputs(pipeline.root, std::move(given));
}

// What is wrong is printed; the rest is for the user to know once the run goes.
std::vector<std::string> notices_of(const PipelineReading& reading, Session session) {
  std::vector<std::string> out;
  for (const codec::Diagnostic& diagnostic : reading.read.diagnostics) {
    if (diagnostic.severity == codec::Severity::kError || !reading.read.pipeline) {
      session.terminal.err(codec::render(diagnostic, reading.text));
    } else {
      out.push_back(
          fmt::format("{}:{}: {}", diagnostic.file, diagnostic.position.line, diagnostic.message));
    }
  }
  return out;
}

Result<app::RunRequest> request_of(const RunVerb& verb, PipelineReading reading, Session session) {
  app::RunRequest request;
  CR_TRY(request.inputs.parameters, given_parameters(verb, *reading.read.pipeline));
  CR_TRY(request.options, options_of(verb, session));
  request.file_name = std::move(reading.name);
  request.spec = std::move(reading.text);
  request.pipeline = *std::move(reading.read.pipeline);
  request.name = verb.name;
  return request;
}

}  // namespace

PreparedRun prepare_run(const RunVerb& verb, Session session, bool more_follow) {
  PipelineReading reading =
      read_pipeline_file({verb.file, verb.function, verb.python, more_follow}, session);
  PreparedRun out;
  out.status = reading.status;
  out.files = std::move(reading.files);
  if (out.status != kFine) return out;
  out.notices = notices_of(reading, session);
  if (!reading.read.pipeline) {
    out.status = kWrongUse;
    return out;
  }
  auto request = request_of(verb, std::move(reading), session);
  if (request) {
    out.request = *std::move(request);
  } else {
    out.status = report(request.error(), session);
  }
  return out;
}

}  // namespace cresset::cli
