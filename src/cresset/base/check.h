#pragma once

#include <string_view>

namespace cresset {

// Prints the broken invariant and aborts. Stays on in release builds: an impossible state is never
// carried on with.
[[noreturn]] void check_failed(std::string_view condition, std::string_view file, int line);

}  // namespace cresset

#define CHECK(condition)                                       \
  do {                                                         \
    if (!(condition)) [[unlikely]]                             \
      ::cresset::check_failed(#condition, __FILE__, __LINE__); \
  } while (false)
