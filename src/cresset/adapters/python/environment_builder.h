#pragma once

#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "cresset/adapters/python/built_environments.h"
#include "cresset/adapters/python/interpreters.h"

namespace cresset::python {

// Finds the environment that meets a set of requirements, or builds it: in a folder that no one
// takes for finished, which then gets its name in one step. Several threads and processes may ask
// for the same at once; one builds, the others wait for it. Any thread.
class EnvironmentBuilder {
 public:
  EnvironmentBuilder(Interpreters& interpreters, const LocalEnvironmentsOptions& options,
                     const StopSignal& stop)
      : interpreters_(interpreters), options_(options), stop_(stop) {}

  Result<ports::Environment> prepare(const ports::EnvironmentSpec& spec);

 private:
  Result<std::vector<std::string>> missing_in_base(const InterpreterFacts& base,
                                                   const std::vector<std::string>& requirements);
  Result<ports::Environment> build(const std::string& key, const ports::EnvironmentSpec& spec,
                                   const InterpreterFacts& base,
                                   const std::vector<std::string>& missing);
  Result<void> finish(const std::string& building, const std::string& key,
                      const ports::EnvironmentSpec& spec, const InterpreterFacts& base,
                      const std::string& tool);

  Interpreters& interpreters_;
  const LocalEnvironmentsOptions& options_;
  const StopSignal& stop_;

  std::mutex mutex_;                                         // guards what follows
  std::map<std::string, std::vector<std::string>> missing_;  // by base and requirements
};

}  // namespace cresset::python
