#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "cresset/app/cluster_settings.h"
#include "cresset/app/home.h"
#include "cresset/app/run_options.h"
#include "cresset/app/start_queue.h"
#include "cresset/dag/cache_key.h"
#include "cresset/dag/launch.h"
#include "cresset/dag/outputs.h"
#include "cresset/dag/plan.h"
#include "cresset/ports/environments.h"
#include "cresset/ports/executor.h"
#include "cresset/ports/file_worker.h"
#include "cresset/ports/metadata_store.h"

namespace cresset::app {

// Carries out the effects of one run's plan on leaf tasks, through the ports, and turns what comes
// of them into events. Owned by the Engine; one thread. It keeps nothing that a restart needs:
// after a crash the plan's outstanding effects are given to a new one.
//
//   look up:  key → store → verify digests → CacheHit | CacheMissed
//   start:    settings → environment → launch → executor … exit → read outputs → digests →
//   AttemptSucceeded | AttemptFailed
class Steps {
 public:
  struct Ports {
    ports::MetadataStore& store;
    ports::Executor& executor;
    ports::FileWorker& files;
    ports::Environments& environments;
    // An answer to what an earlier engine of this process has asked is nobody's: no two of them
    // give their jobs the same numbers.
    std::uint64_t first_job = 1;
  };
  struct TimedEvent {
    dag::Event event;
    std::optional<WallTime> at = {};  // when it happened; nothing = now
    // To be committed with it.
    std::optional<ports::StepRecord> record = {};
    // To be forgotten by the executor once it is committed.
    std::optional<model::AttemptId> ended = {};
  };
  struct Wait {
    dag::TaskOrdinal task = 0;
    std::string for_what;
  };
  struct Harvest {
    std::vector<TimedEvent> events;
    std::vector<std::string> notices;
    std::vector<Wait> waits;
  };

  // `plan` and `home` outlive it. `token` fences the executor; `runtime_dir` is the unpacked
  // runtime/python.
  Steps(const dag::Plan& plan, Home home, RunOptions options, std::string runtime_dir,
        std::uint64_t token, Ports ports);
  ~Steps();

  void look_up(dag::TaskOrdinal task);
  void start(dag::TaskOrdinal task, std::uint32_t attempt, bool adopt_only);
  void stop(dag::TaskOrdinal task, std::uint32_t attempt, bool kill);

  // Whether poll() has events to give, whatever the ports say.
  [[nodiscard]] bool has_news() const { return !harvest_.events.empty(); }
  // Takes what the ports have to say. kUnavailable when the executor is beyond repair.
  Result<Harvest> poll();

 private:
  struct Work;
  using Continue = void (Steps::*)(Work&, const ports::FileAnswer&);

  Work& add_work(dag::TaskOrdinal task, std::uint32_t attempt);
  void start_held();
  void begin(Work& work);
  void begin_import(Work& work);
  void begin_volume(Work& work, bool create);
  void begin_container(Work& work);
  void take_keys(Work& work, const ports::FileAnswer& answer);
  void take_mounts(Work& work, const ports::FileAnswer& answer);
  void prepare_environment(Work& work);
  void execute(Work& work);
  std::optional<ports::WarmStart> warm_start(const Work& work);
  void fail_to_start(Work& work, model::Failure failure, bool permanent);
  void stop_executing(const Work& work);
  void on(const ports::AttemptRunning& event);
  void on(const ports::AttemptExited& event);
  void take_raw_outputs(Work& work, const ports::FileAnswer& answer);
  void take_digests(Work& work, const ports::FileAnswer& answer);
  void take_tail(Work& work, const ports::FileAnswer& answer);
  void take_import_copy(Work& work, const ports::FileAnswer& answer);
  void digest_import(Work& work, bool is_copy);
  void take_import_digest(Work& work, const ports::FileAnswer& answer);
  void take_volume(Work& work, const ports::FileAnswer& answer);
  void verify(Work& work, const ports::FileAnswer& answer);

  void submit(Work& work, ports::FileJob job, Continue next);
  void on_file(const ports::FileJobDone& done);
  void on_environment(const ports::EnvironmentReady& ready);
  void digest_outputs(Work& work);
  void succeed(Work& work);
  void fail(Work& work, model::Failure failure, bool permanent, bool lost = false);
  void finish(Work& work, dag::Event event, std::optional<ports::StepRecord> record = {});

  // What is known of a component, for all its tasks.
  struct Known {
    std::optional<dag::Lightweight> lightweight;
    Value key_parts;  // of containers: dag::component_parts()
  };
  const Known& known(const model::Component& component);
  const std::optional<dag::Lightweight>& lightweight(const dag::LeafTask& task) {
    return known(*task.component).lightweight;
  }
  Result<dag::CacheKey> cache_key(const dag::LeafTask& task);
  const Result<ports::Program>& program(const std::string& name);
  const Result<ports::Interpreter>& interpreter();
  std::vector<std::pair<std::string, std::string>> environment_of(const Work& work,
                                                                  const dag::Launch& launch) const;
  model::AttemptId attempt_id(const Work& work) const;
  std::optional<ports::StepRecord> take_record(const Work& work, bool reusable);

  const dag::Plan& plan_;
  Home home_;
  RunOptions options_;
  std::string runtime_dir_;
  std::uint64_t token_;
  Ports ports_;

  std::unordered_map<dag::TaskOrdinal, std::unique_ptr<Work>> works_;
  StartQueue queue_;
  struct Waiting {
    dag::TaskOrdinal task = 0;
    std::uint64_t work =
        0;  // serial of the work that asked: an answer to an earlier one is dropped
    Continue next = nullptr;
  };
  std::unordered_map<std::uint64_t, Waiting> jobs_;
  std::uint64_t next_job_;
  std::uint64_t next_work_ = 1;
  std::unordered_map<const model::Component*, Known> components_;
  std::optional<Result<ports::Interpreter>> interpreter_;
  std::map<std::string, Result<ports::Program>> programs_;  // found since the last poll()
  std::unordered_map<dag::TaskOrdinal, dag::CacheKey> keys_;
  Harvest harvest_;
};

}  // namespace cresset::app
