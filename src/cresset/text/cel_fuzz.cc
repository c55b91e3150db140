#include <cstddef>
#include <cstdint>
#include <string_view>

#include "cresset/base/check.h"
#include "cresset/base/error.h"
#include "cresset/base/value.h"
#include "cresset/text/cel.h"
#include "cresset/text/json.h"

namespace cresset::text {
namespace {

const Value& inputs() {
  static const Value value = *parse_json(
      R"({"parameter_values": {"s": "text", "n": 3, "f": 0.5, "b": true, "z": null, "l": [1, "x", [2]],
          "m": {"k": {"d": [1]}}, "j": "{\"a\": [1]}"}, "artifacts": {"a": {"artifacts": []}}})");
  return value;
}

void fuzz(std::string_view text) {
  const auto parsed = CelExpression::parse(text);
  if (!parsed) {
    CHECK(parsed.error().code == Code::kInvalidArgument && !parsed.error().message.empty());
    return;
  }
  parsed->visit_parameter_names([](std::string_view) {});
  const auto lookup = [](std::string_view name) { return name == "inputs" ? &inputs() : nullptr; };
  const auto result = parsed->evaluate(lookup);
  if (!result) {
    CHECK(result.error().code == Code::kFailedPrecondition && !result.error().message.empty());
    return;
  }
  // The same again, and nothing that JSON cannot carry.
  CHECK(*parsed->evaluate(lookup) == *result);
  const auto again = parse_json(to_json(*result), {.depth = 1'000});
  CHECK(again && *again == *result);
}

}  // namespace
}  // namespace cresset::text

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  cresset::text::fuzz({reinterpret_cast<const char*>(data), size});
  return 0;
}
