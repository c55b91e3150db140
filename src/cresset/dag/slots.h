#pragma once

#include <boost/container/flat_map.hpp>
#include <memory>
#include <string>
#include <vector>

#include "cresset/model/run.h"

namespace cresset::dag {

using ValueRef = std::shared_ptr<const Value>;
using ArtifactsRef = std::shared_ptr<const std::vector<model::Artifact>>;

// Bindings whose values are shared: a list that is handed to each of its own iterations exists
// once, and the pipeline's own constants are referred to where they stand. Flat, because a run may
// have a million of them with a name or two each.
struct Slots {
  boost::container::flat_map<std::string, ValueRef, std::less<>> parameters;
  boost::container::flat_map<std::string, ArtifactsRef, std::less<>> artifacts;
};

inline Slots share(model::Bindings bindings) {
  Slots out;
  for (auto& [name, value] : bindings.parameters)
    out.parameters.emplace(name, std::make_shared<const Value>(std::move(value)));
  for (auto& [name, list] : bindings.artifacts) {
    out.artifacts.emplace(name,
                          std::make_shared<const std::vector<model::Artifact>>(std::move(list)));
  }
  return out;
}

inline model::Bindings copy(const Slots& slots) {
  model::Bindings out;
  for (const auto& [name, value] : slots.parameters) out.parameters.emplace(name, *value);
  for (const auto& [name, list] : slots.artifacts) out.artifacts.emplace(name, *list);
  return out;
}

}  // namespace cresset::dag
