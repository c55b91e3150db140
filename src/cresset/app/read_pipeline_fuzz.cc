#include <cstddef>
#include <cstdint>
#include <string_view>

#include "cresset/app/read_pipeline.h"
#include "cresset/base/check.h"

// Any bytes: a pipeline, or at least one error that says why not.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const cresset::codec::ReadResult read = cresset::app::read_and_check(text, "fuzz.yaml");
  CHECK(read.pipeline || !read.diagnostics.empty());
  for (const cresset::codec::Diagnostic& diagnostic : read.diagnostics)
    CHECK(!cresset::codec::render(diagnostic, text).empty());
  return 0;
}
