#pragma once

#include <cstdint>
#include <string>

#include "cresset/base/time.h"
#include "cresset/cli/verbs.h"

namespace cresset::cli {

// How far something long is, in one line of standard error that changes: on a terminal, and only
// once it takes a while.
class Meter {
 public:
  enum class Unit { kBytes, kThings };
  Meter(Session session, std::string what, Unit unit);

  // `total` 0: not known. As often as one likes.
  void show(std::int64_t done, std::int64_t total);
  // Takes the line away; to be called once, before anything else is printed.
  void finish();

 private:
  Session session_;
  std::string what_;
  Unit unit_;
  TimePoint next_;
  bool shown_ = false;
};

}  // namespace cresset::cli
