#pragma once

#include <array>
#include <boost/smart_ptr/local_shared_ptr.hpp>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace cresset::sim {

// The content of a file. Copies share their pages until one of them writes. One thread.
class PagedBytes {
 public:
  static constexpr std::int64_t kPageBytes = 4096;

  [[nodiscard]] std::int64_t size() const { return size_; }
  // How many bytes there were to read, from 0 to `count`.
  std::int64_t read(std::int64_t offset, char* to, std::int64_t count) const;
  // Grows with zeros up to `offset` where needed.
  void write(std::int64_t offset, std::string_view bytes);
  void resize(std::int64_t size);
  // Those pages are the other's from now on; both have the same size.
  void share(const PagedBytes& other, std::int64_t offset, std::int64_t count);

 private:
  using Page = std::array<char, kPageBytes>;

  char* own(std::size_t page);

  std::vector<boost::local_shared_ptr<Page>> pages_;  // null = zeros
  std::int64_t size_ = 0;
};

}  // namespace cresset::sim
