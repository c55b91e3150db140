#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "cresset/base/error.h"
#include "cresset/base/result.h"

// CEL text taken apart into tokens. Internal to text/cel*.cc.
namespace cresset::text {

struct CelToken {
  enum class Kind { kEnd, kName, kSymbol, kInt, kUint, kDouble, kString };
  Kind kind = Kind::kEnd;
  std::size_t begin = 0;  // bytes of the expression
  std::size_t end = 0;
  std::string text;             // a name or symbol as written; a string's value
  std::uint64_t magnitude = 0;  // kInt (up to 2^63: a minus sign before it may make it fit), kUint
  double number = 0;            // kDouble
};

// White space and `//` comments are left out; the last token is kEnd. `in` is a symbol. An error is
// kInvalidArgument "column 7: …".
Result<std::vector<CelToken>> lex_cel(std::string_view text);

// kInvalidArgument "column 7: …", or "line 2, column 7: …" after the first line.
Error cel_error_at(std::string_view text, std::size_t offset, std::string_view message);

}  // namespace cresset::text
