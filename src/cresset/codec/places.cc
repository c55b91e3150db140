#include "cresset/codec/places.h"

namespace cresset::codec {

namespace {

// The tokens of a JSON pointer, unescaped (RFC 6901).
std::vector<std::string> tokens_of(std::string_view pointer) {
  std::vector<std::string> out;
  for (std::size_t i = 0; i < pointer.size(); ++i) {
    if (pointer[i] == '/') {
      out.emplace_back();
    } else if (out.empty()) {
      continue;
    } else if (pointer[i] == '~' && i + 1 < pointer.size()) {
      out.back() += pointer[++i] == '1' ? '/' : '~';
    } else {
      out.back() += pointer[i];
    }
  }
  return out;
}

}  // namespace

SoughtPlaces::SoughtPlaces(const std::vector<Place>& places) : places_(places) {
  for (const Place& place : places) {
    const auto [document, is_new] = documents_.try_emplace(place.document);
    if (is_new) ++missing_;
    Sought* at = &document->second;
    for (std::string& token : tokens_of(place.pointer)) {
      const auto [child, is_new_child] = at->children.try_emplace(std::move(token));
      if (is_new_child) ++missing_;
      at = &child->second;
    }
  }
}

void SoughtPlaces::found(Sought& sought, text::Position value, text::Position key) {
  if (!sought.value) --missing_;
  sought.value = value;
  sought.key = key;
}

Sought* SoughtPlaces::document(std::size_t index) {
  const auto found = documents_.find(index);
  return found == documents_.end() ? nullptr : &found->second;
}

std::vector<text::Position> SoughtPlaces::positions() const {
  std::vector<text::Position> out;
  out.reserve(places_.size());
  for (const Place& place : places_) out.push_back(position(place));
  return out;
}

text::Position SoughtPlaces::position(const Place& place) const {
  const Sought* at = &documents_.at(place.document);
  bool exact = true;
  for (const std::string& token : tokens_of(place.pointer)) {
    const Sought& next = at->children.at(token);
    if (!next.value) {
      exact = false;
      break;
    }
    at = &next;
  }
  const auto& found = (place.key || !exact) && at->key ? at->key : at->value;
  return found.value_or(text::Position{1, 1});
}

Sought* sought_child(Sought* parent, std::string_view key) {
  if (parent == nullptr) return nullptr;
  const auto found = parent->children.find(key);
  // Of a key that occurs twice, the first counts.
  if (found == parent->children.end() || found->second.value) return nullptr;
  return &found->second;
}

Sought* sought_child(Sought* parent, std::size_t index) {
  if (parent == nullptr || parent->children.empty()) return nullptr;
  return sought_child(parent, std::to_string(index));
}

}  // namespace cresset::codec
