#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cresset/app/home.h"
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

// What the person at the terminal asks of a running engine: 0 nothing, 1 cancel (first Ctrl-C), 2 kill (second).
class Interrupts {
 public:
  virtual ~Interrupts() = default;
  virtual int level() = 0;
};

struct Ingredient {
  std::string name;   // "input x", "command", "interpreter", "env HF_TOKEN" …
  std::string mine;   // short text or digest
  std::string other;  // of the step compared with; empty when it had none
  bool differs = false;
};
struct Explanation {
  std::string path;
  std::string verdict;  // one sentence: "cached: taken from run 3f2c… (2026-11-24 14:02)", "ran: input "lr" differs from …"
  std::optional<model::RunId> compared_with;
  std::vector<Ingredient> ingredients;
};

// The use cases of one home. One thread. All methods that take a RunId expect a full id; resolve() makes one.
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
  };
  RunService(Home home, Ports ports);
  ~RunService();

  // A full id, a unique prefix of one, or "latest". kNotFound, or kInvalidArgument naming the candidates.
  Result<model::RunId> resolve(const std::string& text);

  // Durable once it returns. Secrets, ConfigMaps and volumes that the pipeline needs and this home lacks are refused here
  // (kFailedPrecondition), and so is an interpreter that does not work: nothing is created then.
  Result<model::RunId> create(RunRequest request);

  // Makes this process the run's engine until the run has ended: returns its final view. A finished run is returned as it is; a
  // run with a live engine is followed instead (Ctrl-C is then passed on to that engine). kAborted when another engine
  // took the run over.
  Result<model::RunView> drive(const model::RunId& run, RunObserver& observer, Interrupts& interrupts);
  // Watches without taking part; returns when the run has ended or `interrupts` says stop.
  Result<model::RunView> follow(const model::RunId& run, RunObserver& observer, Interrupts& interrupts);

  // Reopens a finished run for another generation: what failed, was skipped or cancelled is done again, what succeeded is
  // kept. kFailedPrecondition when the run is live or has nothing to do again. drive() then runs it.
  Result<void> reopen(const model::RunId& run);
  // A request for a run of one step of an earlier run alone, with its real inputs; `changes` replace parameters by name.
  Result<RunRequest> make_rerun(const model::RunId& run, const std::string& task_path, const model::Parameters& changes);

  Result<model::RunView> view(const model::RunId& run);
  Result<std::vector<ports::RunRecord>> list();
  // kFailedPrecondition "run.already_finished" when there is nothing to cancel. The engine carries it out; a run without a live
  // engine needs `drive` to run its exit handlers, which the caller starts.
  Result<void> cancel(const model::RunId& run, bool kill);
  [[nodiscard]] Result<bool> has_live_engine(const model::RunId& run);
  Result<Explanation> explain(const model::RunId& run, const std::string& task_path);
  Result<void> remove(const model::RunId& run);  // record, folder and artifacts; kFailedPrecondition while it is live

  [[nodiscard]] const Home& home() const { return home_; }

 private:
  Home home_;
  Ports ports_;
};

}  // namespace cresset::app
