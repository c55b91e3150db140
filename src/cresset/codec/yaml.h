#pragma once

#include <string_view>
#include <vector>

#include "cresset/codec/document.h"

// The YAML half of document.h, over yaml-cpp's events. `text` has neither faults (source_text.h)
// nor a byte order mark.
namespace cresset::codec {

Result<std::vector<Value>> read_yaml(std::string_view text, const DocumentLimits& limits,
                                     DocumentError& error);

std::vector<text::Position> locate_yaml(std::string_view text, const std::vector<Place>& places);

}  // namespace cresset::codec
