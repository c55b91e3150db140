#include <cstddef>
#include <cstdint>
#include <string_view>

#include "cresset/adapters/process/protocol.h"
#include "cresset/base/check.h"

// Whatever a peer sends is refused, or is exactly what this side would have sent.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cresset::process;
  const std::string_view payload(reinterpret_cast<const char*>(data), size);
  if (const auto message = decode_payload(payload))
    CHECK(std::string_view(encode_frame(*message)).substr(sizeof(std::uint32_t)) == payload);
  return 0;
}
