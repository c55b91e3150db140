#pragma once

#include <string>
#include <string_view>

#include "cresset/base/result.h"
#include "cresset/base/value.h"
#include "cresset/model/pipeline.h"

// The values that a pipeline, or any component, is run with. All errors are kInvalidArgument and
// name the parameter.
namespace cresset::codec {

// `-p name=text`: the text itself for a STRING, JSON for every other type.
Result<Value> parse_parameter_text(std::string_view name, model::ParameterType type,
                                   std::string_view text);

// A value against its declaration: its type, its literals, ±(2^53 − 1) for integers. Null passes
// for optional inputs.
Result<void> check_parameter(const model::InputParameter& declared, std::string_view name,
                             const Value& value);

// `--params FILE`: a YAML or JSON map.
Result<model::ByName<Value>> read_parameters_file(std::string_view text);

// The inputs of a run: what was given, checked, with defaults for the rest and null for what is
// optional. All that is missing is named in one error, with its types; an unknown name with the one
// that it was likely meant to be.
Result<model::ByName<Value>> resolve_inputs(const model::Component& root,
                                            model::ByName<Value> given);

}  // namespace cresset::codec
