#include "cresset/text/cel_value.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "cresset/base/error.h"
#include "cresset/base/result.h"
#include "cresset/base/value.h"
#include "cresset/text/json.h"
#include "cresset/text/utf8.h"

namespace cresset::text {

namespace {

constexpr std::size_t kBytesMax = std::size_t{64} << 20u;
constexpr std::size_t kStepsMax = 10'000'000;  // about a second
constexpr std::size_t kBytesPerStep = 64;
constexpr std::size_t kValueBytes = sizeof(Value);
constexpr std::size_t kShownBytes = 60;

// An owner-less pointer into `owner`'s object keeps that object alive.
CelDocument part_of(const CelDocument& owner, const Value& part) {
  return CelDocument(owner, &part);
}

std::partial_ordering compare_with_double(std::int64_t left, double right) {
  if (std::isnan(right)) return std::partial_ordering::unordered;
  constexpr double kLimit = 9223372036854775808.0;  // 2^63
  if (right >= kLimit) return std::partial_ordering::less;
  if (right < -kLimit) return std::partial_ordering::greater;
  const double whole = std::trunc(right);
  const auto order = left <=> static_cast<std::int64_t>(whole);
  if (order != 0) return order;
  return 0.0 <=> right - whole;
}

std::partial_ordering compare_with_double(std::uint64_t left, double right) {
  if (std::isnan(right)) return std::partial_ordering::unordered;
  constexpr double kLimit = 18446744073709551616.0;  // 2^64
  if (right >= kLimit) return std::partial_ordering::less;
  if (right < 0) return std::partial_ordering::greater;
  const double whole = std::trunc(right);
  const auto order = left <=> static_cast<std::uint64_t>(whole);
  if (order != 0) return order;
  return 0.0 <=> right - whole;
}

std::partial_ordering compare_integers(std::int64_t left, std::uint64_t right) {
  if (left < 0) return std::partial_ordering::less;
  return static_cast<std::uint64_t>(left) <=> right;
}

std::partial_ordering reversed(std::partial_ordering order) { return 0 <=> order; }

// By value, exactly: no integer is rounded to a double.
struct NumberComparer {
  std::partial_ordering operator()(std::int64_t a, std::int64_t b) const { return a <=> b; }
  std::partial_ordering operator()(std::uint64_t a, std::uint64_t b) const { return a <=> b; }
  std::partial_ordering operator()(double a, double b) const { return a <=> b; }
  std::partial_ordering operator()(std::int64_t a, std::uint64_t b) const {
    return compare_integers(a, b);
  }
  std::partial_ordering operator()(std::uint64_t a, std::int64_t b) const {
    return reversed(compare_integers(b, a));
  }
  std::partial_ordering operator()(std::int64_t a, double b) const {
    return compare_with_double(a, b);
  }
  std::partial_ordering operator()(std::uint64_t a, double b) const {
    return compare_with_double(a, b);
  }
  std::partial_ordering operator()(double a, std::int64_t b) const {
    return reversed(compare_with_double(b, a));
  }
  std::partial_ordering operator()(double a, std::uint64_t b) const {
    return reversed(compare_with_double(b, a));
  }
  template <class A, class B>
  std::partial_ordering operator()(const A&, const B&) const {
    return std::partial_ordering::unordered;
  }
};

Error mixed(const CelValue& left, const CelValue& right) {
  return make_error(Code::kFailedPrecondition,
                    "{} cannot be compared with {}: {} and {}; convert one of them first",
                    with_article(cel_kind_name(left)), with_article(cel_kind_name(right)),
                    describe_cel(left), describe_cel(right));
}

Result<std::string> plain_key(const CelKey& key) {
  if (const auto* text = std::get_if<std::string>(&key)) return *text;
  return make_error(
      Code::kFailedPrecondition,
      "the result holds a map with a key that is no string: convert it with string()");
}

Result<Value> plain_integer(std::uint64_t magnitude, bool negative) {
  if (magnitude > static_cast<std::uint64_t>(kIntegerMax)) {
    return make_error(Code::kFailedPrecondition,
                      "the result {}{} is beyond ±(2^53 − 1), which a number cannot hold exactly",
                      negative ? "-" : "", magnitude);
  }
  const auto value = static_cast<std::int64_t>(magnitude);
  return Value(negative ? -value : value);
}

std::uint64_t magnitude_of(std::int64_t value) {
  const auto bits = static_cast<std::uint64_t>(value);
  return value < 0 ? std::uint64_t{0} - bits : bits;
}

// A document may be part of a made list many times over; each copy counts.
Result<void> charge_copy(const Value& value, CelBudget& budget) {
  CR_TRY_VOID(budget.take_bytes(kValueBytes + (value.is_string() ? value.as_string().size() : 0)));
  if (value.is_list()) {
    for (const Value& item : value.as_list()) CR_TRY_VOID(charge_copy(item, budget));
  }
  if (value.is_struct()) {
    for (const auto& [key, item] : value.as_struct()) {
      CR_TRY_VOID(budget.take_bytes(key.size()));
      CR_TRY_VOID(charge_copy(item, budget));
    }
  }
  return {};
}

class Plainer {
 public:
  explicit Plainer(CelBudget& budget) : budget_(budget) {}

