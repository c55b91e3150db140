#include "cresset/text/cel_eval.h"

#include <fmt/core.h>

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "cresset/base/error.h"
#include "cresset/base/result.h"
#include "cresset/base/value.h"
#include "cresset/text/cel_functions.h"
#include "cresset/text/cel_tree.h"
#include "cresset/text/cel_value.h"
#include "cresset/text/suggest.h"
#include "cresset/text/utf8.h"

namespace cresset::text {

namespace {

using Kind = CelNode::Kind;
using Lookup = std::function<const Value*(std::string_view name)>;

constexpr std::size_t kShownBytes = 120;       // of a sub-expression in a message
constexpr std::size_t kCandidatesMax = 1'000;  // comparing with more costs more than it helps
constexpr std::size_t kCandidateBytesMax = 100;

class Evaluator {
 public:
  Evaluator(const CelTree& tree, const Lookup& lookup) : tree_(tree), lookup_(lookup) {}

  Result<Value> run() {
    const CelNode& root = tree_.nodes[tree_.root];
    CR_TRY(const CelValue value, evaluate(root));
    auto plain = to_plain_value(value, budget_);
    if (!plain) return at(root, std::move(plain).error());
    return plain;
  }

 private:
  [[nodiscard]] std::string source(const CelNode& node) const {
    return shorten(std::string_view(tree_.text).substr(node.begin, node.end - node.begin),
                   kShownBytes);
  }

  // Says which sub-expression the reason is about.
  [[nodiscard]] Error at(const CelNode& node, Error reason) const {
    reason.message = fmt::format("{}: {}", source(node), reason.message);
    return reason;
  }
  [[nodiscard]] Error refuse(const CelNode& node, std::string_view reason) const {
    return at(node, make_error(Code::kFailedPrecondition, "{}", reason));
  }
  [[nodiscard]] Result<CelValue> checked(const CelNode& node, Result<CelValue> result) const {
    if (!result) return at(node, std::move(result).error());
    return result;
  }
  Result<CelValue> checked(const CelNode& node, Result<bool> result) const {
    if (!result) return at(node, std::move(result).error());
    return CelValue{*result};
  }

  Result<CelValue> operand(const CelNode& node, std::size_t index) {
    return evaluate(tree_.child(node, index));
  }

  Result<CelValue> evaluate(const CelNode& node) {
    if (auto paid = budget_.take_steps(1); !paid) return at(node, std::move(paid).error());
    switch (node.kind) {
      case Kind::kLiteral:
        return node.literal;
      case Kind::kName:
        return name(node);
      case Kind::kSelect:
        return select(node);
      case Kind::kHas:
        return has(node);
      case Kind::kIndex:
        return index(node);
      case Kind::kCall:
        return call(node, false);
      case Kind::kMethod:
        return call(node, true);
      case Kind::kNot:
        return negation(node);
      case Kind::kNegate: {
        CR_TRY(const CelValue value, operand(node, 0));
        return checked(node, cel_negate(value));
      }
      case Kind::kBinary:
        return binary(node);
      case Kind::kAnd:
        return joined(node, false);
      case Kind::kOr:
        return joined(node, true);
      case Kind::kConditional: {
        CR_TRY(const bool condition, boolean(tree_.child(node, 0)));
        return operand(node, condition ? 1 : 2);
      }
      case Kind::kList:
        return list(node);
      case Kind::kMap:
        break;
    }
    return map(node);
  }

  Result<CelValue> name(const CelNode& node) const {
    if (const Value* value = lookup_(node.name)) {
      // Without an owner: what the caller looks up outlives the evaluation.
      return make_cel_value(std::shared_ptr<const Value>(std::shared_ptr<void>(), value));
    }
    std::vector<std::string> names;
    for (const char* known : {"inputs", "string_value", "number_value", "bool_value",
                              "struct_value", "list_value", "null_value"}) {
      if (lookup_(known) != nullptr) names.emplace_back(known);
    }
    return refuse(node, "unknown name" + did_you_mean_suffix(node.name, names));
  }

  Result<CelValue> select(const CelNode& node) {
    CR_TRY(const CelValue target, operand(node, 0));
    return entry(node, target, CelKey(node.name), fmt::format("\"{}\"", node.name));
  }

  Result<CelValue> entry(const CelNode& node, const CelValue& target, const CelKey& key,
                         const std::string& shown) {
    if (!target.is_map()) return refuse(node, describe_cel(target) + " has no fields");
    auto found = cel_find(target, key, budget_);
    if (!found) return at(node, std::move(found).error());
    if (found->has_value()) return *std::move(*found);
    return refuse(node, "there is no " + shown + similar_key(target, key));
  }

  static std::string similar_key(const CelValue& target, const CelKey& key) {
    const auto* document = target.get<CelDocument>();
    const auto* wanted = std::get_if<std::string>(&key);
    if (document == nullptr || wanted == nullptr || wanted->size() > kCandidateBytesMax ||
        (*document)->as_struct().size() > kCandidatesMax) {
      return {};
    }
    std::vector<std::string> names;
    for (const auto& [name, value] : (*document)->as_struct()) {
      if (name.size() <= kCandidateBytesMax) names.push_back(name);
    }
    return did_you_mean_suffix(*wanted, names);
  }

