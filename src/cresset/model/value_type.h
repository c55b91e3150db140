#pragma once

#include <string_view>

#include "cresset/base/value.h"
#include "cresset/model/pipeline.h"

namespace cresset::model {

// Whether a value may stand for a parameter of that type. Null is a value of none.
bool is_value_of(ParameterType type, const Value& value);

// What a value of that type is, for messages: "an integer within ±9007199254740991", "a string" …
std::string_view describe(ParameterType type);

}  // namespace cresset::model
