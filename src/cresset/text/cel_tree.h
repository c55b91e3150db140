#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "cresset/base/result.h"
#include "cresset/text/cel_value.h"

// A parsed CEL expression. Internal to text/cel*.cc.
namespace cresset::text {

struct CelNode {
  enum class Kind {
    kLiteral,
    kName,         // name
    kSelect,       // children[0].name
    kHas,          // has(children[0].name)
    kIndex,        // children[0][children[1]]
    kCall,         // name(children…)
    kMethod,       // children[0].name(children from 1…)
    kNot,          // !children[0]
    kNegate,       // -children[0]
    kBinary,       // children[0] name children[1]
    kAnd,          // children[0] && children[1] && …
    kOr,           // children[0] || children[1] || …
    kConditional,  // children[0] ? children[1] : children[2]
    kList,         // [children…]
    kMap,          // {children[0]: children[1], children[2]: children[3], …}
  };
  Kind kind = Kind::kLiteral;
  std::size_t begin = 0;  // bytes of the expression
  std::size_t end = 0;
  std::size_t height = 1;
  CelValue literal;
  std::string name;
  std::vector<std::uint32_t> children;
};

struct CelTree {
  std::string text;
  std::vector<CelNode> nodes;  // children before parents; every node belongs to the expression
  std::uint32_t root = 0;

  [[nodiscard]] const CelNode& child(const CelNode& node, std::size_t index) const {
    return nodes[node.children[index]];
  }
};

Result<CelTree> parse_cel(std::string_view text);

}  // namespace cresset::text
