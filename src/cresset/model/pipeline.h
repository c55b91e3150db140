#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "cresset/base/rare.h"
#include "cresset/base/time.h"
#include "cresset/base/value.h"

// A pipeline as its author wrote it: Kubeflow Pipelines v2 IR (schema 2.1.0) as plain values. Every
// text that may hold placeholders ({{$.inputs.parameters['x']}} …) is kept as written; dag/
// resolves it. codec/ makes these values, and nothing below says where in a file they stood: a JSON
// pointer such as /root/dag/tasks/train does.
namespace cresset::model {

template <class T>
using ByName = std::map<std::string, T, std::less<>>;

enum class ParameterType {
  kNumberDouble,
  kNumberInteger,  // exact to ±(2^53 − 1)
  kString,
  kBoolean,
  kList,
  kStruct,
  kTaskFinalStatus,
  kTaskConfig,
};
std::string_view to_string(ParameterType type);  // "NUMBER_DOUBLE" …
std::optional<ParameterType> parse_parameter_type(std::string_view text);
// Whether the value is of the type. Null is of none; an integral number is both of the number
// types.
bool fits(const Value& value, ParameterType type);

struct ArtifactType {
  std::string
      schema_title;  // "system.Dataset"; empty when only one of the older spellings was given
  std::string schema_version;   // "0.0.1"
  std::string schema_uri;       // older files
  std::string instance_schema;  // older files
  bool operator==(const ArtifactType&) const = default;
};

struct InputParameter {
  ParameterType type = ParameterType::kString;
  std::optional<Value> default_value;
  bool optional = false;
  std::vector<Value> literals;  // closed list of allowed values; empty = any
  std::string description;
};

struct InputArtifact {
  ArtifactType type;
  bool is_list = false;
  bool optional = false;
  std::string description;
};

struct OutputParameter {
  ParameterType type = ParameterType::kString;
  std::string description;
};

struct OutputArtifact {
  ArtifactType type;
  bool is_list = false;
  Value metadata;  // struct or null: initial metadata of the artifact
  std::string description;
};

// Where a task's input, or a dag's output, comes from.
struct FromTask {
  std::string task;
  std::string output;
  bool operator==(const FromTask&) const = default;
};
struct FromParent {
  std::string input;
};
struct Constant {
  Value value;  // strings in it may hold placeholders
};
struct FinalStatusOf {
  std::string task;
};

struct ParameterSource {
  std::variant<Constant, FromParent, FromTask, FinalStatusOf> from;
  std::string
      selector;  // CEL over the value (parseJson(string_value)["key"]); empty = the value itself
};

struct ArtifactSource {
  std::variant<FromParent, FromTask> from;
};

// `parameterIterator` / `artifactIterator`: one iteration of the task's component for each item.
struct ParameterIterator {
  std::variant<std::string, FromParent>
      items;  // `raw`: JSON text of a list; or the task's own input of that name
  std::string item_input;
};
struct ArtifactIterator {
  std::string items_input;  // the task's own artifact input, a list
  std::string item_input;
};
using Iterator = std::variant<ParameterIterator, ArtifactIterator>;

enum class TriggerStrategy {
  kAllUpstreamSucceeded,
  kAllUpstreamCompleted,  // exit tasks and ignore_upstream_failure
};

struct RetryPolicy {
  std::int64_t max_retries = 0;
  Duration backoff{0};
  double backoff_factor = 2.0;
  Duration backoff_max{std::chrono::hours{1}};
};

struct Caching {
  bool enabled = false;
  std::string key;  // `cacheKey`; replaces the computed key
};

struct TaskSpec {
  std::string display_name;  // taskInfo.name; the key in the dag when absent
  std::string component;
  ByName<ParameterSource> parameters;
  ByName<ArtifactSource> artifacts;
  std::vector<std::string> dependent_tasks;
  Caching caching;
  std::string condition;  // CEL over the executor input; empty = always
  TriggerStrategy strategy = TriggerStrategy::kAllUpstreamSucceeded;
  Rare<Iterator> iterator;             // of a loop
  std::int64_t parallelism_limit = 0;  // of the iterator; 0 = none
  Rare<RetryPolicy> retry;

