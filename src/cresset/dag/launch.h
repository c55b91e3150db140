#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cresset/base/result.h"
#include "cresset/dag/lightweight.h"
#include "cresset/dag/plan.h"

// One attempt of a container task, worked out to the last argument: pure, so that any executor
// starts the same thing.
namespace cresset::dag {

// Where the attempt lives on the machine that runs it. Absolute paths.
struct LaunchPlaces {
  std::string attempt_dir;   // what it is given and gives back: executor input, outputs
  std::string artifact_dir;  // its output artifacts go here, one entry for each output
  std::string source_dir;    // sources of lightweight components, shared by the run's steps
  std::string runtime_dir;   // the unpacked runtime/python
  std::string python;        // interpreter of lightweight components
};

struct ExpectedParameter {
  std::string name;
  model::ParameterType type = model::ParameterType::kString;
  std::string path;  // file that the step may write it to
};
struct ExpectedArtifact {
  model::Artifact artifact;  // as the step finds it in its executor input
  bool is_list = false;
};
struct ExpectedOutputs {
  std::string metadata_path;  // executor output JSON, if the step writes one
  std::vector<ExpectedParameter> parameters;
  std::vector<ExpectedArtifact> artifacts;
};

struct LaunchFile {
  std::string path;
  std::string content;
};

struct LaunchResources {
  std::int64_t cpu_millis = 1000;
  std::int64_t memory_bytes = 0;
  std::int64_t gpus = 0;
};

struct Launch {
  std::vector<std::string> argv;
  std::vector<std::pair<std::string, std::string>>
      env;  // what the component declares; not the engine's minimum
  std::vector<std::string> folders;
  std::vector<LaunchFile> files;
  LaunchResources resources;
  ExpectedOutputs expected;
};

// kInvalidArgument / kFailedPrecondition with the reason when a placeholder or quantity does not
// work out: the task then fails before it starts. `lightweight` is recognise_lightweight() of the
// container.
Result<Launch> make_launch(const LeafTask& task, const std::optional<Lightweight>& lightweight,
                           const LaunchPlaces& places, const RunContext& context);

// The sources of all names in platforms.kubernetes (secretNameParameter …).
std::vector<const model::NameSource*> name_sources(const model::KubernetesConfig& config);

// One of them as text; nullopt when it resolves to null, which drops the setting (kfp.md §1.8). An
// empty or non-text value is kInvalidArgument.
Result<std::optional<std::string>> resolve_name(const model::NameSource& source,
                                                const LeafTask& task, const RunContext& context);

// Importer: the URI and metadata with their placeholders resolved.
struct ImportRequest {
  model::Artifact artifact;  // without digest
  bool download_to_workspace = false;
};
Result<ImportRequest> make_import(const LeafTask& task, const RunContext& context);

// Where an artifact's bytes are on this machine (kfp.md §2.4).
std::string local_path(const model::Artifact& artifact);

}  // namespace cresset::dag
