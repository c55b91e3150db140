// Any text as a pipeline: there is a pipeline exactly when no error is told, and whatever is told
// stands somewhere in the text.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "cresset/base/check.h"
#include "cresset/codec/kfp_ir.h"
#include "cresset/codec/kfp_locate.h"
#include "cresset/codec/parameters.h"

namespace cresset::codec {
namespace {

void check_diagnostic(std::string_view text, const Diagnostic& found) {
  CHECK(found.position.line >= 1 && found.position.column >= 1);
  CHECK(!found.message.empty() && found.message.size() < 1000);
  CHECK(render(found, text).starts_with("f.yaml:"));
}

bool is_error(const Diagnostic& found) { return found.severity == Severity::kError; }

void check_pipeline(std::string_view text, const model::Pipeline& pipeline) {
  CHECK(!pipeline.name.empty());
  CHECK(std::holds_alternative<model::Dag>(pipeline.root.body));
  std::vector<std::string> pointers{"/root", "/components/none/container/args/0"};
  for (const auto& [name, component] : pipeline.components) {
    pointers.push_back("/components/" + name + "/container/args/0");
    for (const auto& [output, declared] : component.output_parameters)
      CHECK(output.find('/') == std::string::npos && output != "..");
  }
  CHECK(find_places(text, pointers).size() == pointers.size());
  static_cast<void>(resolve_inputs(pipeline.root, pipeline.job_parameters));
}

}  // namespace
}  // namespace cresset::codec

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cresset::codec;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const ReadResult result = read_pipeline(text, "f.yaml");
  for (const Diagnostic& found : result.diagnostics) check_diagnostic(text, found);
  CHECK(result.pipeline.has_value() == std::ranges::none_of(result.diagnostics, is_error));
  if (result.pipeline) check_pipeline(text, *result.pipeline);
  return 0;
}
