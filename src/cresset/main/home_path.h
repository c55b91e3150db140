#pragma once

#include <optional>
#include <string>

#include "cresset/base/result.h"

namespace cresset::app_main {

// The caller's environment variable, or nothing.
std::optional<std::string> environment_variable(const std::string& name);

// $CRESSET_HOME, else $XDG_DATA_HOME/cresset, else ~/.local/share/cresset; absolute.
Result<std::string> find_home_path();

}  // namespace cresset::app_main
