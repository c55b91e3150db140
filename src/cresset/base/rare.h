#pragma once

#include <memory>
#include <optional>
#include <utility>

namespace cresset {

// An optional for what few have: one that is empty takes no more room than a pointer. A copy has a
// value of its own.
template <class T>
class Rare {
 public:
  Rare() = default;
  Rare(T value) : value_(std::make_unique<T>(std::move(value))) {}  // NOLINT: as std::optional
  Rare(const Rare& other) : value_(other ? std::make_unique<T>(*other) : nullptr) {}
  Rare(Rare&&) noexcept = default;
  ~Rare() = default;
  Rare& operator=(Rare&&) noexcept = default;
  Rare& operator=(const Rare& other) { return *this = Rare(other); }
  Rare& operator=(T value) {
    value_ = std::make_unique<T>(std::move(value));
    return *this;
  }

  void reset() { value_.reset(); }
  explicit operator bool() const { return value_ != nullptr; }
  const T& operator*() const { return *value_; }
  const T* operator->() const { return value_.get(); }
  // Null when it is empty.
  [[nodiscard]] const T* get() const { return value_.get(); }
  // Of a value made by default where there was none.
  T& make() {
    if (value_ == nullptr) value_ = std::make_unique<T>();
    return *value_;
  }
  [[nodiscard]] std::optional<T> copy() const {
    return value_ == nullptr ? std::nullopt : std::optional<T>(*value_);
  }

 private:
  std::unique_ptr<T> value_;
};

}  // namespace cresset
