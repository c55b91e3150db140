#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "cresset/ports/environments.h"

namespace cresset::ports::testing {

// Environments that exist in name only. Without a word from the test: every executable is a
// Python 3.11 without anything installed, no program is found, and each set of requirements is
// built at once, the first time it is asked for. What is built survives the engines of a test when
// this does. One thread.
class FakeEnvironments final : public Environments {
 public:
  // `wake` is called after each answer to prepare().
  explicit FakeEnvironments(std::function<void()> wake = [] {}) : wake_(std::move(wake)) {}

  void set_interpreter(const std::string& executable, Result<Interpreter> answer);
  void add_program(const std::string& name, Program program) {
    programs_[name] = std::move(program);
  }

  // The index no longer has this requirement: building with it is kUnavailable and names it.
  void lose_requirement(const std::string& requirement) { lost_.insert(requirement); }
  // The next prepare() that is answered gets this error, as often as called.
  void fail_next(Error error) { errors_.push_back(std::move(error)); }
  // prepare() is answered only by release_all() from now on: a slow build.
  void hold() { held_ = true; }
  void release_all();

  [[nodiscard]] int searches() const { return searches_; }  // calls of find_program()
  [[nodiscard]] int builds() const { return builds_; }      // equal requirements are built once
  [[nodiscard]] const std::vector<EnvironmentSpec>& asked() const { return asked_; }

  Result<Interpreter> inspect(const std::string& executable) override;
  Result<Program> find_program(const std::string& name, const std::string& path_variable) override;
  void prepare(std::uint64_t job, EnvironmentSpec spec) override;
  std::vector<EnvironmentReady> poll() override { return std::exchange(ready_, {}); }

 private:
  void answer(std::uint64_t job, const EnvironmentSpec& spec);
  Result<Environment> build(const EnvironmentSpec& spec);

  std::function<void()> wake_;
  std::map<std::string, Result<Interpreter>> interpreters_;
  std::map<std::string, Program> programs_;
  std::set<std::string> lost_;
  std::deque<Error> errors_;
  bool held_ = false;
  int searches_ = 0;
  int builds_ = 0;
  std::set<std::string> built_;  // fingerprints
  std::vector<EnvironmentSpec> asked_;
  std::deque<std::pair<std::uint64_t, EnvironmentSpec>> waiting_;
  std::vector<EnvironmentReady> ready_;
};

}  // namespace cresset::ports::testing
