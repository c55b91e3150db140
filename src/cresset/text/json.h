#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "cresset/base/result.h"
#include "cresset/base/value.h"

// JSON text <-> Value, the only parser of JSON in the tree. It is our own because faults need their
// exact place and advice, and because Boost.JSON 1.81 rounds some numbers to a neighbour.
namespace cresset::text {

struct JsonLimits {
  std::size_t depth = 100;
  std::size_t bytes = 64u << 20;
  std::size_t values = 8'000'000;  // two bytes of text can become a value of forty
};

// Where an error was met: line and column in characters, both from 1.
struct Position {
  std::size_t line = 0;
  std::size_t column = 0;
  bool operator==(const Position&) const = default;
};

struct JsonError {
  Position position;
  std::string message;  // what is wrong and what to do: "the key "x" occurs twice in one object"
};

// Strict JSON (RFC 8259), one document. Refused, each with its position: syntax errors, text after
// the end, invalid UTF-8, a key that occurs twice, nesting deeper than `depth`, a text longer than
// `bytes` or with more than `values` values, an integer literal beyond ±(2^53 − 1), which a number
// cannot hold exactly, and a number that would become infinite, or zero though it is not. NaN and
// Infinity are no JSON. On failure returns kInvalidArgument "line 3, column 7: …"; `detail`, when
// given, receives the parts. With `repeated`, a key that occurs twice is no failure: it is told
// there (100 of them at most, from front to back), and its first value counts.
Result<Value> parse_json(std::string_view text, const JsonLimits& limits = {},
                         JsonError* detail = nullptr, std::vector<JsonError>* repeated = nullptr);

// Compact, fields in their order; integers without a fraction; other numbers in the shortest form
// that reads back the same; non-finite numbers (which no parser here makes) as null; control
// characters escaped, other UTF-8 as it is, bytes that are no UTF-8 as U+FFFD: parse_json accepts
// what comes out.
std::string to_json(const Value& value);
// The same, indented by two spaces, for people.
std::string to_json_pretty(const Value& value);
// Fields sorted by name at every level, and bytes that are no UTF-8 kept: values give equal text
// when they are equal, and only then. For cache keys.
std::string to_canonical_json(const Value& value);

// A value as the text that a placeholder turns into (kfp.md §2.6): strings raw, numbers in shortest
// decimal form never with an exponent, booleans true/false, lists and structs compact JSON, null as
// the empty string, as is a number that is not finite.
std::string to_text(const Value& value);

// RFC 6901: "~" and "/" of one token escaped.
std::string pointer_token(std::string_view name);

}  // namespace cresset::text
