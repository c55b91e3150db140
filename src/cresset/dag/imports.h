#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace cresset::dag {

// Names of the top-level packages that a Python source imports and that are neither Python's own
// nor kfp's (which the runtime supplies), sorted. A guess at what is worth importing ahead: it
// reads lines, so it also finds imports in texts, and does not find those that are made at run
// time.
std::vector<std::string> imported_packages(std::string_view source);

}  // namespace cresset::dag
