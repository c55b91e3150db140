#include "sim/disk_players.h"

#include <fmt/core.h>
#include <sqlite3.h>

#include <algorithm>
#include <utility>

#include "cresset/base/check.h"

namespace cresset::sim {

namespace {

constexpr std::uint32_t kTasks = 4;  // that have steps

std::string payload(const std::string& run, std::size_t seq, std::size_t bytes) {
  std::string text = fmt::format("{}#{} ", run, seq);
  text.resize(std::max(bytes, text.size()), static_cast<char>('a' + seq % 26));
  return text;
}

std::string_view name_of(Call::Kind kind) {
  constexpr std::string_view kNames[] = {"open",   "close", "create", "acquire", "release",
                                         "commit", "post",  "remove", "read"};
  return kNames[static_cast<std::size_t>(kind)];
}

ports::RunRecord record_of(const std::string& run, model::State state) {
  ports::RunRecord record;
  record.id = model::RunId(run);
  record.name = run;
  record.pipeline = "p";
  record.state = state;
  record.created_at = WallTime{Duration{1}};
  return record;
}

// What only looks leaves nothing in doubt.
bool changes(Call::Kind kind) {
  return kind == Call::Kind::kCreate || kind == Call::Kind::kCommit || kind == Call::Kind::kPost ||
         kind == Call::Kind::kRemove;
}

}  // namespace

std::string to_string(const Call& call) {
  return fmt::format("player {} {} {} events={} bytes={}{}{}{}", call.player, name_of(call.kind),
                     call.run, call.events, call.bytes, call.step ? " step" : "",
                     call.takes_commands ? " takes" : "", call.ends ? " ends" : "");
}

std::string to_string(const Expected& expected) {
  std::string out;
  for (const auto& [id, run] : expected.runs) {
    out += fmt::format("{} {}, {} events", id, run.state, run.payloads.size());
    for (const auto& [task, key] : run.steps) out += fmt::format(", step {} {}", task, key);
    for (const std::string& command : run.commands) out += ", " + command;
    out += "; ";
  }
  return out.empty() ? "nothing" : out;
}

Players::Tally& Players::Tally::operator+=(const Tally& other) {
  calls += other.calls;
  failed += other.failed;
  cut_short += other.cut_short;
  doubts_applied += other.doubts_applied;
  doubts_gone += other.doubts_gone;
  checks += other.checks;
  return *this;
}

Players::Players(SimDisk& disk, std::size_t n) : disk_(disk), players_(n), last_(n) {
  for (std::size_t i = 0; i < n; ++i) players_[i].id = i + 1;
}

void Players::replace(std::size_t player) {
  Player& its = players_[player];
  disk_.kill(its.id);
  its.leases.clear();
  its.store.reset();
  its.id = ++last_;
}

Result<void> Players::play(const Call& call) {
  Player& player = players_[call.player];
  std::size_t seen = 0;
  if (changes(call.kind) && possible_.size() > 1) {
    CR_TRY(seen, find_seen(*player.store));
  }
  Expected after = possible_[seen];
  Result<void> done = carry_out(player, call, after);
  const bool died = disk_.dead(player.id);
  if (done && !died) {
    ++tally_.calls;
    // SQLite writes nothing where nothing is to change: that decides nothing either.
    if (!changes(call.kind) || after == possible_[seen]) return done;
    if (possible_.size() > 1) ++(seen == 0 ? tally_.doubts_gone : tally_.doubts_applied);
    possible_ = {std::move(after)};
    return done;
  }
  // A process that dies right after its call has not told anybody of the success.
  ++(died ? tally_.cut_short : tally_.failed);
  if (changes(call.kind) && std::ranges::find(possible_, after) == possible_.end())
    possible_.push_back(std::move(after));
  if (done) return make_error(Code::kCancelled, "the process died");
  return done;
}

// Which of what may be there a process sees. It stays in doubt all the same: what a dead process
// has written to the log without telling the others about it shows when the last of them has gone.
// The next commit decides.
Result<std::size_t> Players::find_seen(ports::MetadataStore& store) {
  CR_TRY(const Expected there, look(store));
  const auto found = std::ranges::find(possible_, there);
  if (found != possible_.end()) return static_cast<std::size_t>(found - possible_.begin());
  std::string text = "there is: " + to_string(there);
  for (const Expected& one : possible_) text += "\n  possible: " + to_string(one);
  throw BrokenPromise(text);
}

Result<void> Players::carry_out(Player& player, const Call& call, Expected& after) {
  const model::RunId run(call.run);
  switch (call.kind) {
    case Call::Kind::kOpen: {
      CR_TRY(player.store, disk_.open_store(player.id));
      return {};
    }
    case Call::Kind::kClose:
      player.leases.clear();
      player.store.reset();
      return {};
    case Call::Kind::kCreate:
      after.runs[call.run] = {};
      tokens_.erase(call.run);  // another run, which has had the id of one that was removed
      return player.store->create_run(record_of(call.run, model::State::kPending),
                                      {"of " + call.run, "shared", Value::make_struct()});
    case Call::Kind::kAcquire: {
      CR_TRY(std::unique_ptr<ports::Lease> lease, player.store->acquire(run));
      if (!disk_.dead(player.id)) {
        if (lease->token() <= tokens_[call.run])
          throw BrokenPromise(
              fmt::format("token {} of {} was given before", lease->token(), call.run));
        tokens_[call.run] = lease->token();
      }
      player.leases[call.run] = std::move(lease);
      return {};
    }
    case Call::Kind::kRelease:
      player.leases.erase(call.run);
      return {};
    case Call::Kind::kCommit:
      return commit(player, call, after);
    case Call::Kind::kPost:
      after.runs[call.run].commands.emplace_back("kill");
      return player.store->post(run, ports::Command::kKill);
    case Call::Kind::kRemove:
      return remove(player, call.run, after);
    case Call::Kind::kRead: {
      CR_TRY_VOID(find_seen(*player.store));
      return {};
    }
  }
  check_failed("no such call", __FILE__, __LINE__);
}

Result<void> Players::remove(Player& player, const std::string& run, Expected& after) {
  const std::optional<model::State> state = model::parse_state(after.runs[run].state);
  after.runs.erase(run);
  const bool ended = state && is_final(*state);
  Result<void> removed = player.store->remove_run(model::RunId(run));
  if (removed && !ended) throw BrokenPromise(run + " was removed before its end");
  if (!removed && ended && removed.error().reason == "run.unfinished")
    throw BrokenPromise(run + " has ended and cannot be removed");
  return removed;
}

Result<void> Players::commit(Player& player, const Call& call, Expected& after) {
  Expected::Run& run = after.runs[call.run];
  ports::Commit commit;
  if (call.takes_commands) {
    CR_TRY(const std::vector<ports::StoredCommand> commands,
           player.store->commands(model::RunId(call.run), 0));
    if (!commands.empty()) commit.commands_taken = commands.back().id;
    run.commands.clear();
  }
  for (std::size_t i = 0; i < call.events; ++i) {
    const std::size_t seq = run.payloads.size() + 1;
    run.payloads.push_back(payload(call.run, seq, call.bytes));
    commit.events.push_back(
        {seq, WallTime{Duration{static_cast<std::int64_t>(seq)}}, run.payloads.back()});
  }
  if (call.step) {
    ports::StepRecord step;
    step.task = static_cast<std::uint32_t>(run.payloads.size()) % kTasks;
    step.path = fmt::format("t{}", step.task);
    step.key = fmt::format("key {}", run.payloads.size());
    step.parts = Value::make_struct();
    step.reusable = true;
    run.steps[step.task] = step.key;
    commit.steps.push_back(std::move(step));
  }
  const model::State state = call.ends ? model::State::kSucceeded : model::State::kRunning;
  commit.record = record_of(call.run, state);
  run.state = model::to_string(state);
  return player.store->commit(*player.leases.at(call.run), commit);
}

Result<Expected> Players::look(ports::MetadataStore& store) {
  Expected there;
  CR_TRY(const std::vector<ports::RunRecord> records, store.list_runs());
  for (const ports::RunRecord& record : records) {
    Expected::Run& run = there.runs[record.id.str()];
    run.state = model::to_string(record.state);
    CR_TRY(const ports::StoredDefinition definition, store.definition(record.id));
    CR_TRY(const std::string spec, store.spec(record.id));
    if (definition.file_name != "of " + record.id.str() || spec != "shared")
      throw BrokenPromise("the definition of " + record.id.str() + " is another one");
    CR_TRY(const std::vector<ports::StoredEvent> events, store.events(record.id, 0));
    for (const ports::StoredEvent& event : events) {
      run.payloads.push_back(event.payload);
      if (event.seq != run.payloads.size())
        throw BrokenPromise(
            fmt::format("{} has a gap before event {}", record.id.str(), event.seq));
    }
    for (std::uint32_t task = 0; task < kTasks; ++task) {
      CR_TRY(const std::optional<ports::StepRecord> step, store.step(record.id, task));
      if (step) run.steps[task] = step->key;
    }
    CR_TRY(const std::vector<ports::StoredCommand> commands, store.commands(record.id, 0));
    for (std::size_t i = 0; i < commands.size(); ++i) run.commands.emplace_back("kill");
  }
  return there;
}

void Players::check_file(ProcessId process) {
  sqlite3* database = nullptr;
  const std::string vfs = disk_.vfs_of(process);
  if (sqlite3_open_v2("/cresset.db", &database, SQLITE_OPEN_READWRITE, vfs.c_str()) != SQLITE_OK)
    throw BrokenPromise("the file cannot be opened");
  std::string answer;
  const auto keep = [](void* out, int, char** values, char**) {
    *static_cast<std::string*>(out) += values[0];
    return 0;
  };
  const int rc = sqlite3_exec(
      database,
      "PRAGMA integrity_check; PRAGMA foreign_key_check; SELECT 'a spec of no run' FROM spec "
      "WHERE number NOT IN (SELECT spec_number FROM definition)",
      keep, &answer, nullptr);
  sqlite3_close(database);
  if (rc != SQLITE_OK || answer != "ok")
    throw BrokenPromise(fmt::format("integrity_check: {} ({})", answer, rc));
}

void Players::check() {
  Player visitor;
  visitor.id = ++last_;
  players_.push_back(std::move(visitor));
  const std::size_t me = players_.size() - 1;
  const auto must = [&](const Call& call) {
    if (const Result<void> done = play(call); !done)
      throw BrokenPromise(to_string(call) + ": " + done.error().text());
  };
  must({me, Call::Kind::kOpen});
  must({me, Call::Kind::kRead});
  check_file(players_[me].id);
  if (!possible_.front().runs.contains("visit")) must({me, Call::Kind::kCreate, "visit"});
  must({me, Call::Kind::kAcquire, "visit"});
  must({me, Call::Kind::kCommit, "visit", 2, 30, true});
  must({me, Call::Kind::kRead});
  must({me, Call::Kind::kClose});
  players_.pop_back();
  ++tally_.checks;
}

}  // namespace cresset::sim
