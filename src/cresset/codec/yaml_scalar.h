#pragma once

#include <string>
#include <string_view>

#include "cresset/base/result.h"
#include "cresset/base/value.h"

namespace cresset::codec {

// The value of a plain (unquoted) YAML scalar by PyYAML's rules: null, bool, int, float, else the
// text itself. kInvalidArgument: an integer beyond ±(2^53 − 1), or a number that is not finite.
Result<Value> resolve_plain_scalar(std::string_view text);

// The same when the text carries one of YAML's own tags ("tag:yaml.org,2002:int" …).
// kInvalidArgument when the text is no such value; kUnimplemented for any other tag.
Result<Value> resolve_tagged_scalar(std::string_view tag, std::string_view text);

}  // namespace cresset::codec
