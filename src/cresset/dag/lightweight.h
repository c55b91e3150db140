#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cresset/model/pipeline.h"

namespace cresset::dag {

// A lightweight Python component: what the SDK wraps in two shell scripts, taken out of them again
// (kfp.md §2.1), so that a step needs neither shell nor pip.
struct Lightweight {
  std::string function;
  std::string source;  // Python source of the component's module; may hold placeholders
  std::vector<std::string>
      requirements;  // packages_to_install, sorted, without kfp itself and what only kfp needs
  std::vector<std::string> index_urls;
  std::vector<std::string> trusted_hosts;
};

// Nothing when command and args are not exactly of the form that the SDK writes: such a container
// runs as it is.
std::optional<Lightweight> recognise_lightweight(const model::Container& container);

}  // namespace cresset::dag
