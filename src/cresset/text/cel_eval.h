#pragma once

#include <functional>
#include <string_view>

#include "cresset/base/result.h"
#include "cresset/base/value.h"
#include "cresset/text/cel_tree.h"

// Internal to text/cel*.cc.
namespace cresset::text {

// As CelExpression::evaluate.
Result<Value> evaluate_cel(const CelTree& tree,
                           const std::function<const Value*(std::string_view name)>& lookup);

}  // namespace cresset::text
