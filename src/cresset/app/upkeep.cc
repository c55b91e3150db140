#include <fmt/core.h>
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

#include "cresset/app/run_service.h"

// RunService::remove and collect_garbage: what is allowed to go.
namespace cresset::app {

namespace {

struct Found {
  std::string path;
  std::string run;  // the run that it belongs to
};

// As make_run_id() makes them: nothing else lies there by Cresset's doing.
bool is_run_id(std::string_view name) {
  constexpr std::string_view kShape = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
  const auto fits = [](char c, char shape) {
    if (shape == '-') return c == '-';
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
  };
  return std::ranges::equal(name, kShape, fits);
}

}  // namespace

Result<void> RunService::remove(const model::RunId& run) {
  CR_TRY(const ports::RunRecord record, ports_.store.find_run(run));
  bool may_go = is_final(record.state);
  if (!may_go) {
    CR_TRY(may_go, give_up_damaged(record));
  }
  if (!may_go) {
    Error error = make_error(Code::kFailedPrecondition,
                             "run {} has not ended: `cresset cancel` stops it, `cresset resume` "
                             "goes on with it",
                             run.str());
    error.reason = "run.unfinished";
    return error;
  }
  CR_TRY_VOID(ports_.store.remove_run(run));
  for (const std::string& folder : {home_.run_dir(run), artifacts_dir(record)}) {
    auto removed = wait_for(ports::RemoveFolder{folder});
    if (!removed)
      return std::move(removed).error().with(
          "the run is forgotten, but its files are not all gone");
  }
  return {};
}

// Nobody can end a run whose history is damaged: it is failed, as far as lists go, and may then be
// removed. False for any other run, and while somebody drives it.
Result<bool> RunService::give_up_damaged(ports::RunRecord record) {
  auto lease = ports_.store.acquire(record.id);
  if (!lease && lease.error().reason == "run.owned") return false;
  if (!lease) return std::move(lease).error();
  auto loaded = load(record.id);
  if (loaded) return false;
  if (loaded.error().reason != "run.damaged") return std::move(loaded).error();
  record.state = model::State::kFailed;
  if (!record.finished_at) record.finished_at = record.started_at.value_or(record.created_at);
  ports::Commit commit;
  commit.record = std::move(record);
  CR_TRY_VOID(ports_.store.commit(**lease, commit));
  return true;
}

std::string RunService::artifacts_dir(const ports::RunRecord& run) const {
  return fmt::format("{}/{}/{}", home_.artifacts_dir(), run.pipeline, run.id.str());
}

Result<std::vector<std::string>> RunService::list_names(const std::string& folder) {
  CR_TRY(ports::FileAnswer answer, wait_for(ports::ListFolder{folder}));
  return std::get<ports::FolderNames>(std::move(answer)).names;
}

// Files of no run that is stored.
Result<std::vector<Garbage>> RunService::find_orphans() {
  // Folders before records: a run that is made meanwhile has a record before it has a folder.
  std::vector<Found> found;
  CR_TRY(const std::vector<std::string> folders, list_names(home_.root() + "/runs"));
  for (const std::string& name : folders) found.push_back({home_.root() + "/runs/" + name, name});
  CR_TRY(const std::vector<std::string> pipelines, list_names(home_.artifacts_dir()));
  for (const std::string& pipeline : pipelines) {
    const std::string folder = home_.artifacts_dir() + "/" + pipeline;
    CR_TRY(const std::vector<std::string> names, list_names(folder));
    for (const std::string& name : names) found.push_back({folder + "/" + name, name});
  }
  CR_TRY(const std::vector<std::string> locks, list_names(home_.locks_dir()));
  for (const std::string& name : locks) found.push_back({home_.locks_dir() + "/" + name, name});
  CR_TRY(const std::vector<ports::RunRecord> runs, ports_.store.list_runs());
  std::set<std::string> known;
  for (const ports::RunRecord& run : runs) known.insert(run.id.str());

  std::vector<Garbage> garbage;
  for (const Found& item : found) {
    if (known.contains(item.run) || !is_run_id(item.run)) continue;
    const bool older = ports_.predates_store && ports_.predates_store(item.path);
    garbage.push_back({older ? Garbage::Kind::kOlder : Garbage::Kind::kOrphan,
                       model::RunId(item.run), item.path, "files of a run that is gone", 0});
  }
  return garbage;
}

Result<std::vector<Garbage>> RunService::find_garbage() {
  CR_TRY(std::vector<Garbage> garbage, find_orphans());
  CR_TRY(const std::vector<ports::RunRecord> runs, ports_.store.list_runs());
  for (const ports::RunRecord& run : runs) {
    if (!is_final(run.state)) continue;
    for (std::string& folder : home_.disposable_dirs(run.id)) {
      CR_TRY(const std::vector<std::string> attempts, list_names(folder));
      if (!attempts.empty())
        garbage.push_back({Garbage::Kind::kWorking, run.id, std::move(folder),
                           "working folders of a finished run", 0});
    }
  }
  return garbage;
}

// Of what lies there now, by name: should the run's lock be lost meanwhile, what a later attempt
// makes stays.
Result<void> RunService::empty_folder(const std::string& folder) {
  CR_TRY(const std::vector<std::string> names, list_names(folder));
  for (const std::string& name : names)
    CR_TRY_VOID(wait_for(ports::RemoveFolder{folder + "/" + name}));
  return {};
}

// While it is held, nobody reopens the run. Null when somebody drives it, has reopened it or has
// removed it.
Result<std::unique_ptr<ports::Lease>> RunService::hold_finished(const model::RunId& run) {
  auto lease = ports_.store.acquire(run);
  if (!lease) {
    const Error& error = lease.error();
    if (error.reason == "run.owned" || error.code == Code::kNotFound)
      return std::unique_ptr<ports::Lease>();
    return lease;
  }
  CR_TRY(const ports::RunRecord record, ports_.store.find_run(run));
  if (!is_final(record.state)) return std::unique_ptr<ports::Lease>();
  return lease;
}

Result<std::vector<Garbage>> RunService::collect_garbage(bool dry_run,
                                                         const std::vector<StoredRun>& expired) {
  CR_TRY(std::vector<Garbage> garbage, find_garbage());
  std::set<model::RunId> going;
  for (const StoredRun& run : expired) going.insert(run.record.id);
  if (dry_run) std::erase_if(garbage, [&](const auto& item) { return going.contains(item.run); });
  std::erase_if(garbage, [](const Garbage& item) { return item.kind == Garbage::Kind::kOlder; });
  ports::MeasurePaths measure{{}, true};
  for (const Garbage& item : garbage) measure.paths.push_back(item.path);
  CR_TRY(const ports::FileAnswer sizes, wait_for(std::move(measure)));
  for (std::size_t i = 0; i < garbage.size(); ++i)
    garbage[i].bytes = std::get<ports::PathSizes>(sizes).bytes[i];
  if (dry_run) return garbage;
  // Measuring may have taken minutes: what was a finished run may have been reopened since.
  std::vector<Garbage> removed;
  std::optional<model::RunId> asked;
  std::unique_ptr<ports::Lease> held;
  for (Garbage& item : garbage) {
    if (item.kind == Garbage::Kind::kWorking) {
      if (asked != item.run) {
        asked = item.run;
        held.reset();
        CR_TRY(held, hold_finished(item.run));
      }
      if (held == nullptr) continue;
      CR_TRY_VOID(empty_folder(item.path));
    } else {
      CR_TRY_VOID(wait_for(ports::RemoveFolder{item.path}));
    }
    removed.push_back(std::move(item));
  }
  return removed;
}

}  // namespace cresset::app
