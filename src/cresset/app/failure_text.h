#pragma once

#include <string>

#include "cresset/model/run.h"
#include "cresset/ports/executor.h"

namespace cresset::app {

// The cause of a failed attempt in one sentence, from how it ended and from what it printed last.
model::Failure describe_failure(const ports::Exit& exit, std::string log_tail);

}  // namespace cresset::app