  Result<Value> operator()(std::monostate) const { return Value(); }
  Result<Value> operator()(bool value) const { return Value(value); }
  Result<Value> operator()(std::int64_t value) const {
    return plain_integer(magnitude_of(value), value < 0);
  }
  Result<Value> operator()(std::uint64_t value) const { return plain_integer(value, false); }
  Result<Value> operator()(double value) const {
    if (std::isfinite(value)) return Value(value);
    return make_error(Code::kFailedPrecondition, "the result {} is no finite number", value);
  }
  Result<Value> operator()(const CelText& text) const {
    CR_TRY_VOID(budget_.take_bytes(text->size()));
    return Value(*text);
  }
  Result<Value> operator()(const CelDocument& document) const {
    CR_TRY_VOID(charge_copy(*document, budget_));
    return *document;
  }
  Result<Value> operator()(const std::shared_ptr<const CelList>& list) const {
    CR_TRY_VOID(budget_.take_bytes(list->size() * kValueBytes));
    Value::List out;
    out.reserve(list->size());
    for (const CelValue& item : *list) {
      CR_TRY(Value plain, std::visit(*this, item.data));
      out.push_back(std::move(plain));
    }
    return Value(std::move(out));
  }
  Result<Value> operator()(const std::shared_ptr<const CelMap>& map) const {
    Value::Struct out;
    for (const auto& [key, item] : map->entries()) {
      CR_TRY(std::string name, plain_key(key));
      CR_TRY_VOID(budget_.take_bytes(name.size() + kValueBytes));
      CR_TRY(Value plain, std::visit(*this, item.data));
      out.append(std::move(name), std::move(plain));
    }
    return Value(std::move(out));
  }

