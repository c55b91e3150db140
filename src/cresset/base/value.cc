#include "cresset/base/value.h"

#include <algorithm>
#include <cmath>

#include "cresset/base/check.h"

namespace cresset {

const Value* Value::Struct::find(std::string_view key) const {
  for (const Field& field : fields_) {
    if (field.first == key) return &field.second;
  }
  return nullptr;
}

Value* Value::Struct::find(std::string_view key) {
  return const_cast<Value*>(std::as_const(*this).find(key));
}

void Value::Struct::set(std::string_view key, Value value) {
  if (Value* present = find(key)) {
    *present = std::move(value);
  } else {
    append(std::string(key), std::move(value));
  }
}

void Value::Struct::append(std::string key, Value value) {
  fields_.emplace_back(std::move(key), std::move(value));
}

bool Value::Struct::erase(std::string_view key) {
  return std::erase_if(fields_, [key](const Field& field) { return field.first == key; }) != 0;
}

Value Value::make_struct(std::initializer_list<std::pair<std::string, Value>> fields) {
  Struct out;
  for (const auto& [key, value] : fields) out.set(key, value);
  return out;
}

bool Value::is_integer() const {
  const double* number = std::get_if<double>(&data_);
  return number != nullptr && std::trunc(*number) == *number &&
         std::abs(*number) <= static_cast<double>(kIntegerMax);
}

bool Value::as_bool() const {
  CHECK(is_bool());
  return std::get<bool>(data_);
}

double Value::as_number() const {
  CHECK(is_number());
  return std::get<double>(data_);
}

std::int64_t Value::as_integer() const {
  CHECK(is_integer());
  return static_cast<std::int64_t>(std::get<double>(data_));
}

const std::string& Value::as_string() const {
  CHECK(is_string());
  return std::get<std::string>(data_);
}

const Value::List& Value::as_list() const {
  CHECK(is_list());
  return std::get<List>(data_);
}

Value::List& Value::as_list() {
  CHECK(is_list());
  return std::get<List>(data_);
}

const Value::Struct& Value::as_struct() const {
  CHECK(is_struct());
  return std::get<Struct>(data_);
}

Value::Struct& Value::as_struct() {
  CHECK(is_struct());
  return std::get<Struct>(data_);
}

const Value* Value::find(std::string_view key) const {
  const Struct* fields = std::get_if<Struct>(&data_);
  return fields == nullptr ? nullptr : fields->find(key);
}

Value& Value::operator[](std::string_view key) {
  if (is_null()) data_ = Struct{};
  Struct& fields = as_struct();
  if (Value* present = fields.find(key)) return *present;
  fields.append(std::string(key), Value{});
  return *fields.find(key);
}

std::string_view Value::kind_name() const {
  switch (data_.index()) {
    case 0:
      return "null";
    case 1:
      return "boolean";
    case 2:
      return "number";
    case 3:
      return "string";
    case 4:
      return "list";
    default:
      return "struct";
  }
}

bool Value::operator==(const Value& other) const {
  if (data_.index() != other.data_.index()) return false;
  if (!is_struct()) {
    if (is_list()) return as_list() == other.as_list();
    if (is_string()) return as_string() == other.as_string();
    if (is_number()) return as_number() == other.as_number();
    return !is_bool() || as_bool() == other.as_bool();
  }
  const Struct& mine = as_struct();
  const Struct& theirs = other.as_struct();
  return mine.size() == theirs.size() &&
         std::ranges::all_of(mine, [&theirs](const Struct::Field& field) {
           const Value* match = theirs.find(field.first);
           return match != nullptr && *match == field.second;
         });
}

}  // namespace cresset
