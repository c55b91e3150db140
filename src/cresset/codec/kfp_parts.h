#pragma once

#include <string>
#include <string_view>
#include <variant>

#include "cresset/codec/reading.h"
#include "cresset/model/pipeline.h"

// The readers of one part of the IR each. Every one reports what is wrong to the node's Report and
// returns what could be read, so that the whole file is looked through in one go.
namespace cresset::codec {

// kfp_values.cc
std::optional<model::ParameterSource> read_parameter_source(const Node& node);
// `runtimeValue` and its like: a constant of either spelling, or the name of an input.
std::optional<std::variant<model::Constant, model::FromParent>> read_runtime_value(
    const Node& node);
model::ArtifactType read_artifact_type(const Node& node);
// `metadata` with what the deprecated `properties` and `customProperties` add to it.
Value read_metadata(const Message& message);
std::optional<Duration> read_duration(const Node& node);  // "30s", "1.5s"
std::optional<Duration> read_seconds(const Node& node);   // a positive integer
// A required text that becomes the name of an environment variable.
std::string read_env_name(const Message& message, std::string_view field);

// kfp_executor.cc. monostate: it could not be read.
using Executor = std::variant<std::monostate, model::Container, model::Importer>;
using Executors = model::ByName<Executor>;
Executors read_executors(const Node& deployment);

// kfp_platform.cc
struct ExecutorSettings {
  model::KubernetesConfig config;
  Place place;
};
struct Platform {
  model::ByName<ExecutorSettings> executors;
  model::PipelineConfig pipeline;
};
Platform read_platform(const Node& document);

// kfp_task.cc
model::TaskSpec read_task(std::string_view name, const Node& node);

// kfp_component.cc
// `executor_label` receives the label of a component that has one.
model::Component read_component(const Node& node, const Executors& executors,
                                std::string& executor_label);

}  // namespace cresset::codec
