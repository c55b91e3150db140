#include "cresset/adapters/archive/backup_head.h"

#include <string_view>

#include "cresset/adapters/archive/archive_error.h"
#include "cresset/text/json.h"

namespace cresset::archive {

namespace {

constexpr std::int64_t kBytesMax = (std::int64_t{1} << 53) - 1;  // of a JSON integer

std::string json_of(const Head& head, std::int64_t bytes) {
  return text::to_json(Value::make_struct({{"format", kFormat},
                                           {"cresset", head.cresset},
                                           {"schema", head.schema},
                                           {"created_at", head.created_at},
                                           {"runs", head.runs},
                                           {"bytes", bytes}}));
}

std::int64_t integer_of(const Value& head, std::string_view name) {
  const Value* field = head.find(name);
  return field != nullptr && field->is_integer() ? field->as_integer() : -1;
}

}  // namespace

std::string head_text(const Head& head, std::int64_t bytes) {
  std::string text = json_of(head, bytes);
  text.resize(json_of(head, kBytesMax).size(), ' ');
  return text + "\n";
}

Result<HeadRead> parse_head(const std::string& text, std::int64_t schema_max,
                            const std::string& file) {
  const auto head = text::parse_json(text);
  const Error damaged = damaged_archive(file, "its head is not whole");
  if (!head) return damaged;
  HeadRead out{integer_of(*head, "format"), std::nullopt};
  const std::int64_t schema = integer_of(*head, "schema");
  if (out.format > kFormat || schema > schema_max) {
    return make_error(Code::kFailedPrecondition,
                      "{} was made by a newer Cresset (format {}, schema {}; this one knows {} and "
                      "{}): restore it with that one",
                      file, out.format, schema, kFormat, schema_max);
  }
  if (out.format < 1) return damaged;
  if (out.format > 1) {
    out.bytes = integer_of(*head, "bytes");
    if (*out.bytes < 0) return damaged;
  }
  return out;
}

}  // namespace cresset::archive
