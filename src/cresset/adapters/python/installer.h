#pragma once

#include <string>
#include <vector>

#include "cresset/adapters/python/interpreters.h"

namespace cresset::python {

// Makes one environment in a new folder: a virtual environment whose interpreter finds, after its
// own packages, those of the base. pip and uv leave what the base already holds where it is.
class Installer {
 public:
  Installer(Interpreters& interpreters, const LocalEnvironmentsOptions& options,
            const StopSignal& stop, int lock_fd)
      : interpreters_(interpreters), options_(options), stop_(stop), lock_fd_(lock_fd) {}

  // The word for the tool that did it, "uv" or "pip". kUnavailable: the tool failed, with its last
  // lines; kCancelled.
  Result<std::string> install(const std::string& folder, const ports::EnvironmentSpec& spec,
                              const InterpreterFacts& base,
                              const std::vector<std::string>& missing);

 private:
  Result<void> install_with_uv(const std::string& uv, const std::string& folder,
                               const ports::EnvironmentSpec& spec, const InterpreterFacts& base,
                               const std::vector<std::string>& missing);
  Result<void> install_with_pip(const std::string& folder, const ports::EnvironmentSpec& spec,
                                const InterpreterFacts& base);
  Result<void> run_tool(std::vector<std::string> argv, const Variables& more_env,
                        const std::string& what);
  Result<Variables> uv_settings(const InterpreterFacts& base);
  [[nodiscard]] std::string find_uv(const InterpreterFacts& base) const;

  Interpreters& interpreters_;
  const LocalEnvironmentsOptions& options_;
  const StopSignal& stop_;
  int lock_fd_;
};

// The site-packages folder of an environment; empty when it has none.
std::string site_packages_of(const std::string& folder);

}  // namespace cresset::python
