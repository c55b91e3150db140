#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sim/process.h"
#include "sim/sketch.h"
#include "sim/stage.h"

namespace cresset::sim {

struct WorldOptions {
  std::uint64_t seed = 1;
  // The only pipeline there is, instead of those that follow from the seed.
  std::shared_ptr<const Sketch> sketch;
  // One run, one user, no faults but those planned.
  bool quiet = false;
  std::deque<Strike> plan;
  Trace::OnLine on_line;  // of its log
  // The real store on a simulated disk, or one in memory; as the seed says when absent.
  std::optional<bool> on_disk;
};

// The pipelines of the world of a seed, from 0.
Sketch sketch_of(std::uint64_t seed, int number);

// Sums of what happened, over worlds.
struct Totals {
  std::uint64_t worlds = 0;
  Ledger::Counts ledger;
  FaultCounts faults{};
  std::uint64_t processes = 0;
  std::uint64_t calls = 0;
  Duration simulated{0};
  std::uint64_t disk_worlds = 0;
  StoreCounts disk;

  Totals& operator+=(const Totals& other);
  [[nodiscard]] std::uint64_t fault_count() const;
};

// A home, its machine and those who use it, as they follow from a seed: pipelines are submitted,
// watched, cancelled, resumed, tried again and removed while things go wrong, until nothing goes
// wrong any more and every run ends.
class World {
 public:
  explicit World(WorldOptions options);

  // Throws a Violation when a promise is broken. Once.
  void run();
  // The same, and what was broken, if anything: an exception that nobody catches is that, too.
  std::optional<Violation> try_run();

  [[nodiscard]] Totals totals();
  [[nodiscard]] const Trace& trace() const { return stage_.trace; }
  // Numbers of the calls that wrote to the store.
  [[nodiscard]] const std::vector<std::uint64_t>& writes() const { return stage_.writes; }
  // … of file jobs that a death can leave half done.
  [[nodiscard]] const std::vector<std::uint64_t>& halves() const { return stage_.halves; }
  // … of operations of the disk that write.
  [[nodiscard]] std::vector<std::uint64_t> disk_writes() const { return stage_.store->writes(); }
  // What had been done when all had come to its end: what follows only looks.
  struct Extent {
    std::uint64_t calls = 0;
    std::uint64_t disk_operations = 0;
  };
  [[nodiscard]] const Extent& extent() const { return extent_; }
  // Whether something was planned for a call that was not made, or to which it cannot happen.
  [[nodiscard]] bool is_plan_left() const;

 private:
  // world.cc: time and turns
  void go_on_until(TimePoint end);
  [[nodiscard]] bool is_at_rest() const;
  [[nodiscard]] bool is_anything_alive() const;
  bool go_on();
  [[nodiscard]] std::string unfinished_business() const;
  Process* next_process();
  void let_run(Process& process);
  void reap(Process& process);
  void carry_out_strike();
  void kill_doomed();
  void power_cut();
  void keeper_kill();

  // users.cc: who does what, and when
  void invite_users();
  void put_files(const Sketch& sketch);
  void submit_later(RunEntry& entry, Duration delay);
  void start(Errand errand);
  void start_later(Errand errand, Duration delay);
  void press_ctrl_c(RunEntry& entry);
  void react(RunEntry& entry, model::State end);
  void tidy_away(RunEntry& entry);
  void dislike(RunEntry& entry);
  void on_end(const Process& process);
  void finish_all();
  void look_at_all();
  void retry_all();
  [[nodiscard]] bool has_engine(const RunEntry& entry) const;

  // weather.cc: what goes wrong by itself
  void begin_weather();
  void weather();
  void set_clock();
  void fill_disk();
  void trouble(Process& process);
  void damage_artifact();
  ports::testing::Script script_for(const ports::StartSpec& spec);
  void began(const ports::StartSpec& spec);
  void gone(const ports::StartSpec& spec, const ports::Exit& exit);
  [[nodiscard]] bool is_heard_of(const model::AttemptId& id) const;

  // What is to go wrong with an attempt, counted when it does.
  struct Troubles {
    bool killed = false;
    bool zombie = false;
    bool loses_running = false;
    bool loses_exit = false;
    bool repeats = false;
  };

  WorldOptions options_;
  Stage stage_;
  SeededRandom users_;
  std::vector<std::unique_ptr<Process>> processes_;
  ProcessId last_process_ = 0;
  std::uint64_t turns_ = 0;
  std::map<model::AttemptId, Troubles> troubles_;
  // Those whose answers are lost, and whether they are gone.
  std::map<model::AttemptId, bool> unheard_;
  bool in_power_cut_ = false;
  int errands_to_come_ = 0;
  Extent extent_;
  bool compared_ = false;   // all that has ended, with what it must have come to
  int failed_resumes_ = 0;  // since nothing goes wrong any more
};

}  // namespace cresset::sim
