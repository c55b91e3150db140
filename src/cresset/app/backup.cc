#include "cresset/app/backup.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <string_view>
#include <utility>

#include "cresset/app/run_service.h"

// RunService::backup_contents: which files the stored runs need.
namespace cresset::app {

namespace {

std::string attempt_name(const model::RunId& run, const char* kind,
                         const std::pair<dag::TaskOrdinal, std::uint32_t>& attempt) {
  return fmt::format("runs/{}/{}/{}.{}", run.str(), kind, attempt.first, attempt.second);
}

// Whether `name` is one of the items or lies below one.
bool is_held(const std::set<std::string_view>& items, std::string_view name) {
  while (!items.contains(name)) {
    const std::size_t slash = name.rfind('/');
    if (slash == std::string_view::npos) return false;
    name = name.substr(0, slash);
  }
  return true;
}

}  // namespace

// Nobody can tell what it needs: all that it has.
void RunService::add_damaged_run(const ports::RunRecord& record, const Error& why,
                                 BackupContents& contents) const {
  contents.items.push_back({"runs/" + record.id.str(), true});
  contents.items.push_back(
      {fmt::format("artifacts/{}/{}", record.pipeline, record.id.str()), true});
  contents.remarks.push_back(
      fmt::format("it is in the backup as it is, with all its files: {}", why.text()));
  ++contents.runs;
}

// All that a finished run has but what is of no use to it; of an unfinished one what its events
// name, for the rest is made again when it is resumed.
Result<void> RunService::add_run(const ports::RunRecord& record, Interrupts& interrupts,
                                 BackupContents& contents, std::vector<NamedArtifact>& elsewhere) {
  if (interrupts.level() > 0) return interrupted();
  auto read = load(record.id);
  if (!read && read.error().code != Code::kDataLoss) return std::move(read).error();
  if (!read) {
    add_damaged_run(record, read.error(), contents);
    return {};
  }
  const Loaded& loaded = *read;
  const std::string run = "runs/" + record.id.str();
  const std::string artifacts = fmt::format("artifacts/{}/{}", record.pipeline, record.id.str());
  const bool done = is_final(loaded.plan->state());
  // A task may have been tried again in a finished run: `retry` while the backup is made.
  for (const char* part : {"logs", "src", "workspace", "engine.log"})
    contents.items.push_back({run + "/" + part, true});
  if (done) {
    contents.items.push_back({run + "/steps", true});
  } else {
    const auto live = loaded.plan->live_attempts();
    for (const auto& attempt : loaded.plan->attempts()) {
      if (!std::ranges::binary_search(live, attempt))
        contents.items.push_back({attempt_name(record.id, "steps", attempt), true});
    }
  }
  CR_TRY(const std::vector<NamedArtifact> made, artifacts_of(loaded));
  const std::string inside = home_.root() + "/" + artifacts + "/";
  std::set<std::string> named;
  for (const NamedArtifact& artifact : made) {
    if (artifact.path.starts_with(inside)) {
      named.insert(artifact.path.substr(home_.root().size() + 1));
    } else {
      elsewhere.push_back(artifact);
    }
  }
  // An output may lie below another one's: each byte goes in once.
  std::string last;
  for (const std::string& name : named) {
    if (!last.empty() && name.starts_with(last + "/")) continue;
    contents.items.push_back({name, false});
    last = name;
  }
  // Digests are remembered: what has not changed is not read for it.
  CR_TRY(const std::vector<Finding> wrong,
         examine_artifacts(made, {.interrupts = &interrupts}, [](std::size_t, std::size_t) {}));
  for (const Finding& finding : wrong) contents.remarks.push_back(finding.finding);
  CR_TRY(std::vector<std::string> lost, lost_files(loaded));
  std::ranges::move(lost, std::back_inserter(contents.remarks));
  ++contents.runs;
  return {};
}

// Of artifacts that lie in no folder of their own run, those that no item holds.
void RunService::tell_of_missing(const std::vector<NamedArtifact>& elsewhere,
                                 BackupContents& contents) const {
  const std::string inside = home_.root() + "/";
  std::set<std::string_view> items;
  for (const BackupItem& item : contents.items) items.insert(item.name);
  for (const NamedArtifact& artifact : elsewhere) {
    const bool in_home = artifact.path.starts_with(inside);
    if (in_home && is_held(items, std::string_view(artifact.path).substr(inside.size()))) continue;
    contents.remarks.push_back(fmt::format(
        "{} of run {} lies {}: it is not in the backup", artifact.path, artifact.run.str(),
        in_home ? "where a backup takes nothing of the home" : "outside the home"));
  }
}

Result<BackupContents> RunService::backup_contents(Interrupts& interrupts) {
  CR_TRY(const std::vector<ports::RunRecord> runs, ports_.store.list_runs());
  BackupContents contents;
  std::vector<NamedArtifact> elsewhere;
  for (const ports::RunRecord& run : runs) {
    if (auto added = add_run(run, interrupts, contents, elsewhere); !added)
      return std::move(added).error().with("run {}", run.id.str());
  }
  for (const char* folder : {"configmaps", "secrets", "volumes"})
    contents.items.push_back({folder, true});
  tell_of_missing(elsewhere, contents);
  ports::MeasurePaths measure;
  for (const BackupItem& item : contents.items)
    measure.paths.push_back(home_.root() + "/" + item.name);
  CR_TRY(const ports::FileAnswer sizes, wait_for(std::move(measure), &interrupts));
  for (const std::int64_t bytes : std::get<ports::PathSizes>(sizes).bytes) contents.bytes += bytes;
  return contents;
}

}  // namespace cresset::app
