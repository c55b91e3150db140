#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cresset/app/backup.h"
#include "cresset/app/doctor.h"
#include "cresset/app/home.h"
#include "cresset/app/interrupts.h"
#include "cresset/app/retention.h"
#include "cresset/app/run_observer.h"
#include "cresset/app/run_options.h"
#include "cresset/app/space.h"
#include "cresset/base/result.h"
#include "cresset/model/pipeline.h"
#include "cresset/model/run.h"
#include "cresset/ports/clock.h"
#include "cresset/ports/environments.h"
#include "cresset/ports/executor.h"
#include "cresset/ports/file_worker.h"
#include "cresset/ports/metadata_store.h"
#include "cresset/ports/random.h"
#include "cresset/ports/reactor.h"

namespace cresset::app {

// A pipeline that has been read, checked and given its inputs: ready to become a run.
struct RunRequest {
  std::string file_name;
  std::string spec;  // the text that `pipeline` was read from
  model::Pipeline pipeline;
  model::Bindings inputs;  // resolved: defaults filled in; artifacts only for `rerun`
  std::string name;        // display name; the pipeline's name when empty
  RunOptions options;
  std::vector<model::RunId> uses;  // runs whose artifacts are among the inputs
};

struct Ingredient {
  std::string name;   // "input x", "command", "interpreter", "env HF_TOKEN" …
  std::string mine;   // short text or digest
  std::string other;  // of the step compared with; empty when it had none
  bool differs = false;
};
struct AttemptNotice {
  std::uint32_t attempt = 0;
  std::string text;
};
struct Explanation {
  std::string path;
  std::string verdict;  // one sentence: "cached: taken from run 3f2c… (2026-11-24 14:02)", "ran:
                        // input "lr" differs from …"
  std::optional<model::RunId> compared_with;
  std::vector<Ingredient> ingredients;
  // How its attempts ran, where that is not as asked: "asked for 8 CPUs, …", "starts cold: …".
  std::vector<AttemptNotice> notices;
};

struct Garbage {
  // Of no run that is stored; of a finished one; of no run that is stored, but older than the
  // store.
  enum class Kind { kOrphan, kWorking, kOlder };
  Kind kind = Kind::kOrphan;
  model::RunId run;
  std::string path;
  std::string what;  // "working folders of a finished run"
  std::int64_t bytes = 0;
};

// The use cases of one home. One thread. All methods that take a RunId expect a full id; resolve()
// makes one. A run whose stored history has a gap, or cannot have happened, is kDataLoss with
// reason "run.damaged" for all of them but list() and remove(): nothing of it is guessed, and
// nothing done.
class RunService {
 public:
  struct Ports {
    ports::Clock& clock;
    ports::Random& random;
    ports::Reactor& reactor;
    ports::MetadataStore& store;
    ports::Executor& executor;
    ports::FileWorker& files;
    ports::Environments& environments;
    // Unpacks runtime/python into this home if it is not there, and answers where it is.
    std::function<Result<std::string>()> runtime_dir;
    // Whether what is at a path was there before the store was: that the store does not know it
    // says nothing then. Empty: nothing was.
    std::function<bool(const std::string& path)> predates_store{};
    // An event that changes more tasks is stored, and told in parts of so many, before the next.
    static constexpr std::size_t kChangesMax = 4096;
    std::size_t changes_max = kChangesMax;
  };
  RunService(Home home, Ports ports);

  // A full id, a unique prefix of one, or "latest". kNotFound, or kInvalidArgument naming the
  // candidates.
  Result<model::RunId> resolve(const std::string& text);

  // Durable once it returns. Secrets, ConfigMaps and volumes that the pipeline needs and this home
  // lacks are refused here (kFailedPrecondition), and so is an interpreter that does not work:
  // nothing is created then.
  Result<model::RunId> create(RunRequest request);

  // Makes this process the run's engine until the run has ended: returns its final view. A finished
  // run is returned as it is; a run with a live engine is followed instead (Ctrl-C is then passed
  // on to that engine). kAborted when another engine took the run over.
  Result<model::RunView> drive(const model::RunId& run, RunObserver& observer,
                               Interrupts& interrupts);
  // The same for runs so large that a view of all their tasks should not be made.
  Result<std::unique_ptr<dag::Plan>> drive_plan(const model::RunId& run, RunObserver& observer,
                                                Interrupts& interrupts);
  // Watches without taking part; returns when the run has ended or `interrupts` says stop.
  Result<model::RunView> follow(const model::RunId& run, RunObserver& observer,
                                Interrupts& interrupts);

