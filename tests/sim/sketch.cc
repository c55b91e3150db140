#include "sim/sketch.h"

#include <algorithm>

#include "cresset/text/json.h"

namespace cresset::sim {

namespace {

constexpr std::string_view kResourceName = "pipelineJobResourceName";
constexpr std::string_view kTaskName = "pipelineTaskName";

// What only a final status looks like.
bool is_final_status(const Value& value) {
  return value.find(kResourceName) != nullptr && value.find(kTaskName) != nullptr;
}

bool is_unknown_text(const Value& value) {
  return value.is_string() && value.as_string().starts_with(kRunName);
}

void count_leaves(const Dag& dag, std::size_t& count) {
  for (const Task& task : dag.tasks) {
    if (const Dag* inner = task.dag()) {
      count_leaves(*inner, count);
    } else {
      ++count;
    }
  }
}

void note_traits(const Dag& dag, Traits& traits) {
  for (const Task& task : dag.tasks) {
    traits.caching |= task.caching;
    if (const Dag* inner = task.dag()) note_traits(*inner, traits);
    if (const Step* step = task.step()) traits.task_deadlines |= step->deadline.has_value();
  }
}

}  // namespace

std::string_view to_string(Type type) {
  switch (type) {
    case Type::kDouble:
      return "NUMBER_DOUBLE";
    case Type::kInteger:
      return "NUMBER_INTEGER";
    case Type::kString:
      return "STRING";
    case Type::kBoolean:
      return "BOOLEAN";
    case Type::kList:
      return "LIST";
    case Type::kStruct:
      return "STRUCT";
    case Type::kStatus:
      return "TASK_FINAL_STATUS";
  }
  return {};
}

Type type_of(const Shape& shape) {
  if (shape.depth > 0) return Type::kList;
  switch (shape.base) {
    case Shape::Base::kInteger:
      return Type::kInteger;
    case Shape::Base::kDouble:
      return Type::kDouble;
    case Shape::Base::kBoolean:
      return Type::kBoolean;
    case Shape::Base::kStruct:
      return Type::kStruct;
    case Shape::Base::kWord:
    case Shape::Base::kText:
    case Shape::Base::kNumberText:
    case Shape::Base::kListText:
      return Type::kString;
  }
  return Type::kString;
}

bool is_possible(Mischief::Kind kind, const Step& step) {
  switch (kind) {
    case Mischief::Kind::kWrongType:
      return std::ranges::any_of(step.parameters, [](const auto& output) {
        return type_of(output.second.shape) != Type::kString;
      });
    case Mischief::Kind::kNoOutput:
      return !step.parameters.empty();
    case Mischief::Kind::kBadJson:
    case Mischief::Kind::kUndeclared:
      return !step.parameters.empty() || !step.artifacts.empty();
    case Mischief::Kind::kHang:
      return step.deadline.has_value();
    default:
      return true;
  }
}

const ByName<Value>& run_inputs(const Sketch& sketch) { return sketch.given; }

const std::vector<std::pair<std::string, std::string>>& files_needed(const Sketch& sketch) {
  return sketch.files;
}

std::size_t leaves_of(const Sketch& sketch) {
  std::size_t count = 0;
  count_leaves(sketch.root, count);
  return count;
}

Traits traits_of(const Sketch& sketch) {
  Traits traits;
  traits.run_deadline = sketch.deadline.has_value();
  note_traits(sketch.root, traits);
  return traits;
}

Value stripped(const Value& value) {
  if (!is_final_status(value)) return value;
  return Value::make_struct(
      {{"state", *value.find("state")}, {std::string(kTaskName), *value.find(kTaskName)}});
}

bool same(const Value& foreseen, const Value& real) {
  if (is_unknown_text(foreseen))
    return real.is_string() &&
           real.as_string().ends_with(foreseen.as_string().substr(kRunName.size()));
  if (is_final_status(real)) return foreseen == stripped(real);
  return foreseen == real;
}

bool same(const Data& foreseen, const Data& real) {
  return std::ranges::equal(foreseen.parameters, real.parameters,
                            [](const auto& a, const auto& b) {
                              return a.first == b.first && same(*a.second, *b.second);
                            }) &&
         std::ranges::equal(foreseen.artifacts, real.artifacts, [](const auto& a, const auto& b) {
           return a.first == b.first && *a.second == *b.second;
         });
}

std::string to_text(const Data& data) {
  std::string out;
  for (const auto& [name, value] : data.parameters)
    out += name + "=" + text::to_json(stripped(*value)) + " ";
  for (const auto& [name, artifacts] : data.artifacts) {
    out += name + "=[";
    for (const Artifact& artifact : *artifacts)
      out += text::to_json(Value(artifact.content)) + text::to_json(artifact.metadata) + " ";
    out += "] ";
  }
  return out;
}

}  // namespace cresset::sim
