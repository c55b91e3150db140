#include "cresset/model/value_type.h"

namespace cresset::model {

bool is_value_of(ParameterType type, const Value& value) {
  switch (type) {
    case ParameterType::kNumberDouble: return value.is_number();
    case ParameterType::kNumberInteger: return value.is_integer();
    case ParameterType::kString: return value.is_string();
    case ParameterType::kBoolean: return value.is_bool();
    case ParameterType::kList: return value.is_list();
    case ParameterType::kStruct:
    case ParameterType::kTaskFinalStatus:
    case ParameterType::kTaskConfig: return value.is_struct();
  }
  return false;
}

std::string_view describe(ParameterType type) {
  switch (type) {
    case ParameterType::kNumberDouble: return "a number";
    case ParameterType::kNumberInteger: return "an integer within ±9007199254740991";
    case ParameterType::kString: return "a string";
    case ParameterType::kBoolean: return "true or false";
    case ParameterType::kList: return "a list";
    case ParameterType::kStruct: return "a struct";
    case ParameterType::kTaskFinalStatus: return "the final status of a task";
    case ParameterType::kTaskConfig: return "the settings of a task";
  }
  return {};
}

}  // namespace cresset::model
