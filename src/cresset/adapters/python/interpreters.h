#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cresset/adapters/python/child.h"
#include "cresset/base/result.h"
#include "cresset/ports/environments.h"

namespace cresset::python {

struct LocalEnvironmentsOptions {
  std::string envs_dir;
  // Where runtime/python is unpacked; called from several threads, one at a time.
  std::function<Result<std::string>()> runtime_dir;
  std::string path_variable;  // where interpreters, uv and other programs are looked up
  // Environment of pip and uv: the user's own, so that their settings count.
  std::vector<std::pair<std::string, std::string>> tool_env;
};

// What an interpreter is and holds.
struct InterpreterFacts {
  ports::Interpreter interpreter;
  std::vector<std::string> site_dirs;      // where its packages lie, in the order of sys.path
  std::vector<std::string> distributions;  // sorted entry names: "numpy-2.4.6.dist-info"
};

// Asks interpreters what they are, and remembers the answers below envs_dir for as long as
// executable and package folders stay as they were (docs/formats/environments.md). Any thread.
class Interpreters {
 public:
  Interpreters(const LocalEnvironmentsOptions& options, const StopSignal& stop)
      : options_(options), stop_(stop) {}

  // `executable`: a path, or a name that is looked up. kNotFound, kPermissionDenied,
  // kFailedPrecondition (no Python, too old), kDeadlineExceeded, kCancelled.
  Result<InterpreterFacts> facts(const std::string& executable);

  // Those of the requirements that the interpreter does not meet; with `deep`, also what the
  // installed ones need and do not find.
  Result<std::vector<std::string>> missing(const std::string& executable,
                                           const std::vector<std::string>& requirements, bool deep);

  // Runs cresset_env.py, away from the user's own packages and PYTHON… variables, as steps run.
  Result<ChildEnd> ask(const std::string& executable, std::vector<std::string> arguments);

 private:
  struct Remembered {
    std::string identity;                                      // of the executable
    std::vector<std::pair<std::string, std::string>> folders;  // path, identity
    InterpreterFacts facts;
    [[nodiscard]] bool is_current(const std::string& path) const;
  };

  [[nodiscard]] std::string memory_path(const std::string& executable) const;
  [[nodiscard]] std::optional<std::vector<std::string>> launcher_settings(
      const std::string& executable) const;
  std::optional<Remembered> recall(const std::string& executable);
  void remember(const std::string& executable, const Remembered& found);
  static std::optional<Remembered> decode(const std::string& text);
  static std::string encode(const std::string& executable, const Remembered& found);
  Result<Remembered> probe(const std::string& executable);
  Error explain_probe(const std::string& executable, const ChildEnd& end);

  const LocalEnvironmentsOptions& options_;
  const StopSignal& stop_;

  std::mutex mutex_;  // guards what follows, and calls of runtime_dir
  std::map<std::string, Remembered> memory_;
};

// Names of installed distributions in the folders, sorted. A listing; nothing is imported.
std::vector<std::string> list_distributions(const std::vector<std::string>& site_dirs);

}  // namespace cresset::python
