#pragma once

#include "cresset/base/error.h"

namespace cresset::app {

// What the person at the terminal asks of an engine: 0 nothing, 1 cancel (first Ctrl-C), 2 kill
// (second). Never goes back.
class Interrupts {
 public:
  virtual ~Interrupts() = default;
  virtual int level() = 0;
};

// What ends by an interrupt; the process then ends by its signal, and prints none of this.
inline Error interrupted() { return make_error(Code::kCancelled, "interrupted"); }

}  // namespace cresset::app
