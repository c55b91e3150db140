#include "cresset/base/check.h"

#include <fmt/core.h>

#include <cstdio>
#include <cstdlib>

namespace cresset {

void check_failed(std::string_view condition, std::string_view file, int line) {
  fmt::print(stderr, "cresset: broken invariant at {}:{}: {}\n", file, line, condition);
  std::abort();
}

}  // namespace cresset
