#pragma once

#include <string>
#include <vector>

#include "cresset/base/value.h"
#include "cresset/dag/lightweight.h"
#include "cresset/dag/plan.h"

namespace cresset::dag {

// What really runs, as the shell found it.
struct Tooling {
  std::string
      interpreter;  // fingerprint of the Python and its installed packages, environment included
  std::string program;  // fingerprint of argv[0] for other containers; empty when there is none
  std::vector<std::pair<std::string, std::string>> env;  // --env of the run
  std::string platform;  // secrets, ConfigMaps and volumes by name; empty when there are none
};

// What all keys of a component's tasks have in common: its outputs and its source, packages or
// command. Worth keeping where there are many of them.
Value component_parts(const model::Component& component,
                      const std::optional<Lightweight>& lightweight);

// docs/formats/cache-key.md. `parts` is a struct: each ingredient by name, as a short text or a
// digest, so that two keys can be compared by eye. The key is the digest of the parts; a `cacheKey`
// of the IR replaces all parts but the component's name.
struct CacheKey {
  std::string key;
  Value parts;
};
// `common` is component_parts() of the task's component, a container.
CacheKey make_cache_key(const LeafTask& task, const Value& common, const Tooling& tooling);

}  // namespace cresset::dag
