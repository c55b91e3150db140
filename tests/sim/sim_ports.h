#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cresset/ports/executor.h"
#include "cresset/ports/file_worker.h"
#include "cresset/ports/metadata_store.h"
#include "cresset/ports/testing/memory_file_worker.h"
#include "cresset/ports/testing/scripted_executor.h"
#include "sim/caller.h"

// The ports of a simulated process: fakes behind calls that fail, take long, and end the process.
namespace cresset::sim {

class FaultyStore final : public ports::MetadataStore {
 public:
  explicit FaultyStore(Caller& caller) : caller_(caller) {}

  // Before anything else.
  Result<void> open();

  // The submission that the next create_run() is of.
  void submits(RunEntry& entry) { entry_ = &entry; }

  Result<void> create_run(const ports::RunRecord& record,
                          const ports::RunDefinition& definition) override;
  Result<std::unique_ptr<ports::Lease>> acquire(const model::RunId& run) override;
  Result<bool> is_owned(const model::RunId& run) override;
  Result<void> confirm(const ports::Lease& lease) override;
  Result<void> commit(const ports::Lease& lease, const ports::Commit& commit) override;
  Result<std::vector<ports::RunRecord>> list_runs() override;
  Result<ports::RunRecord> find_run(const model::RunId& run) override;
  Result<ports::StoredDefinition> definition(const model::RunId& run) override;
  Result<std::string> spec(const model::RunId& run) override;
  Result<std::vector<ports::StoredEvent>> events(const model::RunId& run,
                                                 std::uint64_t after_seq) override;
  Result<void> remove_run(const model::RunId& run) override;
  Result<std::vector<ports::RunUse>> uses() override;
  Result<std::unique_ptr<ports::RemovalHold>> hold_removals() override;
  std::unique_ptr<ports::ReadScope> read_together() override { return store_->read_together(); }
  Result<std::optional<ports::ReusableStep>> find_step(const std::string& pipeline,
                                                       const std::string& key,
                                                       const model::RunId& except) override;
  Result<std::vector<ports::StepMatch>> previous_steps(const std::string& pipeline,
                                                       const std::string& path,
                                                       const model::RunId& before,
                                                       std::size_t most) override;
  Result<std::optional<ports::StepRecord>> step(const model::RunId& run,
                                                std::uint32_t task) override;
  Result<void> withdraw_step(const model::RunId& run, std::uint32_t task) override;
  Result<void> post(const model::RunId& run, ports::Command command) override;
  Result<std::vector<ports::StoredCommand>> commands(const model::RunId& run,
                                                     std::uint64_t after_id) override;
  Result<std::uint64_t> change_counter() override;

 private:
  std::optional<Strike::How> strike(std::uint64_t call);
  template <class Write, class Done, class Unknown>
  Result<void> write(std::string_view what, std::string_view detail, Write&& carry_out, Done&& done,
                     Unknown&& unknown);
  void die_with_store();
  template <class Read>
  auto read(std::string_view what, Read&& carry_out) -> decltype(carry_out());

  Caller& caller_;
  std::unique_ptr<ports::MetadataStore> store_;
  RunEntry* entry_ = nullptr;
  std::optional<Ledger::Reopening> reopening_;
  bool lost_data_ = false;
};

// What adapters/process does with a keeper that it reaches through a connection: attempts whose end
// has not come are asked for again on the next one.
class FaultyExecutor final : public ports::Executor {
 public:
  explicit FaultyExecutor(Caller& caller) : caller_(caller) { connect(); }

  void start(ports::StartSpec spec) override;
  void stop(const model::AttemptId& id, Duration grace) override;
  void forget(const std::vector<model::AttemptId>& ids) override;
  Result<std::vector<ports::ExecutorEvent>> poll() override;

  // What is under way in the connection is lost, and a new one made after a while. `counts`: as a
  // fault, as soon as it concerns an attempt.
  void break_connection(bool counts);
  // Whether what is told of the attempt reaches it.
  [[nodiscard]] bool hears_of(const model::AttemptId& id) const {
    return executor_ != nullptr && outstanding_.contains(id);
  }

 private:
  struct Outstanding {
    std::uint64_t serial = 0;
    ports::StartSpec spec;
    bool running = false;
    std::optional<Duration> stop_grace;
  };

  void connect();
  void repeat_all();
  void take(ports::ExecutorEvent event);

  Caller& caller_;
  std::unique_ptr<ports::testing::ScriptedExecutor> executor_;  // null between two connections
  std::map<model::AttemptId, Outstanding> outstanding_;
  std::uint64_t last_serial_ = 0;
  std::vector<model::AttemptId> forgets_;
  std::deque<ports::ExecutorEvent> under_way_;
  TimePoint held_until_{};
  bool break_to_count_ = false;
};

class FaultyFiles final : public ports::FileWorker {
 public:
  explicit FaultyFiles(Caller& caller)
      : caller_(caller), worker_(caller.stage.files, [&caller] { caller.wake(); }) {}

  void submit(std::uint64_t job, ports::FileJob work) override;
  std::vector<ports::FileJobDone> poll() override;

 private:
  void carry_out(std::uint64_t job, ports::FileJob work, bool is_late, std::uint64_t call);

  Caller& caller_;
  ports::testing::MemoryFileWorker worker_;
};

}  // namespace cresset::sim
