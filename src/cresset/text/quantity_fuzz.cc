// Any bytes as a quantity: never negative, CPUs a thousand times the plain amount as far as both
// are rounded up, and a plain number is itself.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "cresset/base/check.h"
#include "cresset/base/error.h"
#include "cresset/base/result.h"
#include "cresset/text/quantity.h"

namespace cresset::text {
namespace {

void check_refusal(const Error& error) {
  CHECK(error.code == Code::kInvalidArgument);
  CHECK(error.message.find("is not a quantity") != std::string::npos);
  CHECK(error.message.size() < 600);
}

void run(std::string_view text) {
  const auto bytes = parse_bytes(text);
  const auto millis = parse_cpu_millis(text);
  if (!bytes) check_refusal(bytes.error());
  if (!millis) check_refusal(millis.error());
  if (!bytes) {
    CHECK(!millis);
    return;
  }
  CHECK(*bytes >= 0);
  CHECK(parse_bytes(std::to_string(*bytes)).value() == *bytes);
  if (!millis) {
    CHECK(millis.error().message.ends_with("it is too large"));
    return;
  }
  CHECK(*millis >= 0);
  CHECK(*millis / 1'000 + (*millis % 1'000 == 0 ? 0 : 1) == *bytes);
  CHECK(parse_cpu_millis(std::to_string(*millis) + "m").value() == *millis);
}

}  // namespace
}  // namespace cresset::text

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  cresset::text::run({reinterpret_cast<const char*>(data), size});
  return 0;
}
