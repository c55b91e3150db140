#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cresset/model/run.h"

namespace cresset::app {

// Where everything lies below $CRESSET_HOME (docs/formats/home.md). Pure path arithmetic.
class Home {
 public:
  explicit Home(std::string root) : root_(std::move(root)), runs_root_(root_) {}

  [[nodiscard]] const std::string& root() const { return root_; }
  // The same home, but for what belongs to one run: that lies below another folder.
  [[nodiscard]] Home with_runs_in(std::string folder) const {
    Home out(root_);
    out.runs_root_ = std::move(folder);
    return out;
  }
  [[nodiscard]] std::string database() const { return root_ + "/cresset.db"; }
  [[nodiscard]] std::string keeper_dir() const { return root_ + "/keeper"; }
  [[nodiscard]] std::string locks_dir() const { return root_ + "/locks"; }
  [[nodiscard]] std::string envs_dir() const { return root_ + "/envs"; }
  [[nodiscard]] std::string runtime_dir() const { return root_ + "/runtime"; }
  [[nodiscard]] std::string model_cache_dir() const {
    return root_ + "/models";
  }  // HF_HOME, TORCH_HOME
  [[nodiscard]] std::string digests_dir() const { return root_ + "/digests"; }
  [[nodiscard]] std::string secret_dir(const std::string& name) const {
    return root_ + "/secrets/" + name;
  }
  [[nodiscard]] std::string config_map_dir(const std::string& name) const {
    return root_ + "/configmaps/" + name;
  }
  [[nodiscard]] std::string volume_dir(const std::string& name) const {
    return root_ + "/volumes/" + name;
  }

  [[nodiscard]] std::string artifacts_dir() const { return root_ + "/artifacts"; }
  [[nodiscard]] std::string run_dir(const model::RunId& run) const {
    return runs_root_ + "/runs/" + run.str();
  }
  [[nodiscard]] std::string workspace_dir(const model::RunId& run) const {
    return run_dir(run) + "/workspace";
  }
  // What an attempt is given and gives back.
  [[nodiscard]] std::string attempt_dir(const model::AttemptId& id) const;
  [[nodiscard]] std::string work_dir(const model::AttemptId& id) const;  // its current folder
  // What it left in $HOME and $TMPDIR.
  [[nodiscard]] std::string left_in_home(const model::AttemptId& id) const;
  [[nodiscard]] std::string left_in_tmp(const model::AttemptId& id) const;
  // The last three of all attempts of a run: of no use to it once it has ended.
  [[nodiscard]] std::vector<std::string> disposable_dirs(const model::RunId& run) const;
  [[nodiscard]] std::string log_path(const model::AttemptId& id) const;

 private:
  [[nodiscard]] std::string path_of(const char* kind, const model::AttemptId& id) const;

  std::string root_;
  std::string runs_root_;
};

}  // namespace cresset::app
