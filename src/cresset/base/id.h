#pragma once

#include <compare>
#include <functional>
#include <string>
#include <utility>

namespace cresset {

// A string that names one kind of thing, so that a run's id cannot be passed for a task's.
template <class Tag>
class StrongId {
 public:
  StrongId() = default;
  explicit StrongId(std::string text) : text_(std::move(text)) {}

  [[nodiscard]] const std::string& str() const { return text_; }
  [[nodiscard]] bool empty() const { return text_.empty(); }
  auto operator<=>(const StrongId&) const = default;

 private:
  std::string text_;
};

}  // namespace cresset

template <class Tag>
struct std::hash<cresset::StrongId<Tag>> {
  std::size_t operator()(const cresset::StrongId<Tag>& id) const noexcept {
    return std::hash<std::string>{}(id.str());
  }
};
