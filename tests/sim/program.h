#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "cresset/base/time.h"
#include "cresset/model/run.h"
#include "cresset/ports/executor.h"
#include "cresset/ports/testing/memory_files.h"
#include "sim/sketch.h"

// What a simulated step does. Its IR command is ["step"], and its first argument says how it
// behaves; the others are what the engine's placeholders turned into, from which what it really
// received is read back.
namespace cresset::sim {

inline constexpr std::string_view kProgram = "step";

// How one attempt goes. `failures_before`: committed failures of the task's path in this run so
// far, those of lost attempts not counted.
struct Conduct {
  bool missing_program = false;      // it cannot be started
  std::optional<Duration> runs_for;  // nothing: hangs until it is stopped
  int exit_code = 0;
  int signal = 0;  // not 0: dies of it
  std::string prints;
  bool ignores_terminate = false;
};
Conduct conduct_of(const ports::StartSpec& spec, unsigned failures_before);

// What it leaves behind when it ends by itself: parameters, artifacts, executor output. A pure
// function of its label and what it received; doing it twice changes nothing.
void do_work(const ports::StartSpec& spec, ports::testing::MemoryFiles& files,
             unsigned failures_before);

// What the step sees.
struct Received {
  Data inputs;
  std::map<std::string, std::string> env;  // the variables that begin with SIM_
};
Received received_by(const ports::StartSpec& spec, const ports::testing::MemoryFiles& files);

// Bindings of a view in the oracle's terms, with artifacts as they are now.
Data data_of(const model::Bindings& bindings, const ports::testing::MemoryFiles& files);

}  // namespace cresset::sim
