#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "cresset/base/result.h"
#include "cresset/base/value.h"
#include "cresset/dag/plan.h"
#include "cresset/text/placeholder.h"

// Placeholders resolved against what a task knows. Each text is expanded once: what a placeholder
// turns into is never looked at again.
namespace cresset::dag {

// Answers one reference, or says why it cannot.
using ReferenceLookup = std::function<Result<Value>(const text::Reference&)>;

// A text whose whole is one reference takes the reference's value with its type; other texts become
// strings.
Result<Value> resolve_text(std::string_view text, const ReferenceLookup& lookup);
Result<std::string> resolve_to_string(std::string_view text, const ReferenceLookup& lookup);
// Strings anywhere in a constant (struct keys too) are resolved as by resolve_text.
Result<Value> resolve_constant(const Value& constant, const ReferenceLookup& lookup);

// Container command or args: one text may become none (an absent IfPresent) or several (IfPresent
// with a list). `is_present` answers whether an input of that name has a value that is not null.
Result<std::vector<std::string>> resolve_arguments(
    const std::vector<std::string>& texts, const ReferenceLookup& lookup,
    const std::function<bool(std::string_view)>& is_present);

// {{$.pipeline_job_name}} and its siblings for one task.
Result<Value> job_reference(const text::Reference& reference, const RunContext& context,
                            const std::string& task_name, TaskOrdinal task);

}  // namespace cresset::dag
