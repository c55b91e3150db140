#include "cresset/adapters/python/local_environments.h"

#include <filesystem>
#include <utility>

#include "cresset/adapters/python/program_search.h"
#include "cresset/base/digest.h"

namespace cresset::python {

namespace {

// Builds wait for downloads most of the time.
constexpr std::size_t kThreads = 4;

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
    : options_(with_absolute_folder(std::move(options))),
      wake_(std::move(wake)),
      threads_(kThreads) {}

LocalEnvironments::~LocalEnvironments() { stop_.raise(); }

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
  }
  threads_.post([this, key] { build(key); });
}

std::vector<ports::EnvironmentReady> LocalEnvironments::poll() {
  const std::lock_guard lock(mutex_);
  return std::exchange(ready_, {});
}

void LocalEnvironments::build(const std::string& key) {
  std::unique_lock lock(mutex_);
  const ports::EnvironmentSpec spec = groups_.at(key).spec;
  lock.unlock();
  const Result<ports::Environment> answer = builder_.prepare(spec);
  lock.lock();
  const auto group = groups_.extract(key);
  for (const std::uint64_t job : group.mapped().jobs) ready_.push_back({job, answer});
  lock.unlock();
  wake_();
}

}  // namespace cresset::python
