#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace cresset {

// SHA-256, incrementally. Pure: no I/O. Copying is not supported; moving is.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;

  void update(std::string_view bytes);
  // Length-prefixed, so that ("ab","c") and ("a","bc") differ.
  void update_field(std::string_view bytes);
  // 64 lower-case hex digits. The object must not be used afterwards.
  [[nodiscard]] std::string finish_hex();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

std::string sha256_hex(std::string_view bytes);

}  // namespace cresset
