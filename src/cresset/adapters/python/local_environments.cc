#include "cresset/adapters/python/local_environments.h"

#include <csignal>
#include <filesystem>
#include <utility>

#include "cresset/adapters/python/program_search.h"
#include "cresset/base/digest.h"

namespace cresset::python {

namespace {

// Builds wait for downloads most of the time.
constexpr std::size_t kThreads = 4;

// Signals belong to the thread that waits for them; these inherit an all-blocked mask.
class AllSignalsBlocked {
 public:
  AllSignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~AllSignalsBlocked() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  AllSignalsBlocked(const AllSignalsBlocked&) = delete;
  AllSignalsBlocked& operator=(const AllSignalsBlocked&) = delete;

 private:
  sigset_t before_;
};

LocalEnvironmentsOptions with_absolute_folder(LocalEnvironmentsOptions options) {
  options.envs_dir = std::filesystem::absolute(options.envs_dir).native();
  return options;
}

std::string group_key(const ports::EnvironmentSpec& spec) {
  Sha256 hash;
  hash.update_field(spec.base.executable);
  hash.update_field(spec.base.fingerprint);
  hash.update_field(spec.offline ? "offline" : "");
  for (const std::vector<std::string>* part :
       {&spec.requirements, &spec.index_urls, &spec.trusted_hosts}) {
    hash.update_field(std::to_string(part->size()));
    for (const std::string& text : *part) hash.update_field(text);
  }
  return hash.finish_hex();
}

}  // namespace

LocalEnvironments::LocalEnvironments(LocalEnvironmentsOptions options, std::function<void()> wake)
    : options_(with_absolute_folder(std::move(options))), wake_(std::move(wake)) {}

LocalEnvironments::~LocalEnvironments() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    waiting_.clear();
  }
  stop_.raise();
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

Result<ports::Interpreter> LocalEnvironments::inspect(const std::string& executable) {
  return interpreters_.facts(executable).transform([](InterpreterFacts&& facts) {
    return std::move(facts.interpreter);
  });
}

Result<ports::Program> LocalEnvironments::find_program(const std::string& name,
                                                       const std::string& path_variable) {
  CR_TRY(std::string path, search_program(name, path_variable));
  std::string fingerprint = sha256_hex(path + "\n" + file_identity(path));
  return ports::Program{std::move(path), std::move(fingerprint)};
}

void LocalEnvironments::prepare(std::uint64_t job, ports::EnvironmentSpec spec) {
  const std::string key = group_key(spec);
  {
    const std::lock_guard lock(mutex_);
    const auto [group, is_new] = groups_.try_emplace(key, Group{std::move(spec), {}});
    group->second.jobs.push_back(job);
    if (!is_new) return;
    waiting_.push_back(key);
  }
  changed_.notify_one();
  start_threads();
}

void LocalEnvironments::start_threads() {
  if (!threads_.empty()) return;
  const AllSignalsBlocked blocked;
  for (std::size_t i = 0; i < kThreads; ++i)
    threads_.emplace_back([this] { work_until_stopped(); });
}

std::vector<ports::EnvironmentReady> LocalEnvironments::poll() {
  const std::lock_guard lock(mutex_);
  return std::exchange(ready_, {});
}

void LocalEnvironments::work_until_stopped() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
    if (stopping_) return;
    const std::string key = std::move(waiting_.front());
    waiting_.pop_front();
    const ports::EnvironmentSpec spec = groups_.at(key).spec;
    lock.unlock();
    const Result<ports::Environment> answer = builder_.prepare(spec);
    lock.lock();
    if (stopping_) return;
    const auto group = groups_.extract(key);
    for (const std::uint64_t job : group.mapped().jobs) ready_.push_back({job, answer});
    lock.unlock();
    wake_();
    lock.lock();
  }
}

}  // namespace cresset::python
