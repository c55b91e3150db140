#pragma once

#include <type_traits>
#include <utility>
#include <variant>

#include "cresset/base/check.h"
#include "cresset/base/error.h"

namespace cresset {

// A value or an Error, with the member names of C++23's std::expected. value() on an error is a
// broken invariant.
template <class T>
class [[nodiscard]] Result {
 public:
  using value_type = T;

  Result(T value)
      : state_(std::in_place_index<0>, std::move(value)) {}  // NOLINT: implicit as in expected
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT

  [[nodiscard]] bool has_value() const { return state_.index() == 0; }
  explicit operator bool() const { return has_value(); }

  T& value() & { return require(), std::get<0>(state_); }
  const T& value() const& { return require(), std::get<0>(state_); }
  T&& value() && { return require(), std::get<0>(std::move(state_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  Error& error() & { return require_error(), std::get<1>(state_); }
  const Error& error() const& { return require_error(), std::get<1>(state_); }
  Error&& error() && { return require_error(), std::get<1>(std::move(state_)); }

  template <class U>
  T value_or(U&& fallback) && {
    return has_value() ? std::move(*this).value() : static_cast<T>(std::forward<U>(fallback));
  }

  // f: T -> Result<U>
  template <class F>
  auto and_then(F&& f) && -> std::invoke_result_t<F, T&&> {
    if (!has_value()) return std::move(*this).error();
    return std::forward<F>(f)(std::move(*this).value());
  }

  // f: T -> U
  template <class F>
  auto transform(F&& f) && -> Result<std::invoke_result_t<F, T&&>> {
    if (!has_value()) return std::move(*this).error();
    return std::forward<F>(f)(std::move(*this).value());
  }

 private:
  void require() const {
    if (!has_value()) check_failed(std::get<1>(state_).text(), "Result::value", 0);
  }
  void require_error() const { CHECK(!has_value()); }

  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  using value_type = void;

  Result() = default;
  Result(Error error) : error_(std::move(error)), ok_(false) {}  // NOLINT: implicit as in expected

  [[nodiscard]] bool has_value() const { return ok_; }
  explicit operator bool() const { return ok_; }
  void value() const {
    if (!ok_) check_failed(error_.text(), "Result::value", 0);
  }
  Error& error() & { return require_error(), error_; }
  const Error& error() const& { return require_error(), error_; }
  Error&& error() && { return require_error(), std::move(error_); }

 private:
  void require_error() const { CHECK(!ok_); }

  Error error_;
  bool ok_ = true;
};

}  // namespace cresset

#define CR_CONCAT_INNER(a, b) a##b
#define CR_CONCAT(a, b) CR_CONCAT_INNER(a, b)

// CR_TRY(auto x, f()) binds the value or returns the error; CR_TRY_VOID(f()) for Result<void>.
#define CR_TRY(declaration, expression) \
  CR_TRY_INNER(declaration, expression, CR_CONCAT(cr_try_, __LINE__))
#define CR_TRY_INNER(declaration, expression, name) \
  auto name = (expression);                         \
  if (!name) return std::move(name).error();        \
  declaration = std::move(name).value()
#define CR_TRY_VOID(expression)                                                         \
  do {                                                                                  \
    if (auto cr_result = (expression); !cr_result) return std::move(cr_result).error(); \
  } while (false)
