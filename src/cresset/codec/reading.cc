#include "cresset/codec/reading.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "cresset/codec/source_text.h"
#include "cresset/text/json.h"
#include "cresset/text/suggest.h"

namespace cresset::codec {

namespace {

constexpr std::size_t kErrorsMax = 100;
constexpr std::size_t kPartsMax = 1'000'000;
constexpr std::size_t kNameBytesMax = 200;

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }

// Why it cannot be the name of a file; empty when it can.
std::string_view name_fault(std::string_view name) {
  if (name.empty()) return "is empty";
  if (name == "." || name == "..") return "would be a folder's name";
  if (name.size() > kNameBytesMax) return "is longer than 200 bytes";
  if (name.find('/') != std::string_view::npos) return "holds a slash";
  if (std::ranges::any_of(name, is_control)) return "holds a control character";
  return {};
}

// "number" -> "a number"
std::string with_article(std::string_view kind) {
  return kind == "null" ? "null" : fmt::format("a {}", kind);
}

}  // namespace

void Report::error(Place place, std::string message, std::string help) {
  if (full()) return;
  errors_.push_back({std::move(place), std::move(message), std::move(help)});
}

bool Report::count_part() { return parts_++ < kPartsMax; }

bool Report::full() const { return stopped_ || errors_.size() == kErrorsMax; }

void Report::noted(const MessageRule& message, const FieldRule& field, Place place,
                   std::string_view owner) {
  Noted& noted = noted_[fmt::format("{}.{}", message.name, field.name)];
  if (noted.count++ > 0) return;
  noted.place = std::move(place);
  noted.owner = owner;
  noted.why = field.why;
}

void Report::warning(Place place, std::string message) {
  if (warnings_.size() < kErrorsMax)
    warnings_.push_back({std::move(place), std::move(message), {}});
}

std::vector<Finding> Report::warnings() const {
  std::vector<Finding> out = warnings_;
  for (const auto& [name, noted] : noted_) {
    const std::string_view field = std::string_view(name).substr(name.find('.') + 1);
    std::string where = noted.owner.empty() ? "" : fmt::format(" of {}", noted.owner);
    if (noted.count > 1) where += fmt::format(" and {} more", noted.count - 1);
    out.push_back(
        {noted.place, fmt::format("{}{} has no effect here: it {}", field, where, noted.why), {}});
  }
  return out;
}

Node Node::child(std::string_view key, Value& value) const {
  Node out(value, *report_, document_);
  out.parent_ = this;
  out.key_ = key;
  return out;
}

Node Node::child(std::size_t index, Value& value) const {
  Node out(value, *report_, document_);
  out.parent_ = this;
  out.index_ = index;
  return out;
}

std::string Node::pointer() const {
  if (parent_ == nullptr) return {};
  std::string token =
      parent_->value_->is_list() ? std::to_string(index_) : text::pointer_token(key_);
  return parent_->pointer() + "/" + token;
}

std::string Node::owner() const {
  for (const Node* node = this; node->parent_ != nullptr; node = node->parent_) {
    const std::string_view map = node->parent_->key_;
    if (map == "tasks" || map == "components" || map == "executors") return std::string(node->key_);
  }
  return {};
}

void Node::count_part() const {
  if (report_->count_part()) return;
  error_at_key(fmt::format("more than {} tasks, components and executors in one file", kPartsMax),
               "loop over a list instead of repeating a task");
  report_->stop();
}

void Node::error(std::string message, std::string help) const {
  report_->error(place(), std::move(message), std::move(help));
}

void Node::error_at_key(std::string message, std::string help) const {
  report_->error(key_place(), std::move(message), std::move(help));
}

void Node::wrong_kind(std::string_view expected) const {
  const std::string what =
      parent_ != nullptr && !parent_->value_->is_list() ? std::string(key_) : "this";
  const bool quote = expected == "a string" && (value_->is_number() || value_->is_bool());
  error(fmt::format("{} must be {}, not {}", what, expected, with_article(value_->kind_name())),
        quote ? "put the value in quotes" : "");
}

std::optional<std::string> Node::text() const {
  if (!value_->is_string()) {
    wrong_kind("a string");
    return std::nullopt;
  }
  // Programs, files and the environment cannot take one, and would cut the text there.
  if (value_->as_string().find('\0') != std::string::npos) {
    error("this text holds a NUL character", "remove it");
    return std::nullopt;
  }
  return value_->as_string();
}

std::optional<bool> Node::flag() const {
  if (value_->is_bool()) return value_->as_bool();
  wrong_kind("true or false");
  return std::nullopt;
}

std::optional<double> Node::number() const {
  if (value_->is_number()) return value_->as_number();
  if (value_->is_string()) {
    const std::string& text = value_->as_string();
    double out = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
    if (!text.empty() && error == std::errc{} && end == text.data() + text.size() &&
        std::isfinite(out))
      return out;
  }
  wrong_kind("a number");
  return std::nullopt;
}

