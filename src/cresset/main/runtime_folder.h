#pragma once

#include <string>
#include <string_view>

#include "cresset/base/result.h"

namespace cresset::app_main {

// One file of runtime/python, built into the program.
struct EmbeddedFile {
  std::string_view path;  // relative to runtime/python
  std::string_view content;
  bool executable = false;
};

// The content of one of them.
std::string embedded_text(std::string_view path);

// Unpacks runtime/python below `parent` unless it is there already, and answers where it is: a
// folder named after the content, so that programs of different versions share a home. Whole or
// not at all, after a power failure too.
Result<std::string> unpack_runtime(const std::string& parent);

}  // namespace cresset::app_main
