#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "sim/sketch.h"

// The naive model: what a pipeline must compute. Plain recursion over the sketch: no queue, no
// events, no state machine, and nothing of the engine's.
//
// A later generation (`retry`) must come to what foresee() says with the failures so far, though
// the engine keeps what has succeeded: a step that has succeeded fails no more, and gives the same
// again. States, inputs and outputs are then exact; `runs`, `failures` and `starts` are upper
// bounds, exact only for tasks that the generation begins anew. The same holds after a cancel.
//
// It does not hold where a kept task's effect has been taken back since: a volume that was created,
// mounted and deleted is not made again for a mount that ignores a failure and so runs once more.
// make_sketch() builds no such pipeline: one that deletes volumes ignores no failures.
//
// What is not foreseen: a run that was cancelled, was cut short by --fail-fast or by its own
// deadline; a step that was killed from outside or was lost five times in a row; tasks with a
// deadline when the clock jumps forward or the engine is away longer than the deadline leaves them.
namespace cresset::sim {

enum class Fate { kSucceeded, kFailed, kSkipped };
std::string_view to_string(Fate fate);  // "SUCCEEDED" …

struct TaskFate {
  enum class Kind { kStep, kImporter, kVolume, kGroup, kLoop };
  Fate fate = Fate::kSkipped;
  Kind kind = Kind::kStep;
  bool leaf = true;    // not a group and not a loop
  bool began = false;  // its inputs were there: only then they are foreseen
  bool caching = false;
  Data inputs;
  Data outputs;           // of one that succeeded
  unsigned runs = 0;      // how often its process begins, over all tries of the groups around it
  unsigned failures = 0;  // how many of its attempts fail, over those
};

// What the processes of one try of a step are given.
struct Start {
  Data inputs;
  std::map<std::string, std::string> env;  // the variables that begin with SIM_
  unsigned runs = 0;
};

struct Outcome {
  Fate run = Fate::kSucceeded;  // never kSkipped
  Data inputs;
  Data outputs;
  std::map<std::string, TaskFate, std::less<>> tasks;  // by path, as RunView shows them
  // By path, all tries of the groups around them: a step of an earlier try may have had other
  // inputs, and need not be among `tasks`.
  std::map<std::string, std::vector<Start>, std::less<>> starts;
  std::map<std::string, unsigned> failures_after;  // by path, those before included
  std::map<std::string, std::size_t> limits;       // of loops that have one, by path
  bool exact = true;  // false: the run has a deadline, and may be cut short anywhere
};

// Why no process of the step at `path` should begin with these inputs and variables; empty when one
// should.
std::string objection(const Outcome& outcome, std::string_view path, const Data& inputs,
                      const std::map<std::string, std::string>& env);

Outcome foresee(const Sketch& sketch, const std::map<std::string, unsigned>& failures_before = {});

}  // namespace cresset::sim
