#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sim/world.h"

namespace cresset::sim {

// What was tried on one pipeline of the corpus, and how often.
struct Exhausted {
  std::string pipeline;
  std::uint64_t calls = 0;            // of ports, in a run that nothing disturbs
  std::uint64_t writes = 0;           // of those: commits
  std::uint64_t halves = 0;           // … and file jobs that a death can leave half done
  std::uint64_t disk_operations = 0;  // of the disk under the store, where that was tried
  std::uint64_t disk_writes = 0;
  std::uint64_t worlds = 0;  // each with one fault at one place (with two, for pairs)
  Totals totals;
};

// One plan that broke a promise.
struct Broken {
  std::string pipeline;
  std::deque<Strike> plan;
  std::string what;
};

// Tries one fault at every place: the process's death before and after each call of a port (alone,
// with the keeper's, with a power cut, in the middle of a file job), and each way in which a write
// to the store can fail. After it the run is resumed, and must come to what its pipeline says.
// `pairs`: every death of the process alone, followed by every other one while the run is resumed.
class Exhaustion {
 public:
  explicit Exhaustion(bool pairs) : pairs_(pairs) {}

  Exhausted exhaust(const std::string& name, const Sketch& sketch);
  // Over the real store instead: the process's death before, after and, where it writes, in the
  // middle of each operation of the disk under it; of every `stride`-th one.
  Exhausted exhaust_disk(const std::string& name, const Sketch& sketch, std::uint64_t stride);
  [[nodiscard]] const std::vector<Broken>& broken() const { return broken_; }

 private:
  // `look` sees the world after its end.
  World::Extent try_plan(Exhausted& out, const std::shared_ptr<const Sketch>& sketch,
                         std::deque<Strike> plan, bool on_disk = false,
                         const std::function<void(const World&)>& look = {});

  bool pairs_;
  std::vector<Broken> broken_;
};

// "crash@12", "crash@12+" (after the call), "power_cut@3,crash@40".
std::string to_string(const std::deque<Strike>& plan);
std::optional<std::deque<Strike>> parse_plan(std::string_view text);

}  // namespace cresset::sim
