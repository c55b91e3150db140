#include "sim/sim_disk.h"

#include <utility>

#include "cresset/adapters/sqlite/sqlite_store.h"
#include "cresset/base/check.h"
#include "sim/disk_state.h"

namespace cresset::sim {

namespace {

constexpr const char* kDatabase = "/cresset.db";

// Without the log that SqliteStore makes room for: it is a matter of speed on a real disk.
SimDisk::Image make_prepared() {
  SeededRandom random(1);
  SimDisk disk(random);
  {
    const auto store = disk.open_store(1);
    CHECK(store);
  }
  disk.remove(std::string(kDatabase) + "-wal");
  return disk.image();
}

}  // namespace

SimDisk::Counters& SimDisk::Counters::operator+=(const Counters& other) {
  for (std::size_t i = 0; i < operations.size(); ++i) operations[i] += other.operations[i];
  for (std::size_t i = 0; i < faults.size(); ++i) faults[i] += other.faults[i];
  deaths += other.deaths;
  power_cuts += other.power_cuts;
  writes_kept += other.writes_kept;
  writes_torn += other.writes_torn;
  writes_lost += other.writes_lost;
  names_lost += other.names_lost;
  sleeps += other.sleeps;
  return *this;
}

SimDisk::SimDisk(SeededRandom& random) : state_(std::make_unique<DiskState>(random)) {}

SimDisk::SimDisk(SeededRandom& random, const Image& image) : SimDisk(random) {
  if (image.files != nullptr) state_->hold(image);
}

SimDisk::~SimDisk() = default;

const SimDisk::Image& SimDisk::prepared() {
  static const Image image = make_prepared();
  return image;
}

SimDisk::Image SimDisk::image() const {
  auto files = std::make_shared<std::map<std::string, PagedBytes>>();
  for (const auto& [name, inode] : state_->durable_names) (*files)[name] = inode->durable;
  return {std::move(files)};
}

std::string SimDisk::vfs_of(ProcessId process) { return state_->process(process).vfs_name; }

Result<std::unique_ptr<ports::MetadataStore>> SimDisk::open_store(
    ProcessId process, std::chrono::milliseconds busy_timeout) {
  sqlite::StoreOptions options;
  options.database = kDatabase;
  options.locks = state_->locks.locks_of(process);
  options.busy_timeout = busy_timeout;
  options.vfs = vfs_of(process);
  CR_TRY(std::unique_ptr<ports::MetadataStore> store, sqlite::SqliteStore::open(options));
  return store;
}

void SimDisk::kill(ProcessId process) { state_->kill(state_->process(process)); }
bool SimDisk::dead(ProcessId process) const { return state_->process(process).dead; }
void SimDisk::power_cut() { state_->power_cut(); }
SimDisk::Image SimDisk::power_cut_image() { return state_->outcome(); }

bool SimDisk::break_lock(const model::RunId& run) { return state_->locks.break_lock(run.str()); }

std::uint64_t SimDisk::operations() const { return state_->operations; }
void SimDisk::die_at(std::uint64_t operation, When when) {
  state_->death = DiskState::Death{operation, when};
}
void SimDisk::fail_next(Fault fault, std::uint64_t skip, std::uint64_t times) {
  state_->plans[static_cast<std::size_t>(fault)] = {skip, times};
}
void SimDisk::set_rates(const Rates& rates) { state_->rates = rates; }
void SimDisk::set_space(std::optional<std::int64_t> bytes) { state_->space = bytes; }
void SimDisk::lie(bool lying) { state_->lying = lying; }
void SimDisk::on_operation(std::function<void(ProcessId, Operation, std::uint64_t)> hook) {
  state_->hook = std::move(hook);
}
const SimDisk::Counters& SimDisk::counters() const { return state_->counters; }

std::vector<std::string> SimDisk::files() const {
  std::vector<std::string> names;
  for (const auto& [name, inode] : state_->names) names.push_back(name);
  return names;
}

std::string SimDisk::content(const std::string& name) const {
  const auto found = state_->names.find(name);
  if (found == state_->names.end()) return {};
  const PagedBytes& bytes = found->second->now;
  std::string out(static_cast<std::size_t>(bytes.size()), '\0');
  bytes.read(0, out.data(), bytes.size());
  return out;
}

void SimDisk::set_content(const std::string& name, std::string_view bytes) {
  std::shared_ptr<Inode>& inode = state_->names[name];
  inode = std::make_shared<Inode>();
  inode->now.write(0, bytes);
  inode->durable = inode->now;
  state_->durable_names[name] = inode;
}

void SimDisk::remove(const std::string& name) {
  state_->names.erase(name);
  state_->durable_names.erase(name);
}

std::string_view to_string(SimDisk::Operation operation) {
  constexpr std::array<std::string_view, static_cast<std::size_t>(SimDisk::Operation::kCount)>
      kNames{"open",         "delete",      "read",          "write",  "truncate",
             "sync",         "sync_folder", "lock",          "unlock", "map_shared",
             "unmap_shared", "lock_shared", "unlock_shared", "barrier"};
  return kNames.at(static_cast<std::size_t>(operation));
}

std::string_view to_string(SimDisk::Fault fault) {
  constexpr std::array<std::string_view, static_cast<std::size_t>(SimDisk::Fault::kCount)> kNames{
      "read_error", "write_error", "no_space", "sync_failure"};
  return kNames.at(static_cast<std::size_t>(fault));
}

std::string to_string(const SimDisk::Counters& counters) {
  std::string out = "operations:";
  for (std::size_t i = 0; i < counters.operations.size(); ++i) {
    if (counters.operations[i] > 0)
      out += fmt::format(" {} {}", to_string(static_cast<SimDisk::Operation>(i)),
                         counters.operations[i]);
  }
  out += "\nfaults:";
  for (std::size_t i = 0; i < counters.faults.size(); ++i) {
    if (counters.faults[i] > 0)
      out += fmt::format(" {} {}", to_string(static_cast<SimDisk::Fault>(i)), counters.faults[i]);
  }
  return out + fmt::format(
                   "\ndeaths: {}\npower cuts: {}\nwrites not synced: kept {} torn {} lost {}\n"
                   "names not synced: lost {}\nsleeps: {}\n",
                   counters.deaths, counters.power_cuts, counters.writes_kept, counters.writes_torn,
                   counters.writes_lost, counters.names_lost, counters.sleeps);
}

}  // namespace cresset::sim
