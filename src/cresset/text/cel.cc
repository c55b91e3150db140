#include "cresset/text/cel.h"

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "cresset/base/result.h"
#include "cresset/base/value.h"
#include "cresset/text/cel_eval.h"
#include "cresset/text/cel_tree.h"
#include "cresset/text/cel_value.h"

namespace cresset::text {

namespace {

using Kind = CelNode::Kind;

// The name of a field that is taken by a constant name, however it is written: x.name, x['name'],
// has(x.name), 'name' in x. `of` is x.
struct Field {
  const CelNode* of = nullptr;
  std::string_view name;
};

std::optional<Field> constant_field(const CelTree& tree, const CelNode& node) {
  if (node.kind == Kind::kSelect || node.kind == Kind::kHas)
    return Field{&tree.child(node, 0), node.name};
  const bool is_in = node.kind == Kind::kBinary && node.name == "in";
  if (node.kind != Kind::kIndex && !is_in) return std::nullopt;
  const CelNode& key = tree.child(node, is_in ? 0 : 1);
  const auto* text = key.literal.get<CelText>();
  if (key.kind != Kind::kLiteral || text == nullptr) return std::nullopt;
  return Field{&tree.child(node, is_in ? 1 : 0), **text};
}

bool is_inputs(const CelNode& node) { return node.kind == Kind::kName && node.name == "inputs"; }

bool is_parameters(const CelTree& tree, const CelNode& node) {
  if (node.kind != Kind::kSelect && node.kind != Kind::kIndex) return false;
  const auto field = constant_field(tree, node);
  return field && is_inputs(*field->of) && field->name == "parameter_values";
}

}  // namespace

struct CelExpression::Node {
  CelTree tree;
};

Result<CelExpression> CelExpression::parse(std::string_view text) {
  CR_TRY(CelTree tree, parse_cel(text));
  CelExpression out;
  out.root_ = std::make_shared<const Node>(Node{std::move(tree)});
  return out;
}

Result<Value> CelExpression::evaluate(const Lookup& lookup) const {
  return evaluate_cel(root_->tree, lookup);
}

bool CelExpression::visit_parameter_names(
    const std::function<void(std::string_view)>& visit) const {
  const CelTree& tree = root_->tree;
  std::size_t uses = 0;   // of inputs
  std::size_t known = 0;  // those that read one named parameter, or none
  for (const CelNode& node : tree.nodes) {
    if (is_inputs(node)) ++uses;
    const auto field = constant_field(tree, node);
    if (!field) continue;
    if (is_parameters(tree, *field->of)) {
      ++known;
      visit(field->name);
    } else if (is_inputs(*field->of) && field->name != "parameter_values") {
      ++known;
    }
  }
  return uses == known;
}

void CelExpression::visit_names(const std::function<void(std::string_view)>& visit) const {
  for (const CelNode& node : root_->tree.nodes) {
    if (node.kind == Kind::kName) visit(node.name);
  }
}

}  // namespace cresset::text
