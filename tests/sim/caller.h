#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>

#include "cresset/base/time.h"
#include "cresset/model/run.h"
#include "sim/stage.h"

namespace cresset::sim {

// The death of a process in the middle of what it does: thrown out of the port that it called.
struct Crash {};

// A process as its ports see it: each call of one begins and ends here, and the process may die at
// either.
class Caller {
 public:
  Caller(Stage& its_stage, ProcessId its_id) : stage(its_stage), id(its_id) {}
  virtual ~Caller() = default;
  Caller(const Caller&) = delete;
  Caller& operator=(const Caller&) = delete;

  // Throw Crash.
  // `writes`: the call is one of those that change what is stored.
  std::uint64_t enter(std::string_view what, std::string_view detail, bool writes);
  void leave(std::uint64_t call, bool writes);

  [[noreturn]] void die();

  template <class Body>
  auto call(std::string_view what, std::string_view detail, Body&& body) {
    const std::uint64_t number = enter(what, detail, false);
    auto answer = body();
    leave(number, false);
    return answer;
  }

  // The process stands still inside a call, whatever wakes it.
  virtual void stand_still_for(Duration duration) = 0;
  // Something waits for poll().
  virtual void wake() = 0;
  // The run that it is about; nothing = none yet.
  [[nodiscard]] virtual std::optional<model::RunId> run() const = 0;

  // `action` at that time, if the process lives then.
  void later(Duration delay, std::function<void()> action);

  Stage& stage;
  const ProcessId id;

 private:
  void die_if_planned(std::uint64_t call, bool after);
  void die_by_chance(bool writes);

  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace cresset::sim
