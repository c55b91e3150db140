#include "cresset/cli/interpreter.h"

namespace cresset::cli {

std::string default_interpreter(const Backend& backend) {
  const std::string chosen = backend.variable("CRESSET_PYTHON").value_or("");
  if (!chosen.empty()) return chosen;
  const std::string venv = backend.variable("VIRTUAL_ENV").value_or("");
  return venv.empty() ? "python3" : venv + "/bin/python";
}

}  // namespace cresset::cli
