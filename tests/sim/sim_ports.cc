#include "sim/sim_ports.h"

#include <fmt/format.h>

#include <algorithm>

#include "cresset/base/check.h"

namespace cresset::sim {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// A delay that is mostly short.
Duration some_while(SeededRandom& random, Duration longest) {
  const Duration limit = random.chance(0.9) ? longest / 50 : longest;
  return Duration(random.between(0, std::max<std::int64_t>(limit.count(), 1)));
}

Error disk_is_full() { return make_error(Code::kResourceExhausted, "the disk is full"); }

// Not for a reason that keeps it from being tried.
bool fails_midway(const Error& error) {
  return error.code == Code::kDataLoss || error.code == Code::kUnavailable ||
         error.code == Code::kResourceExhausted || error.code == Code::kUnknown ||
         error.code == Code::kInternal || error.code == Code::kPermissionDenied;
}

bool can_be_half_done(const ports::FileJob& job) {
  const auto* digest = std::get_if<ports::DigestPaths>(&job);
  return std::holds_alternative<ports::CopyPath>(job) ||
         std::holds_alternative<ports::RemoveFolder>(job) || (digest != nullptr && digest->sync);
}

// As a death in the middle leaves it.
void do_half(ports::testing::MemoryFiles& files, const ports::FileJob& job) {
  if (const auto* remove = std::get_if<ports::RemoveFolder>(&job)) {
    const auto all = files.below(remove->path);
    std::size_t left = (all.size() + 1) / 2;
    for (const auto& [path, node] : all) {
      if (left == 0) break;
      --left;
      files.remove(path);
    }
  } else if (const auto* digest = std::get_if<ports::DigestPaths>(&job)) {
    for (std::size_t i = 0; i < digest->paths.size() / 2; ++i) files.make_durable(digest->paths[i]);
  } else {
    const auto& copy = std::get<ports::CopyPath>(job);
    files.remove(copy.target);
    const std::string source = files.resolve(copy.source).value_or("");
    const auto* node = files.node_at(source);
    if (node == nullptr) return;
    if (node->type == ports::testing::MemoryFiles::Type::kFile) {
      files.write(copy.target, node->content.substr(0, node->content.size() / 2));
    } else {
      files.make_folder(copy.target);
    }
  }
}

bool writes(const ports::FileJob& job) {
  return std::holds_alternative<ports::MakeFolder>(job) ||
         std::holds_alternative<ports::CopyPath>(job);
}

}  // namespace

// ---- Store ----

Result<void> FaultyStore::open() {
  auto opened = caller_.stage.store->open(caller_.id);
  die_with_store();
  CR_TRY(store_, std::move(opened));
  return {};
}

std::optional<Strike::How> FaultyStore::strike(std::uint64_t call) {
  Faults& faults = caller_.stage.faults;
  if (const auto planned = caller_.stage.take_strike(call, false, false)) {
    faults.note(*planned == Strike::How::kBusy ? Fault::kStoreBusy : Fault::kFsyncFailed);
    return planned;
  }
  if (faults.strikes(Fault::kStoreBusy)) {
    faults.note(Fault::kStoreBusy);
    return Strike::How::kBusy;
  }
  if (!faults.strikes(Fault::kFsyncFailed)) return std::nullopt;
  faults.note(Fault::kFsyncFailed);
  return faults.random().chance(0.5) ? Strike::How::kLost : Strike::How::kKept;
}

