#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "cresset/cli/meter.h"
#include "cresset/cli/run_text.h"
#include "cresset/cli/style.h"
#include "cresset/cli/verbs.h"

// df, doctor, backup and restore: what keeps a home in good shape.
namespace cresset::cli {

namespace {

using Verdict = Check::Verdict;

std::string_view verdict_word(Verdict verdict) {
  switch (verdict) {
    case Verdict::kGood:
      return "good";
    case Verdict::kWarning:
      return "warning";
    case Verdict::kBad:
      return "bad";
  }
  return {};
}

void print_checks(const std::vector<Check>& checks, const DoctorVerb& verb, Session session) {
  if (verb.format == Format::kJson) {
    Value::List list;
    for (const Check& check : checks) {
      list.push_back(Value::make_struct({{"name", check.name},
                                         {"verdict", verdict_word(check.verdict)},
                                         {"finding", check.finding},
                                         {"help", check.help}}));
      if (verb.deep) list.back()["repaired"] = check.repaired;
    }
    print_json(session, Value(std::move(list)));
    return;
  }
  const Style style(session.terminal.out_colour(), session.terminal.utf8());
  std::vector<std::vector<std::string>> rows;
  for (const Check& check : checks) {
    const Style::Tone tone = check.verdict == Verdict::kGood  ? Style::Tone::kGood
                             : check.verdict == Verdict::kBad ? Style::Tone::kBad
                                                              : Style::Tone::kStrong;
    std::string text = check.finding;
    if (check.repaired) {
      text += "; repaired";
    } else if (!check.help.empty()) {
      text += "; " + check.help;
    }
    rows.push_back({style.paint(tone, verdict_word(check.verdict)), check.name, std::move(text)});
  }
  session.terminal.out(align(rows));
}

void print_summary(const BackupSummary& summary, std::string_view done, Format format,
                   Session session) {
  for (const std::string& remark : summary.remarks)
    session.terminal.err(fmt::format("note: {}\n", remark));
  if (format == Format::kJson) {
    Value::List remarks(summary.remarks.begin(), summary.remarks.end());
    print_json(session, Value::make_struct({{"file", summary.file},
                                            {"home", session.backend.home_path()},
                                            {"runs", summary.runs},
                                            {"files", summary.files},
                                            {"bytes", summary.bytes},
                                            {"remarks", Value(std::move(remarks))}}));
    return;
  }
  session.terminal.out(fmt::format("{}: {} {}, {} files, {}\n", done, summary.runs,
                                   summary.runs == 1 ? "run" : "runs", summary.files,
                                   bytes_text(summary.bytes)));
}

Value run_value(const app::RunSpace& run) {
  return Value::make_struct({{"id", run.record.id.str()},
                             {"name", run.record.name},
                             {"pipeline", run.record.pipeline},
                             {"state", to_string(run.record.state)},
                             {"bytes", run.total()},
                             {"artifacts", run.artifacts},
                             {"logs", run.logs},
                             {"working", run.working},
                             {"other", run.other}});
}

// Of a backup or restore that made nothing.
int report_end(const Error& error, Session session) {
  if (error.code == Code::kCancelled) session.backend.die_of_interrupt();
  return report(error, session);
}

Error no_home(Session session) {
  return make_error(Code::kNotFound, "there is no home at {} yet", session.backend.home_path());
}

}  // namespace

int df(const DfVerb& verb, Session session) {
  app::SpaceUse use;
  if (session.backend.home_exists()) {
    auto service = session.backend.service();
    if (!service) return report(service.error(), session);
    auto measured = (*service)->measure_space();
    if (!measured) return report(measured.error(), session);
    use = *std::move(measured);
  }
  if (verb.format == Format::kJson) {
    Value parts = Value::make_struct();
    for (const auto& [name, bytes] : use.parts) parts[name] = bytes;
    Value::List runs;
    for (const app::RunSpace& run : use.runs) runs.push_back(run_value(run));
    print_json(session, Value::make_struct({{"home", session.backend.home_path()},
                                            {"bytes", use.total},
                                            {"parts", std::move(parts)},
                                            {"runs", Value(std::move(runs))}}));
    return kFine;
  }
  const Style style(session.terminal.out_colour(), session.terminal.utf8());
  std::vector<std::vector<std::string>> rows;
  for (const auto& [name, bytes] : use.parts) {
    if (bytes == 0) continue;
    const bool is_left = name == app::SpaceUse::kLeftovers;
    rows.push_back(
        {bytes_text(bytes),
         is_left ? "left by a removal that was cut off: `cresset gc` removes it" : name});
  }
  rows.push_back({bytes_text(use.total), session.backend.home_path()});
  session.terminal.out(align(rows));
  if (use.runs.empty()) return kFine;
  const std::size_t count =
      verb.limit == 0 ? use.runs.size() : std::min(verb.limit, use.runs.size());
  session.terminal.out(fmt::format("\n{} of {} runs, the largest first\n", count, use.runs.size()));
  rows = {{"total", "artifacts", "logs", "working", "run", "name"}};
  for (std::size_t i = 0; i < count; ++i) {
    const app::RunSpace& run = use.runs[i];
    rows.push_back({bytes_text(run.total()), bytes_text(run.artifacts), bytes_text(run.logs),
                    bytes_text(run.working), short_id(run.record.id),
                    printable_line(run.record.name, 60, style)});
  }
  session.terminal.out(align(rows));
  return kFine;
}

int doctor(const DoctorVerb& verb, Session session) {
  if (verb.repair && !verb.deep) {
    return report(make_error(Code::kInvalidArgument,
                             "--repair needs --deep: what is not looked at is not repaired"),
                  session);
  }
  std::vector<Check> checks = session.backend.examine();
  const auto is_home = [](const Check& check) { return check.name == "home"; };
  const auto home = std::ranges::find_if(checks, is_home);
  const bool can_open = home == checks.end() || home->verdict != Verdict::kBad;
  bool is_wrong = !can_open;
  if (verb.deep && can_open && session.backend.home_exists()) {
    Meter meter(session, "reading artifacts", Meter::Unit::kThings);
    auto found = session.backend.examine_deep(
        verb.repair, [&](std::int64_t done, std::int64_t total) { meter.show(done, total); });
    meter.finish();
    if (!found) return report(found.error(), session);
    for (Check& check : *found) {
      is_wrong = is_wrong || (check.verdict == Verdict::kBad && !check.repaired);
      checks.push_back(std::move(check));
    }
  }
  print_checks(checks, verb, session);
  // Without --deep nothing of the user's was looked at; a script reads the verdicts.
  return verb.deep && is_wrong ? kRunFailed : kFine;
}

int backup(const BackupVerb& verb, Session session) {
  if (!session.backend.home_exists()) return report(no_home(session), session);
  Meter meter(session, "backup", Meter::Unit::kBytes);
  auto made = session.backend.backup(
      verb.file, verb.force,
      [&](std::int64_t done, std::int64_t total) { meter.show(done, total); });
  meter.finish();
  if (!made) return report_end(made.error(), session);
  print_summary(*made, fmt::format("{} is written", verb.file), verb.format, session);
  return kFine;
}

int restore(const RestoreVerb& verb, Session session) {
  Meter meter(session, "restore", Meter::Unit::kBytes);
  auto made = session.backend.restore(
      verb.file, [&](std::int64_t done, std::int64_t total) { meter.show(done, total); });
  meter.finish();
  if (!made) return report_end(made.error(), session);
  print_summary(*made, fmt::format("{} is restored", session.backend.home_path()), verb.format,
                session);
  return kFine;
}

}  // namespace cresset::cli
