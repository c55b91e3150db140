#pragma once

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
Value to_value(const model::Bindings& bindings);

// Without loss, for the store. Decoding fails with kDataLoss on anything that encode did not write.
Value encode(const model::Artifact& artifact);
Value encode(const model::Bindings& bindings);
Result<model::Artifact> decode_artifact(const Value& value);
Result<model::Bindings> decode_bindings(const Value& value);

}  // namespace cresset::codec