  // The iterator, where it is one of that kind.
  [[nodiscard]] const ParameterIterator* over_parameters() const {
    return iterator ? std::get_if<ParameterIterator>(&*iterator) : nullptr;
  }
  [[nodiscard]] const ArtifactIterator* over_artifacts() const {
    return iterator ? std::get_if<ArtifactIterator>(&*iterator) : nullptr;
  }
};

struct DagOutputParameter {
  std::vector<FromTask> selectors;  // more than one only when one_of
  bool one_of = false;              // the branch that ran gives the value
};

struct DagOutputArtifact {
  std::vector<FromTask> selectors;  // more than one: the branch that ran gives the artifact
};

struct Dag {
  ByName<TaskSpec> tasks;
  ByName<DagOutputParameter> output_parameters;
  ByName<DagOutputArtifact> output_artifacts;
};

struct EnvVar {
  std::string name;
  std::string value;  // never resolved (kfp.md §2.6)
};

// Texts are Kubernetes quantities ("500m", "2Gi"), or placeholders that resolve to one; empty = not
// given.
struct Resources {
  std::string cpu_request;
  std::string cpu_limit;
  std::string memory_request;
  std::string memory_limit;
  std::string accelerator_type;
  std::string accelerator_count;
};

// A setting of platforms.kubernetes that names something; the sources are those of a task's inputs,
// seen from where the task stands. Null value = setting dropped.
using NameSource = ParameterSource;

struct KeyToEnv {
  std::string key;
  std::string env;
};
// Secrets and ConfigMaps alike; on this engine they are folders below $CRESSET_HOME.
struct KeysAsEnv {
  NameSource name;
  std::vector<KeyToEnv> keys;
  bool optional = false;
};
struct FolderAsVolume {
  NameSource name;
  std::string mount_path;
  bool optional = false;
};
struct VolumeMount {
  NameSource name;
  std::string mount_path;
  std::string sub_path;
};
struct ScratchMount {  // emptyDirMounts, genericEphemeralVolume
  std::string volume;
  std::string mount_path;
};
struct FieldAsEnv {
  std::string name;
  std::string field_path;  // downward API, e.g. metadata.name
};

// What platforms.kubernetes says of one executor and this engine honours. The rest is refused or
// noted by codec.
struct KubernetesConfig {
  std::vector<KeysAsEnv> secret_as_env;
  std::vector<KeysAsEnv> config_map_as_env;
  std::vector<FolderAsVolume> secret_as_volume;
  std::vector<FolderAsVolume> config_map_as_volume;
  std::vector<VolumeMount> pvc_mounts;
  std::vector<ScratchMount> scratch_mounts;
  std::vector<FieldAsEnv> field_path_as_env;
  std::optional<Duration> active_deadline;
};

struct Container {
  std::string image;  // may hold a placeholder; informative for the process executor
  std::vector<std::string> command;
  std::vector<std::string> args;
  std::vector<EnvVar> env;
  Resources resources;
  KubernetesConfig kubernetes;
};

struct Importer {
  std::variant<std::string, FromParent>
      uri;  // constant, or the task's parameter input of that name
  ArtifactType type;
  Value metadata;  // struct or null; keys and values may hold placeholders
  bool reimport = false;
  bool download_to_workspace = false;
};

struct Component {
  ByName<InputParameter> input_parameters;
  ByName<InputArtifact> input_artifacts;
  ByName<OutputParameter> output_parameters;
  ByName<OutputArtifact> output_artifacts;
  std::variant<Dag, Container, Importer> body;
};

struct Workspace {
  std::string size;
};

// Settings of platforms.kubernetes.pipelineConfig that this engine honours.
struct PipelineConfig {
  std::optional<Duration> active_deadline;
  std::optional<Workspace> workspace;
};

// Accepted, and without effect on this engine: what a run says once ("tolerations of exec-train are
// for a cluster").
struct Notice {
  std::string pointer;  // JSON pointer into the document
  std::string message;
};

struct Pipeline {
  std::string name;
  std::string display_name;
  std::string description;
  std::string sdk_version;
  std::string default_root;
  Component root;                // body is a Dag
  ByName<Component> components;  // by their IR name ("comp-train")
  PipelineConfig config;
  std::vector<Notice> notices;
  // Values given along with a PipelineJob envelope (runtimeConfig.parameterValues); empty for a
  // bare spec.
  ByName<Value> job_parameters;
};

}  // namespace cresset::model
