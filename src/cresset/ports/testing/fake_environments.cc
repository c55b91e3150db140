#include "cresset/ports/testing/fake_environments.h"

#include "cresset/base/digest.h"

namespace cresset::ports::testing {

namespace {

std::string fingerprint_of(const EnvironmentSpec& spec) {
  Sha256 hash;
  hash.update_field(spec.base.fingerprint);
  for (const std::vector<std::string>* part : {&spec.requirements, &spec.index_urls}) {
    hash.update_field(std::to_string(part->size()));
    for (const std::string& text : *part) hash.update_field(text);
  }
  return hash.finish_hex();
}

}  // namespace

void FakeEnvironments::set_interpreter(const std::string& executable, Result<Interpreter> answer) {
  interpreters_.insert_or_assign(executable, std::move(answer));
}

Result<Interpreter> FakeEnvironments::inspect(const std::string& executable) {
  if (const auto found = interpreters_.find(executable); found != interpreters_.end())
    return found->second;
  return Interpreter{executable, "3.11.2", sha256_hex("interpreter " + executable)};
}

Result<Program> FakeEnvironments::find_program(const std::string& name,
                                               const std::string& path_variable) {
  ++searches_;
  if (const auto found = programs_.find(name); found != programs_.end()) return found->second;
  return make_error(Code::kNotFound, "no program {} in {}", name, path_variable);
}

void FakeEnvironments::prepare(std::uint64_t job, EnvironmentSpec spec) {
  asked_.push_back(spec);
  if (held_) {
    waiting_.emplace_back(job, std::move(spec));
  } else {
    answer(job, spec);
  }
}

void FakeEnvironments::release_all() {
  held_ = false;
  for (const auto& [job, spec] : std::exchange(waiting_, {})) answer(job, spec);
}

void FakeEnvironments::answer(std::uint64_t job, const EnvironmentSpec& spec) {
  if (!errors_.empty()) {
    ready_.push_back({job, std::move(errors_.front())});
    errors_.pop_front();
  } else {
    ready_.push_back({job, build(spec)});
  }
  wake_();
}

Result<Environment> FakeEnvironments::build(const EnvironmentSpec& spec) {
  if (spec.requirements.empty()) return Environment{spec.base.executable, spec.base.fingerprint};
  const std::string fingerprint = fingerprint_of(spec);
  const Environment environment{"/fake/envs/" + fingerprint.substr(0, 12) + "/bin/python",
                                fingerprint};
  if (built_.contains(fingerprint)) return environment;
  for (const std::string& requirement : spec.requirements) {
    if (spec.offline)
      return make_error(Code::kFailedPrecondition, "{} is missing and --offline is set",
                        requirement);
    if (lost_.contains(requirement))
      return make_error(Code::kUnavailable, "no package for {}", requirement);
  }
  ++builds_;
  built_.insert(fingerprint);
  return environment;
}

}  // namespace cresset::ports::testing
