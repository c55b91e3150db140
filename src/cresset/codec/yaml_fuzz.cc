// Any bytes: what read_documents refuses has a place in the text and a message; what it reads is
// JSON's values again when printed, and every place in it can be found.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "cresset/base/check.h"
#include "cresset/codec/diagnostic.h"
#include "cresset/codec/document.h"
#include "cresset/codec/source_text.h"

namespace cresset::codec {
namespace {

constexpr DocumentLimits kLimits{
    .bytes = 1u << 20, .depth = 60, .documents = 2, .values = 100'000, .alias_bytes = 1u << 20};

void check_position(std::string_view text, const text::Position& at) {
  CHECK(at.line >= 1 && at.column >= 1);
  const std::string_view line = line_of(without_bom(text), at.line);
  CHECK(at.column <= line.size() + 2);
}

void add_places(const Value& value, std::size_t document, const std::string& pointer,
                std::vector<Place>& out) {
  constexpr std::size_t kPlacesMax = 200;
  if (out.size() >= kPlacesMax) return;
  out.push_back({document, pointer, out.size() % 2 == 0});
  if (value.is_struct()) {
    for (const auto& [key, field] : value.as_struct())
      add_places(field, document, pointer + "/" + text::pointer_token(key), out);
  }
  if (value.is_list()) {
    std::size_t index = 0;
    for (const Value& item : value.as_list())
      add_places(item, document, pointer + "/" + std::to_string(index++), out);
  }
}

void check_read(std::string_view text, const std::vector<Value>& documents) {
  std::vector<Place> places;
  for (std::size_t i = 0; i < documents.size(); ++i) {
    CHECK(!documents[i].is_null());
    const std::string printed = text::to_json(documents[i]);
    const auto again = text::parse_json(printed);
    CHECK(again && *again == documents[i]);
    add_places(documents[i], i, "", places);
  }
  const std::vector<text::Position> positions = locate(text, places);
  CHECK(positions.size() == places.size());
  for (const text::Position& at : positions) check_position(text, at);
}

void check_refused(std::string_view text, const DocumentError& fault) {
  check_position(text, fault.position);
  CHECK(!fault.message.empty() && fault.message.size() < 600);
  const std::string shown =
      render({Severity::kError, "f", fault.position, "", fault.message, fault.help}, text);
  CHECK(shown.size() < 3000);
  for (const char c : shown)
    CHECK(c == '\n' || (c != '\x7F' && static_cast<unsigned char>(c) >= 0x20));
}

}  // namespace
}  // namespace cresset::codec

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cresset::codec;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  DocumentError fault;
  const auto documents = read_documents(text, kLimits, &fault);
  if (documents) {
    check_read(text, *documents);
  } else {
    check_refused(text, fault);
  }
  return 0;
}
