#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "cresset/base/result.h"
#include "cresset/base/value.h"
#include "cresset/text/json.h"

// The text of a file -> values. A text whose first character is `{` is JSON, any other is YAML. All
// of it is hostile.
namespace cresset::codec {

struct DocumentLimits {
  std::size_t bytes = 64u << 20;
  std::size_t depth = 100;         // of nested lists and maps, aliases expanded
  std::size_t documents = 2;       // that are not empty
  std::size_t values = 8'000'000;  // of all documents, each alias counted as one
  std::size_t alias_bytes =
      16u << 20;  // what all aliases together may add to the memory that the values take
};

// What is wrong with a text, and where.
struct DocumentError {
  text::Position position;
  std::string message;
  std::string help;  // what to do; may be empty
};

// The documents of a text, in order, without empty ones.
// YAML is read the way PyYAML's SafeLoader reads it (YAML 1.1: yes/no/on/off, 0777, 1:30 and so
// on), because the kfp SDK writes with PyYAML; only timestamps stay strings. Refused, each with its
// position: syntax errors, keys that occur twice in one map or are no strings, tags other than
// YAML's own scalars, lists and maps, merge keys, aliases inside their own anchor, whatever passes
// a limit, invalid UTF-8, control characters, integers beyond ±(2^53 − 1), and numbers that are not
// finite. On failure returns kInvalidArgument "line 3, column 7: …"; `detail`, when given, receives
// the parts.
Result<std::vector<Value>> read_documents(std::string_view text, const DocumentLimits& limits = {},
                                          DocumentError* detail = nullptr);

// The same for those who look for all that is wrong: a key that occurs twice in one map is no end,
// but one of `repeated` (at most 100), and its first value counts.
Result<std::vector<Value>> read_documents(std::string_view text, const DocumentLimits& limits,
                                          DocumentError* detail,
                                          std::vector<DocumentError>& repeated);

// A place in a text: the value that a JSON pointer names in one of its documents (empty ones not
// counted) or, with `key`, the key of that value.
struct Place {
  std::size_t document = 0;
  std::string pointer;
  bool key = false;
};

// Lines and columns of places, in their order, in one pass over the text. A place that does not
// exist gives its deepest ancestor that does. A map or list in YAML's block style stands where its
// key stands. `text` must have been accepted by read_documents.
std::vector<text::Position> locate(std::string_view text, const std::vector<Place>& places);

}  // namespace cresset::codec
