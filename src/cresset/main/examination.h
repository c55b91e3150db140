#pragma once

#include <string>
#include <vector>

#include "cresset/adapters/process/machine.h"
#include "cresset/app/home.h"
#include "cresset/cli/backend.h"
#include "cresset/ports/clock.h"
#include "cresset/ports/environments.h"
#include "cresset/ports/reactor.h"

namespace cresset::app_main {

// What `cresset doctor` looks at: this machine, this home, the Python of the steps.
struct Examination {
  const app::Home& home;
  ports::Reactor& reactor;
  ports::Clock& clock;
  process::MachineOptions machine_options;
  std::string interpreter;

  // `open_error`: why the home could not be opened, or null; `environments`: null then.
  std::vector<cli::Check> run(const Error* open_error, ports::Environments* environments);
  // Whether it can be made.
  cli::Check check_absent_home() const;

 private:
  cli::Check check_home(const Error* open_error) const;
  std::string nearest_folder() const;
  cli::Check check_space() const;
  cli::Check check_machine() const;
  cli::Check check_namespaces() const;
  cli::Check check_python(ports::Environments& environments) const;
  cli::Check check_torch(ports::Environments& environments) const;
  cli::Check check_compiler(ports::Environments& environments) const;
};

}  // namespace cresset::app_main
