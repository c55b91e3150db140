#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cresset/adapters/posix/event_loop.h"
#include "cresset/adapters/posix/unique_fd.h"
#include "cresset/adapters/process/process_table.h"
#include "cresset/adapters/process/spawn.h"
#include "cresset/base/time.h"
#include "cresset/ports/clock.h"
#include "cresset/ports/executor.h"

namespace cresset::process {

// Interpreters that have imported what steps need (zygotes), each with some forks of it that wait
// to become a step (spares). What both sides say is in docs/formats/keeper-protocol.md, "Warm
// workers". All of it is dispensable: a step that finds no spare is started as any other program.
class WarmWorkers {
 public:
  struct Limits {
    std::size_t zygotes = 8;
    std::int64_t memory_bytes = 0;            // of all zygotes together
    Duration idle = std::chrono::minutes(5);  // a zygote that no step has wanted for so long leaves
  };
  // `dir` is this object's alone: what packages write while they are imported goes there, and what
  // forks tell their zygote. `remark` is told what a maintainer should know of. `loop` and `clock`
  // outlive it.
  WarmWorkers(std::string dir, Limits limits, posix::EventLoop& loop, ports::Clock& clock,
              std::function<void(const std::string&)> remark);
  // As dismiss().
  ~WarmWorkers();
  WarmWorkers(const WarmWorkers&) = delete;
  WarmWorkers& operator=(const WarmWorkers&) = delete;

  // Turns a spare into the step `attempt`. It leads a session of its own and can be found by the
  // attempt's mark before it does anything; without this process it does nothing at all. Nothing:
  // there is none, and a zygote has been started where that makes sense. May wait some milliseconds
  // for a spare that is on its way. The process is, or becomes at once, a child of this one.
  std::optional<ProcessIdentity> start(const SpawnRequest& request, const ports::WarmStart& warm,
                                       const std::vector<std::string>& own,
                                       const std::string& attempt);
  // Why no step of this kind is started warm, for the user; empty when nothing speaks against it.
  [[nodiscard]] std::string objection(const ports::WarmStart& warm) const;

  // A child of this process has ended, and has not been reaped.
  void on_ended(pid_t pid);
  // Whether a child of this process is one of these.
  [[nodiscard]] bool owns(pid_t pid) const;
  [[nodiscard]] bool empty() const { return zygotes_.empty(); }
  // Ends those that have been idle for too long.
  void expire();
  [[nodiscard]] std::optional<TimePoint> next_expiry() const;
  // Ends all of them.
  void dismiss();

 private:
  struct Spare {
    posix::UniqueFd line;
    ProcessIdentity process;  // pid 0: on its way
  };
  struct Zygote {
    std::string key;  // interpreter and environment
    std::string fingerprint;
    std::vector<std::string> modules;  // asked for; sorted
    std::string folder;
    pid_t pid = 0;
    posix::UniqueFd control;
    bool is_fit = false;
    std::int64_t memory_bytes = 0;
    std::list<Spare> spares;
    TimePoint used;
  };
  using Zygotes = std::list<Zygote>;

  Zygote* find(const std::string& key, const std::vector<std::string>& modules);
  void begin(const SpawnRequest& request, const ports::WarmStart& warm, std::string key,
             Environment env);
  void make_room(std::size_t zygotes, std::int64_t memory_bytes);
  void on_control(Zygotes::iterator zygote);
  void take_fit(Zygotes::iterator zygote);
  void measure(Zygotes::iterator zygote);
  void take_unfit(Zygotes::iterator zygote, std::string_view why);
  void ask_for_spares(Zygote& zygote);
  void on_line(Zygote& zygote, std::list<Spare>::iterator spare);
  std::optional<Spare> take_spare(Zygote& zygote);
  bool hear_of_spares(Zygote& zygote, Duration wait);
  [[nodiscard]] std::optional<ProcessIdentity> become(Spare spare, const SpawnRequest& request,
                                                      const std::string& attempt) const;
  void drop_spare(Zygote& zygote, std::list<Spare>::iterator spare);
  Zygotes::iterator end(Zygotes::iterator zygote);

  std::string dir_;
  const Limits limits_;
  posix::EventLoop& loop_;
  ports::Clock& clock_;
  std::function<void(const std::string&)> remark_;
  Zygotes zygotes_;
  std::uint64_t next_folder_ = 1;
  std::map<std::string, std::string> unfit_;  // why, by fingerprint and modules
};

// The mark, in place of an attempt's, of processes that are no step yet.
inline constexpr std::string_view kWaitingMark = "no attempt yet";

}  // namespace cresset::process
