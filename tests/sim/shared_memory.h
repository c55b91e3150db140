#pragma once

#include <cstddef>
#include <vector>

namespace cresset::sim {

// Memory that several processes map, in regions of one size, which exist one after the other. Each
// mapping has addresses of its own, so that the one of a dead process can be cut off from the rest.
class SharedMemory {
 public:
  static constexpr std::size_t kRegionBytes = 32768;

  SharedMemory();
  ~SharedMemory();
  SharedMemory(const SharedMemory&) = delete;
  SharedMemory& operator=(const SharedMemory&) = delete;

  [[nodiscard]] std::size_t regions() const { return regions_; }
  void grow(std::size_t regions);
  void clear();  // no regions; nobody maps any

  // One process's view.
  class Mapping {
   public:
    Mapping() = default;
    ~Mapping() { unmap(); }
    Mapping(const Mapping&) = delete;
    Mapping& operator=(const Mapping&) = delete;

    // The region's address, the same each time.
    void* map(const SharedMemory& memory, std::size_t region);
    void unmap();
    // The addresses stay and hold what they held; what is written there reaches nobody.
    void cut_off();

   private:
    std::vector<void*> addresses_;  // by region, null where it is not mapped
  };

 private:
  int fd_;
  std::size_t regions_ = 0;
};

}  // namespace cresset::sim
