#include <fmt/core.h>

#include "cresset/text/json.h"
#include "sim/generate_parts.h"
#include "sim/produce.h"

namespace cresset::sim {

using std::chrono::milliseconds;

std::string Generator::fresh(std::set<std::string>& used, const std::vector<std::string>& plain,
                             bool may_be_odd) {
  static const std::vector<std::string> kOdd = {
      "größe", "it's", "a b", "x.y", "q'] z", "日本", "pipelinechannel--up-Output", "-", "CON"};
  std::string name =
      may_be_odd && dice_.permille(taste_.odd_names) ? dice_.pick(kOdd) : dice_.pick(plain);
  for (unsigned number = 2; !used.insert(name).second; ++number) {
    const std::size_t dash = name.rfind('-');
    if (number > 2 && dash != std::string::npos) name.resize(dash);
    if (number > 4) number = 4 + static_cast<unsigned>(used.size());
    name += fmt::format("-{}", number);
  }
  return name;
}

std::string Generator::task_name(Scope& scope, const std::vector<std::string>& plain) {
  return fresh(scope.names, plain);
}

Shape Generator::random_shape() {
  static const std::vector<Shape::Base> kBases = {
      Shape::Base::kInteger, Shape::Base::kInteger,    Shape::Base::kDouble,
      Shape::Base::kWord,    Shape::Base::kWord,       Shape::Base::kText,
      Shape::Base::kBoolean, Shape::Base::kNumberText, Shape::Base::kListText};
  Shape shape{dice_.pick(kBases)};
  if (dice_.percent(12)) shape.base = Shape::Base::kStruct;
  if (dice_.percent(25)) shape.depth = dice_.percent(85) ? 1 : 2;
  return shape;
}

Value Generator::random_base(Shape::Base base) {
  switch (base) {
    case Shape::Base::kInteger:
      return dice_.percent(95) ? Value(dice_.below(10)) : Value(kIntegerMax);
    case Shape::Base::kDouble:
      return Value(static_cast<double>(dice_.below(64)) / 8 - 2);
    case Shape::Base::kWord:
      return Value(dice_.pick(words()));
    case Shape::Base::kText:
      return Value(dice_.percent(50) ? harmless(dice_.pick(odd_texts()))
                                     : fmt::format("text {}", dice_.below(100)));
    case Shape::Base::kBoolean:
      return Value(dice_.percent(50));
    case Shape::Base::kStruct: {
      Value out = Value::make_struct();
      out["a"] = dice_.below(10);
      out["b"] = dice_.pick(words());
      out["list"] = random_value({Shape::Base::kInteger, 1});
      return out;
    }
    case Shape::Base::kNumberText:
      return Value(std::to_string(dice_.below(100)));
    case Shape::Base::kListText:
      return Value(text::to_json(random_value({Shape::Base::kInteger, 1})));
  }
  return {};
}

std::string Generator::harmless(const std::string& text) {
  return text.find("{{$") == std::string::npos ? text : "{{ no placeholder }}";
}

Value Generator::random_value(const Shape& shape) {
  if (shape.depth == 0) return random_base(shape.base);
  Value::List list;
  for (std::uint64_t left = dice_.below(4); left > 0; --left)
    list.push_back(random_value({shape.base, shape.depth - 1}));
  return Value(std::move(list));
}

void Generator::add_run_inputs(Scope& root) {
  std::set<std::string> used;
  static const std::vector<std::string> kNames = {"n", "message", "items", "flag", "config"};
  for (unsigned left = dice_.below(3) == 0 ? dice_.between(1, 4) : dice_.between(0, 1); left > 0;
       --left) {
    const Shape shape = random_shape();
    const std::string name = fresh(used, kNames);
    ParameterInput input{type_of(shape), {}, false, {}, true};
    const std::uint64_t kind = dice_.below(10);
    if (kind < 5) {
      sketch_.given[name] = run_value(shape);
    } else if (kind < 9) {
      input.default_value = random_value(shape);
      if (kind == 8) sketch_.given[name] = run_value(shape);
    } else {
      input.optional = true;
    }
    sketch_.parameters[name] = std::move(input);
    root.values.push_back({from_input(name), shape});
  }
}

Value Generator::run_value(const Shape& shape) {
  if (shape == Shape{Shape::Base::kText} && dice_.percent(40))
    return Value(dice_.pick(odd_texts()));
  return random_value(shape);
}

Duration Generator::random_time() {
  switch (dice_.below(4)) {
    case 0:
      return milliseconds(dice_.between(1, 50));
    case 1:
    case 2:
      return milliseconds(dice_.between(50, 5'000));
    default:
      return milliseconds(dice_.between(1'000, 180'000));
  }
}

}  // namespace cresset::sim
