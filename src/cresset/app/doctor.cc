#include "cresset/app/doctor.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "cresset/app/event_codec.h"
#include "cresset/app/run_service.h"
#include "cresset/dag/lightweight.h"
#include "cresset/dag/outputs.h"

// RunService::examine: whether what is stored fits together, and whether the files are what was
// committed.
namespace cresset::app {

namespace {

using Verdict = Finding::Verdict;

constexpr std::size_t kDigestsAtOnce = 4;

std::string resume_help(const model::RunId& run) {
  return fmt::format("`cresset resume {}` goes on with it, `cresset cancel {}` ends it", run.str(),
                     run.str());
}

bool agrees(const ports::RunRecord& record, const dag::Plan& plan) {
  return record.state == plan.state() && record.started_at == plan.started_at() &&
         record.finished_at == plan.finished_at();
}

}  // namespace

// Those that its plan has seen: an engine may have added some since.
Result<std::vector<dag::Event>> RunService::events_of(const Loaded& loaded) {
  CR_TRY(const std::vector<ports::StoredEvent> events, ports_.store.events(loaded.record.id, 0));
  std::vector<dag::Event> out;
  for (const ports::StoredEvent& stored : events) {
    if (stored.seq > loaded.seq) break;
    CR_TRY(dag::Event event, decode_event(stored.payload, home_.root()));
    out.push_back(std::move(event));
  }
  return out;
}

// What a run's steps have made, by the events that are committed.
Result<std::vector<RunService::NamedArtifact>> RunService::artifacts_of(const Loaded& loaded) {
  CR_TRY(const std::vector<dag::Event> events, events_of(loaded));
  std::vector<NamedArtifact> out;
  for (const dag::Event& event : events) {
    const auto* made = std::get_if<dag::AttemptSucceeded>(&event);
    if (made == nullptr) continue;
    const std::vector<std::string> paths = dag::artifact_paths(made->outputs);
    std::size_t next = 0;
    for (const auto& [name, list] : made->outputs.artifacts) {
      for (const model::Artifact& artifact : list) {
        const std::string& path = paths[next++];
        // Without bytes when it was committed: there is nothing to keep.
        if (!artifact.digest.empty())
          out.push_back({loaded.record.id, made->task, loaded.plan->brief(made->task).path, path,
                         artifact.digest});
      }
    }
  }
  return out;
}

// By the events, which tell of each start.
Result<std::vector<model::AttemptId>> RunService::started_steps(const Loaded& loaded) {
  CR_TRY(const std::vector<dag::Event> events, events_of(loaded));
  std::set<std::pair<std::uint32_t, std::uint32_t>> started;
  for (const dag::Event& event : events) {
    const auto* began = std::get_if<dag::AttemptRunning>(&event);
    // An importer has no process and no log.
    if (began != nullptr && loaded.plan->brief(began->task).kind == model::TaskKind::kContainer)
      started.emplace(began->task, began->attempt);
  }
  std::vector<model::AttemptId> out;
  for (const auto& [task, attempt] : started) out.push_back({loaded.record.id, task, attempt});
  return out;
}

Result<std::vector<model::AttemptId>> RunService::lost_logs(
    const model::RunId& run, const std::vector<model::AttemptId>& started) {
  CR_TRY(const std::vector<std::string> names, list_names(home_.run_dir(run) + "/logs"));
  std::vector<model::AttemptId> out;
  for (const model::AttemptId& id : started) {
    const std::string path = home_.log_path(id);
    if (!std::ranges::binary_search(names, path.substr(path.rfind('/') + 1))) out.push_back(id);
  }
  return out;
}

Result<std::vector<model::AttemptId>> RunService::lost_logs(const model::RunId& run) {
  CR_TRY(const Loaded loaded, load(run));
  CR_TRY(const std::vector<model::AttemptId> started, started_steps(loaded));
  return lost_logs(run, started);
}

// What a run needs for nothing but to be understood, one sentence for each kind that is missing.
Result<std::vector<std::string>> RunService::lost_files(const Loaded& loaded) {
  const model::RunId& run = loaded.record.id;
  std::vector<std::string> out;
  CR_TRY(const std::vector<model::AttemptId> started, started_steps(loaded));
  CR_TRY(const std::vector<model::AttemptId> logs, lost_logs(run, started));
  if (!logs.empty()) {
    out.push_back(
        fmt::format("{} of {} logs of run {} are gone", logs.size(), started.size(), run.str()));
  }
  const auto has_source = [&loaded](const model::AttemptId& id) {
    const auto* container =
        std::get_if<model::Container>(&loaded.plan->leaf(id.task).component->body);
    return container != nullptr && dag::recognise_lightweight(*container).has_value();
  };
  if (std::ranges::none_of(started, has_source)) return out;
  CR_TRY(const std::vector<std::string> sources, list_names(home_.run_dir(run) + "/src"));
  if (sources.empty())
    out.push_back(fmt::format("the sources of the steps of run {} are gone", run.str()));
  return out;
}

Result<std::optional<Finding>> RunService::examine_run(const ports::RunRecord& listed, bool repair,
                                                       std::vector<NamedArtifact>& artifacts,
                                                       std::vector<Finding>& lost) {
  const std::string& id = listed.id.str();
  Result<Loaded> loaded = load(listed.id);
  auto made = loaded ? artifacts_of(*loaded) : loaded.error();
  if (made && (!agrees(loaded->record, *loaded->plan) || !is_final(loaded->plan->state()))) {
    auto owned = ports_.store.is_owned(listed.id);
    if (owned && *owned) {
      std::ranges::move(*made, std::back_inserter(artifacts));
      return std::optional<Finding>();
    }
    // An engine may have ended the run while it was being read.
    loaded = owned ? load(listed.id) : Result<Loaded>(std::move(owned).error());
    if (!loaded) made = loaded.error();
  }
  if (!made) {
    if (made.error().code == Code::kNotFound) return std::optional<Finding>();  // removed meanwhile
    return std::optional(Finding{"run", Verdict::kBad, made.error().text(),
                                 "its files below runs/ and artifacts/ are as they were"});
  }
  std::ranges::move(*made, std::back_inserter(artifacts));
  CR_TRY(const std::vector<std::string> missing, lost_files(*loaded));
  for (const std::string& what : missing) {
    lost.push_back({"run", Verdict::kWarning, what,
                    "put them back from a backup; the run's results do not need them"});
  }
  if (!agrees(loaded->record, *loaded->plan)) {
    const std::string what =
        loaded->record.state == loaded->plan->state()
            ? fmt::format("run {} is listed with other times than its events say", id)
            : fmt::format("run {} is listed as {}, and its events say {}", id,
                          to_string(loaded->record.state), to_string(loaded->plan->state()));
    Finding finding{"run", Verdict::kBad, what,
                    "`cresset doctor --deep --repair` takes what the events say"};
    if (is_final(loaded->record.state) && !is_final(loaded->plan->state())) {
      finding.help = fmt::format(
          "its last events are missing: put a backup back, or give the run up with `cresset rm {}`",
          id);
    } else if (repair) {
      CR_TRY(finding.repaired, restore_record(listed.id));
    }
    return std::optional(std::move(finding));
  }
  if (!is_final(loaded->plan->state())) {
    return std::optional(Finding{"lease", Verdict::kWarning,
                                 fmt::format("run {} is unfinished and no process drives it", id),
                                 resume_help(listed.id)});
  }
  return std::optional<Finding>();
}

// The row of a run repeats what its events say; they decide. False when the run has an engine by
// now, which writes the row itself.
Result<bool> RunService::restore_record(const model::RunId& run) {
  auto lease = ports_.store.acquire(run);
  if (!lease && lease.error().reason == "run.owned") return false;
  if (!lease) return std::move(lease).error();
  CR_TRY(Loaded loaded, load_owned(**lease));
  ports::Commit commit;
  loaded.record.state = loaded.plan->state();
  loaded.record.started_at = loaded.plan->started_at();
  loaded.record.finished_at = loaded.plan->finished_at();
  commit.record = loaded.record;
  CR_TRY_VOID(ports_.store.commit(**lease, commit));
  return true;
}

// Several at a time.
Result<std::vector<Finding>> RunService::examine_artifacts(
    const std::vector<NamedArtifact>& artifacts, Care care, const OnProgress& on_progress) {
  std::vector<Finding> out;
  std::size_t next = 0;
  std::size_t done = 0;
  const std::uint64_t first_job = jobs_ + 1;
  jobs_ += artifacts.size();
  while (done < artifacts.size()) {
    for (; next < artifacts.size() && next - done < kDigestsAtOnce; ++next)
      ports_.files.submit(first_job + next,
                          ports::DigestPaths{{artifacts[next].path}, false, care.afresh});
    for (ports::FileJobDone& answer : ports_.files.poll()) {
      if (answer.job < first_job) continue;  // of something that was given up
      const NamedArtifact& artifact = artifacts.at(answer.job - first_job);
      on_progress(++done, artifacts.size());
      CR_TRY(std::optional<Finding> finding, judge(artifact, answer.answer, care.repair));
      if (finding) out.push_back(*std::move(finding));
    }
    if (care.interrupts != nullptr && care.interrupts->level() > 0) return interrupted();
    if (done < artifacts.size()) ports_.reactor.wait(ports_.clock.now() + std::chrono::seconds(1));
  }
  return out;
}

Result<std::optional<Finding>> RunService::judge(const NamedArtifact& artifact,
                                                 const Result<ports::FileAnswer>& answer,
                                                 bool repair) {
  std::string what;
  if (!answer) {
    what = answer.error().text();
  } else {
    const auto& digest = std::get<ports::Digests>(*answer).digests.at(0);
    if (digest.value_or("") == artifact.digest) return std::optional<Finding>();
    what = digest ? "has other bytes than it was committed with" : "is gone";
  }
  Finding finding{"artifact", Verdict::kBad,
                  fmt::format("{} of run {} {}", artifact.path, artifact.run.str(), what), ""};
  auto step = ports_.store.step(artifact.run, artifact.task);
  if (!step && step.error().code == Code::kNotFound)
    return std::optional<Finding>();  // removed meanwhile
  if (!step) return std::move(step).error();
  finding.help = fmt::format(
      "put it back from a backup, or make another with `cresset rerun {} {}`, in a run of its own",
      artifact.run.str(), artifact.task_path);
  if (!*step) {
    // It was never in the cache's sight.
    finding.help += fmt::format("; `cresset rm {}` forgets this one", artifact.run.str());
    return std::optional(std::move(finding));
  }
  if (!(*step)->reusable) {
    finding.verdict = Verdict::kWarning;
    finding.help += "; the cache gives it to no new run";
    return std::optional(std::move(finding));
  }
  finding.help += "; `--repair` keeps the cache from giving it to new runs";
  if (repair) {
    CR_TRY_VOID(ports_.store.withdraw_step(artifact.run, artifact.task));
    finding.repaired = true;
  }
  return std::optional(std::move(finding));
}

// Where only folders of pipelines are expected.
Result<std::vector<Finding>> RunService::find_strays() {
  CR_TRY(const std::vector<std::string> names, list_names(home_.artifacts_dir()));
  ports::StatPaths job;
  for (const std::string& name : names) job.paths.push_back(home_.artifacts_dir() + "/" + name);
  CR_TRY(const ports::FileAnswer answer, wait_for(ports::FileJob(job)));
  std::vector<Finding> out;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (std::get<ports::PathKinds>(answer).kinds[i] == ports::PathKinds::Kind::kFolder) continue;
    out.push_back({"leftover", Verdict::kWarning, job.paths[i] + " is no folder of a pipeline",
                   "Cresset neither uses nor removes it"});
  }
  return out;
}

