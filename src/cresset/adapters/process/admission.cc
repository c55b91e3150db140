#include "cresset/adapters/process/admission.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "cresset/base/check.h"

namespace cresset::process {

namespace {

std::string cpus_text(std::int64_t millis) {
  constexpr std::int64_t kMillisPerCpu = 1000;
  return fmt::format("{:g} CPU{}", static_cast<double>(millis) / kMillisPerCpu,
                     millis == kMillisPerCpu ? "" : "s");
}

std::string memory_text(std::int64_t bytes) {
  return fmt::format("{:.3g} GiB of memory", static_cast<double>(bytes) / (1 << 30));
}

std::string gpus_text(std::int64_t count) {
  return fmt::format("{} GPU{}", count, count == 1 ? "" : "s");
}

std::string clamped_text(const std::string& asked, const std::string& owner,
                         const std::string& has) {
  return fmt::format("asked for {}, {} {}: runs with that", asked, owner, has);
}

}  // namespace

Admission::Admission(Machine machine) : machine_(std::move(machine)) {
  for (std::size_t i = 0; i < machine_.gpus.size(); ++i) gpus_free_.insert(i);
}

void Admission::enqueue(const model::AttemptId& id, const ports::SlotRequest& slots,
                        std::int64_t run_cpu_millis_max) {
  Request request{id, slots, std::max<std::int64_t>(run_cpu_millis_max, 0), {}};
  clamp(request);
  Run& run = runs_[id.run];
  if (run.waiting.empty()) turns_.push_back(id.run);
  CHECK(!holdings_.contains(id) && orders_.emplace(id, next_order_).second);
  run.waiting.emplace(next_order_++, std::move(request));
}

bool Admission::withdraw(const model::AttemptId& id) {
  const auto order = orders_.extract(id);
  if (order.empty()) return false;
  Run& run = runs_.at(id.run);
  const auto found = run.waiting.find(order.mapped());
  if (found == run.waiting.begin()) run.passes = 0;
  run.waiting.erase(found);
  if (run.waiting.empty()) turns_.remove(id.run);
  drop_run_when_idle(id.run);
  return true;
}

void Admission::release(const model::AttemptId& id) {
  take_back(id);
  drop_run_when_idle(id.run);
}

void Admission::put_back(const model::AttemptId& id) {
  Holding holding = take_back(id);
  Run& run = runs_.at(id.run);
  if (run.waiting.empty()) turns_.push_front(id.run);
  orders_.emplace(id, holding.order);
  run.waiting.emplace(holding.order, std::move(holding.request));
}

Admission::Holding Admission::take_back(const model::AttemptId& id) {
  const auto found = holdings_.find(id);
  CHECK(found != holdings_.end());
  Holding holding = std::move(found->second);
  holdings_.erase(found);
  const ports::SlotRequest& slots = holding.request.slots;
  cpu_millis_held_ -= slots.cpu_millis;
  memory_bytes_held_ -= slots.memory_bytes;
  gpus_free_.insert(holding.gpus.begin(), holding.gpus.end());
  Run& run = runs_.at(id.run);
  run.cpu_millis_held -= slots.cpu_millis;
  --run.attempts_held;
  return holding;
}

bool Admission::has_waiting(const model::RunId& run) const {
  const auto found = runs_.find(run);
  return found != runs_.end() && !found->second.waiting.empty();
}

std::optional<Grant> Admission::next() {
  if (holdings_.size() >= machine_.files.attempts) return std::nullopt;
  std::vector<Run*> passed;
  for (auto turn = turns_.begin(); turn != turns_.end(); ++turn) {
    Run& run = runs_.at(*turn);
    const Request& first = run.waiting.begin()->second;
    if (!fits_run(run, first)) continue;
    if (!fits_machine(first)) {
      if (run.passes >= kPassesMax) return std::nullopt;
      passed.push_back(&run);
      continue;
    }
    for (Run* other : passed) ++other->passes;
    turns_.splice(turns_.end(), turns_, turn);
    return grant(run);
  }
  return std::nullopt;
}

bool Admission::fits_machine(const Request& request) const {
  return cpu_millis_held_ + request.slots.cpu_millis <= cpu_capacity(request.run_cpu_millis_max) &&
         memory_bytes_held_ + request.slots.memory_bytes <= machine_.memory_bytes &&
         static_cast<std::size_t>(request.slots.gpus) <= gpus_free_.size();
}

bool Admission::fits_run(const Run& run, const Request& request) {
  return request.run_cpu_millis_max == 0 ||
         run.cpu_millis_held + request.slots.cpu_millis <= request.run_cpu_millis_max;
}

std::int64_t Admission::cpu_capacity(std::int64_t run_cpu_millis_max) const {
  return std::max(machine_.cpu_millis, run_cpu_millis_max);
}

void Admission::clamp(Request& request) const {
  ports::SlotRequest& slots = request.slots;
  const bool limited = request.run_cpu_millis_max > 0;
  const std::int64_t cpu_max = limited ? request.run_cpu_millis_max : machine_.cpu_millis;
  const auto gpus = static_cast<std::int64_t>(machine_.gpus.size());
  const auto clamp_one = [&](std::int64_t& asked, std::int64_t max, auto text, const char* owner) {
    asked = std::max<std::int64_t>(asked, 0);
    if (asked <= max) return;
    request.notices.push_back(clamped_text(text(asked), owner, text(max)));
    asked = max;
  };
  clamp_one(slots.cpu_millis, cpu_max, cpus_text, limited ? "the run may use" : "the machine has");
  clamp_one(slots.memory_bytes, machine_.memory_bytes, memory_text, "the machine has");
  clamp_one(slots.gpus, gpus, gpus_text, "the machine has");
}

Grant Admission::grant(Run& run) {
  auto first = run.waiting.extract(run.waiting.begin());
  Holding holding{std::move(first.mapped()), first.key(), {}};
  const Request& request = holding.request;
  orders_.erase(request.id);
  run.passes = 0;
  if (run.waiting.empty()) turns_.remove(request.id.run);
  Grant granted{request.id, {}, request.notices};
  for (std::int64_t i = 0; i < request.slots.gpus; ++i) {
    const std::size_t gpu = gpus_free_.extract(gpus_free_.begin()).value();
    holding.gpus.push_back(gpu);
    granted.gpus.push_back(machine_.gpus[gpu]);
  }
  cpu_millis_held_ += request.slots.cpu_millis;
  memory_bytes_held_ += request.slots.memory_bytes;
  run.cpu_millis_held += request.slots.cpu_millis;
  ++run.attempts_held;
  holdings_.emplace(granted.id, std::move(holding));
  return granted;
}

void Admission::drop_run_when_idle(const model::RunId& id) {
  const auto run = runs_.find(id);
  if (run != runs_.end() && run->second.waiting.empty() && run->second.attempts_held == 0)
    runs_.erase(run);
}

}  // namespace cresset::process
