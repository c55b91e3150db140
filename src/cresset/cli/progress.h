#pragma once

#include <memory>
#include <string_view>

#include "cresset/app/run_observer.h"
#include "cresset/cli/verbs.h"

namespace cresset::cli {

// Shows on standard error how a run goes.
class Progress : public app::RunObserver {
 public:
  // Takes down what moves; to be called once, after the run's end.
  virtual void finish() = 0;
};

// A live tree on a terminal, else one line a change; with `quiet` only the notices.
std::unique_ptr<Progress> make_progress(Session session, bool quiet);

}  // namespace cresset::cli