  // Reopens a finished run for another generation: what failed, was skipped or cancelled is done
  // again, what succeeded is kept. kFailedPrecondition when the run is live or has nothing to do
  // again. drive() then runs it.
  Result<void> reopen(const model::RunId& run);
  // A request for a run of one step of an earlier run alone, with its real inputs; `changes`
  // replace parameters by name, each a text as after `-p`.
  Result<RunRequest> make_rerun(const model::RunId& run, const std::string& task_path,
                                const model::ByName<std::string>& changes);

  // What an executor would be given to run the one step of `request`, whose files go below
  // `folder`: nothing is stored, nothing is started. kCancelled when `interrupts` says stop.
  Result<ports::StartSpec> prepare_by_hand(RunRequest request, const std::string& folder,
                                           const std::function<void(std::string_view)>& on_notice,
                                           Interrupts& interrupts);

  // The run as it stands.
  Result<std::unique_ptr<dag::Plan>> plan(const model::RunId& run);
  // A task by its path, by the end of it, or by its name where that is unique. kNotFound with a
  // suggestion.
  static Result<dag::TaskOrdinal> find_task(const dag::Plan& plan, const std::string& path);
  Result<model::RunView> view(const model::RunId& run);
  Result<std::vector<ports::RunRecord>> list();
  // kFailedPrecondition "run.already_finished" when there is nothing to cancel. The engine carries
  // it out; a run without a live engine needs `drive` to run its exit handlers, which the caller
  // starts.
  Result<void> cancel(const model::RunId& run, bool kill);
  Result<bool> has_live_engine(const model::RunId& run);
  // Attempts that began, and of which there is no log.
  Result<std::vector<model::AttemptId>> lost_logs(const model::RunId& run);
  Result<Explanation> explain(const model::RunId& run, const std::string& task_path);
  // Record, folder and artifacts. kFailedPrecondition while it has not ended, unless it is damaged
  // and nobody drives it, and while a later run holds results that it took from this one.
  Result<void> remove(const model::RunId& run);
  // Frees what no run needs: files of runs that are gone, and the working folders of steps of
  // finished runs (not their logs, outputs and artifacts). A run that somebody reopens meanwhile
  // keeps them. With `dry_run` it only says what it would; what belongs to `expired` is then left
  // out: it would go with its run. What has no run's name, or is older than the store, stays.
  Result<std::vector<Garbage>> collect_garbage(bool dry_run,
                                               const std::vector<StoredRun>& expired = {});

  // Removes the runs that `retention` lets go, each whole or not at all; tells of each. With
  // `dry_run` it only says which. What others need by then stays, without an error.
  Result<std::vector<StoredRun>> expire(const Retention& retention, bool dry_run,
                                        const std::function<void(const StoredRun&)>& on_removed);
  Result<SpaceUse> measure_space();
  // Whether the stored runs and their files are whole: events that give what is listed, artifacts
  // with the bytes that were committed, nothing that belongs to nobody. Reads every byte of every
  // artifact. With `repair`, what can be put right without loss is: rows from events, damaged
  // artifacts out of the cache's sight, leftovers away.
  Result<std::vector<Finding>> examine(bool repair, const OnProgress& on_progress);
  // What a backup of the stored runs has to hold beside the database. To be asked of a store that
  // does not change. kCancelled after an interrupt.
  Result<BackupContents> backup_contents(Interrupts& interrupts);

  [[nodiscard]] const Home& home() const { return home_; }