  Result<CelValue> has(const CelNode& node) {
    CR_TRY(const CelValue target, operand(node, 0));
    if (!target.is_map()) return refuse(node, describe_cel(target) + " has no fields");
    auto found = cel_find(target, CelKey(node.name), budget_);
    if (!found) return at(node, std::move(found).error());
    return CelValue{found->has_value()};
  }

  Result<CelValue> index(const CelNode& node) {
    CR_TRY(const CelValue target, operand(node, 0));
    CR_TRY(const CelValue key, operand(node, 1));
    std::optional<CelKey> plain = make_cel_key(key);
    if (target.is_map()) {
      if (plain) return entry(node, target, *plain, describe_cel(key));
      return refuse(node, describe_cel(key) + " is no key: maps have strings as keys");
    }
    if (!target.is_list()) {
      return refuse(node, describe_cel(target) + " is neither a list nor a map");
    }
    const auto* position = plain ? std::get_if<std::int64_t>(&*plain) : nullptr;
    if (position == nullptr || !key.is_number()) {
      return refuse(node, describe_cel(key) + " is no index: lists count from 0");
    }
    if (*position < 0 || static_cast<std::uint64_t>(*position) >= cel_size(target)) {
      return refuse(node, fmt::format("there is no element {}: the list has {}", *position,
                                      cel_size(target)));
    }
    return cel_item(target, static_cast<std::size_t>(*position));
  }

  Result<CelValue> call(const CelNode& node, bool as_method) {
    auto allowed = check_cel_call(node.name, as_method, node.children.size());
    if (!allowed) return at(node, std::move(allowed).error());
    std::vector<CelValue> arguments;
    for (std::size_t i = 0; i < node.children.size(); ++i) {
      CR_TRY(CelValue argument, operand(node, i));
      arguments.push_back(std::move(argument));
    }
    return checked(node, call_cel_function(node.name, arguments, budget_));
  }

  Result<bool> boolean(const CelNode& node) {
    CR_TRY(const CelValue value, evaluate(node));
    if (const auto* truth = value.get<bool>()) return *truth;
    return refuse(node, describe_cel(value) + " is neither true nor false");
  }

  Result<CelValue> negation(const CelNode& node) {
    CR_TRY(const bool value, boolean(tree_.child(node, 0)));
    return CelValue{!value};
  }

  // One operand that decides makes the errors of the others meaningless, whatever the order.
  Result<CelValue> joined(const CelNode& node, bool deciding) {
    std::optional<Error> error;
    for (const std::uint32_t child : node.children) {
      Result<bool> value = boolean(tree_.nodes[child]);
      if (value && *value == deciding) return CelValue{deciding};
      if (!value && !error) error = std::move(value).error();
    }
    if (error) return *std::move(error);
    return CelValue{!deciding};
  }

  Result<CelValue> binary(const CelNode& node) {
    CR_TRY(const CelValue left, operand(node, 0));
    CR_TRY(const CelValue right, operand(node, 1));
    const std::string& symbol = node.name;
    if (symbol == "in") return checked(node, cel_contains(right, left, budget_));
    if (symbol == "==" || symbol == "!=") {
      return checked(node, cel_equal(left, right, budget_).transform([&symbol](bool equal) {
        return equal == (symbol == "==");
      }));
    }
    if (symbol.starts_with('<') || symbol.starts_with('>')) {
      return checked(
          node, cel_compare(left, right, budget_).transform([&symbol](std::partial_ordering order) {
            if (symbol == "<") return order < 0;
            if (symbol == "<=") return order <= 0;
            return symbol == ">" ? order > 0 : order >= 0;
          }));
    }
    return checked(node, cel_arithmetic(symbol.front(), left, right, budget_));
  }

  Result<CelValue> list(const CelNode& node) {
    auto out = std::make_shared<CelList>();
    for (std::size_t i = 0; i < node.children.size(); ++i) {
      CR_TRY(CelValue item, operand(node, i));
      out->push_back(std::move(item));
    }
    return CelValue{std::shared_ptr<const CelList>(std::move(out))};
  }

  Result<CelValue> map(const CelNode& node) {
    auto out = std::make_shared<CelMap>();
    for (std::size_t i = 0; i < node.children.size(); i += 2) {
      const CelNode& written = tree_.child(node, i);
      CR_TRY(const CelValue key, evaluate(written));
      std::optional<CelKey> plain = key.get<double>() == nullptr ? make_cel_key(key) : std::nullopt;
      if (!plain) {
        return refuse(written, describe_cel(key) + " is no key of a map: use a string");
      }
      if (const auto* text = key.get<CelText>()) {
        // Each key is copied out of its text twice.
        auto paid = budget_.take_bytes(2 * (*text)->size());
        if (!paid) return at(written, std::move(paid).error());
      }
      CR_TRY(CelValue value, operand(node, i + 1));
      if (!out->add(*std::move(plain), std::move(value))) {
        return refuse(written, fmt::format("the key {} occurs twice", describe_cel(key)));
      }
    }
    return CelValue{std::shared_ptr<const CelMap>(std::move(out))};
  }

  const CelTree& tree_;
  const Lookup& lookup_;
  CelBudget budget_;
};

}  // namespace

Result<Value> evaluate_cel(const CelTree& tree, const Lookup& lookup) {
  return Evaluator(tree, lookup).run();
}

}  // namespace cresset::text
