#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cresset/codec/document.h"

// For document.h's locate only: the places that a pass over a text looks for.
namespace cresset::codec {

// A value that is looked for, or that holds one.
struct Sought {
  std::map<std::string, Sought, std::less<>> children;  // by key, or by index
  std::optional<text::Position> value;                  // once met
  std::optional<text::Position> key;
};

// All of them, as one tree a document: a pass follows it and skips whatever is not in it, so that
// its time does not depend on how long the keys of a text are.
class SoughtPlaces {
 public:
  explicit SoughtPlaces(const std::vector<Place>& places);

  // Null pointer: nothing is sought there.
  Sought* document(std::size_t index);
  void found(Sought& sought, text::Position value, text::Position key);
  [[nodiscard]] bool all_found() const { return missing_ == 0; }
  // Where the places were met, in the order of the constructor's.
  [[nodiscard]] std::vector<text::Position> positions() const;

 private:
  [[nodiscard]] text::Position position(const Place& place) const;

  const std::vector<Place>& places_;
  std::map<std::size_t, Sought> documents_;
  std::size_t missing_ = 0;
};

// Null pointer: it is not sought, or has been met, or `parent` is not sought.
Sought* sought_child(Sought* parent, std::string_view key);
Sought* sought_child(Sought* parent, std::size_t index);

void locate_json(std::string_view text, SoughtPlaces& places);

}  // namespace cresset::codec