Result<std::vector<Finding>> RunService::examine_leftovers(bool repair) {
  CR_TRY(const std::vector<Garbage> garbage, find_garbage());
  CR_TRY(std::vector<Finding> out, find_strays());
  for (const Garbage& item : garbage) {
    const std::string& path = item.path;
    if (item.kind == Garbage::Kind::kOlder) {
      out.push_back({"leftover", Verdict::kWarning,
                     path + " is older than the database, which does not know its run",
                     "if the database was lost or put back, look for a backup that knows it; "
                     "remove it by hand when nobody needs it"});
    }
    if (item.kind != Garbage::Kind::kOrphan) continue;
    Finding finding{"leftover", Verdict::kWarning,
                    path + " belongs to no run: a removal was cut off, or the run was never stored",
                    "`cresset gc` or `--repair` removes it"};
    if (repair) {
      auto removed = wait_for(ports::RemoveFolder{path});
      if (!removed) return std::move(removed).error();
      finding.repaired = true;
    }
    out.push_back(std::move(finding));
  }
  return out;
}

Result<std::vector<Finding>> RunService::examine(bool repair, const OnProgress& on_progress) {
  CR_TRY(const std::vector<ports::RunRecord> runs, ports_.store.list_runs());
  std::vector<Finding> out;
  std::vector<NamedArtifact> artifacts;
  std::vector<Finding> lost;
  for (const ports::RunRecord& run : runs) {
    CR_TRY(std::optional<Finding> finding, examine_run(run, repair, artifacts, lost));
    if (finding) out.push_back(*std::move(finding));
  }
  const auto bad = [](const Finding& finding) { return finding.name == "run"; };
  if (std::ranges::none_of(out, bad)) {
    out.push_back({"runs", Verdict::kGood,
                   fmt::format("{} stored; their events give what is listed", runs.size()), ""});
  }
  std::ranges::move(lost, std::back_inserter(out));
  CR_TRY(std::vector<Finding> wrong,
         examine_artifacts(artifacts, {.afresh = true, .repair = repair}, on_progress));
  if (wrong.empty()) {
    out.push_back({"artifacts", Verdict::kGood,
                   fmt::format("{} made; all have the bytes that were committed", artifacts.size()),
                   ""});
  }
  std::ranges::move(wrong, std::back_inserter(out));
  CR_TRY(std::vector<Finding> leftovers, examine_leftovers(repair));
  std::ranges::move(leftovers, std::back_inserter(out));
  return out;
}

}  // namespace cresset::app
