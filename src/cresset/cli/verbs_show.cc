#include <fmt/format.h>

#include <chrono>
#include <map>
#include <utility>

#include "cresset/cli/pipeline_file.h"
#include "cresset/cli/run_text.h"
#include "cresset/cli/timeline.h"
#include "cresset/cli/verbs.h"
#include "cresset/codec/run_json.h"
#include "cresset/text/json.h"

namespace cresset::cli {

namespace {

Style out_style(Session session) {
  return Style(session.terminal.out_colour(), session.terminal.utf8());
}

Value parameters_value(const model::Component& root) {
  Value out = Value::make_struct();
  for (const auto& [name, declared] : root.input_parameters) {
    Value entry = Value::make_struct({{"type", to_string(declared.type)},
                                      {"required", !declared.optional && !declared.default_value}});
    if (declared.default_value) entry["default"] = *declared.default_value;
    out[name] = std::move(entry);
  }
  return out;
}

// What is the matter with an unfinished run that no process drives.
struct Standstill {
  bool interrupted = false;
  bool damaged = false;
};

// One that was just made gets a moment to begin.
Result<Standstill> find_standstill(const model::RunId& run, model::State state, WallTime created_at,
                                   Session session) {
  constexpr Duration kEngineExpected = std::chrono::seconds(2);
  if (is_final(state)) return Standstill{};
  const Duration age = session.backend.clock().wall_now() - created_at;
  if (state == model::State::kPending && age < kEngineExpected) return Standstill{};
  CR_TRY(app::RunService* const service, session.backend.service());
  auto live = service->has_live_engine(run);
  if (!live && live.error().code == Code::kNotFound) return Standstill{};  // removed meanwhile
  if (!live) return std::move(live).error();
  if (*live) return Standstill{};
  // Its engine may have ended with it just now.
  auto view = service->view(run);
  if (view) return Standstill{.interrupted = !is_final(view->state)};
  if (view.error().code == Code::kNotFound) return Standstill{};
  // One run that cannot be read keeps no other from being listed.
  if (view.error().reason == "run.damaged") return Standstill{.damaged = true};
  return std::move(view).error();
}

std::string standstill_text(Standstill how, const model::RunId& run) {
  if (how.damaged) return fmt::format("damaged: cresset show {}", short_id(run));
  if (how.interrupted) return fmt::format("interrupted: cresset resume {}", short_id(run));
  return {};
}

Result<model::RunView> load_view(const std::string& name, Session session) {
  CR_TRY(const model::RunId run, find_run(name, session));
  CR_TRY(app::RunService* const service, session.backend.service());
  return service->view(run);
}

int show_task(const ShowVerb& verb, Session session) {
  auto run = find_run(verb.run, session);
  if (!run) return report(run.error(), session);
  auto service = session.backend.service();
  if (!service) return report(service.error(), session);
  auto plan = (*service)->plan(*run);
  if (!plan) return report(plan.error(), session);
  auto found = app::RunService::find_task(**plan, verb.task);
  if (!found) return report(found.error(), session);
  const model::TaskView task = (*plan)->view(*found);
  const std::vector<model::AttemptView> history = (*plan)->history(*found);
  if (verb.format == Format::kJson) {
    Value value = codec::to_value(task);
    Value::List attempts;
    for (const model::AttemptView& attempt : history) attempts.push_back(codec::to_value(attempt));
    value["history"] = Value(std::move(attempts));
    print_json(session, value);
    return kFine;
  }
  session.terminal.out(
      show_task_text(task, history, session.backend.clock().wall_now(), out_style(session)));
  return kFine;
}

// The view's tasks within one task's path; all of them for an empty name.
Result<std::vector<model::TaskView>> tasks_within(const std::string& run, const std::string& name,
                                                  Session session) {
  CR_TRY(const model::RunId id, find_run(run, session));
  CR_TRY(app::RunService* const service, session.backend.service());
  CR_TRY(const std::unique_ptr<dag::Plan> plan, service->plan(id));
  model::RunView view = plan->view();
  if (name.empty()) return std::move(view.tasks);
  CR_TRY(const dag::TaskOrdinal task, app::RunService::find_task(*plan, name));
  const std::string path = plan->brief(task).path;
  std::erase_if(view.tasks, [&path](const model::TaskView& other) {
    return other.path != path && !other.path.starts_with(path + "/") &&
           !other.path.starts_with(path + "[");
  });
  return std::move(view.tasks);
}

int show_timeline(const ShowVerb& verb, Session session) {
  auto view = load_view(verb.run, session);
  if (!view) return report(view.error(), session);
  if (!verb.task.empty()) {
    auto tasks = tasks_within(view->id.str(), verb.task, session);
    if (!tasks) return report(tasks.error(), session);
    view->tasks = *std::move(tasks);
  }
  const Timeline timeline = make_timeline(*view, session.backend.clock().wall_now());
  if (verb.format == Format::kJson) {
    print_json(session, timeline_value(timeline));
    return kFine;
  }
  TimelineLook look;
  if (session.terminal.out_is_terminal()) look.columns = session.terminal.size().columns;
  session.terminal.out(timeline_text(timeline, look, out_style(session)));
  return kFine;
}

}  // namespace

int validate(const ValidateVerb& verb, Session session) {
  const PipelineReading reading =
      read_pipeline_file({verb.file, verb.function, verb.python}, session);
  if (reading.status != kFine) return reading.status;
  const codec::ReadResult& read = reading.read;
  for (const codec::Diagnostic& diagnostic : read.diagnostics)
    session.terminal.err(codec::render(diagnostic, reading.text));
  if (!read.pipeline) return kWrongUse;
  const model::Pipeline& pipeline = *read.pipeline;
  if (verb.format == Format::kJson) {
    print_json(session, Value::make_struct({{"name", pipeline.name},
                                            {"parameters", parameters_value(pipeline.root)},
                                            {"components", pipeline.components.size()},
                                            {"warnings", read.diagnostics.size()}}));
    return kFine;
  }
  session.terminal.out(fmt::format("{} is valid: pipeline {}, {} components\n", verb.file,
                                   pipeline.name, pipeline.components.size()));
  for (const auto& [name, declared] : pipeline.root.input_parameters) {
    std::string note = declared.optional ? "optional" : "required";
    if (declared.default_value) note = "default " + text::to_json(*declared.default_value);
    session.terminal.out(fmt::format("  {} ({}): {}\n", name, to_string(declared.type), note));
  }
  return kFine;
}

int ls(const LsVerb& verb, Session session) {
  std::vector<ports::RunRecord> runs;
  std::map<model::RunId, Standstill> standing;
  if (session.backend.home_exists()) {
    auto service = session.backend.service();
    if (!service) return report(service.error(), session);
    auto listed = (*service)->list();
    if (!listed) return report(listed.error(), session);
    runs = *std::move(listed);
    if (verb.limit > 0 && runs.size() > verb.limit) runs.resize(verb.limit);
    for (const ports::RunRecord& run : runs) {
      auto how = find_standstill(run.id, run.state, run.created_at, session);
      if (!how) return report(how.error(), session);
      standing[run.id] = *how;
    }
  }
  if (verb.format == Format::kJson) {
    Value::List list;
    for (const ports::RunRecord& run : runs) {
      const auto time = [](const std::optional<WallTime>& at) {
        return at ? Value(to_rfc3339(*at)) : Value();
      };
      list.push_back(Value::make_struct({{"id", run.id.str()},
                                         {"name", run.name},
                                         {"pipeline", run.pipeline},
                                         {"state", to_string(run.state)},
                                         {"created_at", to_rfc3339(run.created_at)},
                                         {"started_at", time(run.started_at)},
                                         {"finished_at", time(run.finished_at)},
                                         {"interrupted", standing[run.id].interrupted}}));
    }
    print_json(session, Value(std::move(list)));
    return kFine;
  }
  const Style style = out_style(session);
  const WallTime now = session.backend.clock().wall_now();
  std::vector<std::vector<std::string>> rows;
  for (const ports::RunRecord& run : runs) {
    std::string took = "-";
    if (run.started_at) {
      took = to_short_text(
          std::max(Duration{0}, Duration(run.finished_at.value_or(now) - *run.started_at)));
    }
    std::string name = printable_line(run.name, 60, style);
    if (const std::string text = standstill_text(standing[run.id], run.id); !text.empty())
      name += "  " + text;
    rows.push_back({short_id(run.id), style.paint(tone_of(run.state), to_string(run.state)),
                    to_rfc3339(run.created_at).substr(0, 19) + "Z", took, std::move(name)});
  }
  session.terminal.out(align(rows));
  if (runs.empty() && session.terminal.out_is_terminal())
    session.terminal.err("no runs yet: cresset run FILE starts one\n");
  return kFine;
}

int show(const ShowVerb& verb, Session session) {
  if (verb.timeline) return show_timeline(verb, session);
  if (!verb.task.empty()) return show_task(verb, session);
  const Style style = out_style(session);
  const WallTime now = session.backend.clock().wall_now();
  auto view = load_view(verb.run, session);
  if (!view) return report(view.error(), session);
  if (verb.format == Format::kJson) {
    print_json(session, codec::to_value(*view));
  } else {
    const std::size_t columns =
        session.terminal.out_is_terminal() ? session.terminal.size().columns : 120;
    session.terminal.out(show_run_text(*view, now, columns, style));
    auto how = find_standstill(view->id, view->state, view->created_at, session);
    if (!how) return report(how.error(), session);
    if (how->interrupted) session.terminal.out(standstill_text(*how, view->id) + "\n");
  }
  return kFine;
}

int artifacts(const ArtifactsVerb& verb, Session session) {
  auto tasks = tasks_within(verb.run, verb.task, session);
  if (!tasks) return report(tasks.error(), session);
  Value::List list;
  std::vector<std::vector<std::string>> rows;
  for (const model::TaskView& task : *tasks) {
    // A group's outputs are those of the steps inside it.
    if (task.kind != model::TaskKind::kContainer && task.kind != model::TaskKind::kImporter)
      continue;
    for (const auto& [output, made] : task.outputs.artifacts) {
      for (const model::Artifact& artifact : made) {
        list.push_back(Value::make_struct({{"task", task.path},
                                           {"output", output},
                                           {"name", artifact.name},
                                           {"type", artifact.type.schema_title},
                                           {"uri", artifact.uri},
                                           {"metadata", artifact.metadata}}));
        rows.push_back({task.path, output, artifact.type.schema_title, artifact.uri});
      }
    }
  }
  if (verb.format == Format::kJson) {
    print_json(session, Value(std::move(list)));
  } else {
    session.terminal.out(align(rows));
  }
  return kFine;
}

int explain(const ExplainVerb& verb, Session session) {
  auto run = find_run(verb.run, session);
  if (!run) return report(run.error(), session);
  auto service = session.backend.service();
  if (!service) return report(service.error(), session);
  auto told = (*service)->explain(*run, verb.task);
  if (!told) return report(told.error(), session);
  if (verb.format == Format::kJson) {
    Value::List ingredients;
    for (const app::Ingredient& part : told->ingredients) {
      ingredients.push_back(Value::make_struct({{"name", part.name},
                                                {"value", part.mine},
                                                {"other", part.other},
                                                {"differs", part.differs}}));
    }
    Value::List notices;
    for (const app::AttemptNotice& notice : told->notices) {
      notices.push_back(Value::make_struct({{"attempt", notice.attempt}, {"text", notice.text}}));
    }
    print_json(session,
               Value::make_struct(
                   {{"path", told->path},
                    {"verdict", told->verdict},
                    {"run", told->compared_with ? Value(told->compared_with->str()) : Value()},
                    {"ingredients", Value(std::move(ingredients))},
                    {"notices", Value(std::move(notices))}}));
    return kFine;
  }
  const Style style = out_style(session);
  session.terminal.out(fmt::format("{}: {}\n", told->path, told->verdict));
  std::vector<std::vector<std::string>> rows;
  for (const app::Ingredient& part : told->ingredients) {
    std::vector<std::string> row = {part.differs ? "  ! " + part.name : "    " + part.name,
                                    printable_line(part.mine, 80, style)};
    if (part.differs)
      row.push_back("was " + (part.other.empty() ? std::string("absent")
                                                 : printable_line(part.other, 80, style)));
    rows.push_back(std::move(row));
  }
  session.terminal.out(align(rows));
  for (const app::AttemptNotice& notice : told->notices) {
    session.terminal.out(fmt::format("  attempt {}: {}\n", notice.attempt,
                                     printable_line(notice.text, kMessageColumns, style)));
  }
  return kFine;
}

}  // namespace cresset::cli
