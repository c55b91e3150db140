#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "cresset/base/result.h"
#include "cresset/text/cel_value.h"

// What CEL's operators and functions do with values. Internal to text/cel*.cc. As in cel_value.h,
// an Error holds only the reason.
namespace cresset::text {

// kFailedPrecondition for a function that does not exist, is written the other way round, or takes
// another number of arguments. A method's target is its first argument.
Result<void> check_cel_call(std::string_view name, bool as_method, std::size_t arguments);
// Requires that check_cel_call accepted the call.
Result<CelValue> call_cel_function(std::string_view name, std::span<const CelValue> arguments,
                                   CelBudget& budget);

// + - * / %
Result<CelValue> cel_arithmetic(char symbol, const CelValue& left, const CelValue& right,
                                CelBudget& budget);
Result<CelValue> cel_negate(const CelValue& value);

}  // namespace cresset::text
