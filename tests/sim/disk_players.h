#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "cresset/ports/metadata_store.h"
#include "sim/seeded_random.h"
#include "sim/sim_disk.h"

// Processes that use a store on a SimDisk, and what must be in it.
namespace cresset::sim {

// The store broke a promise.
struct BrokenPromise : std::logic_error {
  using std::logic_error::logic_error;
};

struct Call {
  enum class Kind : std::uint8_t {
    kOpen,
    kClose,    // leases too
    kCreate,   // a run
    kAcquire,  // its lease
    kRelease,
    kCommit,
    kPost,
    kRemove,
    kRead,  // all there is
  };
  std::size_t player = 0;
  Kind kind{};
  std::string run{};
  // Of a commit:
  std::size_t events = 1;
  std::size_t bytes = 40;  // of each event's payload
  bool step = false;
  bool takes_commands = false;
  bool ends = false;  // the run
};
std::string to_string(const Call& call);

// What a store holds, as far as the calls go.
struct Expected {
  struct Run {
    std::string state = "PENDING";
    std::vector<std::string> payloads;
    std::map<std::uint32_t, std::string> steps;  // task -> key
    std::vector<std::string> commands;
    bool operator==(const Run&) const = default;
  };
  std::map<std::string, Run> runs;
  bool operator==(const Expected&) const = default;
};
std::string to_string(const Expected& expected);

// Several processes on one disk, one call at a time. It follows what each call that succeeded has
// promised, and that a call which failed or was cut short is wholly there or wholly absent. Throws
// BrokenPromise.
class Players {
 public:
  struct Tally {
    std::uint64_t calls = 0;  // that succeeded
    std::uint64_t failed = 0;
    std::uint64_t cut_short = 0;       // by a death
    std::uint64_t doubts_applied = 0;  // of calls that failed or were cut short: they had happened
    std::uint64_t doubts_gone = 0;
    std::uint64_t checks = 0;  // that all that was promised is there

    Tally& operator+=(const Tally& other);
  };

  // Player i of n is the process i + 1 of the disk; a replacement gets the next free number.
  Players(SimDisk& disk, std::size_t n);

  // The error of the call, if any; of a process that died in it as well.
  Result<void> play(const Call& call);
  [[nodiscard]] bool dead(std::size_t player) const { return disk_.dead(players_[player].id); }
  // Kills it if it lives, and lets go of what is left of it. The next call of that player is a new
  // process's.
  void replace(std::size_t player);

  [[nodiscard]] bool has_store(std::size_t player) const {
    return players_[player].store != nullptr;
  }
  [[nodiscard]] bool holds(std::size_t player, const std::string& run) const {
    return players_[player].leases.contains(run);
  }

  // What may be there, by what has been promised so far. More than one: a call is in doubt.
  [[nodiscard]] const std::vector<Expected>& possible() const { return possible_; }
  void expect(std::vector<Expected> possible) { possible_ = std::move(possible); }

  // A new process looks: all that was promised is there, the file is sound, and the store takes
  // further commits.
  void check();

  [[nodiscard]] const Tally& tally() const { return tally_; }

 private:
  struct Player {
    ProcessId id = 0;
    std::unique_ptr<ports::MetadataStore> store;
    std::map<std::string, std::unique_ptr<ports::Lease>> leases;
  };

  Result<void> carry_out(Player& player, const Call& call, Expected& after);
  Result<void> commit(Player& player, const Call& call, Expected& after);
  static Result<void> remove(Player& player, const std::string& run, Expected& after);
  Result<std::size_t> find_seen(ports::MetadataStore& store);
  Result<Expected> look(ports::MetadataStore& store);
  void check_file(ProcessId process);

  SimDisk& disk_;
  std::vector<Player> players_;
  ProcessId last_;
  std::vector<Expected> possible_{Expected{}};
  std::map<std::string, std::uint64_t> tokens_;
  Tally tally_;
};

}  // namespace cresset::sim
