#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "cresset/base/result.h"
#include "cresset/base/value.h"

// The values that a CEL evaluation works on: CEL tells int, uint and double apart where Value knows
// only numbers. Internal to text/cel*.cc. An Error here holds only the reason; the evaluator puts
// the sub-expression before it.
namespace cresset::text {

// Keeps a hostile expression from eating time and memory.
class CelBudget {
 public:
  // For values that are made: all of them together, whether kept or not.
  Result<void> take_bytes(std::size_t bytes);
  // For values that are looked at.
  Result<void> take_steps(std::size_t steps);
  // For texts that are read from end to end.
  Result<void> take_text(std::size_t bytes);

 private:
  std::size_t bytes_ = 0;
  std::size_t steps_ = 0;
};

struct CelValue;
class CelMap;
using CelText = std::shared_ptr<const std::string>;
using CelList = std::vector<CelValue>;
// A list or struct of an input, or of what parseJson gave: shared, never copied.
using CelDocument = std::shared_ptr<const Value>;

struct CelValue {
  std::variant<std::monostate, bool, std::int64_t, std::uint64_t, double, CelText, CelDocument,
               std::shared_ptr<const CelList>, std::shared_ptr<const CelMap>>
      data;

  template <class T>
  [[nodiscard]] const T* get() const {
    return std::get_if<T>(&data);
  }
  [[nodiscard]] bool is_null() const { return std::holds_alternative<std::monostate>(data); }
  [[nodiscard]] bool is_number() const;
  [[nodiscard]] bool is_list() const;
  [[nodiscard]] bool is_map() const;
};

// An integer of either sign and size has one form, so that 1 and 1u are one key.
using CelKey = std::variant<bool, std::int64_t, std::uint64_t, std::string>;

// Entries in the order in which they were written.
class CelMap {
 public:
  using Entry = std::pair<CelKey, CelValue>;
  // False when the key is there already.
  bool add(CelKey key, CelValue value);
  [[nodiscard]] const CelValue* find(const CelKey& key) const;
  [[nodiscard]] const std::vector<Entry>& entries() const { return entries_; }

 private:
  std::vector<Entry> entries_;
  std::map<CelKey, std::size_t> index_;
};

CelValue make_cel_text(std::string text);
// `value` shares ownership of what it points into, or owns nothing when that outlives the
// evaluation.
CelValue make_cel_value(const std::shared_ptr<const Value>& value);
// Refuses what a Value cannot hold exactly.
Result<Value> to_plain_value(const CelValue& value, CelBudget& budget);

// Lists: elements by number. Maps: entries by key; null pointer in `item` when there is none.
std::size_t cel_size(const CelValue& list_or_map);
CelValue cel_item(const CelValue& list, std::size_t index);
Result<std::optional<CelValue>> cel_find(const CelValue& map, const CelKey& key, CelBudget& budget);
// A string, boolean, integer or integral double as a key.
std::optional<CelKey> make_cel_key(const CelValue& value);

// Numbers by value, whatever their types; null equals only null; lists and maps by their elements.
// Other mixed types are an error.
Result<bool> cel_equal(const CelValue& left, const CelValue& right, CelBudget& budget);
// Numbers by value, strings by code points, false before true; anything else is an error.
Result<std::partial_ordering> cel_compare(const CelValue& left, const CelValue& right,
                                          CelBudget& budget);
Result<bool> cel_contains(const CelValue& list_or_map, const CelValue& item, CelBudget& budget);

// "number", "string" … as people say it; "int", "double" … where CEL's distinction matters.
std::string_view cel_kind_name(const CelValue& value);
std::string_view cel_type_name(const CelValue& value);
// "a number", "an int", "null".
std::string with_article(std::string_view name);
// A short form for messages: 3, "abc", a list of 5.
std::string describe_cel(const CelValue& value);

}  // namespace cresset::text