 private:
  CelBudget& budget_;
};

Result<bool> equal_lists(const CelValue& left, const CelValue& right, CelBudget& budget) {
  if (cel_size(left) != cel_size(right)) return false;
  for (std::size_t i = 0; i < cel_size(left); ++i) {
    CR_TRY(const bool equal, cel_equal(cel_item(left, i), cel_item(right, i), budget));
    if (!equal) return false;
  }
  return true;
}

// Calls f(key, value) for each entry until it answers false or an error.
template <class F>
Result<void> each_entry(const CelValue& map, F&& f) {
  if (const auto* made = map.get<std::shared_ptr<const CelMap>>()) {
    for (const auto& [key, value] : (*made)->entries()) {
      CR_TRY(const bool more, f(key, value));
      if (!more) return {};
    }
    return {};
  }
  const CelDocument& document = *map.get<CelDocument>();
  for (const auto& [key, value] : document->as_struct()) {
    CR_TRY(const bool more, f(CelKey(key), make_cel_value(part_of(document, value))));
    if (!more) return {};
  }
  return {};
}

Result<bool> equal_maps(const CelValue& left, const CelValue& right, CelBudget& budget) {
  if (cel_size(left) != cel_size(right)) return false;
  bool all_equal = true;
  CR_TRY_VOID(each_entry(left, [&](const CelKey& key, const CelValue& value) -> Result<bool> {
    CR_TRY(const std::optional<CelValue> other, cel_find(right, key, budget));
    all_equal = other.has_value();
    if (other) {
      CR_TRY(all_equal, cel_equal(value, *other, budget));
    }
    return all_equal;
  }));
  return all_equal;
}

}  // namespace

Result<void> CelBudget::take_bytes(std::size_t bytes) {
  bytes_ = bytes > kBytesMax - bytes_ ? kBytesMax : bytes_ + bytes;
  if (bytes_ < kBytesMax) return {};
  return make_error(Code::kFailedPrecondition,
                    "the values that the expression makes are larger than {} MiB in all",
                    kBytesMax >> 20u);
}

Result<void> CelBudget::take_steps(std::size_t steps) {
  steps_ = steps > kStepsMax - steps_ ? kStepsMax : steps_ + steps;
  if (steps_ < kStepsMax) return {};
  return make_error(Code::kFailedPrecondition, "the expression takes more than {} steps",
                    kStepsMax);
}

Result<void> CelBudget::take_text(std::size_t bytes) { return take_steps(bytes / kBytesPerStep); }

bool CelValue::is_number() const {
  return get<std::int64_t>() != nullptr || get<std::uint64_t>() != nullptr ||
         get<double>() != nullptr;
}

bool CelValue::is_list() const {
  const CelDocument* document = get<CelDocument>();
  return document != nullptr ? (*document)->is_list()
                             : get<std::shared_ptr<const CelList>>() != nullptr;
}

bool CelValue::is_map() const {
  const CelDocument* document = get<CelDocument>();
  return document != nullptr ? (*document)->is_struct()
                             : get<std::shared_ptr<const CelMap>>() != nullptr;
}

bool CelMap::add(CelKey key, CelValue value) {
  if (!index_.emplace(key, entries_.size()).second) return false;
  entries_.emplace_back(std::move(key), std::move(value));
  return true;
}

const CelValue* CelMap::find(const CelKey& key) const {
  const auto it = index_.find(key);
  return it == index_.end() ? nullptr : &entries_[it->second].second;
}

CelValue make_cel_text(std::string text) {
  return CelValue{std::make_shared<const std::string>(std::move(text))};
}

CelValue make_cel_value(const std::shared_ptr<const Value>& value) {
  if (value->is_null()) return CelValue{};
  if (value->is_bool()) return CelValue{value->as_bool()};
  if (value->is_number()) return CelValue{value->as_number()};
  if (value->is_string()) return CelValue{CelText(value, &value->as_string())};
  return CelValue{value};
}

Result<Value> to_plain_value(const CelValue& value, CelBudget& budget) {
  // A part of the inputs as it stands cannot be larger than they are.
  if (const auto* document = value.get<CelDocument>()) return **document;
  if (const auto* text = value.get<CelText>()) return Value(**text);
  return std::visit(Plainer(budget), value.data);
}

std::size_t cel_size(const CelValue& list_or_map) {
  if (const auto* list = list_or_map.get<std::shared_ptr<const CelList>>()) return (*list)->size();
  if (const auto* map = list_or_map.get<std::shared_ptr<const CelMap>>())
    return (*map)->entries().size();
  const Value& document = **list_or_map.get<CelDocument>();
  return document.is_list() ? document.as_list().size() : document.as_struct().size();
}

CelValue cel_item(const CelValue& list, std::size_t index) {
  if (const auto* made = list.get<std::shared_ptr<const CelList>>()) return (**made)[index];
  const CelDocument& document = *list.get<CelDocument>();
  return make_cel_value(part_of(document, document->as_list()[index]));
}

Result<std::optional<CelValue>> cel_find(const CelValue& map, const CelKey& key,
                                         CelBudget& budget) {
  if (const auto* made = map.get<std::shared_ptr<const CelMap>>()) {
    CR_TRY_VOID(budget.take_steps(1));
    const CelValue* found = (*made)->find(key);
    return found == nullptr ? std::optional<CelValue>{} : *found;
  }
  const CelDocument& document = *map.get<CelDocument>();
  // A struct is searched from its start.
  CR_TRY_VOID(budget.take_steps(document->as_struct().size()));
  const auto* name = std::get_if<std::string>(&key);
  const Value* found = name == nullptr ? nullptr : document->find(*name);
  if (found == nullptr) return std::optional<CelValue>{};
  return std::optional<CelValue>{make_cel_value(part_of(document, *found))};
}

std::optional<CelKey> make_cel_key(const CelValue& value) {
  if (const auto* boolean = value.get<bool>()) return CelKey(*boolean);
  if (const auto* text = value.get<CelText>()) return CelKey(**text);
  if (const auto* integer = value.get<std::int64_t>()) return CelKey(*integer);
  if (const auto* natural = value.get<std::uint64_t>()) {
    if (*natural > std::uint64_t{std::numeric_limits<std::int64_t>::max()}) return CelKey(*natural);
    return CelKey(static_cast<std::int64_t>(*natural));
  }
  const auto* number = value.get<double>();
  if (number == nullptr || !Value(*number).is_integer()) return std::nullopt;
  return CelKey(static_cast<std::int64_t>(*number));
}

Result<bool> cel_equal(const CelValue& left, const CelValue& right, CelBudget& budget) {
  CR_TRY_VOID(budget.take_steps(1));
  if (left.is_null() || right.is_null()) return left.is_null() && right.is_null();
  if (left.is_list() && right.is_list()) return equal_lists(left, right, budget);
  if (left.is_map() && right.is_map()) return equal_maps(left, right, budget);
  if (const auto *a = left.get<CelText>(), *b = right.get<CelText>();
      a != nullptr && b != nullptr) {
    if ((*a)->size() != (*b)->size()) return false;
    CR_TRY_VOID(budget.take_text((*a)->size()));
    return **a == **b;
  }
  if (const auto *a = left.get<bool>(), *b = right.get<bool>(); a != nullptr && b != nullptr)
    return *a == *b;
  if (!left.is_number() || !right.is_number()) return mixed(left, right);
  return std::visit(NumberComparer{}, left.data, right.data) == 0;
}

Result<std::partial_ordering> cel_compare(const CelValue& left, const CelValue& right,
                                          CelBudget& budget) {
  CR_TRY_VOID(budget.take_steps(1));
  if (left.is_number() && right.is_number())
    return std::visit(NumberComparer{}, left.data, right.data);
  if (const auto *a = left.get<CelText>(), *b = right.get<CelText>();
      a != nullptr && b != nullptr) {
    CR_TRY_VOID(budget.take_text(std::min((*a)->size(), (*b)->size())));
    // Bytes of UTF-8 are in the order of the code points.
    return std::partial_ordering((*a)->compare(**b) <=> 0);
  }
  if (const auto *a = left.get<bool>(), *b = right.get<bool>(); a != nullptr && b != nullptr)
    return std::partial_ordering(*a <=> *b);
  if (cel_kind_name(left) != cel_kind_name(right)) return mixed(left, right);
  return make_error(Code::kFailedPrecondition,
                    "{} and {} are in no order: compare numbers, strings or booleans",
                    describe_cel(left), describe_cel(right));
}

Result<bool> cel_contains(const CelValue& list_or_map, const CelValue& item, CelBudget& budget) {
  if (list_or_map.is_map()) {
    const std::optional<CelKey> key = make_cel_key(item);
    if (!key) {
      return make_error(Code::kFailedPrecondition, "{} is no key: maps have strings as keys",
                        describe_cel(item));
    }
    CR_TRY(const std::optional<CelValue> found, cel_find(list_or_map, *key, budget));
    return found.has_value();
  }
  if (!list_or_map.is_list()) {
    return make_error(Code::kFailedPrecondition,
                      "\"in\" looks into a list or a map, and {} is a {}",
                      describe_cel(list_or_map), cel_kind_name(list_or_map));
  }
  std::optional<Error> error;
  for (std::size_t i = 0; i < cel_size(list_or_map); ++i) {
    const Result<bool> equal = cel_equal(cel_item(list_or_map, i), item, budget);
    if (equal && *equal) return true;
    if (!equal && !error) error = equal.error();
  }
  if (error) return *std::move(error);
  return false;
}

std::string_view cel_kind_name(const CelValue& value) {
  if (value.is_number()) return "number";
  return cel_type_name(value);
}

std::string_view cel_type_name(const CelValue& value) {
  if (value.is_null()) return "null";
  if (value.is_list()) return "list";
  if (value.is_map()) return "map";
  if (value.get<bool>() != nullptr) return "boolean";
  if (value.get<std::int64_t>() != nullptr) return "int";
  if (value.get<std::uint64_t>() != nullptr) return "uint";
  return value.get<double>() != nullptr ? "double" : "string";
}

std::string with_article(std::string_view name) {
  if (name == "null") return std::string(name);
  return fmt::format("{} {}", name == "int" ? "an" : "a", name);
}

std::string describe_cel(const CelValue& value) {
  if (value.is_null()) return "null";
  if (value.is_list()) return fmt::format("a list of {}", cel_size(value));
  if (value.is_map()) return fmt::format("a map of {}", cel_size(value));
  if (const auto* boolean = value.get<bool>()) return *boolean ? "true" : "false";
  if (const auto* integer = value.get<std::int64_t>()) return std::to_string(*integer);
  if (const auto* natural = value.get<std::uint64_t>()) return std::to_string(*natural) + "u";
  if (const auto* number = value.get<double>()) {
    return std::isfinite(*number) ? to_text(Value(*number)) : fmt::format("{}", *number);
  }
  return to_json(Value(shorten(**value.get<CelText>(), kShownBytes)));
}

}  // namespace cresset::text
