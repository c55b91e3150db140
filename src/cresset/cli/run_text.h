#pragma once

#include <string>
#include <vector>

#include "cresset/cli/style.h"
#include "cresset/model/run.h"

// Runs and tasks as text for people. Pure.
namespace cresset::cli {

// The first 8 characters of an id, which is what people type.
std::string short_id(const model::RunId& run);

// "SUCCEEDED in 3.2s"
std::string outcome_text(const model::RunView& run, WallTime now, const Style& style);

// What a run gave, or why it failed, and what to do next.
std::string summary_text(const model::RunView& run, WallTime now, const Style& style);

// Everything about a run: head, tasks as a tree, inputs and outputs.
std::string show_run_text(const model::RunView& run, WallTime now, std::size_t columns,
                          const Style& style);
// `history`: its attempts.
std::string show_task_text(const model::TaskView& task,
                           const std::vector<model::AttemptView>& history, WallTime now,
                           const Style& style);

// "  accuracy = 0.98" a parameter, "  model: file:///…" an artifact.
std::string bindings_text(const model::Bindings& bindings, const Style& style);

}  // namespace cresset::cli
