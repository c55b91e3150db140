#include "cresset/codec/document.h"

#include <algorithm>
#include <utility>

#include "cresset/codec/places.h"
#include "cresset/codec/source_text.h"
#include "cresset/codec/yaml.h"

namespace cresset::codec {

namespace {

bool is_json(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  return first != std::string_view::npos && text[first] == '{';
}

Result<std::vector<Value>> fail(const DocumentError& error) {
  return make_error(Code::kInvalidArgument, "line {}, column {}: {}", error.position.line,
                    error.position.column, error.message);
}

// A file that is no text at all says so, instead of complaining of its first odd byte.
std::string archive_help(std::string_view text) {
  if (text.starts_with("PK\x03\x04"))
    return "this is a zip archive: unpack it and give the pipeline's YAML file";
  if (text.starts_with("\x1F\x8B"))
    return "this is a gzip archive: unpack it and give the pipeline's YAML file";
  return "save the file as UTF-8 text";
}

Result<std::vector<Value>> read_json(std::string_view text, const DocumentLimits& limits,
                                     DocumentError& error, std::vector<DocumentError>& repeated) {
  text::JsonError detail;
  std::vector<text::JsonError> twice;
  auto value = text::parse_json(text, {limits.depth, limits.bytes, limits.values}, &detail, &twice);
  for (text::JsonError& key : twice) repeated.push_back({key.position, std::move(key.message), {}});
  if (!value) {
    error = {detail.position, detail.message, {}};
    return std::move(value).error();
  }
  std::vector<Value> out;
  out.push_back(*std::move(value));
  return out;
}

}  // namespace

Result<std::vector<Value>> read_documents(std::string_view text, const DocumentLimits& limits,
                                          DocumentError* detail,
                                          std::vector<DocumentError>& repeated) {
  DocumentError local;
  DocumentError& error = detail == nullptr ? local : *detail;
  if (text.size() > limits.bytes) {
    error = {{1, 1},
             "the file is larger than " + std::to_string(limits.bytes >> 20) + " MB",
             "split the pipeline, or pass large values as artifacts"};
    return fail(error);
  }
  text = without_bom(text);
  if (is_json(text)) return read_json(text, limits, error, repeated);
  if (const auto fault = find_text_fault(text)) {
    error = {position_at(text, fault->offset), fault->message, archive_help(text)};
    return fail(error);
  }
  return read_yaml(text, limits, error, repeated);
}

Result<std::vector<Value>> read_documents(std::string_view text, const DocumentLimits& limits,
                                          DocumentError* detail) {
  std::vector<DocumentError> repeated;
  auto documents = read_documents(text, limits, detail, repeated);
  if (!documents || repeated.empty()) return documents;
  const DocumentError& earliest = *std::ranges::min_element(
      repeated, {},
      [](const DocumentError& e) { return std::pair(e.position.line, e.position.column); });
  if (detail != nullptr) *detail = earliest;
  return fail(earliest);
}

std::vector<text::Position> locate(std::string_view text, const std::vector<Place>& places) {
  text = without_bom(text);
  SoughtPlaces sought(places);
  if (is_json(text)) {
    locate_json(text, sought);
  } else {
    locate_yaml(text, sought);
  }
  return sought.positions();
}

}  // namespace cresset::codec
