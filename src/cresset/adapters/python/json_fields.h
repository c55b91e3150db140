#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cresset/base/value.h"

// The small JSON files and answers of this folder: what is not there, or of another kind, reads as
// empty.
namespace cresset::python {

Value texts_value(const std::vector<std::string>& texts);
std::vector<std::string> texts_of(const Value* list);
std::string text_of(const Value& fields, std::string_view key);

}  // namespace cresset::python
