#include "cresset/adapters/python/json_fields.h"

namespace cresset::python {

Value texts_value(const std::vector<std::string>& texts) {
  return Value(Value::List(texts.begin(), texts.end()));
}

std::vector<std::string> texts_of(const Value* list) {
  std::vector<std::string> texts;
  if (list == nullptr || !list->is_list()) return texts;
  for (const Value& text : list->as_list())
    if (text.is_string()) texts.push_back(text.as_string());
  return texts;
}

std::string text_of(const Value& fields, std::string_view key) {
  const Value* text = fields.find(key);
  return text != nullptr && text->is_string() ? text->as_string() : std::string();
}

}  // namespace cresset::python
