#include "cresset/codec/support.h"

#include <fmt/format.h>

#include <algorithm>

#include "cresset/base/check.h"

namespace cresset::codec {

namespace {

constexpr auto kNoted = Support::kNoted;
constexpr auto kRefused = Support::kRefused;

constexpr std::string_view kCluster = "is for a cluster: a step here is a process of this machine";
constexpr std::string_view kPlacing = "chooses among the nodes of a cluster";
constexpr std::string_view kImages =
    "is about pulling images, and a step here runs without its image";
constexpr std::string_view kClusterClean =
    "is when a cluster clears away finished workflows; here `cresset rm` and `cresset gc` do";

// Files and envelope
constexpr FieldRule kPipelineJob[] = {
    {"pipelineSpec"},
    {"platformSpec"},
    {"displayName"},
    {"runtimeConfig"},
    {"name", kNoted, "is the resource name of another system"},
    {"labels", kNoted, "has no place in a run of this engine"},
};
constexpr FieldRule kRuntimeConfig[] = {
    {"parameterValues"},
    {"parameters"},
    {"gcsOutputDirectory", kNoted, "is not used: outputs are kept under the Cresset home"},
};
constexpr FieldRule kPipelineSpec[] = {
    {"pipelineInfo"},
    {"schemaVersion"},
    {"sdkVersion"},
    {"root"},
    {"components"},
    {"deploymentSpec"},
    {"defaultPipelineRoot", kNoted, "is not used: outputs are kept under the Cresset home"},
};
constexpr FieldRule kPipelineInfo[] = {{"name"}, {"displayName"}, {"description"}};

// Components
constexpr FieldRule kComponentSpec[] = {
    {"inputDefinitions"},
    {"outputDefinitions"},
    {"dag"},
    {"executorLabel"},
    {"singlePlatformSpecs", kNoted,
     "was merged into the platform settings when the pipeline was compiled; only those count"},
    {"taskConfigPassthroughs", kNoted,
     "hands a task's settings on to jobs that it starts on a cluster; here they stay with the "
     "task, and its TASK_CONFIG input is empty"},
};
constexpr FieldRule kDefinitions[] = {{"parameters"}, {"artifacts"}};
constexpr FieldRule kInputParameter[] = {{"parameterType"}, {"type"},     {"defaultValue"},
                                         {"isOptional"},    {"literals"}, {"description"}};
constexpr FieldRule kInputArtifact[] = {
    {"artifactType"}, {"isArtifactList"}, {"isOptional"}, {"description"}};
constexpr FieldRule kOutputParameter[] = {{"parameterType"}, {"type"}, {"description"}};
constexpr FieldRule kOutputArtifact[] = {
    {"artifactType"}, {"isArtifactList"}, {"metadata"},
    {"description"},  {"properties"},     {"customProperties"},
};
constexpr FieldRule kArtifactTypeSchema[] = {
    {"schemaTitle"}, {"schemaVersion"}, {"schemaUri"}, {"instanceSchema"}};

// Dags
constexpr FieldRule kDagSpec[] = {{"tasks"}, {"outputs"}};
constexpr FieldRule kDagOutputs[] = {{"parameters"}, {"artifacts"}};
constexpr FieldRule kDagOutputParameter[] = {{"valueFromParameter"}, {"valueFromOneof"}};
constexpr FieldRule kParameterSelectors[] = {{"parameterSelectors"}};
constexpr FieldRule kParameterSelector[] = {{"producerSubtask"}, {"outputParameterKey"}};
constexpr FieldRule kDagOutputArtifact[] = {{"artifactSelectors"}};
constexpr FieldRule kArtifactSelector[] = {{"producerSubtask"}, {"outputArtifactKey"}};

// Tasks
constexpr FieldRule kTask[] = {
    {"taskInfo"},          {"componentRef"},     {"inputs"},
    {"dependentTasks"},    {"cachingOptions"},   {"triggerPolicy"},
    {"parameterIterator"}, {"artifactIterator"}, {"iteratorPolicy"},
    {"retryPolicy"},
};
constexpr FieldRule kTaskInfo[] = {{"name"}};
constexpr FieldRule kComponentRef[] = {{"name"}};
constexpr FieldRule kTaskInputs[] = {{"parameters"}, {"artifacts"}};
constexpr FieldRule kParameterSource[] = {
    {"taskOutputParameter"}, {"componentInputParameter"},     {"runtimeValue"},
    {"taskFinalStatus"},     {"parameterExpressionSelector"},
};
constexpr FieldRule kTaskOutputParameter[] = {{"producerTask"}, {"outputParameterKey"}};
constexpr FieldRule kRuntimeValue[] = {{"constant"}, {"constantValue"}, {"runtimeParameter"}};
constexpr FieldRule kTypedValue[] = {{"intValue"}, {"doubleValue"}, {"stringValue"}};
constexpr FieldRule kTaskFinalStatus[] = {{"producerTask"}};
constexpr FieldRule kArtifactSource[] = {{"taskOutputArtifact"}, {"componentInputArtifact"}};
constexpr FieldRule kTaskOutputArtifact[] = {{"producerTask"}, {"outputArtifactKey"}};
constexpr FieldRule kCachingOptions[] = {{"enableCache"}, {"cacheKey"}};
constexpr FieldRule kTriggerPolicy[] = {{"condition"}, {"strategy"}};
constexpr FieldRule kParameterIterator[] = {{"items"}, {"itemInput"}};
constexpr FieldRule kParameterItems[] = {{"raw"}, {"inputParameter"}};
constexpr FieldRule kArtifactIterator[] = {{"items"}, {"itemInput"}};
constexpr FieldRule kArtifactItems[] = {{"inputArtifact"}};
constexpr FieldRule kIteratorPolicy[] = {{"parallelismLimit"}};
constexpr FieldRule kRetryPolicy[] = {
    {"maxRetryCount"}, {"backoffDuration"}, {"backoffFactor"}, {"backoffMaxDuration"}};

// Executors
constexpr FieldRule kDeployment[] = {{"executors"}};
constexpr FieldRule kExecutor[] = {
    {"container"},
    {"importer"},
    {"resolver", kRefused,
     "asks a metadata service for artifacts, which no open-source engine does; import them by URI "
     "instead"},
    {"customJob", kRefused, "is a job of Google Cloud; use a container"},
};
constexpr FieldRule kContainer[] = {
    {"image"},     {"command"},
    {"args"},      {"env"},
    {"resources"}, {"lifecycle", kNoted, "holds a check before the cache that no engine runs"},
};
constexpr FieldRule kLifecycle[] = {{"preCacheCheck"}};
constexpr FieldRule kLifecycleExec[] = {{"command"}, {"args"}};
constexpr FieldRule kEnvVar[] = {{"name"}, {"value"}};
constexpr FieldRule kResources[] = {
    {"resourceCpuLimit"},      {"resourceCpuRequest"}, {"resourceMemoryLimit"},
    {"resourceMemoryRequest"}, {"cpuLimit"},           {"cpuRequest"},
    {"memoryLimit"},           {"memoryRequest"},      {"accelerator"},
};
constexpr FieldRule kAccelerator[] = {{"resourceType"}, {"resourceCount"}, {"type"}, {"count"}};
constexpr FieldRule kImporter[] = {
    {"artifactUri"},      {"typeSchema"},          {"metadata"}, {"reimport"}, {"properties"},
    {"customProperties"}, {"downloadToWorkspace"},
};

// Platform settings
constexpr FieldRule kPlatformSpec[] = {{"platforms"}};
constexpr FieldRule kSinglePlatformSpec[] = {
    {"deploymentSpec"},
    {"pipelineConfig"},
    {"platform", kNoted, "repeats the platform's name"},
    {"version", kNoted, "is the version of a platform's settings"},
    {"config", kNoted, kCluster},
};
constexpr FieldRule kPipelineConfig[] = {
    {"activeDeadlineSeconds"},
    {"workspace"},
    {"resourceTtl", kNoted, kClusterClean},
    {"resourceTtlOnCompletion", kNoted, kClusterClean},
    {"resourceTtlOnSuccess", kNoted, kClusterClean},
    {"resourceTtlOnFailure", kNoted, kClusterClean},
    {"semaphoreKey", kRefused,
     "limits how many runs go at once, which this engine does not do yet; remove it"},
    {"mutexName", kRefused,
     "lets one run go at a time, which this engine does not do yet; remove it"},
};
constexpr FieldRule kWorkspace[] = {
    {"size", kNoted, "sizes a volume of a cluster; here it is a folder without a limit"},
    {"kubernetes", kNoted,
     "chooses the volume of a cluster; here the workspace is a folder of the run"},
};
constexpr FieldRule kWorkspaceKubernetes[] = {{"pvcSpecPatch"}};
constexpr FieldRule kExecutorConfig[] = {
    {"secretAsVolume"},
    {"secretAsEnv"},
    {"configMapAsVolume"},
    {"configMapAsEnv"},
    {"pvcMount"},
    {"emptyDirMounts"},
    {"genericEphemeralVolume"},
    {"fieldPathAsEnv"},
    {"activeDeadlineSeconds"},
    {"nodeSelector", kNoted, kPlacing},
    {"tolerations", kNoted, kPlacing},
    {"nodeAffinity", kNoted, kPlacing},
    {"podAffinity", kNoted, kPlacing},
    {"podMetadata", kNoted, "labels the pods of a cluster"},
    {"imagePullSecret", kNoted, kImages},
    {"imagePullPolicy", kNoted, kImages},
    {"enabledSharedMemory", kNoted, "enlarges a pod's /dev/shm; a process has the machine's"},
    {"securityContext", kNoted, "sets the user of a pod; a step here runs as you"},
    {"initContainers", kRefused,
     "runs further containers beside the step, which needs a pod; run the pipeline on a cluster, "
     "or do their work in the step"},
};
constexpr FieldRule kSecretAsVolume[] = {
    {"secretNameParameter"}, {"secretName"}, {"mountPath"}, {"optional"}};
constexpr FieldRule kSecretAsEnv[] = {
    {"secretNameParameter"}, {"secretName"}, {"keyToEnv"}, {"optional"}};
constexpr FieldRule kSecretKeyToEnv[] = {{"secretKey"}, {"envVar"}};
constexpr FieldRule kConfigMapAsVolume[] = {
    {"configMapNameParameter"}, {"configMapName"}, {"mountPath"}, {"optional"}};
constexpr FieldRule kConfigMapAsEnv[] = {
    {"configMapNameParameter"}, {"configMapName"}, {"keyToEnv"}, {"optional"}};
constexpr FieldRule kConfigMapKeyToEnv[] = {{"configMapKey"}, {"envVar"}};
constexpr FieldRule kPvcMount[] = {
    {"pvcNameParameter"},        {"constant"},  {"taskOutputParameter"},
    {"componentInputParameter"}, {"mountPath"}, {"subPath"},
};
constexpr FieldRule kEmptyDirMount[] = {
    {"volumeName"},
    {"mountPath"},
    {"medium", kNoted, "chooses the medium of a pod's volume; here it is a folder"},
    {"sizeLimit", kNoted, "limits a pod's volume; here it is a folder without a limit"},
};
constexpr FieldRule kGenericEphemeralVolume[] = {
    {"volumeName"},
    {"mountPath"},
    {"accessModes", kNoted, kCluster},
    {"size", kNoted, "sizes a volume of a cluster; here it is a folder without a limit"},
    {"defaultStorageClass", kNoted, kCluster},
    {"storageClassName", kNoted, kCluster},
    {"metadata", kNoted, kCluster},
};
constexpr FieldRule kFieldPathAsEnv[] = {{"name"}, {"fieldPath"}};
constexpr FieldRule kNodeSelector[] = {{"labels"}, {"nodeSelectorJson"}};
constexpr FieldRule kPodMetadata[] = {{"labels"}, {"annotations"}};
constexpr FieldRule kImagePullSecret[] = {{"secretNameParameter"}, {"secretName"}};
constexpr FieldRule kToleration[] = {{"key"},    {"operator"},          {"value"},
                                     {"effect"}, {"tolerationSeconds"}, {"tolerationJson"}};
constexpr FieldRule kNodeAffinity[] = {
    {"matchExpressions"}, {"matchFields"}, {"weight"}, {"nodeAffinityJson"}};
constexpr FieldRule kPodAffinity[] = {
    {"matchPodExpressions"},       {"matchPodLabels"},       {"topologyKey"}, {"namespaces"},
    {"matchNamespaceExpressions"}, {"matchNamespaceLabels"}, {"weight"},      {"anti"},
};
constexpr FieldRule kSharedMemory[] = {{"volumeName"}, {"size"}};
constexpr FieldRule kSecurityContext[] = {{"runAsUser"}, {"runAsGroup"}, {"runAsNonRoot"}};
constexpr FieldRule kTaskConfigPassthrough[] = {{"field"}, {"applyToTask"}};

constexpr MessageRule kRules[] = {
    {"PipelineJob", kPipelineJob},
    {"RuntimeConfig", kRuntimeConfig},
    {"PipelineSpec", kPipelineSpec},
    {"PipelineInfo", kPipelineInfo},
    {"ComponentSpec", kComponentSpec},
    {"InputDefinitions", kDefinitions},
    {"InputParameter", kInputParameter},
    {"InputArtifact", kInputArtifact},
    {"OutputDefinitions", kDefinitions},
    {"OutputParameter", kOutputParameter},
    {"OutputArtifact", kOutputArtifact},
    {"ArtifactTypeSchema", kArtifactTypeSchema},
    {"TaskConfigPassthrough", kTaskConfigPassthrough, true},
    {"DagSpec", kDagSpec},
    {"DagOutputs", kDagOutputs},
    {"DagOutputParameter", kDagOutputParameter},
    {"ParameterSelectors", kParameterSelectors},
    {"ParameterSelector", kParameterSelector},
    {"DagOutputArtifact", kDagOutputArtifact},
    {"ArtifactSelector", kArtifactSelector},
    {"PipelineTaskSpec", kTask},
    {"TaskInfo", kTaskInfo},
    {"ComponentRef", kComponentRef},
    {"TaskInputs", kTaskInputs},
    {"ParameterSource", kParameterSource},
    {"TaskOutputParameter", kTaskOutputParameter},
    {"RuntimeValue", kRuntimeValue},
    {"TypedValue", kTypedValue},
    {"TaskFinalStatus", kTaskFinalStatus},
    {"ArtifactSource", kArtifactSource},
    {"TaskOutputArtifact", kTaskOutputArtifact},
    {"CachingOptions", kCachingOptions},
    {"TriggerPolicy", kTriggerPolicy},
    {"ParameterIterator", kParameterIterator},
    {"ParameterItems", kParameterItems},
    {"ArtifactIterator", kArtifactIterator},
    {"ArtifactItems", kArtifactItems},
    {"IteratorPolicy", kIteratorPolicy},
    {"RetryPolicy", kRetryPolicy},
    {"DeploymentSpec", kDeployment},
    {"Executor", kExecutor},
    {"Container", kContainer},
    {"Lifecycle", kLifecycle, true},
    {"LifecycleExec", kLifecycleExec, true},
    {"EnvVar", kEnvVar},
    {"Resources", kResources},
    {"Accelerator", kAccelerator},
    {"Importer", kImporter},
    {"PlatformSpec", kPlatformSpec},
    {"SinglePlatformSpec", kSinglePlatformSpec},
    {"PipelineConfig", kPipelineConfig},
    {"Workspace", kWorkspace},
    {"WorkspaceKubernetes", kWorkspaceKubernetes, true},
    {"PlatformDeployment", kDeployment},
    {"KubernetesExecutorConfig", kExecutorConfig},
    {"SecretAsVolume", kSecretAsVolume},
    {"SecretAsEnv", kSecretAsEnv},
    {"SecretKeyToEnv", kSecretKeyToEnv},
    {"ConfigMapAsVolume", kConfigMapAsVolume},
    {"ConfigMapAsEnv", kConfigMapAsEnv},
    {"ConfigMapKeyToEnv", kConfigMapKeyToEnv},
    {"PvcMount", kPvcMount},
    {"EmptyDirMount", kEmptyDirMount},
    {"GenericEphemeralVolume", kGenericEphemeralVolume},
    {"FieldPathAsEnv", kFieldPathAsEnv},
    {"NodeSelector", kNodeSelector, true},
    {"PodMetadata", kPodMetadata, true},
    {"ImagePullSecret", kImagePullSecret, true},
    {"Toleration", kToleration, true},
    {"NodeAffinity", kNodeAffinity, true},
    {"PodAffinity", kPodAffinity, true},
    {"SharedMemory", kSharedMemory, true},
    {"SecurityContext", kSecurityContext, true},
};

std::string_view word_for(Support support) {
  switch (support) {
    case Support::kHonoured:
      return "honoured";
    case Support::kNoted:
      return "noted";
    case Support::kRefused:
      return "refused";
  }
  return {};
}

}  // namespace

std::span<const MessageRule> message_rules() { return kRules; }

const MessageRule& message_rule(std::string_view name) {
  const auto* found = std::ranges::find(kRules, name, &MessageRule::name);
  CHECK(found != std::end(kRules));
  return *found;
}

bool is_field_name(std::string_view spelling, std::string_view name) {
  std::size_t at = 0;
  for (const char c : name) {
    const bool upper = c >= 'A' && c <= 'Z';
    if (upper && at < spelling.size() && spelling[at] == '_') {
      ++at;
      if (at >= spelling.size() || spelling[at] != static_cast<char>(c | 0x20)) return false;
    } else if (at >= spelling.size() || spelling[at] != c) {
      return false;
    }
    ++at;
  }
  return at == spelling.size();
}

std::string support_tables() {
  std::string out;
  for (const MessageRule& rule : kRules) {
    if (!out.empty()) out += "\n";
    out += fmt::format("### {}\n\n| field | treatment | note |\n|---|---|---|\n", rule.name);
    for (const FieldRule& field : rule.fields) {
      const std::string_view why =
          rule.is_noted ? std::string_view("as the field that holds it") : field.why;
      out += fmt::format("| `{}` | {} | {} |\n", field.name,
                         word_for(rule.is_noted ? kNoted : field.support), why);
    }
  }
  return out;
}

}  // namespace cresset::codec
