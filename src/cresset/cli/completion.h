#pragma once

#include <string>
#include <string_view>

namespace cresset::cli {

// A script that completes verbs, flags and run ids in bash, zsh or fish; empty for another shell.
std::string completion_script(std::string_view shell);

}  // namespace cresset::cli
