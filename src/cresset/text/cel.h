#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "cresset/base/result.h"
#include "cresset/base/value.h"

// The part of the Common Expression Language that KFP conditions and selectors use (kfp.md §2.7),
// evaluated on typed values: literals (int, uint, double, string with both quotes, triple quotes,
// escapes and raw r'', bool, null, list, map), field selection, indexing, ! - + - * / %,
// comparisons, `in`, && || with CEL's error absorption, ?:, and the functions int() double()
// string() bool() size() has() parseJson() startsWith endsWith contains. Regular expressions
// (matches), macros over lists (all, exists, map …), bytes and times are not supported.
//
// Numbers coming from parameters are doubles, as in protobuf's Value; numbers compare by value
// whatever their types; arithmetic on an int and a double is an error, as in CEL. null equals only
// null. Comparing other mixed types is an error, as is an unknown name, a missing key, division by
// zero (of doubles too), and overflow. Expressions are at most 64 KiB long and 100 levels deep, and
// an evaluation makes at most 64 MiB of values.
namespace cresset::text {

class CelExpression {
 public:
  // kInvalidArgument with the column and what was expected.
  static Result<CelExpression> parse(std::string_view text);

  // Answers the value of a top-level name ("inputs", "string_value"), or null pointer for an
  // unknown one. The values must outlive the evaluation.
  using Lookup = std::function<const Value*(std::string_view name)>;

  // kFailedPrecondition with the reason, which names the sub-expression.
  Result<Value> evaluate(const Lookup& lookup) const;

  // Calls `visit(name)` for each constant name of a parameter: inputs.parameter_values['name'],
  // inputs.parameter_values.name, has(…), 'name' in inputs.parameter_values. Answers whether those
  // are all the parameters that the expression can read; false when a name is computed or the whole
  // of them is used.
  bool visit_parameter_names(const std::function<void(std::string_view)>& visit) const;
  // Calls `visit(name)` for each top-level name, as often as it occurs.
  void visit_names(const std::function<void(std::string_view)>& visit) const;

 private:
  struct Node;
  std::shared_ptr<const Node> root_;
};

}  // namespace cresset::text
