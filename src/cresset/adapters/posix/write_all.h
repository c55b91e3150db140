#pragma once

#include <string_view>

#include "cresset/base/result.h"

namespace cresset::posix {

// All of them, whatever a single write takes; `what` names the file in errors. kResourceExhausted
// when it may not grow.
Result<void> write_all(int fd, std::string_view bytes, std::string_view what);

}  // namespace cresset::posix
