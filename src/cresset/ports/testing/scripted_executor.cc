#include "cresset/ports/testing/scripted_executor.h"

#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <utility>

#include "cresset/base/check.h"

namespace cresset::ports::testing {

namespace {

std::string scratch_folder(const StartSpec& spec, const ScratchFolder& scratch) {
  return "/scratch/" + model::to_string(spec.id) + "/" + scratch.variable;
}

}  // namespace

void ScriptedMachine::finish(const model::AttemptId& id) {
  const auto found = attempts_.find(id);
  CHECK(found != attempts_.end() && found->second.phase == Attempt::Phase::kRunning);
  end_by_itself(found->second);
}

void ScriptedMachine::lose_all_running() {
  for (auto& [id, attempt] : attempts_) {
    if (!holds_slots(attempt)) continue;
    Exit lost;
    lost.kind = Exit::Kind::kLost;
    lost.detail = "the keeper was killed, and the step with it";
    end(attempt, std::move(lost));
  }
  start_what_fits();
}

void ScriptedMachine::power_cut() {
  CHECK(engines_.empty());
  Exit lost;
  lost.kind = Exit::Kind::kLost;
  lost.detail = "the machine went down";
  for (const auto& [id, attempt] : attempts_) {
    if (attempt.phase == Attempt::Phase::kRunning) watch_.gone(attempt.spec, lost);
  }
  attempts_.clear();
  queues_.clear();
  held_ = {0, 0, 0};
  run_cpu_millis_held_.clear();
  tokens_.clear();
}

std::vector<model::AttemptId> ScriptedMachine::running() const {
  std::vector<model::AttemptId> ids;
  for (const auto& [id, attempt] : attempts_) {
    if (attempt.phase == Attempt::Phase::kRunning) ids.push_back(id);
  }
  return ids;
}

std::vector<model::AttemptId> ScriptedMachine::queued() const {
  std::vector<model::AttemptId> ids;
  for (const auto& [run, queue] : queues_) ids.insert(ids.end(), queue.begin(), queue.end());
  return ids;
}

std::vector<model::AttemptId> ScriptedMachine::remembered() const {
  std::vector<model::AttemptId> ids;
  for (const auto& [id, attempt] : attempts_) {
    if (attempt.phase == Attempt::Phase::kEnded) ids.push_back(id);
  }
  return ids;
}

ScriptedMachine::EngineId ScriptedMachine::connect(std::function<void()> wake) {
  const EngineId id = ++last_engine_;
  engines_[id].wake = std::move(wake);
  return id;
}

void ScriptedMachine::disconnect(EngineId engine) {
  engines_.erase(engine);
  for (auto it = attempts_.begin(); it != attempts_.end();) {
    Attempt& attempt = it->second;
    const bool dropped = attempt.engine == engine && attempt.phase == Attempt::Phase::kQueued;
    if (attempt.engine == engine) attempt.engine = 0;
    if (dropped) std::erase(queues_[it->first.run], it->first);
    it = dropped ? attempts_.erase(it) : std::next(it);
  }
  start_what_fits();
}

void ScriptedMachine::start(EngineId engine, StartSpec spec) {
  const model::AttemptId id = spec.id;
  auto& token = tokens_[id.run];
  if (spec.token < token)
    return refuse(engine, id, Exit::Kind::kNotStarted, "a later engine has taken over the run");
  token = spec.token;
  if (const auto known = attempts_.find(id); known != attempts_.end()) {
    Attempt& attempt = known->second;
    const bool same_engine = std::exchange(attempt.engine, engine) == engine;
    // One that this engine waits for anyway is told of in its time, unless the answer went astray.
    const bool lives = attempt.phase != Attempt::Phase::kEnded;
    if (attempt.running && !(same_engine && lives && !attempt.script.loses_running))
      tell(engine, *attempt.running);
    if (attempt.exited) tell(engine, *attempt.exited);
    return;
  }
  if (spec.adopt_only)
    return refuse(engine, id, Exit::Kind::kLost, "nobody knows how the step ended");
  Attempt& attempt = attempts_[id];
  attempt.serial = ++last_serial_;
  attempt.engine = engine;
  attempt.spec = std::move(spec);
  clamp(attempt);
  queues_[id.run].push_back(id);
  start_what_fits();
}

void ScriptedMachine::stop(const model::AttemptId& id, Duration grace) {
  const auto found = attempts_.find(id);
  if (found == attempts_.end() || found->second.phase == Attempt::Phase::kEnded) return;
  Attempt& attempt = found->second;
  attempt.stop_asked = true;
  if (attempt.phase == Attempt::Phase::kQueued) {
    std::erase(queues_[id.run], id);
    Exit cancelled;
    cancelled.kind = Exit::Kind::kNotStarted;
    cancelled.detail = "cancelled while it waited for a free slot";
    return end(attempt, std::move(cancelled));
  }
  if (grace > Duration(0)) terminate(attempt, SIGTERM);
  later(attempt, std::max(grace, Duration(0)), [this](Attempt& late) { terminate(late, SIGKILL); });
}

void ScriptedMachine::forget(const std::vector<model::AttemptId>& ids) {
  for (const model::AttemptId& id : ids) {
    const auto found = attempts_.find(id);
    if (found != attempts_.end() && found->second.phase == Attempt::Phase::kEnded)
      attempts_.erase(found);
  }
}

Result<std::vector<ExecutorEvent>> ScriptedMachine::poll(EngineId engine) {
  if (broken_) return *broken_;
  return std::exchange(engines_.at(engine).events, {});
}

void ScriptedMachine::clamp(Attempt& attempt) const {
  StartSpec& spec = attempt.spec;
  const auto clamp_one = [&](std::int64_t& asked, std::int64_t max, const char* what) {
    if (asked > max)
      attempt.notices.push_back(
          fmt::format("asked for {} {}, the machine has {}: runs with that", asked, what, max));
    asked = std::clamp<std::int64_t>(asked, 0, max);
  };
  const std::int64_t run_max = spec.run_cpu_millis_max;
  clamp_one(spec.slots.cpu_millis, run_max > 0 ? run_max : limits_.cpu_millis,
            "thousandths of CPU");
  clamp_one(spec.slots.memory_bytes, limits_.memory_bytes, "bytes of memory");
  clamp_one(spec.slots.gpus, limits_.gpus, "GPUs");
}

bool ScriptedMachine::holds_slots(const Attempt& attempt) {
  return attempt.phase == Attempt::Phase::kStarting || attempt.phase == Attempt::Phase::kRunning;
}

bool ScriptedMachine::fits(const Attempt& attempt) const {
  const SlotRequest& asked = attempt.spec.slots;
  const std::int64_t run_max = attempt.spec.run_cpu_millis_max;
  const auto run_held = run_cpu_millis_held_.find(attempt.spec.id.run);
  const std::int64_t of_run = run_held == run_cpu_millis_held_.end() ? 0 : run_held->second;
  if (run_max > 0 && of_run + asked.cpu_millis > run_max) return false;
  return held_.cpu_millis + asked.cpu_millis <= std::max(limits_.cpu_millis, run_max) &&
         held_.memory_bytes + asked.memory_bytes <= limits_.memory_bytes &&
         held_.gpus + asked.gpus <= limits_.gpus;
}

// Takes the attempt's slots (sign 1) or gives them back (sign -1).
void ScriptedMachine::hold(const Attempt& attempt, int sign) {
  const SlotRequest& slots = attempt.spec.slots;
  held_.cpu_millis += sign * slots.cpu_millis;
  held_.memory_bytes += sign * slots.memory_bytes;
  held_.gpus += sign * slots.gpus;
  run_cpu_millis_held_[attempt.spec.id.run] += sign * slots.cpu_millis;
  cpu_millis_peak_ = std::max(cpu_millis_peak_, held_.cpu_millis);
}

// Of the runs' first in the queue, the oldest that fits.
ScriptedMachine::Attempt* ScriptedMachine::next_that_fits() {
  Attempt* next = nullptr;
  for (const auto& [run, queue] : queues_) {
    if (queue.empty()) continue;
    Attempt& first = attempts_.at(queue.front());
    if ((next == nullptr || first.serial < next->serial) && fits(first)) next = &first;
  }
  return next;
}

void ScriptedMachine::start_what_fits() {
  while (Attempt* next = next_that_fits()) {
    queues_[next->spec.id.run].pop_front();
    begin(*next);
  }
}

void ScriptedMachine::begin(Attempt& attempt) {
  const StartSpec& spec = attempt.spec;
  attempt.phase = Attempt::Phase::kStarting;
  const auto scripted = scripts_.find(spec.id);
  attempt.script = scripted != scripts_.end() ? scripted->second : script_(spec);
  specs_[spec.id] = spec;
  hold(attempt, 1);
  later(attempt, attempt.script.starts_after, [this](Attempt& started) { run(started); });
}

void ScriptedMachine::run(Attempt& attempt) {
  if (attempt.killed) return;
  const StartSpec& spec = attempt.spec;
  for (const std::string& path : spec.fresh) files_.remove(path);
  for (const std::string& folder : spec.folders) files_.make_folder(folder);
  for (const FileToWrite& file : spec.files) files_.write(file.path, file.content);
  files_.make_folder(spec.work_dir);
  for (const ScratchFolder& scratch : spec.scratch) {
    const std::string folder = scratch_folder(spec, scratch);
    files_.make_folder(folder);
    attempt.spec.env.emplace_back(scratch.variable, folder);
  }
  if (attempt.script.exit.kind == Exit::Kind::kNotStarted) {
    end(attempt, attempt.script.exit);
    return start_what_fits();
  }
  executions_.push_back(spec.id);
  attempt.phase = Attempt::Phase::kRunning;
  watch_.began(attempt.spec);
  attempt.running = AttemptRunning{spec.id, clock_.wall_now(), attempt.notices};
  write_log(attempt, attempt.script.output);
  if (!attempt.script.loses_running) tell_twice_if_scripted(attempt, *attempt.running);
  if (attempt.script.runs_for)
    later(attempt, *attempt.script.runs_for, [this](Attempt& done) { end_by_itself(done); });
}

void ScriptedMachine::write_log(Attempt& attempt, std::string text) {
  const StartSpec& spec = attempt.spec;
  const auto cap = static_cast<std::size_t>(spec.log_cap_bytes);
  if (cap > 0 && text.size() > cap) {
    text.resize(cap);
    text += fmt::format("\ncresset: the log's limit of {} bytes is reached\n", cap);
    attempt.script.exit.log_truncated = true;
  }
  if (!spec.log_path.empty())
    files_.write(spec.log_path, files_.read(spec.log_path).value_or("") + text);
}

void ScriptedMachine::end_by_itself(Attempt& attempt) {
  if (attempt.killed) return;
  Exit exit = attempt.script.exit;
  if (attempt.script.work) attempt.script.work(attempt.spec, files_, exit);
  end(attempt, std::move(exit));
  start_what_fits();
}

void ScriptedMachine::terminate(Attempt& attempt, int signal) {
  if (attempt.killed || !holds_slots(attempt)) return;
  if (signal == SIGTERM && attempt.script.ignores_terminate) return;
  Exit exit;
  exit.kind = Exit::Kind::kSignaled;
  exit.code = signal;
  exit.log_truncated = attempt.script.exit.log_truncated;
  attempt.killed = std::move(exit);
  later(attempt, attempt.script.zombie_for, [this](Attempt& dead) {
    end(dead, *dead.killed);
    start_what_fits();
  });
}

void ScriptedMachine::end(Attempt& attempt, Exit exit) {
  exit.stopped_by_us = attempt.stop_asked;
  for (const ScratchFolder& scratch : attempt.spec.scratch) {
    const std::string folder = scratch_folder(attempt.spec, scratch);
    for (const auto& [path, node] : files_.below(folder)) {
      if (node.type == MemoryFiles::Type::kFile && exit.kind != Exit::Kind::kLost)
        files_.write(scratch.leftovers + path.substr(folder.size()), node.content);
    }
    files_.remove(folder);
  }
  if (attempt.phase == Attempt::Phase::kRunning) watch_.gone(attempt.spec, exit);
  if (holds_slots(attempt)) hold(attempt, -1);
  attempt.phase = Attempt::Phase::kEnded;
  attempt.exited = AttemptExited{attempt.spec.id, clock_.wall_now(), std::move(exit)};
  if (!attempt.script.loses_exit) tell_twice_if_scripted(attempt, *attempt.exited);
}

void ScriptedMachine::refuse(EngineId engine, const model::AttemptId& id, Exit::Kind kind,
                             std::string why) {
  Exit exit;
  exit.kind = kind;
  exit.detail = std::move(why);
  tell(engine, AttemptExited{id, clock_.wall_now(), std::move(exit)});
}

void ScriptedMachine::tell(EngineId engine, ExecutorEvent event) {
  const auto found = engines_.find(engine);
  if (found == engines_.end()) return;
  found->second.events.push_back(std::move(event));
  found->second.wake();
}

void ScriptedMachine::tell_twice_if_scripted(const Attempt& attempt, const ExecutorEvent& event) {
  tell(attempt.engine, event);
  if (attempt.script.repeats_answers) tell(attempt.engine, event);
}

void ScriptedMachine::later(const Attempt& attempt, Duration delay,
                            std::function<void(Attempt&)> action) {
  clock_.at(clock_.now() + delay,
            [this, id = attempt.spec.id, serial = attempt.serial, action = std::move(action)] {
              const auto found = attempts_.find(id);
              if (found == attempts_.end() || found->second.serial != serial) return;
              if (holds_slots(found->second)) action(found->second);
            });
}

}  // namespace cresset::ports::testing
