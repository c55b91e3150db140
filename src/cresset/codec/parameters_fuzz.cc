// The first byte chooses a type. The rest is the text of a value of that type, and a file of
// parameters: what is accepted fits, what is refused names its parameter.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "cresset/base/check.h"
#include "cresset/codec/parameters.h"
#include "cresset/text/json.h"

namespace cresset::codec {
namespace {

void run(model::ParameterType type, std::string_view text) {
  const auto value = parse_parameter_text("name", type, text);
  if (value) {
    CHECK(model::fits(*value, type));
    CHECK(text::parse_json(text::to_json(*value)).value() == *value);
    model::InputParameter declared;
    declared.type = type;
    CHECK(check_parameter(declared, "name", *value));
    declared.literals = {*value};
    CHECK(check_parameter(declared, "name", *value));
  } else {
    CHECK(value.error().code == Code::kInvalidArgument);
    CHECK(value.error().message.find("parameter name") != std::string::npos);
    CHECK(value.error().message.size() < 1000);
  }
  const auto file = read_parameters_file(text);
  if (!file) return;
  model::Component root;
  for (const auto& [name, given] : *file) root.input_parameters[name].type = type;
  static_cast<void>(resolve_inputs(root, *file));
  const auto unknown = resolve_inputs({}, *file);
  CHECK(unknown.has_value() == file->empty());
}

}  // namespace
}  // namespace cresset::codec

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  cresset::codec::run(static_cast<cresset::model::ParameterType>(data[0] % 8), text);
  return 0;
}