// `done` tells the ledger of what has been written. A write that fails may be there all the same.
template <class Write, class Done, class Unknown>
Result<void> FaultyStore::write(std::string_view what, std::string_view detail, Write&& carry_out,
                                Done&& done, Unknown&& unknown) {
  const std::uint64_t call = caller_.enter(what, detail, true);
  Stage& stage = caller_.stage;
  if (lost_data_) throw Violation("{} after the disk did not keep what was written before", what);
  Faults& faults = stage.faults;
  if (faults.strikes(Fault::kFsyncSlow)) {
    faults.note(Fault::kFsyncSlow);
    caller_.stand_still_for(milliseconds(faults.random().between(50, 20'000)));
  }
  const auto attempt = [&]() -> Result<void> {
    Result<void> written = carry_out();
    if (written) {
      done();
    } else if (fails_midway(written.error())) {
      unknown();
    }
    die_with_store();
    return written;
  };
  if (std::optional<Strike::How> how = strike(call)) {
    stage.note(caller_.id, "the store fails");
    if (*how == Strike::How::kBusy) return make_error(Code::kUnavailable, "the database is busy");
    if (*how == Strike::How::kKept) [[maybe_unused]]
      const auto ignored = attempt();
    lost_data_ = true;
    return make_error(Code::kDataLoss, "the disk did not keep what was written");
  }
  if (stage.meets_full_disk()) return disk_is_full();
  Result<void> written = attempt();
  lost_data_ = !written && written.error().code == Code::kDataLoss;
  caller_.leave(call, true);
  return written;
}

void FaultyStore::die_with_store() {
  if (caller_.stage.store->dead(caller_.id)) caller_.die();
}

template <class Read>
auto FaultyStore::read(std::string_view what, Read&& carry_out) -> decltype(carry_out()) {
  const std::uint64_t call = caller_.enter(what, {}, false);
  if (caller_.stage.faults.strikes(Fault::kStoreFailed)) {
    caller_.stage.faults.note(Fault::kStoreFailed);
    return make_error(Code::kUnavailable, "the database cannot be read");
  }
  auto answer = carry_out();
  die_with_store();
  caller_.leave(call, false);
  return answer;
}

Result<void> FaultyStore::create_run(const ports::RunRecord& record,
                                     const ports::RunDefinition& definition) {
  CHECK(entry_ != nullptr);
  return write(
      "create_run", record.id.str(), [&] { return store_->create_run(record, definition); },
      [&] { caller_.stage.ledger.created(*entry_, record, definition.uses); },
      [&] {
        entry_->uncertain = Uncertain{Uncertain::Kind::kCreation, record, definition.uses, {}};
      });
}

Result<std::unique_ptr<ports::Lease>> FaultyStore::acquire(const model::RunId& run) {
  auto lease = read("acquire", [&] { return store_->acquire(run); });
  if (lease) settle(caller_.stage, *caller_.stage.ledger.find(run));
  return lease;
}

Result<void> FaultyStore::commit(const ports::Lease& lease, const ports::Commit& commit) {
  const std::string detail =
      commit.events.empty() ? std::string("no events")
                            : fmt::format("{}..{} {}", commit.events.front().seq,
                                          commit.events.back().seq, commit.events.back().payload);
  Ledger& ledger = caller_.stage.ledger;
  Result<void> written = write(
      "commit", detail, [&] { return store_->commit(lease, commit); },
      [&] { ledger.committed(lease.run(), commit); },
      [&] {
        Uncertain uncertain{Uncertain::Kind::kCommit, {}, {}, commit};
        uncertain.record.id = lease.run();
        ledger.find(lease.run())->uncertain = std::move(uncertain);
      });
  reopening_.reset();
  return written;
}

Result<void> FaultyStore::remove_run(const model::RunId& run) {
  Ledger& ledger = caller_.stage.ledger;
  return write(
      "remove_run", run.str(), [&] { return store_->remove_run(run); },
      [&] { ledger.removed(run, true); },
      [&] {
        Uncertain uncertain{Uncertain::Kind::kRemoval, {}, {}, {}};
        uncertain.record.id = run;
        ledger.find(run)->uncertain = std::move(uncertain);
      });
}

Result<void> FaultyStore::withdraw_step(const model::RunId& run, std::uint32_t task) {
  return write(
      "withdraw_step", run.str(), [&] { return store_->withdraw_step(run, task); }, [] {}, [] {});
}

Result<void> FaultyStore::post(const model::RunId& run, ports::Command command) {
  const auto asked = [&] { caller_.stage.ledger.cancel_asked(run); };
  return write("post", run.str(), [&] { return store_->post(run, command); }, asked, asked);
}

Result<void> FaultyStore::confirm(const ports::Lease& lease) {
  return read("confirm", [&] { return store_->confirm(lease); });
}
Result<bool> FaultyStore::is_owned(const model::RunId& run) {
  return read("is_owned", [&] { return store_->is_owned(run); });
}
Result<std::vector<ports::RunUse>> FaultyStore::uses() {
  return read("uses", [&] { return store_->uses(); });
}
Result<std::unique_ptr<ports::RemovalHold>> FaultyStore::hold_removals() {
  return read("hold_removals", [&] { return store_->hold_removals(); });
}
Result<std::vector<ports::RunRecord>> FaultyStore::list_runs() {
  return read("list_runs", [&] { return store_->list_runs(); });
}
Result<ports::RunRecord> FaultyStore::find_run(const model::RunId& run) {
  return read("find_run", [&] { return store_->find_run(run); });
}
Result<ports::StoredDefinition> FaultyStore::definition(const model::RunId& run) {
  return read("definition", [&] { return store_->definition(run); });
}
Result<std::string> FaultyStore::spec(const model::RunId& run) {
  return read("spec", [&] { return store_->spec(run); });
}
Result<std::vector<ports::StoredEvent>> FaultyStore::events(const model::RunId& run,
                                                            std::uint64_t after_seq) {
  return read("events", [&] { return store_->events(run, after_seq); });
}
Result<std::optional<ports::ReusableStep>> FaultyStore::find_step(const std::string& pipeline,
                                                                  const std::string& key,
                                                                  const model::RunId& except) {
  auto match = read("find_step", [&] { return store_->find_step(pipeline, key, except); });
  if (match && *match) caller_.stage.ledger.found(except, (*match)->run);
  return match;
}
Result<std::vector<ports::StepMatch>> FaultyStore::previous_steps(const std::string& pipeline,
                                                                  const std::string& path,
                                                                  const model::RunId& before,
                                                                  std::size_t most) {
  return read("previous_steps",
              [&] { return store_->previous_steps(pipeline, path, before, most); });
}
Result<std::optional<ports::StepRecord>> FaultyStore::step(const model::RunId& run,
                                                           std::uint32_t task) {
  return read("step", [&] { return store_->step(run, task); });
}
Result<std::vector<ports::StoredCommand>> FaultyStore::commands(const model::RunId& run,
                                                                std::uint64_t after_id) {
  // Only a retry asks what a finished run has been told.
  RunEntry* const entry = caller_.stage.ledger.find(run);
  if (entry != nullptr && is_final(entry->state)) reopening_.emplace(*entry);
  return read("commands", [&] { return store_->commands(run, after_id); });
}
Result<std::uint64_t> FaultyStore::change_counter() {
  return read("change_counter", [&] { return store_->change_counter(); });
}

// ---- Executor ----

void FaultyExecutor::connect() {
  executor_ = std::make_unique<ports::testing::ScriptedExecutor>(caller_.stage.machine,
                                                                 [this] { caller_.wake(); });
}

void FaultyExecutor::start(ports::StartSpec spec) {
  const model::AttemptId id = spec.id;
  const std::uint64_t call =
      caller_.enter(spec.adopt_only ? "adopt" : "start", model::to_string(id), false);
  if (!outstanding_.contains(id)) {
    outstanding_[id] = {++last_serial_, spec, false, {}};
    if (std::exchange(break_to_count_, false)) caller_.stage.faults.note(Fault::kConnectionLost);
    if (executor_) executor_->start(std::move(spec));
  }
  caller_.leave(call, false);
}

void FaultyExecutor::stop(const model::AttemptId& id, Duration grace) {
  const std::uint64_t call = caller_.enter("stop", model::to_string(id), false);
  if (const auto found = outstanding_.find(id); found != outstanding_.end()) {
    found->second.stop_grace = grace;
    if (executor_) executor_->stop(id, grace);
  }
  caller_.leave(call, false);
}

void FaultyExecutor::forget(const std::vector<model::AttemptId>& ids) {
  const std::uint64_t call = caller_.enter("forget", {}, false);
  caller_.stage.ledger.forgotten(ids);
  if (executor_) {
    executor_->forget(ids);
  } else {
    forgets_.insert(forgets_.end(), ids.begin(), ids.end());
  }
  caller_.leave(call, false);
}

Result<std::vector<ports::ExecutorEvent>> FaultyExecutor::poll() {
  const std::uint64_t call = caller_.enter("poll", {}, false);
  if (executor_) {
    CR_TRY(std::vector<ports::ExecutorEvent> events, executor_->poll());
    for (ports::ExecutorEvent& event : events) take(std::move(event));
  }
  std::vector<ports::ExecutorEvent> arrived;
  if (caller_.stage.clock.now() >= held_until_) {
    for (ports::ExecutorEvent& event : under_way_) {
      if (const auto* running = std::get_if<ports::AttemptRunning>(&event)) {
        if (const auto known = outstanding_.find(running->id); known != outstanding_.end())
          known->second.running = true;
      } else {
        outstanding_.erase(std::get<ports::AttemptExited>(event).id);
      }
      arrived.push_back(std::move(event));
    }
    under_way_.clear();
  }
  caller_.leave(call, false);
  return arrived;
}

void FaultyExecutor::take(ports::ExecutorEvent event) {
  Faults& faults = caller_.stage.faults;
  if (faults.strikes(Fault::kAnswerLate)) {
    const Duration delay = milliseconds(faults.random().between(1, 5'000));
    if (caller_.stage.clock.now() + delay > held_until_) faults.note(Fault::kAnswerLate);
    held_until_ = std::max(held_until_, caller_.stage.clock.now() + delay);
    caller_.later(delay, [this] { caller_.wake(); });
  }
  under_way_.push_back(std::move(event));
}

void FaultyExecutor::break_connection(bool counts) {
  if (!executor_) return;
  if (counts && !outstanding_.empty()) caller_.stage.faults.note(Fault::kConnectionLost);
  break_to_count_ = counts && outstanding_.empty();
  caller_.stage.note(caller_.id, "connection lost");
  executor_.reset();
  under_way_.clear();
  caller_.later(milliseconds(caller_.stage.faults.random().between(5, 2'000)), [this] {
    connect();
    break_to_count_ = false;
    repeat_all();
    caller_.wake();
  });
}

void FaultyExecutor::repeat_all() {
  std::vector<const Outstanding*> in_order;
  for (const auto& [id, attempt] : outstanding_) in_order.push_back(&attempt);
  std::ranges::sort(in_order, {}, [](const Outstanding* attempt) { return attempt->serial; });
  for (const Outstanding* attempt : in_order) {
    ports::StartSpec spec = attempt->spec;
    spec.adopt_only = spec.adopt_only || attempt->running;
    const model::AttemptId id = spec.id;
    executor_->start(std::move(spec));
    if (attempt->stop_grace) executor_->stop(id, *attempt->stop_grace);
  }
  executor_->forget(std::exchange(forgets_, {}));
}

// ---- Files ----

void FaultyFiles::submit(std::uint64_t job, ports::FileJob work) {
  const std::uint64_t call = caller_.enter("file job", {}, false);
  Stage& stage = caller_.stage;
  Duration delay = some_while(stage.order, milliseconds(10));
  const bool is_late = stage.faults.strikes(Fault::kFileSlow);
  if (is_late) delay = milliseconds(stage.faults.random().between(100, 30'000));
  if (can_be_half_done(work)) stage.halves.push_back(call);
  caller_.later(delay, [this, job, is_late, call, work = std::move(work)]() mutable {
    carry_out(job, std::move(work), is_late, call);
  });
  caller_.leave(call, false);
}

void FaultyFiles::carry_out(std::uint64_t job, ports::FileJob work, bool is_late,
                            std::uint64_t call) {
  Stage& stage = caller_.stage;
  if (stage.doomed == caller_.id) return;
  if (is_late) stage.faults.note(Fault::kFileSlow);
  const bool full = writes(work) && stage.meets_full_disk();
  if (full || stage.faults.strikes(Fault::kFileFailed)) {
    if (!full) stage.faults.note(Fault::kFileFailed);
    worker_.fail_next(full ? disk_is_full() : make_error(Code::kUnknown, "input/output error"));
    if (const auto run = caller_.run()) stage.ledger.disturb(*run, "a file job failed");
  }
  const bool half = !stage.doomed && can_be_half_done(work) &&
                    (stage.take_half(call) || stage.faults.strikes(Fault::kCrash, 0.5));
  if (half) {
    stage.note(caller_.id, "dies when a file job is half done");
    stage.faults.note(Fault::kCrash);
    do_half(stage.files, work);
    stage.doomed = caller_.id;
    return;
  }
  stage.note(caller_.id, "file job done");
  worker_.submit(job, std::move(work));
}

std::vector<ports::FileJobDone> FaultyFiles::poll() {
  return caller_.call("file answers", {}, [&] { return worker_.poll(); });
}

}  // namespace cresset::sim
