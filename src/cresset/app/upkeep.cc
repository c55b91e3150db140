#include <fmt/core.h>
#include <fmt/format.h>

#include <set>
#include <utility>

#include "cresset/app/event_codec.h"
#include "cresset/app/run_service.h"

// RunService::remove and collect_garbage: what is allowed to go.
namespace cresset::app {

namespace {

struct Found {
  std::string path;
  std::string run;  // the run that it belongs to
};

}  // namespace

Result<void> RunService::remove(const model::RunId& run) {
  CR_TRY(const ports::RunRecord record, ports_.store.find_run(run));
  if (!is_final(record.state)) {
    Error error = make_error(Code::kFailedPrecondition,
                             "run {} has not ended: `cresset cancel` stops it, `cresset resume` "
                             "goes on with it",
                             run.str());
    error.reason = "run.unfinished";
    return error;
  }
  CR_TRY_VOID(check_unused(record));
  CR_TRY_VOID(ports_.store.remove_run(run));
  const std::string artifacts =
      fmt::format("{}/{}/{}", home_.artifacts_dir(), record.pipeline, run.str());
  for (const std::string& folder : {home_.run_dir(run), artifacts}) {
    auto removed = wait_for(ports::RemoveFolder{folder});
    if (!removed)
      return std::move(removed).error().with(
          "the run is forgotten, but its files are not all gone");
  }
  return {};
}

// A cache hit copies no bytes: the later run's artifacts are the earlier one's.
Result<void> RunService::check_unused(const ports::RunRecord& record) {
  CR_TRY(const std::vector<ports::RunRecord> runs, ports_.store.list_runs());
  std::vector<std::string> users;
  for (const ports::RunRecord& other : runs) {
    if (other.pipeline != record.pipeline || other.id == record.id) continue;
    CR_TRY(const std::vector<ports::StoredEvent> events, ports_.store.events(other.id, 0));
    for (const ports::StoredEvent& stored : events) {
      CR_TRY(const dag::Event event, decode_event(stored.payload));
      const auto* hit = std::get_if<dag::CacheHit>(&event);
      if (hit == nullptr || hit->from != record.id || hit->outputs.artifacts.empty()) continue;
      users.push_back(other.id.str());
      break;
    }
  }
  if (users.empty()) return {};
  Error error =
      make_error(Code::kFailedPrecondition,
                 "artifacts of run {} are also those of {}, which took them from the "
                 "cache: remove {} first",
                 record.id.str(), fmt::join(users, ", "), users.size() == 1 ? "that one" : "those");
  error.reason = "run.in_use";
  return error;
}

Result<std::vector<std::string>> RunService::list_names(const std::string& folder) {
  CR_TRY(ports::FileAnswer answer, wait_for(ports::ListFolder{folder}));
  return std::get<ports::FolderNames>(std::move(answer)).names;
}

Result<std::vector<Garbage>> RunService::collect_garbage(bool dry_run) {
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
  CR_TRY(const std::vector<ports::RunRecord> runs, ports_.store.list_runs());
  std::set<std::string> known;
  for (const ports::RunRecord& run : runs) known.insert(run.id.str());

  std::vector<Garbage> garbage;
  for (const Found& item : found) {
    if (!known.contains(item.run)) garbage.push_back({item.path, "files of a run that is gone", 0});
  }
  for (const ports::RunRecord& run : runs) {
    if (!is_final(run.state)) continue;
    for (std::string& folder : home_.disposable_dirs(run.id)) {
      CR_TRY(const std::vector<std::string> attempts, list_names(folder));
      if (!attempts.empty())
        garbage.push_back({std::move(folder), "working folders of a finished run", 0});
    }
  }
  ports::MeasurePaths measure;
  for (const Garbage& item : garbage) measure.paths.push_back(item.path);
  CR_TRY(const ports::FileAnswer sizes, wait_for(std::move(measure)));
  for (std::size_t i = 0; i < garbage.size(); ++i)
    garbage[i].bytes = std::get<ports::PathSizes>(sizes).bytes[i];
  if (dry_run) return garbage;
  for (const Garbage& item : garbage) {
    auto removed = wait_for(ports::RemoveFolder{item.path});
    if (!removed) return std::move(removed).error();
  }
  return garbage;
}

}  // namespace cresset::app
