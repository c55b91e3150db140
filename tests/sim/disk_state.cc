#include "sim/disk_state.h"

#include <algorithm>
#include <utility>

#include "cresset/base/check.h"
#include "sim/sim_vfs.h"

namespace cresset::sim {

namespace {

using Operation = SimDisk::Operation;
using Fault = SimDisk::Fault;
using When = SimDisk::When;

// What a disk writes as a whole or not at all.
constexpr std::int64_t kSectorBytes = 512;

std::uint64_t next_disk_number() {
  static std::uint64_t last = 0;
  return ++last;
}

}  // namespace

SharedMemory* Inode::shared_memory() {
  if (shared_ == nullptr) shared_ = std::make_unique<SharedMemory>();
  return shared_.get();
}

DiskState::DiskState(SeededRandom& random) : random_(random), number_(next_disk_number()) {
  // The salts of SQLite's logs, which would differ from run to run. 0 would mean no seed.
  sqlite3_test_control(SQLITE_TESTCTRL_PRNG_SEED, static_cast<int>(random_.next() | 1),
                       static_cast<sqlite3*>(nullptr));
}

DiskState::~DiskState() {
  CHECK(open_files_.empty());
  for (const auto& [id, process] : processes_) sqlite3_vfs_unregister(&process->vfs);
}

DiskState::Process& DiskState::process(ProcessId id) {
  std::unique_ptr<Process>& process = processes_[id];
  if (process == nullptr) {
    process = std::make_unique<Process>();
    process->disk = this;
    process->id = id;
    process->vfs_name = "cresset-sim-" + std::to_string(number_) + "-" + std::to_string(id);
    register_vfs(*process);
  }
  return *process;
}

std::optional<When> DiskState::dies(const Process& process, std::uint64_t number) {
  if (process.id >= kObservers) return std::nullopt;
  if (death && number >= death->operation) return std::exchange(death, std::nullopt)->when;
  if (rates.death <= 0 || !random_.chance(rates.death)) return std::nullopt;
  return static_cast<When>(below(3));
}

bool DiskState::strikes(Fault fault) {
  Plan& plan = plans[static_cast<std::size_t>(fault)];
  bool struck = false;
  if (plan.times > 0) {
    if (plan.skip > 0) {
      --plan.skip;
    } else {
      --plan.times;
      struck = true;
    }
  }
  const double rate = rates.faults[static_cast<std::size_t>(fault)];
  if (!struck) struck = rate > 0 && random_.chance(rate);
  if (struck) ++counters.faults[static_cast<std::size_t>(fault)];
  return struck;
}

std::optional<Fault> DiskState::fault_for(Operation operation) {
  const auto first_of = [this](std::initializer_list<Fault> faults) -> std::optional<Fault> {
    for (const Fault fault : faults) {
      if (strikes(fault)) return fault;
    }
    return std::nullopt;
  };
  switch (operation) {
    case Operation::kRead:
      return first_of({Fault::kReadError});
    case Operation::kWrite:
      return first_of({Fault::kWriteError, Fault::kNoSpace});
    case Operation::kTruncate:
      return first_of({Fault::kWriteError});
    case Operation::kSync:
      return first_of({Fault::kSyncFailure});
    default:
      return std::nullopt;
  }
}

Verdict DiskState::begin(Process& process, Operation operation) {
  Verdict verdict;
  verdict.kind = Verdict::Kind::kDead;
  if (process.dead) return verdict;
  const std::uint64_t number = ++operations;
  ++counters.operations[static_cast<std::size_t>(operation)];
  if (hook) hook(process.id, operation, number);
  if (process.dead) return verdict;
  const std::optional<When> when = dies(process, number);
  if (when == When::kDuring && operation == Operation::kWrite) {
    verdict.kind = Verdict::Kind::kTear;
    return verdict;
  }
  if (when == When::kBefore || when == When::kDuring) {
    die(process);
    return verdict;
  }
  verdict.kind = Verdict::Kind::kGo;
  verdict.dies_after = when == When::kAfter;
  if (const std::optional<Fault> fault = fault_for(operation)) {
    verdict.kind = Verdict::Kind::kFail;
    verdict.fault = *fault;
  }
  return verdict;
}

void DiskState::end(Process& process, const Verdict& verdict) {
  if (verdict.dies_after || verdict.kind == Verdict::Kind::kTear) die(process);
}

void DiskState::die(Process& process) {
  if (!process.dead) ++counters.deaths;
  kill(process);
}

std::unique_ptr<OpenFile> DiskState::open(ProcessId process, const char* name, int flags) {
  auto file = std::make_unique<OpenFile>();
  file->process = process;
  file->delete_on_close = (flags & SQLITE_OPEN_DELETEONCLOSE) != 0;
  if (name == nullptr) {
    file->inode = std::make_shared<Inode>();
  } else {
    file->name = name;
    std::shared_ptr<Inode>& inode = names[name];
    const bool is_new = inode == nullptr;
    if (is_new && (flags & SQLITE_OPEN_CREATE) == 0) {
      names.erase(name);
      return nullptr;
    }
    if (is_new) {
      inode = std::make_shared<Inode>();
      pending_names_.push_back({name, inode});
    }
    // As SQLite does on POSIX, whether or not it has just made the file.
    constexpr int kLogs = SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_SUPER_JOURNAL | SQLITE_OPEN_WAL;
    file->sync_folder = (flags & SQLITE_OPEN_CREATE) != 0 && (flags & kLogs) != 0;
    file->inode = inode;
  }
  file->failed_syncs_seen = file->inode->failed_syncs;
  file->inode->open.push_back(file.get());
  open_files_.push_back(file.get());
  return file;
}

void DiskState::close(OpenFile& file) {
  std::erase(file.inode->open, &file);
  std::erase(open_files_, &file);
}

void DiskState::remove(const std::string& name) {
  const auto found = names.find(name);
  if (found == names.end()) return;
  give_space(found->second->now.size());
  names.erase(found);
  pending_names_.push_back({name, nullptr});
}

void DiskState::give_space(std::int64_t bytes) {
  if (space) *space += bytes;
}

bool DiskState::take_space(std::int64_t bytes) {
  if (!space) return true;
  if (bytes > *space) return false;
  *space -= bytes;
  return true;
}

bool DiskState::write(Inode& inode, std::int64_t offset, std::string_view bytes) {
  const auto end = offset + static_cast<std::int64_t>(bytes.size());
  const std::int64_t growth = std::max<std::int64_t>(end - inode.now.size(), 0);
  const bool fits = take_space(growth);
  if (!fits) {
    bytes = bytes.substr(
        0, static_cast<std::size_t>(std::max<std::int64_t>(end - growth + *space - offset, 0)));
    *space = 0;
  }
  if (bytes.empty()) return fits;
  inode.now.write(offset, bytes);
  inode.pending.push_back({offset, std::string(bytes), false});
  return fits;
}

void DiskState::truncate(Inode& inode, std::int64_t size) {
  if (size == inode.now.size()) return;
  give_space(std::max<std::int64_t>(inode.now.size() - size, 0));
  inode.now.resize(size);
  inode.pending.push_back({size, {}, true});
}

namespace {

// By pages, as a kernel writes them back: what shares one with a write becomes durable with it.
void write_back(Inode& inode) {
  for (const Change& change : inode.pending) {
    if (change.truncates) inode.durable.resize(change.offset);
  }
  if (!inode.pending.empty()) inode.durable.resize(inode.now.size());
  for (const Change& change : inode.pending) {
    if (!change.truncates)
      inode.durable.share(inode.now, change.offset, static_cast<std::int64_t>(change.bytes.size()));
  }
  inode.pending.clear();
}

}  // namespace

bool DiskState::sync(OpenFile& file, bool fails) {
  Inode& inode = *file.inode;
  if (fails) {
    ++inode.failed_syncs;
    // Some of it may have got there.
    if (below(2) == 0) inode.durable = settled(inode);
    inode.pending.clear();
  } else if (!lying) {
    write_back(inode);
  }
  return std::exchange(file.failed_syncs_seen, inode.failed_syncs) == inode.failed_syncs;
}

void DiskState::sync_folder() {
  durable_names = names;
  pending_names_.clear();
}

void DiskState::clear_shared(Inode& inode) {
  SharedMemory& memory = *inode.shared_memory();
  give_space(static_cast<std::int64_t>(memory.regions() * SharedMemory::kRegionBytes));
  memory.clear();
}

void DiskState::kill(Process& process) {
  if (process.dead) return;
  process.dead = true;
  locks.kill(process.id);
  for (OpenFile* file : open_files_) {
    if (file->process != process.id) continue;
    file->lock = SQLITE_LOCK_NONE;
    file->shared_locks = 0;
    file->own_locks = 0;
    file->attached = false;
    file->mapping.cut_off();
  }
}

void DiskState::power_cut() {
  for (const auto& [id, process] : processes_) kill(*process);
  hold(outcome());
}

SimDisk::Image DiskState::outcome() {
  ++counters.power_cuts;
  auto files = std::make_shared<std::map<std::string, PagedBytes>>();
  for (const auto& [name, inode] : surviving_names()) (*files)[name] = settled(*inode);
  return {std::move(files)};
}

void DiskState::hold(const SimDisk::Image& image) {
  names.clear();
  for (const auto& [name, bytes] : *image.files) {
    const auto inode = std::make_shared<Inode>();
    inode->now = bytes;
    inode->durable = bytes;
    names[name] = inode;
  }
  sync_folder();
}

// Of the changes of each name, the first few have reached the disk.
std::map<std::string, std::shared_ptr<Inode>> DiskState::surviving_names() {
  std::map<std::string, std::uint64_t> left;
  for (const NameChange& change : pending_names_) ++left[change.name];
  for (auto& [name, count] : left) {
    const std::uint64_t kept = below(count + 1);
    counters.names_lost += count - kept;
    count = kept;
  }
  std::map<std::string, std::shared_ptr<Inode>> surviving = durable_names;
  for (const NameChange& change : pending_names_) {
    if (left[change.name] == 0) continue;
    --left[change.name];
    if (change.inode == nullptr) {
      surviving.erase(change.name);
    } else {
      surviving[change.name] = change.inode;
    }
  }
  return surviving;
}

PagedBytes DiskState::settled(const Inode& inode) {
  PagedBytes durable = inode.durable;
  if (inode.pending.empty()) return durable;
  // The file may have got its new size before its data, with anything in it.
  if (below(4) == 0 && inode.now.size() > durable.size()) {
    const std::int64_t old = durable.size();
    durable.resize(inode.now.size());
    if (below(4) == 0) {
      std::string garbage(static_cast<std::size_t>(inode.now.size() - old), '\0');
      for (char& c : garbage) c = static_cast<char>(random_.next());
      durable.write(old, garbage);
    }
  }
  const auto style = static_cast<unsigned>(below(4));
  for (const Change& change : inode.pending) settle_write(durable, change, style);
  return durable;
}

// A style for each file: all lost, all kept, or each write as it falls (the half of cases).
void DiskState::settle_write(PagedBytes& durable, const Change& change, unsigned style) {
  const std::uint64_t fate = style == 0 ? 0 : style == 1 ? 1 : below(3);
  ++(fate == 0 ? counters.writes_lost : fate == 1 ? counters.writes_kept : counters.writes_torn);
  if (change.truncates) {
    if (fate == 1) durable.resize(change.offset);
    return;
  }
  if (fate == 0) return;
  const bool prefix = fate == 2 && below(2) == 0;
  const std::int64_t end = change.offset + static_cast<std::int64_t>(change.bytes.size());
  for (std::int64_t at = change.offset; at < end;) {
    const std::int64_t next = std::min((at / kSectorBytes + 1) * kSectorBytes, end);
    const bool kept = fate == 1 || below(2) == 0;
    if (kept)
      durable.write(at, std::string_view(change.bytes)
                            .substr(static_cast<std::size_t>(at - change.offset),
                                    static_cast<std::size_t>(next - at)));
    if (!kept && prefix) return;
    at = next;
  }
}

}  // namespace cresset::sim
