#pragma once

#include <string_view>

#include "cresset/base/result.h"
#include "cresset/base/value.h"
#include "cresset/model/run.h"

// Runs as JSON values.
namespace cresset::codec {

// What `-o json` prints and programs rely on: docs/reference/cli.md. Times are RFC 3339 or null; an
// artifact is
// {"name", "type" (its schema title), "uri", "metadata"}.
Value to_value(const model::RunView& run);
Value to_value(const model::TaskView& task);
Value to_value(const model::AttemptView& attempt);
Value to_value(const model::Bindings& bindings);

// Without loss, for the store. Decoding fails with kDataLoss on anything that encode did not write.
// What lies below the folder `home` (absolute; empty = none) is written relative to it and read as
// below the `home` of then, so that a home may be moved.
Value encode(const model::Artifact& artifact, std::string_view home = {});
Value encode(const model::Bindings& bindings, std::string_view home = {});
Result<model::Artifact> decode_artifact(const Value& value, std::string_view home = {});
Result<model::Bindings> decode_bindings(const Value& value, std::string_view home = {});

}  // namespace cresset::codec
