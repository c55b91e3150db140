#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "cresset/base/result.h"
#include "cresset/base/value.h"

// The part of the Common Expression Language that KFP conditions and selectors use (kfp.md §2.7),
// evaluated on typed values: literals (int, uint, double, string with both quotes and escapes and
// raw r'', bool, null, list, map), field selection, indexing, ! - + - * / %, comparisons, `in`, &&
// || with CEL's error absorption, ?:, and the functions int() double() string() bool() size() has()
// parseJson() startsWith endsWith contains matches-free. Numbers coming from parameters are
// doubles, as in protobuf's Value; == between numbers compares their values; other mixed types are
// an error, as is an unknown name, a missing key, division by zero, and overflow. No recursion
// deeper than a fixed limit.
namespace cresset::text {

class CelExpression {
 public:
  // kInvalidArgument with the column and what was expected.
  static Result<CelExpression> parse(std::string_view text);

  // Answers the value of a top-level name ("inputs", "string_value"), or null pointer for an
  // unknown one.
  using Lookup = std::function<const Value*(std::string_view name)>;

  // kFailedPrecondition with the reason, which names the sub-expression.
  Result<Value> evaluate(const Lookup& lookup) const;

  // Calls `visit(name)` for each constant key of inputs.parameter_values['name'], for validation.
  void visit_parameter_names(const std::function<void(std::string_view)>& visit) const;

 private:
  struct Node;
  std::shared_ptr<const Node> root_;
};

}  // namespace cresset::text
