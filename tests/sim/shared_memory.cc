#include "sim/shared_memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <string>

#include "cresset/base/check.h"

namespace cresset::sim {

SharedMemory::SharedMemory() : fd_(::memfd_create("cresset-sim", MFD_CLOEXEC)) { CHECK(fd_ >= 0); }
SharedMemory::~SharedMemory() { ::close(fd_); }

void SharedMemory::grow(std::size_t regions) {
  if (regions <= regions_) return;
  CHECK(::ftruncate(fd_, static_cast<off_t>(regions * kRegionBytes)) == 0);
  regions_ = regions;
}

void SharedMemory::clear() {
  CHECK(::ftruncate(fd_, 0) == 0);
  regions_ = 0;
}

void* SharedMemory::Mapping::map(const SharedMemory& memory, std::size_t region) {
  CHECK(region < memory.regions());
  if (region >= addresses_.size()) addresses_.resize(region + 1, nullptr);
  void*& address = addresses_[region];
  if (address == nullptr) {
    address = ::mmap(nullptr, kRegionBytes, PROT_READ | PROT_WRITE, MAP_SHARED, memory.fd_,
                     static_cast<off_t>(region * kRegionBytes));
    CHECK(address != MAP_FAILED);
  }
  return address;
}

void SharedMemory::Mapping::unmap() {
  for (void* address : addresses_) {
    if (address != nullptr) ::munmap(address, kRegionBytes);
  }
  addresses_.clear();
}

void SharedMemory::Mapping::cut_off() {
  for (void* address : addresses_) {
    if (address == nullptr) continue;
    const std::string held(static_cast<const char*>(address), kRegionBytes);
    CHECK(::mmap(address, kRegionBytes, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == address);
    std::memcpy(address, held.data(), held.size());
  }
}

}  // namespace cresset::sim
