#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cresset/base/error.h"
#include "cresset/base/result.h"
#include "cresset/text/cel_lexer.h"
#include "cresset/text/cel_tree.h"
#include "cresset/text/cel_value.h"
#include "cresset/text/utf8.h"

namespace cresset::text {

namespace {

using Kind = CelNode::Kind;

constexpr std::size_t kTextMax = std::size_t{64} << 10u;
constexpr std::size_t kNodesMax = 20'000;
constexpr std::size_t kDepthMax = 100;
constexpr std::size_t kShownBytes = 40;

// Words that no name may be; they may be names of fields.
constexpr std::array<std::string_view, 17> kReserved = {
    "as",  "break", "const",   "continue",  "else",   "for", "function", "if",   "import",
    "let", "loop",  "package", "namespace", "return", "var", "void",     "while"};

// From the loosest to the tightest.
constexpr std::string_view kComparisons[] = {"<", "<=", ">", ">=", "==", "!=", "in"};
constexpr std::string_view kSums[] = {"+", "-"};
constexpr std::string_view kProducts[] = {"*", "/", "%"};
constexpr std::array<std::span<const std::string_view>, 3> kLevels = {kComparisons, kSums,
                                                                      kProducts};

class Parser {
 public:
  using Index = std::uint32_t;

  Parser(std::string_view text, std::vector<CelToken> tokens)
      : text_(text), tokens_(std::move(tokens)) {}

  Result<CelTree> run() {
    CR_TRY(const Index root, expression());
    if (peek().kind != CelToken::Kind::kEnd) return unexpected("an operator or the end");
    return CelTree{std::string(text_), std::move(nodes_), root};
  }

 private:
  [[nodiscard]] const CelToken& peek() const { return tokens_[position_]; }
  [[nodiscard]] bool is_symbol(std::string_view symbol) const {
    return peek().kind == CelToken::Kind::kSymbol && peek().text == symbol;
  }
  bool accept(std::string_view symbol) {
    if (!is_symbol(symbol)) return false;
    ++position_;
    return true;
  }
  const CelToken& next() { return tokens_[position_++]; }

  [[nodiscard]] Error error_at(std::size_t offset, std::string_view message) const {
    return cel_error_at(text_, offset, message);
  }
  [[nodiscard]] Error unexpected(std::string_view wanted) const {
    const CelToken& found = peek();
    if (found.kind == CelToken::Kind::kEnd) {
      return error_at(found.begin, fmt::format("expected {}, but the expression ends", wanted));
    }
    return error_at(
        found.begin,
        fmt::format("expected {}, found {}", wanted,
                    shorten(text_.substr(found.begin, found.end - found.begin), kShownBytes)));
  }
  Result<void> expect(std::string_view symbol) {
    if (accept(symbol)) return {};
    return unexpected(fmt::format("\"{}\"", symbol));
  }

  Result<Index> add(Kind kind, std::size_t begin, std::vector<Index> children,
                    std::string name = {}, CelValue literal = {}) {
    if (nodes_.size() == kNodesMax) {
      return error_at(begin, fmt::format("the expression has more than {} parts", kNodesMax));
    }
    CelNode node;
    node.kind = kind;
    node.begin = begin;
    node.end = tokens_[position_ - 1].end;
    for (const Index child : children) {
      node.height = std::max(node.height, nodes_[child].height + 1);
    }
    if (node.height > kDepthMax) return too_deep(begin);
    node.children = std::move(children);
    node.name = std::move(name);
    node.literal = std::move(literal);
    nodes_.push_back(std::move(node));
    return static_cast<Index>(nodes_.size() - 1);
  }

  [[nodiscard]] Error too_deep(std::size_t offset) const {
    return error_at(offset, fmt::format("the expression is more than {} levels deep", kDepthMax));
  }

  Result<Index> expression() {
    if (depth_ == kDepthMax) return too_deep(peek().begin);
    ++depth_;
    auto result = conditional();
    --depth_;
    return result;
  }

