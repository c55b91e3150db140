#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cresset/base/result.h"
#include "cresset/ports/metadata_store.h"
#include "sim/process_id.h"
#include "sim/seeded_random.h"

namespace cresset::sim {

class DiskState;
class PagedBytes;

// A disk with the page cache of a kernel before it, in memory, under the real SqliteStore. It has
// one folder with the files of one database. Each file has the content that processes see and the
// one that a power cut leaves; a sync makes them equal. What SQLite asks for reaches it through a
// VFS of its own for each process, so that several processes live on one thread.
//
// An operation is a call of SQLite that another process or a later one could notice, or a read.
// Operations are numbered from 1 in the order in which they happen, for all processes together.
//
// Nothing here waits: a lock that is taken is SQLITE_BUSY at once, and SQLite's sleeps are counted
// and not slept. The same calls with the same Random give the same outcome; SQLite's own random
// numbers are seeded from it too, for the whole program, when a SimDisk is made. One thread. Stores
// and leases must be gone before the disk.
class SimDisk {
 public:
  enum class Operation : std::uint8_t {
    kOpen,  // of a file, which may make it
    kDelete,
    kRead,
    kWrite,
    kTruncate,
    kSync,
    kSyncFolder,
    kLock,
    kUnlock,
    kMapShared,  // the memory that connections share beside a log in WAL mode
    kUnmapShared,
    kLockShared,
    kUnlockShared,
    kBarrier,
    kCount,
  };

  // When a process dies: before the operation, in the middle of it, after it. The middle of a write
  // leaves a part of it; with other operations it is the same as before.
  enum class When : std::uint8_t { kBefore, kDuring, kAfter };

  enum class Fault : std::uint8_t {
    kReadError,   // EIO
    kWriteError,  // EIO; a part may have been written
    kNoSpace,     // ENOSPC at a write; a part may have been written
    // EIO. The content stays in the cache, where it no longer counts as unsynced: a power cut loses
    // it, but for what may have reached the disk before. As on Linux, the next sync of each other
    // connection to the file fails as well (these are not counted), and those after it say nothing.
    kSyncFailure,
    kCount,
  };

  // For each operation that can have it, the probability of a fault.
  struct Rates {
    std::array<double, static_cast<std::size_t>(Fault::kCount)> faults{};
    double death = 0;  // at any operation, at any When
  };

  struct Counters {
    std::array<std::uint64_t, static_cast<std::size_t>(Operation::kCount)> operations{};
    std::array<std::uint64_t, static_cast<std::size_t>(Fault::kCount)> faults{};
    std::uint64_t deaths = 0;  // at an operation, by plan or by chance
    std::uint64_t power_cuts = 0;
    // What became of writes that were not synced when the power went, or that a failed sync was
    // about.
    std::uint64_t writes_kept = 0;
    std::uint64_t writes_torn = 0;
    std::uint64_t writes_lost = 0;
    std::uint64_t names_lost = 0;  // files made or deleted that were so no longer
    std::uint64_t sleeps = 0;      // that SQLite asked for

    Counters& operator+=(const Counters& other);
  };

  // What a disk holds: name of each file and its durable content. Copies share it.
  struct Image {
    std::shared_ptr<const std::map<std::string, PagedBytes>> files;
  };

  // `random` outlives the disk. Empty without an image.
  explicit SimDisk(SeededRandom& random);
  SimDisk(SeededRandom& random, const Image& image);
  ~SimDisk();
  SimDisk(const SimDisk&) = delete;
  SimDisk& operator=(const SimDisk&) = delete;

  // A disk with an empty store in it: far cheaper than to make its schema each time.
  static const Image& prepared();
  [[nodiscard]] Image image() const;

  // A process begins with its first store, and may have several. One that is dead cannot.
  Result<std::unique_ptr<ports::MetadataStore>> open_store(
      ProcessId process, std::chrono::milliseconds busy_timeout = std::chrono::milliseconds{0});
  // What SqliteStore needs for the same, where more than the port is wanted.
  [[nodiscard]] std::string vfs_of(ProcessId process);

  // Its locks and its mapped memory go, what it wrote stays. All that it asks for from now on fails
  // and has no effect. Also from within on_operation().
  void kill(ProcessId process);
  [[nodiscard]] bool dead(ProcessId process) const;
  // All die. Each write that is not synced is kept, lost or torn into sectors, in every file on its
  // own; a file that was made or deleted without a sync of the folder may be so or not. What is
  // synced stays.
  void power_cut();
  // What it might leave if it happened now; nothing happens to this disk.
  [[nodiscard]] Image power_cut_image();
  // Whoever acquires the run next gets it, though its owner lives.
  // False when nobody owned it.
  bool break_lock(const model::RunId& run);

  [[nodiscard]] std::uint64_t operations() const;  // so far
  // The process that makes this operation dies; when that is an observer, the one that makes the
  // next. One at a time; nothing takes it back.
  void die_at(std::uint64_t operation, When when);
  // After `skip` operations that can have it, the next `times` ones do.
  void fail_next(Fault fault, std::uint64_t skip = 0, std::uint64_t times = 1);
  void set_rates(const Rates& rates);
  // Bytes by which files may still grow; nothing = without end.
  void set_space(std::optional<std::int64_t> bytes);
  // Whether syncs say that all is well and do nothing: no store survives that, and tests see to it
  // that they find out.
  void lie(bool lying);
  // Called before each operation of a living process; it may kill(), and start nothing on this
  // disk.
  void on_operation(std::function<void(ProcessId, Operation, std::uint64_t number)> hook);
  [[nodiscard]] const Counters& counters() const;

  // For damage from outside, while no process has the file open: what processes see, durable too.
  [[nodiscard]] std::vector<std::string> files() const;
  [[nodiscard]] std::string content(const std::string& name) const;  // empty = no such file
  void set_content(const std::string& name, std::string_view bytes);
  void remove(const std::string& name);

 private:
  std::unique_ptr<DiskState> state_;
};

std::string_view to_string(SimDisk::Operation operation);
std::string_view to_string(SimDisk::Fault fault);
// One line a kind that happened: "operations: 12 write, 3 sync …".
std::string to_string(const SimDisk::Counters& counters);

}  // namespace cresset::sim
