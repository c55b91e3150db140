#include <cstddef>
#include <cstdint>
#include <string_view>

#include "cresset/adapters/process/journal.h"
#include "cresset/base/check.h"

// Whatever a crash left in the file, its whole part is found, and reads the same by itself.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cresset::process;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const JournalText text = read_journal(bytes, "boot");
  CHECK(text.whole_bytes <= size);
  const JournalText whole = read_journal(bytes.substr(0, text.whole_bytes), "boot");
  CHECK(whole.whole_bytes == text.whole_bytes && whole.records.size() == text.records.size());
  return 0;
}
