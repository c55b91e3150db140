#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "cresset/base/result.h"
#include "cresset/base/value.h"

// The placeholders of KFP texts (kfp.md §2.6), taken apart without I/O and without knowing what
// they resolve to.
namespace cresset::text {

// One reference inside {{…}}.
struct Reference {
  enum class Kind {
    kExecutorInput,       // {{$}}
    kInputParameter,      // {{$.inputs.parameters['x']}}            name
    kInputArtifact,       // {{$.inputs.artifacts['x']}}             name: JSON list of artifacts
    kInputArtifactField,  // {{$.inputs.artifacts['x'].path}} …      name, field = path | uri | name
                          // | metadata, key
    kOutputArtifact,      // {{$.outputs.artifacts['x']}}           name: JSON list of artifacts
    kOutputArtifactField,  // {{$.outputs.artifacts['x'].path}} …     name, field = path | uri |
                           // name | metadata, key
    kOutputParameterFile,  // {{$.outputs.parameters['x'].output_file}}
    kOutputFile,           // {{$.outputs.output_file}}, {{$.outputs.outputMetadataUri}}
    kJob,                  // {{$.pipeline_job_name}} …               name = "pipeline_job_name" …
  };
  Kind kind = Kind::kExecutorInput;
  std::string name;
  std::string field;
  std::string key;   // of ….metadata['key']; empty = whole metadata
  std::string text;  // as written, for messages
  bool operator==(const Reference&) const = default;
};

// A text split into literal pieces and references, in order. A text without placeholders is one
// literal piece.
using Piece = std::variant<std::string, Reference>;
struct Template {
  std::vector<Piece> pieces;
  [[nodiscard]] bool has_references() const;
  // True when the whole text is one reference: its value then keeps its type in a constant.
  [[nodiscard]] const Reference* sole_reference() const;
};

// Whether there is anything in a text to parse: it holds a reference, or what begins as one does.
inline bool holds_reference(std::string_view text) {
  return text.find("{{$") != std::string_view::npos;
}

// A well-formed `{{$…}}` must be one of the forms above (names in ['x'], ["x"], [''x''] or as .x,
// with spaces around them): anything else that begins with `{{$` is kInvalidArgument naming it. A
// name ends at the quote and bracket that `.` or `}}` follows, so it may hold quotes and brackets;
// there are no escapes, as the SDK writes none.
// `{{` without `$` is literal text.
Result<Template> parse_template(std::string_view text);

// A container argument: a template, or the JSON structs {"IfPresent":…} and {"Concat":[…]} which
// may nest.
struct Argument;
struct IfPresent {
  std::string input;
  std::vector<Argument> then;  // one argument for a string, several for a list
  std::vector<Argument> otherwise;
};
struct Concat {
  std::vector<Argument> items;
};
struct Argument {
  std::variant<Template, IfPresent, Concat> form;
};

// Reads one string of command/args. Text that starts with `{"IfPresent"` or `{"Concat"` (white
// space allowed) must be a valid struct of that form; any other text is a template. Nesting is
// limited to 20 levels.
Result<Argument> parse_argument(std::string_view text);

}  // namespace cresset::text
