#include "cresset/text/cel_functions.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

#include "cresset/base/check.h"
#include "cresset/base/error.h"
#include "cresset/base/result.h"
#include "cresset/base/value.h"
#include "cresset/text/cel_value.h"
#include "cresset/text/json.h"
#include "cresset/text/suggest.h"
#include "cresset/text/utf8.h"

namespace cresset::text {

namespace {

using Arguments = std::span<const CelValue>;

template <class... Args>
Error refusal(fmt::format_string<Args...> format, Args&&... args) {
  return make_error(Code::kFailedPrecondition, format, std::forward<Args>(args)...);
}

Error wrong_kind(const CelValue& value, std::string_view wanted) {
  if (value.is_null()) return refusal("null is no {}", wanted);
  return refusal("{} is a {}, not a {}", describe_cel(value), cel_kind_name(value), wanted);
}

// The whole text as a number, or nothing.
template <class T>
std::optional<T> read_number(std::string_view text) {
  if (text.starts_with('+')) {
    text.remove_prefix(1);
    if (text.starts_with('-')) return std::nullopt;
  }
  T number{};
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

Result<CelValue> to_int(Arguments arguments, CelBudget&) {
  const CelValue& value = arguments[0];
  if (value.get<std::int64_t>() != nullptr) return value;
  if (const auto* natural = value.get<std::uint64_t>()) {
    if (*natural > std::uint64_t{std::numeric_limits<std::int64_t>::max()})
      return refusal("{} needs more than 64 bits as an int", describe_cel(value));
    return CelValue{static_cast<std::int64_t>(*natural)};
  }
  if (const auto* number = value.get<double>()) {
    constexpr double kLimit = 9223372036854775808.0;  // 2^63
    if (!(*number >= -kLimit && *number < kLimit))
      return refusal("{} needs more than 64 bits as an int", describe_cel(value));
    return CelValue{static_cast<std::int64_t>(*number)};
  }
  const auto* text = value.get<CelText>();
  if (text == nullptr) return wrong_kind(value, "number or a string");
  const auto integer = read_number<std::int64_t>(**text);
  if (!integer) return refusal("{} is no integer", describe_cel(value));
  return CelValue{*integer};
}

Result<CelValue> to_double(Arguments arguments, CelBudget&) {
  const CelValue& value = arguments[0];
  if (value.get<double>() != nullptr) return value;
  if (const auto* integer = value.get<std::int64_t>())
    return CelValue{static_cast<double>(*integer)};
  if (const auto* natural = value.get<std::uint64_t>())
    return CelValue{static_cast<double>(*natural)};
  const auto* text = value.get<CelText>();
  if (text == nullptr) return wrong_kind(value, "number or a string");
  const auto number = read_number<double>(**text);
  if (!number) return refusal("{} is no number", describe_cel(value));
  return CelValue{*number};
}

Result<CelValue> to_string_value(Arguments arguments, CelBudget&) {
  const CelValue& value = arguments[0];
  if (value.get<CelText>() != nullptr) return value;
  if (const auto* boolean = value.get<bool>()) return make_cel_text(*boolean ? "true" : "false");
  if (const auto* integer = value.get<std::int64_t>())
    return make_cel_text(std::to_string(*integer));
  if (const auto* natural = value.get<std::uint64_t>())
    return make_cel_text(std::to_string(*natural));
  if (const auto* number = value.get<double>()) {
    if (std::isnan(*number)) return make_cel_text("NaN");
    if (std::isinf(*number)) return make_cel_text(*number > 0 ? "+Inf" : "-Inf");
    return make_cel_text(to_text(Value(*number)));
  }
  return wrong_kind(value, "string, number or boolean");
}

Result<CelValue> to_bool(Arguments arguments, CelBudget&) {
  const CelValue& value = arguments[0];
  if (value.get<bool>() != nullptr) return value;
  const auto* text = value.get<CelText>();
  if (text == nullptr) return wrong_kind(value, "boolean or a string");
  constexpr std::string_view kTrue[] = {"true", "True", "TRUE", "t", "T", "1"};
  constexpr std::string_view kFalse[] = {"false", "False", "FALSE", "f", "F", "0"};
  if (std::ranges::find(kTrue, **text) != std::end(kTrue)) return CelValue{true};
  if (std::ranges::find(kFalse, **text) != std::end(kFalse)) return CelValue{false};
  return refusal("{} is neither true nor false", describe_cel(value));
}

Result<CelValue> size_of(Arguments arguments, CelBudget& budget) {
  const CelValue& value = arguments[0];
  if (const auto* text = value.get<CelText>()) {
    CR_TRY_VOID(budget.take_text((*text)->size()));
    return CelValue{static_cast<std::int64_t>(count_characters(**text))};
  }
  if (!value.is_list() && !value.is_map()) return wrong_kind(value, "string, list or map");
  return CelValue{static_cast<std::int64_t>(cel_size(value))};
}

Result<CelValue> parse_json_value(Arguments arguments, CelBudget& budget) {
  const auto* text = arguments[0].get<CelText>();
  if (text == nullptr) return wrong_kind(arguments[0], "string");
  CR_TRY_VOID(budget.take_bytes((*text)->size()));
  auto parsed = parse_json(**text);
  if (!parsed)
    return refusal("{} is no JSON: {}", describe_cel(arguments[0]), parsed.error().text());
  return make_cel_value(std::make_shared<const Value>(*std::move(parsed)));
}

struct TextAndPart {
  const std::string& text;
  const std::string& part;
};

Result<TextAndPart> text_and_part(Arguments arguments) {
  for (const CelValue& argument : arguments) {
    if (argument.get<CelText>() == nullptr) return wrong_kind(argument, "string");
  }
  return TextAndPart{**arguments[0].get<CelText>(), **arguments[1].get<CelText>()};
}

Result<CelValue> starts_with(Arguments arguments, CelBudget& budget) {
  CR_TRY(const TextAndPart both, text_and_part(arguments));
  CR_TRY_VOID(budget.take_text(both.part.size()));
  return CelValue{both.text.starts_with(both.part)};
}

Result<CelValue> ends_with(Arguments arguments, CelBudget& budget) {
  CR_TRY(const TextAndPart both, text_and_part(arguments));
  CR_TRY_VOID(budget.take_text(both.part.size()));
  return CelValue{both.text.ends_with(both.part)};
}

Result<CelValue> contains(Arguments arguments, CelBudget& budget) {
  CR_TRY(const TextAndPart both, text_and_part(arguments));
  // At worst the part is compared, many bytes at a time, at each place of the text.
  CR_TRY_VOID(budget.take_text(both.text.size() * (1 + both.part.size() / 64)));
  return CelValue{both.text.find(both.part) != std::string::npos};
}

struct Function {
  std::string_view name;
  std::size_t arguments;
  bool as_function;
  bool as_method;
  Result<CelValue> (*call)(Arguments, CelBudget&);
};

constexpr Function kFunctions[] = {
    {"int", 1, true, false, to_int},
    {"double", 1, true, false, to_double},
    {"string", 1, true, false, to_string_value},
    {"bool", 1, true, false, to_bool},
    {"size", 1, true, true, size_of},
    {"parseJson", 1, true, false, parse_json_value},
    {"startsWith", 2, false, true, starts_with},
    {"endsWith", 2, false, true, ends_with},
    {"contains", 2, false, true, contains},
};

const Function* find_function(std::string_view name) {
  const auto* it = std::ranges::find(kFunctions, name, &Function::name);
  return it == std::end(kFunctions) ? nullptr : it;
}

Error unknown_function(std::string_view name) {
  if (name == "matches") {
    return refusal(
        "matches() is not supported, regular expressions are left out: use "
        "startsWith(), endsWith() or contains()");
  }
  constexpr std::string_view kMacros[] = {"all", "exists", "exists_one", "map", "filter"};
  if (std::ranges::find(kMacros, name) != std::end(kMacros)) {
    return refusal(
        "{}() is not supported, macros over lists are left out: use \"in\", or a step "
        "that computes the value",
        name);
  }
  std::vector<std::string> names = {"has"};
  for (const Function& function : kFunctions) names.emplace_back(function.name);
  return refusal("unknown function {}(){}", shorten(name, 60), did_you_mean_suffix(name, names));
}

template <class T>
Result<CelValue> integer_arithmetic(char symbol, T left, T right) {
  T out{};
  bool overflow = false;
  switch (symbol) {
    case '+':
      overflow = __builtin_add_overflow(left, right, &out);
      break;
    case '-':
      overflow = __builtin_sub_overflow(left, right, &out);
      break;
    case '*':
      overflow = __builtin_mul_overflow(left, right, &out);
      break;
    default:
      if (right == 0) return refusal("division by zero");
      if constexpr (std::is_signed_v<T>) {
        overflow = left == std::numeric_limits<T>::min() && right == -1;
      }
      if (!overflow) out = symbol == '/' ? left / right : left % right;
  }
  if (overflow) return refusal("{} {} {} needs more than 64 bits", left, symbol, right);
  return CelValue{out};
}

Result<CelValue> double_arithmetic(char symbol, double left, double right) {
  double out = 0;
  switch (symbol) {
    case '+':
      out = left + right;
      break;
    case '-':
      out = left - right;
      break;
    case '*':
      out = left * right;
      break;
    case '/':
      if (right == 0) return refusal("division by zero");
      out = left / right;
      break;
    default:
      return refusal("% works on integers: convert with int()");
  }
  if (std::isfinite(left) && std::isfinite(right) && !std::isfinite(out))
    return refusal("{} {} {} is out of the range of a double", left, symbol, right);
  return CelValue{out};
}

Result<CelValue> join_texts(const std::string& left, const std::string& right, CelBudget& budget) {
  CR_TRY_VOID(budget.take_bytes(left.size() + right.size()));
  return make_cel_text(left + right);
}

Result<CelValue> join_lists(const CelValue& left, const CelValue& right, CelBudget& budget) {
  CR_TRY_VOID(budget.take_bytes((cel_size(left) + cel_size(right)) * sizeof(CelValue)));
  auto out = std::make_shared<CelList>();
  out->reserve(cel_size(left) + cel_size(right));
  for (const CelValue* list : {&left, &right}) {
    for (std::size_t i = 0; i < cel_size(*list); ++i) out->push_back(cel_item(*list, i));
  }
  return CelValue{std::shared_ptr<const CelList>(std::move(out))};
}

Error not_arithmetic(char symbol, const CelValue& left, const CelValue& right) {
  if (left.is_number() && right.is_number()) {
    return refusal(
        "{} and {} do not mix in arithmetic, {} and {}: convert one with int() or double()",
        with_article(cel_type_name(left)), with_article(cel_type_name(right)), describe_cel(left),
        describe_cel(right));
  }
  return refusal("\"{}\" does not work on {} and {}", symbol, describe_cel(left),
                 describe_cel(right));
}

}  // namespace

Result<void> check_cel_call(std::string_view name, bool as_method, std::size_t arguments) {
  const Function* function = find_function(name);
  if (function == nullptr) return unknown_function(name);
  if (as_method && !function->as_method)
    return refusal("{0} is written before its value, as in {0}(x)", name);
  if (!as_method && !function->as_function)
    return refusal("{0} is written after its text, as in text.{0}('x')", name);
  if (arguments == function->arguments) return {};
  const std::size_t target = as_method ? 1 : 0;
  const std::size_t wanted = function->arguments - target;
  return refusal("{}() takes {} argument{}, not {}", name, wanted, wanted == 1 ? "" : "s",
                 arguments - target);
}

Result<CelValue> call_cel_function(std::string_view name, std::span<const CelValue> arguments,
                                   CelBudget& budget) {
  const Function* function = find_function(name);
  CHECK(function != nullptr && arguments.size() == function->arguments);
  return function->call(arguments, budget);
}

Result<CelValue> cel_arithmetic(char symbol, const CelValue& left, const CelValue& right,
                                CelBudget& budget) {
  if (const auto *a = left.get<double>(), *b = right.get<double>(); a != nullptr && b != nullptr)
    return double_arithmetic(symbol, *a, *b);
  if (const auto *a = left.get<std::int64_t>(), *b = right.get<std::int64_t>();
      a != nullptr && b != nullptr)
    return integer_arithmetic(symbol, *a, *b);
  if (const auto *a = left.get<std::uint64_t>(), *b = right.get<std::uint64_t>();
      a != nullptr && b != nullptr)
    return integer_arithmetic(symbol, *a, *b);
  if (symbol == '+') {
    if (const auto *a = left.get<CelText>(), *b = right.get<CelText>();
        a != nullptr && b != nullptr)
      return join_texts(**a, **b, budget);
    if (left.is_list() && right.is_list()) return join_lists(left, right, budget);
  }
  return not_arithmetic(symbol, left, right);
}

Result<CelValue> cel_negate(const CelValue& value) {
  if (const auto* number = value.get<double>()) return CelValue{-*number};
  const auto* integer = value.get<std::int64_t>();
  if (integer == nullptr) return refusal("\"-\" does not work on {}", describe_cel(value));
  return integer_arithmetic('-', std::int64_t{0}, *integer);
}

}  // namespace cresset::text
