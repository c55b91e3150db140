#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace cresset {

// A JSON value: what a parameter, a metadata entry or a parsed document holds. Numbers are doubles,
// as in protobuf's Struct; integers are exact to ±(2^53 − 1) and print without a fraction.
class Value {
 public:
  using List = std::vector<Value>;

  // Fields in the order in which they were set; a name occurs once. Look-up is linear: structs are
  // small, and code that handles large ones iterates.
  class Struct {
   public:
    using Field = std::pair<std::string, Value>;

    [[nodiscard]] bool empty() const { return fields_.empty(); }
    [[nodiscard]] std::size_t size() const { return fields_.size(); }
    [[nodiscard]] auto begin() const { return fields_.begin(); }
    [[nodiscard]] auto end() const { return fields_.end(); }
    // Of values, not of names.
    [[nodiscard]] auto begin() { return fields_.begin(); }
    [[nodiscard]] auto end() { return fields_.end(); }
    [[nodiscard]] const Value* find(std::string_view key) const;
    [[nodiscard]] Value* find(std::string_view key);
    // Replaces the value of an existing field, in its place.
    void set(std::string_view key, Value value);
    void reserve(std::size_t fields) { fields_.reserve(fields); }
    // For readers that have made sure that the key is new.
    void append(std::string key, Value value);
    bool erase(std::string_view key);

   private:
    std::vector<Field> fields_;
  };

  Value() = default;                               // null
  Value(std::nullptr_t) {}                         // NOLINT: a JSON value reads best implicit
  Value(bool b) : data_(b) {}                      // NOLINT
  Value(double d) : data_(d) {}                    // NOLINT
  Value(int i) : data_(static_cast<double>(i)) {}  // NOLINT
  Value(std::int64_t i) : data_(static_cast<double>(i)) {}   // NOLINT
  Value(std::uint64_t i) : data_(static_cast<double>(i)) {}  // NOLINT
  Value(std::uint32_t i) : data_(static_cast<double>(i)) {}  // NOLINT
  Value(std::string s) : data_(std::move(s)) {}              // NOLINT
  Value(std::string_view s) : data_(std::string(s)) {}       // NOLINT
  Value(const char* s) : data_(std::string(s)) {}            // NOLINT
  Value(List list) : data_(std::move(list)) {}               // NOLINT
  Value(Struct fields) : data_(std::move(fields)) {}         // NOLINT

  static Value make_struct(std::initializer_list<std::pair<std::string, Value>> fields = {});

  [[nodiscard]] bool is_null() const { return std::holds_alternative<std::monostate>(data_); }
  [[nodiscard]] bool is_bool() const { return std::holds_alternative<bool>(data_); }
  [[nodiscard]] bool is_number() const { return std::holds_alternative<double>(data_); }
  [[nodiscard]] bool is_integer() const;  // a number with no fraction, within ±(2^53 − 1)
  [[nodiscard]] bool is_string() const { return std::holds_alternative<std::string>(data_); }
  [[nodiscard]] bool is_list() const { return std::holds_alternative<List>(data_); }
  [[nodiscard]] bool is_struct() const { return std::holds_alternative<Struct>(data_); }

  // The accessors require the matching kind (CHECK).
  [[nodiscard]] bool as_bool() const;
  [[nodiscard]] double as_number() const;
  [[nodiscard]] std::int64_t as_integer() const;
  [[nodiscard]] const std::string& as_string() const;
  [[nodiscard]] const List& as_list() const;
  [[nodiscard]] List& as_list();
  [[nodiscard]] const Struct& as_struct() const;
  [[nodiscard]] Struct& as_struct();

  // Field of a struct; null pointer when this is no struct or has no such field.
  [[nodiscard]] const Value* find(std::string_view key) const;
  // Field of a struct, made when absent (null becomes a struct).
  Value& operator[](std::string_view key);

  // "null", "boolean", "number", "string", "list", "struct": for messages.
  [[nodiscard]] std::string_view kind_name() const;

  // Structs are equal when they hold the same fields in any order.
  bool operator==(const Value& other) const;

 private:
  std::variant<std::monostate, bool, double, std::string, List, Struct> data_;
};

// Largest integer that a number holds exactly: 2^53 − 1.
inline constexpr std::int64_t kIntegerMax = 9'007'199'254'740'991;

}  // namespace cresset
