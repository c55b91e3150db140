#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cresset/codec/document.h"

namespace cresset::codec {

// Where the parts of a pipeline stand in its file. The pointers are in the IR's own spelling and
// begin at the PipelineSpec, as those of dag/check.h: /root/dag/tasks/train,
// /components/comp-x/container/args/0, /components/comp-x/kubernetes/secretAsEnv/0. The places are
// in the file's spelling, past its envelope, at the executor that the component names, and in the
// document of platform settings. What is not in the file gives the key of the deepest part that is,
// and a map or a list gives its key. `text` must have been accepted by read_pipeline.
std::vector<Place> find_places(std::string_view text, const std::vector<std::string>& pointers);

}  // namespace cresset::codec
