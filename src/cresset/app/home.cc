#include "cresset/app/home.h"

#include <fmt/core.h>

namespace cresset::app {

std::string Home::attempt_dir(const model::AttemptId& id) const {
  return fmt::format("{}/steps/{}.{}", run_dir(id.run), id.task, id.attempt);
}

std::string Home::log_path(const model::AttemptId& id) const {
  return fmt::format("{}/logs/{}.{}.log", run_dir(id.run), id.task, id.attempt);
}

}  // namespace cresset::app
