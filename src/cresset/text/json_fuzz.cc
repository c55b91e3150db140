// Any bytes: what parse_json reads survives each printer, what it refuses has a place and advice,
// and Boost.JSON agrees on which texts are JSON.

#include <boost/json/error.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/parse_options.hpp>
#include <boost/json/src.hpp>  // NOLINT(misc-include-cleaner): the library's code
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cresset/base/check.h"
#include "cresset/base/error.h"
#include "cresset/base/result.h"
#include "cresset/base/value.h"
#include "cresset/text/json.h"

namespace cresset::text {
namespace {

constexpr JsonLimits kLimits{.depth = 64, .bytes = 1u << 20};

// Nothing when Boost gave up on a number whose exponent fits no int: 0e99999999999 is JSON.
std::optional<bool> boost_reads(std::string_view text) {
  boost::json::parse_options options;
  options.max_depth = 1'000;
  boost::json::error_code error;
  boost::json::parse({text.data(), text.size()}, error, {}, options);
  if (error == boost::json::error::exponent_overflow) return std::nullopt;
  return !error;
}

// What is JSON by its grammar, and refused all the same.
bool is_beyond_grammar(const std::string& message) {
  for (const char* part : {"occurs twice in one object", "which a number cannot hold exactly",
                           "too large or too small to be held", "nested deeper than"}) {
    if (message.find(part) != std::string::npos) return true;
  }
  return false;
}

void check_printers(const Value& value) {
  const std::string compact = to_json(value);
  CHECK(parse_json(compact, kLimits).value() == value);
  CHECK(to_json(parse_json(compact, kLimits).value()) == compact);
  CHECK(parse_json(to_json_pretty(value)).value() == value);
  const std::string canonical = to_canonical_json(value);
  CHECK(parse_json(canonical, kLimits).value() == value);
  CHECK(to_canonical_json(parse_json(to_json_pretty(value)).value()) == canonical);
  if (value.is_list() || value.is_struct()) CHECK(to_text(value) == compact);
  if (value.is_number()) CHECK(to_text(value).find('e') == std::string::npos);
}

void check_fault(std::string_view text, const Error& error, const JsonError& detail) {
  CHECK(error.code == Code::kInvalidArgument);
  CHECK(error.message == "line " + std::to_string(detail.position.line) + ", column " +
                             std::to_string(detail.position.column) + ": " + detail.message);
  std::size_t line = 1;
  std::size_t start = 0;
  for (; line < detail.position.line; ++line) {
    const std::size_t newline = text.find('\n', start);
    CHECK(newline != std::string_view::npos);
    start = newline + 1;
  }
  const std::size_t size = text.substr(start, text.find('\n', start) - start).size();
  CHECK(detail.position.column >= 1 && detail.position.column <= size + 1);
  CHECK(!detail.message.empty() && detail.message.size() < 400);
}

void run(std::string_view text) {
  JsonError detail;
  const auto value = parse_json(text, kLimits, &detail);
  std::vector<JsonError> repeated;
  const auto tolerant = parse_json(text, kLimits, nullptr, &repeated);
  CHECK(value.has_value() == (tolerant.has_value() && repeated.empty()));
  if (tolerant) CHECK(parse_json(to_json(*tolerant), kLimits).value() == *tolerant);
  if (value) {
    CHECK(boost_reads(text).value_or(true));
    check_printers(*value);
  } else {
    check_fault(text, value.error(), detail);
    CHECK(is_beyond_grammar(detail.message) || !boost_reads(text).value_or(false));
  }
}

}  // namespace
}  // namespace cresset::text

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  cresset::text::run(text);
  // The bytes as a string, which need not be UTF-8: what is printed is JSON all the same.
  const std::string printed = cresset::text::to_json(cresset::Value(text));
  CHECK(cresset::text::to_json(cresset::text::parse_json(printed).value()) == printed);
  return 0;
}
