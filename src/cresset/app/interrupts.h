#pragma once

namespace cresset::app {

// What the person at the terminal asks of an engine: 0 nothing, 1 cancel (first Ctrl-C), 2 kill
// (second). Never goes back.
class Interrupts {
 public:
  virtual ~Interrupts() = default;
  virtual int level() = 0;
};

}  // namespace cresset::app