  Result<Index> conditional() {
    const std::size_t begin = peek().begin;
    CR_TRY(const Index condition, disjunction());
    if (!accept("?")) return condition;
    CR_TRY(const Index yes, disjunction());
    CR_TRY_VOID(expect(":"));
    CR_TRY(const Index no, expression());
    return add(Kind::kConditional, begin, {condition, yes, no});
  }

  Result<Index> disjunction() {
    return joined("||", Kind::kOr, [this] { return conjunction(); });
  }
  Result<Index> conjunction() {
    return joined("&&", Kind::kAnd, [this] { return binary(0); });
  }

  // A chain of one operator is one node, so that a long one is not deep.
  template <class Operand>
  Result<Index> joined(std::string_view symbol, Kind kind, const Operand& operand) {
    const std::size_t begin = peek().begin;
    CR_TRY(const Index first, operand());
    if (!is_symbol(symbol)) return first;
    std::vector<Index> children = {first};
    while (accept(symbol)) {
      CR_TRY(const Index child, operand());
      children.push_back(child);
    }
    return add(kind, begin, std::move(children));
  }

  Result<Index> binary(std::size_t level) {
    if (level == kLevels.size()) return unary();
    const std::size_t begin = peek().begin;
    CR_TRY(Index left, binary(level + 1));
    while (peek().kind == CelToken::Kind::kSymbol &&
           std::ranges::find(kLevels[level], peek().text) != kLevels[level].end()) {
      std::string symbol = next().text;
      CR_TRY(const Index right, binary(level + 1));
      CR_TRY(left, add(Kind::kBinary, begin, {left, right}, std::move(symbol)));
    }
    return left;
  }

  Result<Index> unary() {
    const std::size_t begin = peek().begin;
    const bool negation = is_symbol("!");
    if (!negation && !is_symbol("-")) return member();
    next();
    if (!negation && is_number(peek().kind)) {
      CR_TRY(const CelValue literal, number(next(), true));
      CR_TRY(const Index value, add(Kind::kLiteral, begin, {}, {}, literal));
      return suffixes(value, begin);
    }
    if (depth_ == kDepthMax) return too_deep(begin);
    ++depth_;
    auto operand = unary();
    --depth_;
    if (!operand) return operand;
    return add(negation ? Kind::kNot : Kind::kNegate, begin, {*operand});
  }

  static bool is_number(CelToken::Kind kind) {
    using enum CelToken::Kind;
    return kind == kInt || kind == kUint || kind == kDouble;
  }

  [[nodiscard]] Result<CelValue> number(const CelToken& token, bool negative) const {
    if (token.kind == CelToken::Kind::kDouble) {
      return CelValue{negative ? -token.number : token.number};
    }
    if (token.kind == CelToken::Kind::kUint) {
      if (!negative) return CelValue{token.magnitude};
      return error_at(token.begin, "an unsigned number cannot be negative: leave out the u");
    }
    if (negative) return CelValue{static_cast<std::int64_t>(std::uint64_t{0} - token.magnitude)};
    if (token.magnitude <= std::uint64_t{std::numeric_limits<std::int64_t>::max()}) {
      return CelValue{static_cast<std::int64_t>(token.magnitude)};
    }
    return error_at(token.begin,
                    fmt::format("the integer {} needs more than 64 bits", token.magnitude));
  }

  Result<Index> member() {
    const std::size_t begin = peek().begin;
    CR_TRY(const Index value, primary());
    return suffixes(value, begin);
  }

  Result<Index> suffixes(Index value, std::size_t begin) {
    while (true) {
      if (accept(".")) {
        CR_TRY(value, after_dot(value, begin));
      } else if (accept("[")) {
        CR_TRY(const Index key, expression());
        CR_TRY_VOID(expect("]"));
        CR_TRY(value, add(Kind::kIndex, begin, {value, key}));
      } else {
        return value;
      }
    }
  }

  Result<Index> after_dot(Index target, std::size_t begin) {
    if (peek().kind != CelToken::Kind::kName) return unexpected("the name of a field");
    std::string name = next().text;
    if (!accept("(")) return add(Kind::kSelect, begin, {target}, std::move(name));
    std::vector<Index> children = {target};
    CR_TRY_VOID(expressions(")", false, children));
    return add(Kind::kMethod, begin, std::move(children), std::move(name));
  }

