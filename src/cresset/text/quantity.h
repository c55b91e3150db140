#pragma once

#include <cstdint>
#include <string_view>

#include "cresset/base/result.h"

// Kubernetes quantities ("500m", "1.5", "2Gi", "15G", "1e3"),
// kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity.
namespace cresset::text {

// CPUs in thousandths, rounded up. kInvalidArgument names the text; negative amounts are refused.
Result<std::int64_t> parse_cpu_millis(std::string_view text);
// Bytes, rounded up.
Result<std::int64_t> parse_bytes(std::string_view text);

}  // namespace cresset::text
