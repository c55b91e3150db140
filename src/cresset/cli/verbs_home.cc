#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "cresset/cli/completion.h"
#include "cresset/cli/meter.h"
#include "cresset/cli/run_text.h"
#include "cresset/cli/verbs.h"
#include "cresset/text/suggest.h"

namespace cresset::cli {

namespace {

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

Value run_value(const app::StoredRun& run) {
  const auto& ended = run.record.finished_at;
  return Value::make_struct({{"id", run.record.id.str()},
                             {"name", run.record.name},
                             {"pipeline", run.record.pipeline},
                             {"state", to_string(run.record.state)},
                             {"finished_at", ended ? Value(to_rfc3339(*ended)) : Value()},
                             {"bytes", run.bytes}});
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

struct Freed {
  std::vector<app::StoredRun> runs;
  std::vector<app::Garbage> items;
  [[nodiscard]] std::int64_t bytes() const {
    std::int64_t sum = 0;
    for (const app::StoredRun& run : runs) sum += run.bytes;
    for (const app::Garbage& item : items) sum += item.bytes;
    return sum;
  }
};

Result<std::vector<app::StoredRun>> expire_runs(app::RunService& service, const GcVerb& verb,
                                                Session session) {
  std::int64_t count = 0;
  Meter meter(session, "removing runs", Meter::Unit::kThings);
  auto gone = service.expire(verb.retention, verb.dry_run,
                             [&](const app::StoredRun&) { meter.show(++count, 0); });
  meter.finish();
  return gone;
}

// Fine for a script whose runs have all gone; a slip, otherwise.
Result<void> note_unknown_pipeline(app::RunService& service, const std::string& wanted,
                                   Session session) {
  CR_TRY(const std::vector<ports::RunRecord> runs, service.list());
  std::vector<std::string> known;
  for (const ports::RunRecord& run : runs) {
    if (run.pipeline == wanted) return {};
    if (std::ranges::find(known, run.pipeline) == known.end()) known.push_back(run.pipeline);
  }
  session.terminal.err(fmt::format("note: there is no run of a pipeline \"{}\"{}\n", wanted,
                                   text::did_you_mean_suffix(wanted, known)));
  return {};
}

// With --dry-run, what would be freed.
Result<Freed> free_space(const GcVerb& verb, Session session) {
  Freed freed;
  CR_TRY(app::RunService* const service, session.backend.service());
  if (!verb.retention.pipeline.empty())
    CR_TRY_VOID(note_unknown_pipeline(*service, verb.retention.pipeline, session));
  if (!verb.retention.empty()) {
    CR_TRY(freed.runs, expire_runs(*service, verb, session));
  }
  CR_TRY(freed.items, service->collect_garbage(verb.dry_run, freed.runs));
  if (!verb.dry_run) CR_TRY_VOID(session.backend.remove_unfinished_environments());
  return freed;
}

Value freed_value(const Freed& freed, bool dry_run) {
  Value::List items;
  Value::List runs;
  for (const app::StoredRun& run : freed.runs) runs.push_back(run_value(run));
  for (const app::Garbage& item : freed.items) {
    items.push_back(
        Value::make_struct({{"path", item.path}, {"what", item.what}, {"bytes", item.bytes}}));
  }
  return Value::make_struct({{"dry_run", dry_run},
                             {"bytes", freed.bytes()},
                             {"runs", Value(std::move(runs))},
                             {"items", Value(std::move(items))}});
}

void print_freed(const Freed& freed, const GcVerb& verb, Session session) {
  const std::size_t runs = freed.runs.size();
  const std::size_t items = freed.items.size();
  if (verb.dry_run) {
    std::vector<std::vector<std::string>> rows;
    for (const app::StoredRun& run : freed.runs) {
      rows.push_back({bytes_text(run.bytes), fmt::format("a run of {}", run.record.pipeline),
                      short_id(run.record.id)});
    }
    for (const app::Garbage& item : freed.items)
      rows.push_back({bytes_text(item.bytes), item.what, item.path});
    session.terminal.out(align(rows));
  }
  const std::string_view other = verb.retention.empty() ? "" : "other ";
  if (!verb.retention.empty()) {
    session.terminal.out(
        fmt::format("{} {} with all files and ", runs, runs == 1 ? "run" : "runs"));
  }
  session.terminal.out(
      fmt::format("{} {}{} {}, {}\n", items, other, items == 1 ? "folder" : "folders",
                  verb.dry_run ? "would go" : "removed", bytes_text(freed.bytes())));
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
  if (verb.retention.empty() && !verb.retention.pipeline.empty()) {
    return report(make_error(Code::kInvalidArgument,
                             "--pipeline says whose runs go, not which: add --older-than, "
                             "--keep-last or --max-size"),
                  session);
  }
  Freed freed;
  if (session.backend.home_exists()) {
    auto done = free_space(verb, session);
    if (!done) return report(done.error(), session);
    freed = *std::move(done);
  }
  if (verb.format == Format::kJson) {
    print_json(session, freed_value(freed, verb.dry_run));
  } else {
    print_freed(freed, verb, session);
  }
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