std::optional<std::int64_t> Node::integer() const {
  const bool numeric = value_->is_number() || value_->is_string();
  if (!numeric) {
    wrong_kind("an integer");
    return std::nullopt;
  }
  const auto out = number();
  if (!out) return std::nullopt;
  if (!Value(*out).is_integer()) {
    error(fmt::format("{} must be an integer within ±9007199254740991",
                      key_.empty() ? "this" : key_));
    return std::nullopt;
  }
  return static_cast<std::int64_t>(*out);
}

bool Node::expect_struct() const {
  if (value_->is_struct()) return true;
  wrong_kind("a map");
  return false;
}

bool Node::expect_list() const {
  if (value_->is_list()) return true;
  wrong_kind("a list");
  return false;
}

std::vector<std::string> Node::texts() const {
  std::vector<std::string> out;
  for_each_item([&out](const Node& item) {
    if (auto text = item.text()) out.push_back(*std::move(text));
  });
  return out;
}

bool Node::check_file_name(std::string_view name) const {
  const std::string_view fault = name_fault(name);
  if (fault.empty()) return true;
  error(fmt::format("\"{}\" cannot be a name here: it {}", clipped(name), fault),
        "it becomes the name of a file: use letters, digits, '-', '_' and '.'");
  return false;
}

bool Node::check_name(std::string_view name) const {
  const std::string_view fault = name_fault(name);
  if (fault.empty()) return true;
  error_at_key(fmt::format("the name \"{}\" {}", clipped(name), fault),
               "names become file names: use letters, digits, '-', '_' and '.'");
  return false;
}

Message::Message(const Node& node, std::string_view rule) : node_(node), rule_(message_rule(rule)) {
  fields_.resize(rule_.fields.size());
  node_.for_each_entry([this](const std::string& key, const Node& entry) { take(key, entry); });
}

void Message::take(std::string_view key, const Node& field) {
  for (std::size_t i = 0; i < fields_.size(); ++i) {
    const FieldRule& rule = rule_.fields[i];
    if (!is_field_name(key, rule.name)) continue;
    if (fields_[i].value != nullptr) {
      return field.error_at_key(
          fmt::format("{} is given twice, as \"{}\" and as \"{}\"", rule.name, fields_[i].key, key),
          "remove one of the two");
    }
    fields_[i] = {key, field.value_};
    if (field.value().is_null()) return;
    if (rule.support == Support::kRefused)
      field.error_at_key(fmt::format("{} is not supported: it {}", rule.name, rule.why));
    if (rule.support == Support::kNoted)
      node_.report().noted(rule_, rule, field.key_place(), node_.owner());
    return;
  }
  std::vector<std::string> names;
  for (const FieldRule& known : rule_.fields) names.emplace_back(known.name);
  const std::string shown = clipped(key);
  field.error_at_key(
      fmt::format("unknown field \"{}\"{}", shown, text::did_you_mean_suffix(shown, names)),
      fmt::format("the fields here are {}", fmt::join(names, ", ")));
}

std::size_t Message::index_of(std::string_view name) const {
  for (std::size_t i = 0; i < rule_.fields.size(); ++i) {
    if (rule_.fields[i].name == name) return i;
  }
  check_failed(fmt::format("{} has no field {}", rule_.name, name), __FILE__, __LINE__);
}

std::optional<Node> Message::field(std::string_view name) const {
  const Field& found = fields_[index_of(name)];
  if (found.value == nullptr || found.value->is_null()) return std::nullopt;
  return node_.child(found.key, *found.value);
}

std::optional<Node> Message::any(std::string_view name) const {
  const Field& found = fields_[index_of(name)];
  if (found.value == nullptr) return std::nullopt;
  return node_.child(found.key, *found.value);
}

std::optional<std::string_view> Message::only_one(std::initializer_list<std::string_view> names,
                                                  bool required) const {
  std::optional<std::string_view> out;
  for (const std::string_view name : names) {
    const bool present =
        name == "constant" || name == "defaultValue" ? any(name).has_value() : has(name);
    if (!present) continue;
    if (out) {
      node_.error(fmt::format("{} and {} exclude each other", *out, name), "keep one of the two");
      return std::nullopt;
    }
    out = name;
  }
  if (!out && required && node_.value().is_struct()) {
    node_.error(names.size() == 1 ? fmt::format("{} is missing", *names.begin())
                                  : fmt::format("one of {} is missing", fmt::join(names, ", ")));
  }
  return out;
}

std::string Message::text(std::string_view name) const {
  const auto found = field(name);
  return found ? found->text().value_or("") : "";
}

std::string Message::required_text(std::string_view name) const {
  const auto found = field(name);
  if (!found) {
    if (node_.value().is_struct()) node_.error(fmt::format("{} is missing", name));
    return {};
  }
  auto out = found->text();
  if (out && out->empty()) found->error(fmt::format("{} is empty", name));
  return out.value_or("");
}

bool Message::flag(std::string_view name) const {
  const auto found = field(name);
  return found && found->flag().value_or(false);
}

std::vector<std::string> Message::texts(std::string_view name) const {
  const auto found = field(name);
  return found ? found->texts() : std::vector<std::string>{};
}

}  // namespace cresset::codec