  // Up to and including `closing`.
  Result<void> expressions(std::string_view closing, bool trailing_comma, std::vector<Index>& out) {
    if (accept(closing)) return {};
    while (true) {
      CR_TRY(const Index item, expression());
      out.push_back(item);
      if (accept(closing)) return {};
      if (!accept(",")) return unexpected(fmt::format("\",\" or \"{}\"", closing));
      if (trailing_comma && accept(closing)) return {};
    }
  }

  Result<Index> primary() {
    const std::size_t begin = peek().begin;
    if (accept("(")) {
      CR_TRY(const Index inner, expression());
      CR_TRY_VOID(expect(")"));
      return inner;
    }
    if (accept("[")) {
      std::vector<Index> items;
      CR_TRY_VOID(expressions("]", true, items));
      return add(Kind::kList, begin, std::move(items));
    }
    if (accept("{")) return map(begin);
    if (is_number(peek().kind)) {
      CR_TRY(const CelValue literal, number(next(), false));
      return add(Kind::kLiteral, begin, {}, {}, literal);
    }
    if (peek().kind == CelToken::Kind::kString) {
      CelValue literal = make_cel_text(next().text);
      return add(Kind::kLiteral, begin, {}, {}, std::move(literal));
    }
    // A dot before a name asks for the outermost one, and there is no other.
    const bool dotted = accept(".");
    if (peek().kind == CelToken::Kind::kName) return name(begin, dotted);
    return unexpected(dotted ? "a name" : "a value");
  }

  Result<Index> map(std::size_t begin) {
    std::vector<Index> children;
    while (!accept("}")) {
      CR_TRY(const Index key, expression());
      CR_TRY_VOID(expect(":"));
      CR_TRY(const Index value, expression());
      children.push_back(key);
      children.push_back(value);
      if (accept("}")) break;
      if (!accept(",")) return unexpected("\",\" or \"}\"");
    }
    return add(Kind::kMap, begin, std::move(children));
  }

  Result<Index> name(std::size_t begin, bool dotted) {
    const CelToken& token = next();
    if (!dotted && token.text == "null") return add(Kind::kLiteral, begin, {});
    if (!dotted && (token.text == "true" || token.text == "false")) {
      return add(Kind::kLiteral, begin, {}, {}, CelValue{token.text == "true"});
    }
    if (std::ranges::find(kReserved, token.text) != kReserved.end()) {
      return error_at(token.begin,
                      fmt::format("\"{}\" is a reserved word and names no value", token.text));
    }
    if (!accept("(")) return add(Kind::kName, begin, {}, token.text);
    const std::size_t arguments = peek().begin;
    std::vector<Index> children;
    CR_TRY_VOID(expressions(")", false, children));
    if (token.text == "has") return has(begin, arguments, children);
    return add(Kind::kCall, begin, std::move(children), token.text);
  }

  Result<Index> has(std::size_t begin, std::size_t arguments, const std::vector<Index>& children) {
    if (children.size() != 1 || nodes_[children[0]].kind != Kind::kSelect) {
      return error_at(arguments, "has() takes one field, as in has(inputs.parameter_values.x)");
    }
    CelNode& node = nodes_[children[0]];
    node.kind = Kind::kHas;
    node.begin = begin;
    node.end = tokens_[position_ - 1].end;
    return children[0];
  }

  std::string_view text_;
  std::vector<CelToken> tokens_;
  std::size_t position_ = 0;
  std::size_t depth_ = 0;
  std::vector<CelNode> nodes_;
};

}  // namespace

Result<CelTree> parse_cel(std::string_view text) {
  if (text.size() > kTextMax) {
    return make_error(Code::kInvalidArgument,
                      "the expression is {} bytes long: at most {} are allowed", text.size(),
                      kTextMax);
  }
  CR_TRY(std::vector<CelToken> tokens, lex_cel(text));
  return Parser(text, std::move(tokens)).run();
}

}  // namespace cresset::text
