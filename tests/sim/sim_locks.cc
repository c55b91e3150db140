#include "sim/sim_locks.h"

#include <algorithm>
#include <utility>

namespace cresset::sim {

class LockTable::Held final : public sqlite::Lock {
 public:
  Held(LockTable& table, std::string name, std::uint64_t serial)
      : table_(table), name_(std::move(name)), serial_(serial) {}
  ~Held() override { table_.release(name_, serial_); }
  Held(const Held&) = delete;
  Held& operator=(const Held&) = delete;

  Result<void> remove_name() override {
    table_.break_lock(name_);
    return {};
  }

 private:
  LockTable& table_;
  std::string name_;
  std::uint64_t serial_;
};

class LockTable::ProcessLocks final : public sqlite::Locks {
 public:
  ProcessLocks(LockTable& table, ProcessId process) : table_(table), process_(process) {}

  Result<std::unique_ptr<sqlite::Lock>> try_lock(const std::string& name) override {
    return take(name, true);
  }
  Result<std::unique_ptr<sqlite::Lock>> try_share(const std::string& name) override {
    return take(name, false);
  }
  Result<std::unique_ptr<sqlite::Lock>> wait(const std::string& name) override {
    std::unique_ptr<sqlite::Lock> lock = take(name, true);
    if (lock == nullptr) return make_error(Code::kUnavailable, "{} is locked", name);
    return lock;
  }
  Result<bool> is_locked(const std::string& name) override {
    return std::ranges::any_of(table_.holders_[name],
                               [](const Holder& holder) { return holder.alone; });
  }

 private:
  std::unique_ptr<sqlite::Lock> take(const std::string& name, bool alone) {
    std::vector<Holder>& holders = table_.holders_[name];
    const bool taken =
        std::ranges::any_of(holders, [&](const Holder& holder) { return alone || holder.alone; });
    if (taken) return nullptr;
    holders.push_back({process_, ++table_.last_serial_, alone});
    return std::make_unique<Held>(table_, name, table_.last_serial_);
  }

  LockTable& table_;
  ProcessId process_;
};

std::shared_ptr<sqlite::Locks> LockTable::locks_of(ProcessId process) {
  return std::make_shared<ProcessLocks>(*this, process);
}

void LockTable::kill(ProcessId process) {
  for (auto& [name, holders] : holders_)
    std::erase_if(holders, [&](const Holder& holder) { return holder.process == process; });
}

void LockTable::release(const std::string& name, std::uint64_t serial) {
  const auto found = holders_.find(name);
  if (found == holders_.end()) return;
  std::erase_if(found->second, [&](const Holder& holder) { return holder.serial == serial; });
}

}  // namespace cresset::sim
