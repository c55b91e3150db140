#pragma once

#include <string>
#include <string_view>

#include "cresset/text/json.h"

namespace cresset::codec {

enum class Severity {
  kError,
  kWarning,  // accepted, and without effect here
};

// One thing to tell about a file.
struct Diagnostic {
  Severity severity = Severity::kError;
  std::string file;
  text::Position position;
  std::string pointer;  // JSON pointer; empty for a text that could not be parsed
  std::string message;
  std::string help;  // what to do; may be empty
};

// Several lines, each with a line break at its end:
//   train.yaml:12:9: error: unknown field "componentref" (did you mean "componentRef"?)
//     componentref:
//     ^
//   help: …
// Long lines are cut to a window around the place; control characters are made visible. `text` is
// the whole file.
std::string render(const Diagnostic& diagnostic, std::string_view text);

}  // namespace cresset::codec
