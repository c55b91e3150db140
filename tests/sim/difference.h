#pragma once

#include <string>

#include "cresset/model/run.h"
#include "cresset/ports/testing/memory_files.h"
#include "sim/oracle.h"
#include "sim/program.h"

// How what was foreseen differs from what was seen, in words; empty when it does not.
namespace cresset::sim {

// Of a run that has ended.
std::string difference(const Outcome& foreseen, const model::RunView& view,
                       const ports::testing::MemoryFiles& files);

}  // namespace cresset::sim
