#include "cresset/codec/parameters.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "cresset/codec/document.h"
#include "cresset/codec/source_text.h"
#include "cresset/text/json.h"
#include "cresset/text/suggest.h"
#include "cresset/text/utf8.h"

namespace cresset::codec {

namespace {

std::string_view describe(model::ParameterType type) {
  using model::ParameterType;
  switch (type) {
    case ParameterType::kNumberDouble:
      return "a number";
    case ParameterType::kNumberInteger:
      return "an integer within ±9007199254740991";
    case ParameterType::kString:
      return "a string";
    case ParameterType::kBoolean:
      return "true or false";
    case ParameterType::kList:
      return "a list";
    case ParameterType::kStruct:
    case ParameterType::kTaskFinalStatus:
    case ParameterType::kTaskConfig:
      return "a struct";
  }
  return {};
}

Error wrong_type(std::string_view name, model::ParameterType type, std::string_view given) {
  return make_error(Code::kInvalidArgument, "parameter {} must be {} ({}), not {}", name,
                    describe(type), to_string(type), clipped(given));
}

std::string missing_list(const std::vector<std::pair<std::string, model::ParameterType>>& missing) {
  std::string out;
  for (const auto& [name, type] : missing)
    out += fmt::format("{}{} ({})", out.empty() ? "" : ", ", name, to_string(type));
  return out;
}

}  // namespace

Result<Value> parse_parameter_text(std::string_view name, model::ParameterType type,
                                   std::string_view text) {
  if (type == model::ParameterType::kString) {
    if (text::find_invalid_utf8(text) == std::string_view::npos) return Value(text);
    return make_error(Code::kInvalidArgument, "the value of parameter {} is not valid UTF-8", name);
  }
  text::JsonError fault;
  auto value = text::parse_json(text, {}, &fault);
  if (value && model::fits(*value, type)) return value;
  Error error = wrong_type(name, type, text);
  const bool structured = type != model::ParameterType::kNumberDouble &&
                          type != model::ParameterType::kNumberInteger &&
                          type != model::ParameterType::kBoolean;
  if (!value && structured) {
    error.message += fmt::format(": as JSON, line {}, column {}: {}", fault.position.line,
                                 fault.position.column, fault.message);
  }
  return error;
}

Result<void> check_parameter(const model::InputParameter& declared, std::string_view name,
                             const Value& value) {
  if (value.is_null() && declared.optional) return {};
  if (!model::fits(value, declared.type))
    return wrong_type(name, declared.type, text::to_json(value));
  if (declared.literals.empty() ||
      std::ranges::find(declared.literals, value) != declared.literals.end())
    return {};
  std::string allowed;
  for (const Value& literal : declared.literals)
    allowed += (allowed.empty() ? "" : ", ") + text::to_json(literal);
  return make_error(Code::kInvalidArgument, "parameter {} must be one of {}, not {}", name, allowed,
                    clipped(text::to_json(value)));
}

Result<model::ByName<Value>> read_parameters_file(std::string_view text) {
  CR_TRY(std::vector<Value> documents, read_documents(text, {.documents = 1}));
  model::ByName<Value> out;
  if (documents.empty()) return out;
  if (!documents.front().is_struct()) {
    return make_error(Code::kInvalidArgument,
                      "a parameters file holds a map of names to values, not a {}",
                      documents.front().kind_name());
  }
  for (auto& [name, value] : documents.front().as_struct()) out.emplace(name, value);
  return out;
}

Result<model::ByName<Value>> resolve_inputs(const model::Component& root,
                                            model::ByName<Value> given) {
  std::vector<std::string> names;
  for (const auto& [name, declared] : root.input_parameters) names.push_back(name);
  for (const auto& [name, value] : given) {
    const auto declared = root.input_parameters.find(name);
    if (declared == root.input_parameters.end()) {
      return make_error(Code::kInvalidArgument, "the pipeline has no parameter {}{}; it has {}",
                        name, text::did_you_mean_suffix(name, names),
                        names.empty() ? "none" : fmt::format("{}", fmt::join(names, ", ")));
    }
    CR_TRY_VOID(check_parameter(declared->second, name, value));
  }
  for (const auto& [name, declared] : root.input_artifacts) {
    if (declared.optional) continue;
    return make_error(Code::kInvalidArgument,
                      "the pipeline needs the artifact {}, which a run cannot be given: import it "
                      "in the pipeline",
                      name);
  }
  std::vector<std::pair<std::string, model::ParameterType>> missing;
  for (const auto& [name, declared] : root.input_parameters) {
    if (given.contains(name)) continue;
    if (declared.default_value) {
      given.emplace(name, *declared.default_value);
    } else if (declared.optional) {
      given.emplace(name, Value());
    } else {
      missing.emplace_back(name, declared.type);
    }
  }
  if (missing.empty()) return given;
  return make_error(Code::kInvalidArgument,
                    "the pipeline needs {}: give {} with -p name=value or --params FILE",
                    missing_list(missing), missing.size() == 1 ? "it" : "them");
}

}  // namespace cresset::codec
