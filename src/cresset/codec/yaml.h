#pragma once

#include <string_view>
#include <vector>

#include "cresset/codec/document.h"
#include "cresset/codec/places.h"

// The YAML half of document.h, over yaml-cpp's events. `text` has neither faults (source_text.h)
// nor a byte order mark.
namespace cresset::codec {

Result<std::vector<Value>> read_yaml(std::string_view text, const DocumentLimits& limits,
                                     DocumentError& error, std::vector<DocumentError>& repeated);

void locate_yaml(std::string_view text, SoughtPlaces& places);

}  // namespace cresset::codec
