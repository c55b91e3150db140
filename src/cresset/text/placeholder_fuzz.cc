#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "cresset/base/check.h"
#include "cresset/base/error.h"
#include "cresset/text/placeholder.h"

namespace cresset::text {
namespace {

void check_template(const Template& parsed, std::string_view text) {
  std::string joined;
  for (const Piece& piece : parsed.pieces) {
    if (const auto* literal = std::get_if<std::string>(&piece)) {
      CHECK(literal->find("{{$") == std::string::npos);
      joined += *literal;
    } else {
      const auto& reference = std::get<Reference>(piece);
      CHECK(reference.text.starts_with("{{$") && reference.text.ends_with("}}"));
      joined += reference.text;
    }
  }
  CHECK(joined == text);
  CHECK(parsed.has_references() == (text.find("{{$") != std::string_view::npos));
  if (!parsed.has_references()) CHECK(parsed.pieces.size() == 1);
}

void fuzz(std::string_view text) {
  const auto parsed = parse_template(text);
  if (parsed) {
    check_template(*parsed, text);
  } else {
    CHECK(parsed.error().code == Code::kInvalidArgument);
    CHECK(text.find("{{$") != std::string_view::npos);
  }
  const auto argument = parse_argument(text);
  if (!argument) {
    CHECK(argument.error().code == Code::kInvalidArgument);
  } else if (const auto* plain = std::get_if<Template>(&argument->form)) {
    check_template(*plain, text);
  }
}

}  // namespace
}  // namespace cresset::text

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  cresset::text::fuzz({reinterpret_cast<const char*>(data), size});
  return 0;
}
