#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cresset/app/run_service.h"
#include "cresset/ports/testing/fake_environments.h"
#include "cresset/ports/testing/memory_file_worker.h"
#include "cresset/ports/testing/memory_store.h"
#include "cresset/ports/testing/scripted_executor.h"
#include "cresset/ports/testing/sim_clock.h"

namespace cresset::app::testing {

// The death of a process in the middle of what it does.
struct Crash {};

// Commits to a MemoryStore, and dies at one of them.
class MortalStore final : public ports::MetadataStore {
 public:
  enum class When { kBeforeCommit, kAfterCommit };

  explicit MortalStore(ports::testing::MemoryDatabase& database) : store_(database) {}

  // At the commit with this number (from 0) of this store's life, kept or not as `when` says.
  void die_at(std::uint64_t commit, When when) {
    death_ = commit;
    when_ = when;
  }

  Result<void> create_run(const ports::RunRecord& record,
                          const ports::RunDefinition& definition) override {
    return store_.create_run(record, definition);
  }
  Result<std::unique_ptr<ports::Lease>> acquire(const model::RunId& run) override {
    return store_.acquire(run);
  }
  Result<void> confirm(const ports::Lease& lease) override { return store_.confirm(lease); }
  Result<void> commit(const ports::Lease& lease, const ports::Commit& commit) override;
  Result<std::vector<ports::RunRecord>> list_runs() override { return store_.list_runs(); }
  Result<ports::RunRecord> find_run(const model::RunId& run) override {
    return store_.find_run(run);
  }
  Result<ports::StoredDefinition> definition(const model::RunId& run) override {
    before_definition();
    return store_.definition(run);
  }
  Result<std::string> spec(const model::RunId& run) override {
    CR_TRY_VOID(before_spec());
    return store_.spec(run);
  }
  Result<std::vector<ports::StoredEvent>> events(const model::RunId& run,
                                                 std::uint64_t after_seq) override {
    before_events();
    return store_.events(run, after_seq);
  }
  Result<void> remove_run(const model::RunId& run) override { return store_.remove_run(run); }
  Result<bool> is_owned(const model::RunId& run) override { return store_.is_owned(run); }
  Result<std::vector<ports::RunUse>> uses() override { return store_.uses(); }
  Result<std::unique_ptr<ports::RemovalHold>> hold_removals() override {
    return store_.hold_removals();
  }
  Result<void> withdraw_step(const model::RunId& run, std::uint32_t task) override {
    return store_.withdraw_step(run, task);
  }
  std::unique_ptr<ports::ReadScope> read_together() override { return store_.read_together(); }
  Result<std::optional<ports::ReusableStep>> find_step(const std::string& pipeline,
                                                       const std::string& key,
                                                       const model::RunId& except) override {
    return store_.find_step(pipeline, key, except);
  }
  Result<std::vector<ports::StepMatch>> previous_steps(const std::string& pipeline,
                                                       const std::string& path,
                                                       const model::RunId& before,
                                                       std::size_t most) override {
    return store_.previous_steps(pipeline, path, before, most);
  }
  Result<std::optional<ports::StepRecord>> step(const model::RunId& run,
                                                std::uint32_t task) override {
    return store_.step(run, task);
  }
  Result<void> post(const model::RunId& run, ports::Command command) override {
    return store_.post(run, command);
  }
  Result<std::vector<ports::StoredCommand>> commands(const model::RunId& run,
                                                     std::uint64_t after_id) override {
    return store_.commands(run, after_id);
  }
  Result<std::uint64_t> change_counter() override { return store_.change_counter(); }

  // Called before each commit with what it holds.
  std::function<void(const ports::Commit&)> before_commit = [](const ports::Commit&) {};
  // Called in the middle of loading a run: its record has been read, its events have not.
  std::function<void()> before_definition = [] {};
  std::function<void()> before_events = [] {};
  std::function<Result<void>()> before_spec = [] { return Result<void>(); };

 private:
  ports::testing::MemoryStore store_;
  std::uint64_t commits_ = 0;
  std::optional<std::uint64_t> death_;
  When when_ = When::kBeforeCommit;
};

// What outlives the processes of a test: the machine, its files, the store's disk, time.
struct EngineWorld {
  EngineWorld();

  ports::testing::SimClock clock;
  ports::testing::MemoryFiles files;
  ports::testing::ScriptedMachine machine{clock, files};
  ports::testing::MemoryDatabase database;
  ports::testing::FakeEnvironments environments{[this] { wake(); }};
  std::function<void()> wake = [] {};  // the reactor of the process that lives
  std::uint64_t last_random = 0;

  // Attempts of this task that really ran, over all engines.
  [[nodiscard]] int executions(const std::string& task_path) const;
};

// One `cresset` process: everything that a crash takes away. Only one lives at a time.
class EngineProcess final : ports::Random, RunObserver, Interrupts {
 public:
  explicit EngineProcess(EngineWorld& world);
  ~EngineProcess() override;
  EngineProcess(const EngineProcess&) = delete;
  EngineProcess& operator=(const EngineProcess&) = delete;

  // A run of this pipeline, which must be valid.
  model::RunId create(const std::string& spec, RunOptions options = {},
                      model::Parameters parameters = {});
  Result<model::RunView> drive(const model::RunId& run) { return service.drive(run, *this, *this); }
  // The view at its end; a failure of the engine fails the test.
  model::RunView finish(const model::RunId& run);
  model::RunView run(const std::string& spec, RunOptions options = {}) {
    return finish(create(spec, std::move(options)));
  }

  int interrupts = 0;                // 1: cancel, 2: kill
  std::vector<std::string> notices;  // told so far

  EngineWorld& world;
  ports::testing::SimReactor reactor;
  MortalStore store;
  ports::testing::ScriptedExecutor executor;
  ports::testing::MemoryFileWorker worker;
  RunService service;

 private:
  std::uint64_t next() override { return ++world.last_random * 0x9e3779b97f4a7c15; }
  int level() override { return interrupts; }
  void on_changes(const dag::Plan&, const std::vector<dag::TaskBrief>&) override {}
  void on_notice(std::string_view text) override { notices.emplace_back(text); }
  void on_tick(const dag::Plan&) override {}
};

// What a run came to, without its times: equal for runs that went the same way.
std::string result_of(const model::RunView& view);
// kLargePipeline with a loop over so many items, all at once.
std::string large_pipeline_over(int items);
// The text with the first `what` in it, which must be there, replaced.
std::string replaced(std::string text, const std::string& what, const std::string& by);
const model::TaskView& task_of(const model::RunView& view, const std::string& path);

// A pipeline of steps that run the program "run" of EngineWorld, whose arguments are pairs of a
// file and what to write into it. Words in place of a pair: "fail" exits with 1, "flaky" does so at
// the first attempt.
extern const std::string kSmallPipeline;  // a -> b
extern const std::string kLargePipeline;  // loop, retry, exit task, artifacts

}  // namespace cresset::app::testing
