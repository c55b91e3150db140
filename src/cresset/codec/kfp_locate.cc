#include "cresset/codec/kfp_locate.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "cresset/base/check.h"
#include "cresset/codec/support.h"

namespace cresset::codec {

namespace {

std::string unescape(std::string_view token) {
  std::string out;
  for (std::size_t i = 0; i < token.size(); ++i) {
    if (token[i] != '~' || i + 1 == token.size()) {
      out += token[i];
    } else {
      out += token[++i] == '1' ? '/' : '~';
    }
  }
  return out;
}

std::vector<std::string> tokens_of(std::string_view pointer) {
  std::vector<std::string> out;
  while (!pointer.empty()) {
    pointer.remove_prefix(1);
    const std::size_t end = std::min(pointer.find('/'), pointer.size());
    out.push_back(unescape(pointer.substr(0, end)));
    pointer.remove_prefix(end);
  }
  return out;
}

// A value of a document, found token by token.
class Cursor {
 public:
  Cursor(const Value& document, std::size_t number) : value_(&document), number_(number) {}

  // Goes as far as there is something; false when that is not to the end.
  bool follow(const std::vector<std::string>& tokens, std::size_t first = 0) {
    for (std::size_t i = first; i < tokens.size(); ++i) {
      if (!step(tokens[i])) return false;
    }
    return true;
  }

  [[nodiscard]] const Value& value() const { return *value_; }
  [[nodiscard]] Place place(bool key) const { return {number_, pointer_, key}; }

 private:
  bool step(const std::string& token) {
    if (value_->is_list()) return step_into_list(token);
    if (!value_->is_struct()) return false;
    const auto& fields = value_->as_struct();
    auto found = std::ranges::find(fields, token, &Value::Struct::Field::first);
    if (found == fields.end()) {
      found = std::ranges::find_if(
          fields, [&token](const auto& field) { return is_field_name(field.first, token); });
    }
    if (found == fields.end()) return false;
    pointer_ += "/" + text::pointer_token(found->first);
    value_ = &found->second;
    return true;
  }

  bool step_into_list(const std::string& token) {
    std::size_t index = 0;
    const auto [end, error] = std::from_chars(token.data(), token.data() + token.size(), index);
    if (error != std::errc{} || end != token.data() + token.size() ||
        index >= value_->as_list().size())
      return false;
    pointer_ += "/" + token;
    value_ = &value_->as_list()[index];
    return true;
  }

  const Value* value_;
  std::size_t number_;
  std::string pointer_;
};

class Finder {
 public:
  explicit Finder(const std::vector<Value>& documents)
      : spec_(documents.front(), 0), platform_(documents.back(), documents.size() - 1) {
    Cursor inner = spec_;
    const bool wrapped = inner.follow({"pipelineSpec"});
    if (wrapped) spec_ = inner;
    if (documents.size() == 1 && wrapped) platform_.follow({"platformSpec"});
  }

  [[nodiscard]] Place find(std::string_view pointer) const {
    std::vector<std::string> tokens = tokens_of(pointer);
    const bool of_component = tokens.size() > 2 && tokens[0] == "components";
    const std::optional<std::string> label = of_component ? label_of(tokens[1]) : std::nullopt;
    if (label && tokens[2] == "kubernetes") {
      const std::vector<std::string> executor{"platforms", "kubernetes", "deploymentSpec",
                                              "executors", *label};
      return follow(platform_, executor, tokens, 3);
    }
    if (label && (tokens[2] == "container" || tokens[2] == "importer"))
      return follow(spec_, {"deploymentSpec", "executors", *label}, tokens, 2);
    return follow(spec_, {}, tokens, 0);
  }

 private:
  [[nodiscard]] std::optional<std::string> label_of(const std::string& component) const {
    Cursor label = spec_;
    if (!label.follow({"components", component, "executorLabel"}) || !label.value().is_string())
      return std::nullopt;
    return label.value().as_string();
  }

  static Place follow(Cursor from, const std::vector<std::string>& prefix,
                      const std::vector<std::string>& tokens, std::size_t first) {
    const bool complete = from.follow(prefix) && from.follow(tokens, first);
    return from.place(!complete || from.value().is_struct() || from.value().is_list());
  }

  Cursor spec_;
  Cursor platform_;
};

}  // namespace

std::vector<Place> find_places(std::string_view text, const std::vector<std::string>& pointers) {
  std::vector<DocumentError> repeated;
  const auto documents = read_documents(text, {}, nullptr, repeated);
  CHECK(documents && !documents->empty());
  const Finder finder(*documents);
  std::vector<Place> out;
  out.reserve(pointers.size());
  for (const std::string& pointer : pointers) out.push_back(finder.find(pointer));
  return out;
}

}  // namespace cresset::codec
