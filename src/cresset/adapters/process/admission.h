#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "cresset/adapters/process/machine.h"
#include "cresset/model/run.h"
#include "cresset/ports/executor.h"

namespace cresset::process {

// A request that may start now, with what it got.
struct Grant {
  model::AttemptId id;
  std::vector<std::string> gpus;     // names for CUDA_VISIBLE_DEVICES
  std::vector<std::string> notices;  // how the request was clamped
};

// Who may start: hands the machine's slots to waiting attempts. Pure state; the keeper is its only
// user. Attempts of one run start in the order in which they were asked for. Runs take turns. An
// attempt that does not fit is passed by smaller ones of other runs, but only kPassesMax times:
// then the machine is kept for it until it fits.
class Admission {
 public:
  static constexpr int kPassesMax = 16;

  explicit Admission(Machine machine);

  // An attempt waits or holds slots once at a time.
  void enqueue(const model::AttemptId& id, const ports::SlotRequest& request,
               std::int64_t run_cpu_millis_max);
  // Takes back a request that waits; false when it does not.
  bool withdraw(const model::AttemptId& id);
  // What a granted attempt held is free again.
  void release(const model::AttemptId& id);
  // A granted attempt could not begin: it waits again, in its old place.
  void put_back(const model::AttemptId& id);

  // The next that may start; nothing when none fits.
  std::optional<Grant> next();

  [[nodiscard]] const Machine& machine() const { return machine_; }
  // Whether an attempt of the run waits.
  [[nodiscard]] bool has_waiting(const model::RunId& run) const;

 private:
  struct Request {
    model::AttemptId id;
    ports::SlotRequest slots;  // after clamping
    std::int64_t run_cpu_millis_max = 0;
    std::vector<std::string> notices;
  };
  struct Run {
    std::map<std::uint64_t, Request> waiting;  // by order of asking
    std::int64_t cpu_millis_held = 0;
    std::size_t attempts_held = 0;
    int passes = 0;  // how often the first in the queue was passed by attempts of other runs
  };
  struct Holding {
    Request request;
    std::uint64_t order = 0;
    std::vector<std::size_t> gpus;
  };

  [[nodiscard]] bool fits_machine(const Request& request) const;
  [[nodiscard]] static bool fits_run(const Run& run, const Request& request);
  [[nodiscard]] std::int64_t cpu_capacity(std::int64_t run_cpu_millis_max) const;
  void clamp(Request& request) const;
  Grant grant(Run& run);
  Holding take_back(const model::AttemptId& id);
  void drop_run_when_idle(const model::RunId& id);

  const Machine machine_;
  std::int64_t cpu_millis_held_ = 0;
  std::int64_t memory_bytes_held_ = 0;
  std::set<std::size_t> gpus_free_;
  std::map<model::RunId, Run> runs_;
  std::list<model::RunId> turns_;  // runs with waiting attempts; the first is asked first
  std::map<model::AttemptId, std::uint64_t> orders_;  // of the requests that wait
  std::uint64_t next_order_ = 1;
  std::map<model::AttemptId, Holding> holdings_;
};

}  // namespace cresset::process
