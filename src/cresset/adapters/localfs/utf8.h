#pragma once

#include <string>
#include <string_view>

namespace cresset::localfs {

// The text with U+FFFD for each byte that is not part of well-formed UTF-8 (no surrogates, no
// overlong forms).
std::string replace_invalid_utf8(std::string_view bytes);

}  // namespace cresset::localfs