 private:
  // A run as its events tell it.
  struct Loaded {
    ports::RunRecord record;
    RunOptions options;
    std::unique_ptr<dag::Plan> plan;
    std::uint64_t seq = 0;
  };
  Result<Loaded> load(const model::RunId& run);
  Result<Loaded> load_owned(const ports::Lease& lease);
  Result<std::shared_ptr<const model::Pipeline>> read_stored(
      const model::RunId& run, const ports::StoredDefinition& definition);
  Result<void> make_plan(std::shared_ptr<const model::Pipeline> pipeline, const Value& stored,
                         Loaded& out);
  Result<dag::Event> take_event(const ports::StoredEvent& stored, const Loaded& loaded) const;
  Result<void> catch_up(Loaded& loaded, RunObserver* observer = nullptr);
  Result<std::unique_ptr<dag::Plan>> own(Loaded loaded, std::unique_ptr<ports::Lease> lease,
                                         RunObserver& observer, Interrupts& interrupts);
  Result<void> watch_once(Loaded& loaded, RunObserver& observer);
  Result<void> check_cluster_objects(const model::Pipeline& pipeline);
  Result<void> check_interpreter(const model::Pipeline& pipeline, RunOptions& options);
  // With `interrupts`, kCancelled after one; the job goes on then.
  Result<ports::FileAnswer> wait_for(ports::FileJob job, Interrupts* interrupts = nullptr);
  Result<std::vector<std::string>> list_names(const std::string& folder);
  Result<std::vector<Garbage>> find_orphans();
  Result<std::vector<Garbage>> find_garbage();
  Result<void> empty_folder(const std::string& folder);
  Result<std::int64_t> measure_leftovers();
  Result<std::unique_ptr<ports::Lease>> hold_finished(const model::RunId& run);
  struct NamedArtifact {
    model::RunId run;
    std::uint32_t task = 0;
    std::string task_path;
    std::string path;
    std::string digest;
  };
  [[nodiscard]] std::string artifacts_dir(const ports::RunRecord& run) const;
  Result<bool> give_up_damaged(ports::RunRecord record);
  Result<std::vector<dag::Event>> events_of(const Loaded& loaded);
  Result<void> explain_hit(const model::RunId& run, const dag::CacheHit& hit, Explanation& out);
  Result<void> explain_cache(const Loaded& loaded, dag::TaskOrdinal task,
                             const std::vector<dag::Event>& events, Explanation& out);
  Result<std::vector<NamedArtifact>> artifacts_of(const Loaded& loaded);
  Result<std::vector<model::AttemptId>> started_steps(const Loaded& loaded);
  Result<std::vector<model::AttemptId>> lost_logs(const model::RunId& run,
                                                  const std::vector<model::AttemptId>& started);
  Result<std::vector<std::string>> lost_files(const Loaded& loaded);
  Result<std::optional<Finding>> examine_run(const ports::RunRecord& listed, bool repair,
                                             std::vector<NamedArtifact>& artifacts,
                                             std::vector<Finding>& lost);
  Result<bool> restore_record(const model::RunId& run);
  struct Care {
    bool afresh = false;  // read every byte
    bool repair = false;
    Interrupts* interrupts = nullptr;  // end it with kCancelled
  };
  Result<std::vector<Finding>> examine_artifacts(const std::vector<NamedArtifact>& artifacts,
                                                 Care care, const OnProgress& on_progress);
  Result<std::optional<Finding>> judge(const NamedArtifact& artifact,
                                       const Result<ports::FileAnswer>& answer, bool repair);
  Result<std::vector<Finding>> find_strays();
  Result<std::vector<Finding>> examine_leftovers(bool repair);
  void add_damaged_run(const ports::RunRecord& record, const Error& why,
                       BackupContents& contents) const;
  Result<void> add_run(const ports::RunRecord& record, Interrupts& interrupts,
                       BackupContents& contents, std::vector<NamedArtifact>& elsewhere);
  void tell_of_missing(const std::vector<NamedArtifact>& elsewhere, BackupContents& contents) const;
  Result<std::vector<RunSpace>> measure_runs();
  Result<std::vector<model::RunId>> sources_of(const ports::RunRecord& run,
                                               const model::Bindings& bindings);

  Home home_;
  Ports ports_;
  std::uint64_t engines_ = 0;  // that this object has made
  std::uint64_t jobs_ = 0;     // that it has submitted
  // What was stored or read last: who makes a run drives it next, and looks at it then.
  struct LastRead {
    std::string file_name;
    std::string digest;  // of the text
    std::shared_ptr<const model::Pipeline> pipeline;
  } last_read_;
};

}  // namespace cresset::app
