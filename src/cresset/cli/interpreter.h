#pragma once

#include <string>

#include "cresset/cli/backend.h"

namespace cresset::cli {

// The Python that steps run with unless --python names one: $CRESSET_PYTHON, that of $VIRTUAL_ENV,
// python3. A variable that is empty counts as absent.
std::string default_interpreter(const Backend& backend);

}  // namespace cresset::cli
