#include "cresset/app/space.h"

#include <algorithm>
#include <utility>

#include "cresset/app/run_service.h"

// RunService::measure_space and expire.
namespace cresset::app {

namespace {

struct Part {
  const char* name;
  std::vector<std::string> files;  // relative to the home
};

// What is left over is "other": folders themselves, and what Cresset does not know.
const std::vector<Part>& fixed_parts() {
  static const std::vector<Part> kParts = {
      {"database", {"cresset.db", "cresset.db-wal", "cresset.db-shm"}},
      {"environments", {"envs"}},
      {"models", {"models"}},
      {"digests", {"digests"}},
      {"runtime", {"runtime"}},
      {"keeper", {"keeper"}},
      {"volumes", {"volumes"}},
  };
  return kParts;
}

}  // namespace

Result<std::vector<RunSpace>> RunService::measure_runs() {
  CR_TRY(const std::vector<ports::RunRecord> runs, ports_.store.list_runs());
  ports::MeasurePaths measure{{}, true};
  // Each file of them once: what has several names must not be missing where it is counted last.
  constexpr std::size_t kPathsOfRun = 9;
  for (const ports::RunRecord& run : runs) {
    measure.paths.push_back(artifacts_dir(run));
    measure.paths.push_back(home_.run_dir(run.id) + "/logs");
    for (std::string& folder : home_.disposable_dirs(run.id))
      measure.paths.push_back(std::move(folder));
    for (const char* part : {"steps", "src", "workspace", "engine.log"})
      measure.paths.push_back(home_.run_dir(run.id) + "/" + part);
  }
  CR_TRY(const ports::FileAnswer answer, wait_for(std::move(measure)));
  const std::vector<std::int64_t>& bytes = std::get<ports::PathSizes>(answer).bytes;
  std::vector<RunSpace> out;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    const std::int64_t* sizes = &bytes[i * kPathsOfRun];
    out.push_back({runs[i], sizes[0], sizes[1], sizes[2] + sizes[3] + sizes[4],
                   sizes[5] + sizes[6] + sizes[7] + sizes[8]});
  }
  return out;
}

// What collect_garbage() takes away, and no part of any run.
Result<std::int64_t> RunService::measure_leftovers() {
  CR_TRY(const std::vector<Garbage> orphans, find_orphans());
  ports::MeasurePaths measure{{}, true};
  for (const Garbage& item : orphans) {
    if (item.kind == Garbage::Kind::kOrphan) measure.paths.push_back(item.path);
  }
  CR_TRY(const ports::FileAnswer answer, wait_for(std::move(measure)));
  std::int64_t bytes = 0;
  for (const std::int64_t size : std::get<ports::PathSizes>(answer).bytes) bytes += size;
  return bytes;
}

Result<SpaceUse> RunService::measure_space() {
  SpaceUse out;
  CR_TRY(out.runs, measure_runs());
  std::int64_t artifacts = 0;
  std::int64_t logs = 0;
  std::int64_t working = 0;
  std::int64_t other = 0;
  for (const RunSpace& run : out.runs) {
    artifacts += run.artifacts;
    logs += run.logs;
    working += run.working;
    other += run.other;
  }
  out.parts = {
      {"artifacts", artifacts}, {"logs", logs}, {"working folders", working}, {"run files", other}};
  for (const Part& part : fixed_parts()) {
    ports::MeasurePaths measure{{}, true};
    for (const std::string& file : part.files) measure.paths.push_back(home_.root() + "/" + file);
    CR_TRY(const ports::FileAnswer answer, wait_for(std::move(measure)));
    std::int64_t bytes = 0;
    for (const std::int64_t size : std::get<ports::PathSizes>(answer).bytes) bytes += size;
    out.parts.emplace_back(part.name, bytes);
  }
  CR_TRY(const std::int64_t leftovers, measure_leftovers());
  out.parts.emplace_back(SpaceUse::kLeftovers, leftovers);
  CR_TRY(const ports::FileAnswer whole, wait_for(ports::MeasurePaths{{home_.root()}, true}));
  out.total = std::get<ports::PathSizes>(whole).bytes.at(0);
  std::int64_t known = 0;
  for (const auto& [name, bytes] : out.parts) known += bytes;
  // Files come and go while they are counted.
  out.total = std::max(out.total, known);
  out.parts.emplace_back("other", out.total - known);
  std::ranges::sort(out.runs, std::greater<>(), [](const RunSpace& run) {
    return std::pair(run.total(), run.record.created_at);
  });
  return out;
}

Result<std::vector<StoredRun>> RunService::expire(
    const Retention& retention, bool dry_run,
    const std::function<void(const StoredRun&)>& on_removed) {
  CR_TRY(const std::vector<RunSpace> spaces, measure_runs());
  CR_TRY(const std::vector<ports::RunUse> uses, ports_.store.uses());
  std::vector<StoredRun> runs;
  runs.reserve(spaces.size());
  for (const RunSpace& space : spaces) runs.push_back({space.record, space.total()});
  std::vector<StoredRun> gone;
  for (StoredRun& run : choose_expired(runs, uses, retention, ports_.clock.wall_now())) {
    if (!dry_run) {
      auto removed = remove(run.record.id);
      if (!removed) {
        // Somebody retries it, takes its artifacts or has removed it since it was chosen.
        const std::string& reason = removed.error().reason;
        if (reason == "run.owned" || reason == "run.in_use" || reason == "run.unfinished" ||
            reason == "run.not_found")
          continue;
        return std::move(removed).error();
      }
      on_removed(run);
    }
    gone.push_back(std::move(run));
  }
  return gone;
}

}  // namespace cresset::app
