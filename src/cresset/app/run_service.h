#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cresset/app/home.h"
#include "cresset/app/interrupts.h"
#include "cresset/app/run_observer.h"
#include "cresset/app/run_options.h"
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
};

struct Ingredient {
  std::string name;   // "input x", "command", "interpreter", "env HF_TOKEN" …
  std::string mine;   // short text or digest
  std::string other;  // of the step compared with; empty when it had none
  bool differs = false;
};
struct Explanation {
  std::string path;
  std::string verdict;  // one sentence: "cached: taken from run 3f2c… (2026-11-24 14:02)", "ran:
                        // input "lr" differs from …"
  std::optional<model::RunId> compared_with;
  std::vector<Ingredient> ingredients;
};

struct Garbage {
  std::string path;
  std::string what;  // "working folders of a finished run"
  std::int64_t bytes = 0;
};

// The use cases of one home. One thread. All methods that take a RunId expect a full id; resolve()
// makes one.
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
  Result<Explanation> explain(const model::RunId& run, const std::string& task_path);
  // Record, folder and artifacts. kFailedPrecondition while it is live, and while a later run holds
  // results that it took from this one.
  Result<void> remove(const model::RunId& run);
  // Frees what no run needs: files of runs that are gone, and the working folders of steps of
  // finished runs (not their logs, outputs and artifacts). With `dry_run` it only says what it
  // would.
  Result<std::vector<Garbage>> collect_garbage(bool dry_run);

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
  Result<std::vector<dag::TaskOrdinal>> catch_up(Loaded& loaded);
  Result<model::RunView> own(Loaded loaded, std::unique_ptr<ports::Lease> lease,
                             RunObserver& observer, Interrupts& interrupts);
  Result<void> watch_once(Loaded& loaded, RunObserver& observer);
  Result<void> check_cluster_objects(const model::Pipeline& pipeline);
  Result<void> check_interpreter(const model::Pipeline& pipeline, RunOptions& options);
  Result<ports::FileAnswer> wait_for(ports::FileJob job);
  Result<std::vector<std::string>> list_names(const std::string& folder);
  Result<void> check_unused(const ports::RunRecord& record);

  Home home_;
  Ports ports_;
};

}  // namespace cresset::app
