#pragma once

#include <sqlite3.h>

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sim/paged_bytes.h"
#include "sim/seeded_random.h"
#include "sim/shared_memory.h"
#include "sim/sim_disk.h"
#include "sim/sim_locks.h"

// What a SimDisk consists of; sim_vfs.cc lets SQLite at it.
namespace cresset::sim {

// Since the last sync.
struct Change {
  std::int64_t offset = 0;  // of a truncation: the new size
  std::string bytes;
  bool truncates = false;
};

struct OpenFile;

struct Inode {
  PagedBytes now;
  PagedBytes durable;
  std::vector<Change> pending;
  std::vector<OpenFile*> open;
  std::uint64_t failed_syncs = 0;
  SharedMemory* shared_memory();

 private:
  std::unique_ptr<SharedMemory> shared_;
};

// What one connection holds of one file.
struct OpenFile {
  ProcessId process = 0;
  std::shared_ptr<Inode> inode;
  std::string name;  // empty = a temporary file
  std::uint64_t failed_syncs_seen = 0;
  bool sync_folder = false;  // with the next sync
  bool delete_on_close = false;
  bool keep_log = false;
  int lock = SQLITE_LOCK_NONE;
  // The memory beside the file, and which of its eight locks are held.
  bool attached = false;
  SharedMemory::Mapping mapping;
  unsigned shared_locks = 0;
  unsigned own_locks = 0;
};

// How an operation goes.
struct Verdict {
  enum class Kind : std::uint8_t { kGo, kDead, kFail, kTear };
  Kind kind = Kind::kGo;
  bool dies_after = false;
  SimDisk::Fault fault{};
};

class DiskState {
 public:
  struct Process {
    DiskState* disk = nullptr;
    ProcessId id = 0;
    bool dead = false;
    int last_errno = 0;
    std::string vfs_name;
    sqlite3_vfs vfs{};
  };

  explicit DiskState(SeededRandom& random);
  ~DiskState();
  DiskState(const DiskState&) = delete;
  DiskState& operator=(const DiskState&) = delete;

  // Begins it, unless it has begun, and registers its VFS.
  Process& process(ProcessId id);

  // An operation begins: counted, and its fate decided. Its end is told for one that was let go.
  Verdict begin(Process& process, SimDisk::Operation operation);
  void end(Process& process, const Verdict& verdict);

  // Null when there is none and it is not to be made.
  std::unique_ptr<OpenFile> open(ProcessId process, const char* name, int flags);
  void close(OpenFile& file);
  void remove(const std::string& name);
  // False: no space, and a part has been written.
  bool write(Inode& inode, std::int64_t offset, std::string_view bytes);
  void truncate(Inode& inode, std::int64_t size);
  // False: it failed, or one failed since this connection's last. A failed one is told once to each
  // connection that was there by then.
  bool sync(OpenFile& file, bool fails);
  void sync_folder();
  void clear_shared(Inode& inode);
  // False: no space.
  bool take_space(std::int64_t bytes);
  void give_space(std::int64_t bytes);

  void kill(Process& process);  // by somebody else, or it has ended: not counted
  void power_cut();
  // What a power cut at this moment might leave.
  SimDisk::Image outcome();
  // Instead of what there was; nobody has a file open.
  void hold(const SimDisk::Image& image);

  std::uint64_t below(std::uint64_t bound) { return random_.below(bound); }

  std::map<std::string, std::shared_ptr<Inode>> names;
  std::map<std::string, std::shared_ptr<Inode>> durable_names;
  SimDisk::Counters counters;
  std::uint64_t operations = 0;
  std::optional<std::int64_t> space;
  LockTable locks;
  SimDisk::Rates rates;
  bool lying = false;
  std::function<void(ProcessId, SimDisk::Operation, std::uint64_t)> hook;

  struct Death {
    std::uint64_t operation = 0;
    SimDisk::When when{};
  };
  std::optional<Death> death;
  struct Plan {
    std::uint64_t skip = 0;
    std::uint64_t times = 0;
  };
  std::array<Plan, static_cast<std::size_t>(SimDisk::Fault::kCount)> plans{};

 private:
  struct NameChange {
    std::string name;
    std::shared_ptr<Inode> inode;  // null = deleted
  };

  std::optional<SimDisk::When> dies(const Process& process, std::uint64_t number);
  void die(Process& process);
  bool strikes(SimDisk::Fault fault);
  std::optional<SimDisk::Fault> fault_for(SimDisk::Operation operation);

  std::map<std::string, std::shared_ptr<Inode>> surviving_names();
  PagedBytes settled(const Inode& inode);
  void settle_write(PagedBytes& durable, const Change& change, unsigned style);

  SeededRandom& random_;
  std::map<ProcessId, std::unique_ptr<Process>> processes_;
  std::vector<OpenFile*> open_files_;
  std::vector<NameChange> pending_names_;
  std::uint64_t number_;  // of the disk, among those of the program
};

}  // namespace cresset::sim
