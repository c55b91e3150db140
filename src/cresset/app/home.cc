#include "cresset/app/home.h"

#include <fmt/core.h>

namespace cresset::app {

std::string Home::path_of(const char* kind, const model::AttemptId& id) const {
  return fmt::format("{}/runs/{}/{}/{}.{}", runs_root_, id.run.str(), kind, id.task, id.attempt);
}

std::string Home::attempt_dir(const model::AttemptId& id) const { return path_of("steps", id); }
std::string Home::work_dir(const model::AttemptId& id) const { return path_of("work", id); }
std::string Home::left_in_home(const model::AttemptId& id) const { return path_of("home", id); }
std::string Home::left_in_tmp(const model::AttemptId& id) const { return path_of("tmp", id); }

std::vector<std::string> Home::disposable_dirs(const model::RunId& run) const {
  return {run_dir(run) + "/work", run_dir(run) + "/home", run_dir(run) + "/tmp"};
}

std::string Home::log_path(const model::AttemptId& id) const {
  return path_of("logs", id) + ".log";
}

}  // namespace cresset::app
