#pragma once

#include <bit>
#include <concepts>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>

// The byte encoding that the keeper's protocol and journal share: fixed-size little-endian integers
// and strings with a 32-bit length before them. Paths, arguments and environments are any bytes,
// which JSON could not carry.
namespace cresset::process {

static_assert(std::endian::native == std::endian::little);

class WireWriter {
 public:
  template <std::integral T>
  void number(T value) {
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  void text(std::string_view text) {
    number(static_cast<std::uint32_t>(text.size()));
    bytes_.append(text);
  }
  // `each(item)` writes one.
  template <class Items, class Each>
  void list(const Items& items, Each&& each) {
    number(static_cast<std::uint32_t>(items.size()));
    for (const auto& item : items) each(item);
  }
  [[nodiscard]] std::string take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

// Reads what WireWriter wrote. After a read past the end every further value is zero or empty and
// ok() is false, so that a decoder checks once, at its end.
class WireReader {
 public:
  explicit WireReader(std::string_view bytes) : rest_(bytes) {}

  template <std::integral T>
  T number() {
    T value{};
    const std::string_view bytes = take(sizeof value);
    if (!bytes.empty()) std::memcpy(&value, bytes.data(), sizeof value);
    return value;
  }
  bool flag() { return up_to<std::uint8_t>(1) != 0; }
  // A number that is at most `max`; anything else is a broken message.
  template <std::integral T>
  T up_to(T max) {
    const T value = number<T>();
    if (value <= max) return value;
    fail();
    return T{};
  }
  std::string text() { return std::string(take(number<std::uint32_t>())); }
  template <class Each>
  void list(Each&& each) {
    // No reservation by a count that a peer made up: the loop ends where the bytes do.
    for (auto count = number<std::uint32_t>(); count > 0 && ok_; --count) each();
  }

  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] bool ok_and_at_end() const { return ok_ && rest_.empty(); }

 private:
  std::string_view take(std::size_t size) {
    if (size > rest_.size()) {
      fail();
      return {};
    }
    const std::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return taken;
  }

  void fail() {
    ok_ = false;
    rest_ = {};
  }

  std::string_view rest_;
  bool ok_ = true;
};

}  // namespace cresset::process
