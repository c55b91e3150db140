#include "cresset/base/digest.h"

#include <openssl/evp.h>

#include <array>
#include <cstdint>

#include "cresset/base/check.h"

namespace cresset {

namespace {

// EVP_sha256() is looked up anew for each digest, which takes longer than that of a short text.
const EVP_MD* algorithm() {
  static EVP_MD* const fetched = EVP_MD_fetch(nullptr, "SHA2-256", nullptr);
  CHECK(fetched != nullptr);
  return fetched;
}

}  // namespace

struct Sha256::Impl {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  Impl() { CHECK(context != nullptr && EVP_DigestInit_ex(context, algorithm(), nullptr) == 1); }
  ~Impl() { EVP_MD_CTX_free(context); }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
};

Sha256::Sha256() : impl_(std::make_unique<Impl>()) {}
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

void Sha256::update(std::string_view bytes) {
  CHECK(EVP_DigestUpdate(impl_->context, bytes.data(), bytes.size()) == 1);
}

void Sha256::update_field(std::string_view bytes) {
  std::uint64_t size = bytes.size();
  std::array<char, 8> prefix{};
  for (char& byte : prefix) {
    byte = static_cast<char>(size & 0xff);
    size >>= 8;
  }
  update({prefix.data(), prefix.size()});
  update(bytes);
}

std::string Sha256::finish_hex() {
  std::array<unsigned char, 32> raw{};
  unsigned int length = 0;
  CHECK(EVP_DigestFinal_ex(impl_->context, raw.data(), &length) == 1 && length == raw.size());
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string hex;
  hex.reserve(64);
  for (unsigned char byte : raw) {
    hex += kDigits[byte >> 4];
    hex += kDigits[byte & 15];
  }
  return hex;
}

std::string sha256_hex(std::string_view bytes) {
  Sha256 hash;
  hash.update(bytes);
  return hash.finish_hex();
}

}  // namespace cresset
