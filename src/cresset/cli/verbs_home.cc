#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "cresset/cli/completion.h"
#include "cresset/cli/run_text.h"
#include "cresset/cli/verbs.h"
#include "cresset/text/json.h"

namespace cresset::cli {

namespace {

void print_json(Session session, const Value& value) {
  session.terminal.out(text::to_json_pretty(value) + "\n");
}

std::string_view verdict_word(Check::Verdict verdict) {
  switch (verdict) {
    case Check::Verdict::kGood:
      return "good";
    case Check::Verdict::kWarning:
      return "warning";
    case Check::Verdict::kBad:
      return "bad";
  }
  return {};
}

Result<std::vector<std::string>> matching_keys(const EnvRmVerb& verb,
                                               const std::vector<BuiltEnvironment>& known) {
  std::vector<std::string> keys;
  for (const BuiltEnvironment& environment : known) {
    if (verb.all) keys.push_back(environment.key);
  }
  for (const std::string& wanted : verb.keys) {
    std::vector<std::string> matches;
    for (const BuiltEnvironment& environment : known) {
      if (environment.key.starts_with(wanted)) matches.push_back(environment.key);
    }
    if (matches.empty()) {
      return make_error(Code::kNotFound, "no environment \"{}\": `cresset env ls` shows them",
                        wanted);
    }
    if (matches.size() > 1) {
      return make_error(Code::kInvalidArgument, "\"{}\" fits {} environments: {}", wanted,
                        matches.size(), fmt::join(matches, ", "));
    }
    keys.push_back(matches.front());
  }
  return keys;
}

// A run cannot go before those that took artifacts of it from the cache: as long as one more can
// go, the others are tried again.
Result<void> remove_all(app::RunService& service, std::vector<model::RunId> runs) {
  while (!runs.empty()) {
    std::optional<Error> refused;
    const std::size_t before = runs.size();
    for (auto run = runs.begin(); run != runs.end();) {
      auto removed = service.remove(*run);
      if (removed) {
        run = runs.erase(run);
        continue;
      }
      if (removed.error().reason != "run.in_use") return removed;
      refused = std::move(removed).error();
      ++run;
    }
    if (runs.size() == before) return *std::move(refused);
  }
  return {};
}

}  // namespace

int env_ls(const EnvLsVerb& verb, Session session) {
  auto known = session.backend.environments();
  if (!known) return report(known.error(), session);
  if (verb.format == Format::kJson) {
    Value::List list;
    for (const BuiltEnvironment& environment : *known) {
      Value::List requirements(environment.requirements.begin(), environment.requirements.end());
      list.push_back(Value::make_struct(
          {{"key", environment.key},
           {"python", environment.python},
           {"base", environment.base},
           {"requirements", Value(std::move(requirements))},
           {"bytes", environment.bytes},
           {"created_at",
            environment.created_at ? Value(to_rfc3339(*environment.created_at)) : Value()}}));
    }
    print_json(session, Value(std::move(list)));
    return kFine;
  }
  std::vector<std::vector<std::string>> rows;
  for (const BuiltEnvironment& environment : *known) {
    rows.push_back(
        {environment.key.substr(0, 12), bytes_text(environment.bytes),
         environment.created_at ? to_rfc3339(*environment.created_at).substr(0, 10) : "-",
         fmt::format("{}", fmt::join(environment.requirements, " "))});
  }
  session.terminal.out(align(rows));
  return kFine;
}

int env_rm(const EnvRmVerb& verb, Session session) {
  if (verb.all == !verb.keys.empty()) {
    return report(make_error(Code::kInvalidArgument, "name environments to remove, or give --all"),
                  session);
  }
  auto known = session.backend.environments();
  if (!known) return report(known.error(), session);
  auto keys = matching_keys(verb, *known);
  if (!keys) return report(keys.error(), session);
  for (const std::string& key : *keys) {
    if (auto removed = session.backend.remove_environment(key); !removed)
      return report(removed.error(), session);
  }
  std::int64_t bytes = 0;
  for (const BuiltEnvironment& environment : *known) {
    if (std::ranges::find(*keys, environment.key) != keys->end()) bytes += environment.bytes;
  }
  session.terminal.out(fmt::format("{} removed, {} freed\n", keys->size(), bytes_text(bytes)));
  return kFine;
}

int rm(const RmVerb& verb, Session session) {
  // All names first: one that is wrong must not leave half of the work done.
  std::vector<model::RunId> runs;
  for (const std::string& name : verb.runs) {
    auto run = find_run(name, session);
    if (!run) return report(run.error(), session);
    if (std::ranges::find(runs, *run) == runs.end()) runs.push_back(*std::move(run));
  }
  auto service = session.backend.service();
  if (!service) return report(service.error(), session);
  if (auto removed = remove_all(**service, runs); !removed) return report(removed.error(), session);
  for (const model::RunId& run : runs)
    session.terminal.out(fmt::format("Run {} is removed\n", short_id(run)));
  return kFine;
}

int gc(const GcVerb& verb, Session session) {
  std::vector<app::Garbage> garbage;
  if (session.backend.home_exists()) {
    auto service = session.backend.service();
    if (!service) return report(service.error(), session);
    auto found = (*service)->collect_garbage(verb.dry_run);
    if (!found) return report(found.error(), session);
    garbage = *std::move(found);
    if (!verb.dry_run) {
      auto unfinished = session.backend.remove_unfinished_environments();
      if (!unfinished) return report(unfinished.error(), session);
    }
  }
  std::int64_t bytes = 0;
  for (const app::Garbage& item : garbage) bytes += item.bytes;
  if (verb.format == Format::kJson) {
    Value::List list;
    for (const app::Garbage& item : garbage) {
      list.push_back(
          Value::make_struct({{"path", item.path}, {"what", item.what}, {"bytes", item.bytes}}));
    }
    print_json(session, Value::make_struct({{"dry_run", verb.dry_run},
                                            {"bytes", bytes},
                                            {"items", Value(std::move(list))}}));
    return kFine;
  }
  if (verb.dry_run) {
    std::vector<std::vector<std::string>> rows;
    for (const app::Garbage& item : garbage)
      rows.push_back({bytes_text(item.bytes), item.what, item.path});
    session.terminal.out(align(rows));
  }
  session.terminal.out(fmt::format("{} {} {}, {}\n", garbage.size(),
                                   garbage.size() == 1 ? "folder" : "folders",
                                   verb.dry_run ? "would go" : "removed", bytes_text(bytes)));
  return kFine;
}

int doctor(const DoctorVerb& verb, Session session) {
  const std::vector<Check> checks = session.backend.examine();
  if (verb.format == Format::kJson) {
    Value::List list;
    for (const Check& check : checks) {
      list.push_back(Value::make_struct({{"name", check.name},
                                         {"verdict", verdict_word(check.verdict)},
                                         {"finding", check.finding},
                                         {"help", check.help}}));
    }
    print_json(session, Value(std::move(list)));
  } else {
    const Style style(session.terminal.out_colour(), session.terminal.utf8());
    std::vector<std::vector<std::string>> rows;
    for (const Check& check : checks) {
      const Style::Tone tone = check.verdict == Check::Verdict::kGood  ? Style::Tone::kGood
                               : check.verdict == Check::Verdict::kBad ? Style::Tone::kBad
                                                                       : Style::Tone::kStrong;
      rows.push_back({style.paint(tone, verdict_word(check.verdict)), check.name,
                      check.finding + (check.help.empty() ? "" : "; " + check.help)});
    }
    session.terminal.out(align(rows));
  }
  // Nothing was asked wrongly and nothing was lost; a script reads the verdicts.
  return kFine;
}

int version(const VersionVerb& verb, Session session) {
  if (verb.format == Format::kJson) {
    print_json(session, Value::make_struct(
                            {{"version", session.backend.version()}, {"kfp_ir_schema", "2.1.0"}}));
  } else {
    session.terminal.out(fmt::format("cresset {}\n", session.backend.version()));
  }
  return kFine;
}

int completion(const CompletionVerb& verb, Session session) {
  session.terminal.out(completion_script(verb.shell));
  return kFine;
}

}  // namespace cresset::cli
