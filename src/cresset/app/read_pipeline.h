#pragma once

#include <string_view>

#include "cresset/codec/kfp_ir.h"

namespace cresset::app {

// codec::read_pipeline, and then dag::check_pipeline: unknown references, types, cycles, missing
// inputs, expressions, each with its line and column. This is what `validate` and `run` do.
codec::ReadResult read_and_check(std::string_view text, std::string_view file_name);

}  // namespace cresset::app
