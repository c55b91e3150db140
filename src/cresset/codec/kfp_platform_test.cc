#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cresset/codec/testing/spec.h"

namespace cresset::codec {
namespace {

using testing::container_of;
using ::testing::ElementsAre;
using testing::findings;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::read;
using testing::Spec;
using testing::to_yaml;

std::string constant(const model::NameSource& source) {
  return std::get<model::Constant>(source.from).value.as_string();
}

TEST(Kubernetes, ReadsKeysOfSecretsAndConfigMaps) {
  const model::Pipeline pipeline = read(Spec{.kubernetes = R"(secretAsEnv:
- secretName: old
  secretNameParameter: {runtimeValue: {constant: token}}
  keyToEnv: [{secretKey: password, envVar: PASSWORD}]
  optional: true
- {secretName: older, keyToEnv: [{secretKey: k.v, envVar: K}]}
configMapAsEnv:
- configMapNameParameter: {componentInputParameter: map}
  keyToEnv: [{configMapKey: k, envVar: V}, {configMapKey: l, envVar: W}])"});
  const model::KubernetesConfig& config = container_of(pipeline).kubernetes;
  ASSERT_EQ(config.secret_as_env.size(), 2u);
  EXPECT_EQ(constant(config.secret_as_env[0].name), "token");
  EXPECT_TRUE(config.secret_as_env[0].optional);
  EXPECT_EQ(config.secret_as_env[0].keys.at(0).key, "password");
  EXPECT_EQ(config.secret_as_env[0].keys.at(0).env, "PASSWORD");
  EXPECT_EQ(constant(config.secret_as_env[1].name), "older");
  EXPECT_FALSE(config.secret_as_env[1].optional);
  EXPECT_EQ(std::get<model::FromParent>(config.config_map_as_env.at(0).name.from).input, "map");
  EXPECT_EQ(config.config_map_as_env[0].keys.size(), 2u);
}

TEST(Kubernetes, ReadsMounts) {
  const model::Pipeline pipeline = read(Spec{.kubernetes = R"(secretAsVolume:
- {secretNameParameter: {runtimeValue: {constant: s}}, mountPath: /etc/s, optional: true}
configMapAsVolume:
- {configMapName: c, mountPath: /etc/c}
pvcMount:
- {pvcNameParameter: {taskOutputParameter: {producerTask: createpvc, outputParameterKey: name}},
   mountPath: /data, subPath: a/b}
- {constant: p, mountPath: /p}
- {taskOutputParameter: {producerTask: t, outputParameterKey: o}, mountPath: /q}
- {componentInputParameter: i, mountPath: /r}
emptyDirMounts:
- {volumeName: e, mountPath: /e}
genericEphemeralVolume:
- {volumeName: g, mountPath: /g})"});
  const model::KubernetesConfig& config = container_of(pipeline).kubernetes;
  EXPECT_EQ(config.secret_as_volume.at(0).mount_path, "/etc/s");
  EXPECT_TRUE(config.secret_as_volume[0].optional);
  EXPECT_EQ(constant(config.config_map_as_volume.at(0).name), "c");
  ASSERT_EQ(config.pvc_mounts.size(), 4u);
  EXPECT_EQ(std::get<model::FromTask>(config.pvc_mounts[0].name.from),
            (model::FromTask{"createpvc", "name"}));
  EXPECT_EQ(config.pvc_mounts[0].sub_path, "a/b");
  EXPECT_EQ(constant(config.pvc_mounts[1].name), "p");
  EXPECT_EQ(std::get<model::FromTask>(config.pvc_mounts[2].name.from), (model::FromTask{"t", "o"}));
  EXPECT_EQ(std::get<model::FromParent>(config.pvc_mounts[3].name.from).input, "i");
  ASSERT_EQ(config.scratch_mounts.size(), 2u);
  EXPECT_EQ(config.scratch_mounts[0].volume, "e");
  EXPECT_EQ(config.scratch_mounts[1].mount_path, "/g");
}

TEST(Kubernetes, ReadsFieldsAndDeadlines) {
  const model::Pipeline pipeline =
      read(Spec{.kubernetes = "fieldPathAsEnv: [{name: POD, fieldPath: metadata.name}]\n"
                              "activeDeadlineSeconds: '90'",
                .pipeline_config = "activeDeadlineSeconds: 7200\nworkspace: {}"});
  const model::KubernetesConfig& config = container_of(pipeline).kubernetes;
  EXPECT_EQ(config.field_path_as_env.at(0).name, "POD");
  EXPECT_EQ(config.field_path_as_env[0].field_path, "metadata.name");
  EXPECT_EQ(config.active_deadline, Duration(std::chrono::seconds(90)));
  EXPECT_EQ(pipeline.config.active_deadline, Duration(std::chrono::hours(2)));
  EXPECT_TRUE(pipeline.config.workspace);
}

TEST(Kubernetes, RefusesPathsThatLeaveTheirFolder) {
  EXPECT_THAT(
      findings(Spec{.kubernetes = R"(emptyDirMounts:
- {volumeName: a, mountPath: data}
- {volumeName: a, mountPath: /}
- {volumeName: a, mountPath: /data/../etc}
- {volumeName: a, mountPath: /..}
- {volumeName: ../a, mountPath: /a}
- {volumeName: a, mountPath: "/a\0"}
- {volumeName: a, mountPath: /a..b/..c})"}),
      ElementsAre("error: \"data\" is no absolute path", "error: nothing can be mounted at /",
                  "error: the mount path \"/data/../etc\" holds ..",
                  "error: the mount path \"/..\" holds ..",
                  "error: \"../a\" cannot be a name here: it holds a slash",
                  "error: this text holds a NUL character"));
  EXPECT_THAT(findings(Spec{.kubernetes = R"(pvcMount:
- {constant: p, mountPath: /p, subPath: ../q}
- {constant: p, mountPath: /p, subPath: /q}
- {constant: p, mountPath: /p, subPath: a/..}
- {constant: .., mountPath: /p})"}),
              ElementsAre("error: the sub-path \"../q\" leaves the volume",
                          "error: the sub-path \"/q\" leaves the volume",
                          "error: the sub-path \"a/..\" leaves the volume",
                          "error: \"..\" cannot be a name here: it would be a folder's name"));
}

TEST(Kubernetes, RefusesNamesThatLeaveTheirFolder) {
  EXPECT_THAT(findings(Spec{.kubernetes = R"(secretAsEnv:
- secretName: ../x
  keyToEnv: [{secretKey: ../k, envVar: A}, {secretKey: k, envVar: A=B}, {}]
- secretNameParameter: {runtimeValue: {constant: a/b}}
- secretNameParameter: {runtimeValue: {constant: 1}}
- secretNameParameter: {runtimeValue: {constant: ''}}
- secretNameParameter: {runtimeValue: {constant: null}}
- secretNameParameter: {runtimeValue: {constant: '{{$.inputs.parameters[''a/b'']}}'}}
- {})"}),
              ElementsAre("error: \"../x\" cannot be a name here: it holds a slash",
                          "error: \"../k\" cannot be a name here: it holds a slash",
                          "error: \"A=B\" cannot be the name of an environment variable",
                          "error: envVar is missing", "error: secretKey is missing",
                          "error: \"a/b\" cannot be a name here: it holds a slash",
                          "error: a name must be a string, not a number",
                          "error: \"\" cannot be a name here: it is empty",
                          "error: one of secretNameParameter, secretName is missing"));
}

TEST(Kubernetes, RefusesWhatAPodWouldHave) {
  EXPECT_THAT(findings(Spec{.kubernetes = R"(fieldPathAsEnv:
- {name: A, fieldPath: status.qosClass}
- {name: A=, fieldPath: metadata.name})"}),
              ElementsAre("error: the field \"status.qosClass\" of a pod has no meaning on this "
                          "engine",
                          "error: \"A=\" cannot be the name of an environment variable"));
  EXPECT_THAT(findings(Spec{.kubernetes = "initContainers: [{name: x}]"}),
              ElementsAre(HasSubstr("error: initContainers is not supported: it runs further")));
  EXPECT_THAT(findings(Spec{.pipeline_config = "semaphoreKey: k\nmutexName: m"}),
              ElementsAre(HasSubstr("error: semaphoreKey is not supported"),
                          HasSubstr("error: mutexName is not supported")));
}

TEST(Kubernetes, NotesWhatIsForACluster) {
  EXPECT_THAT(findings(Spec{.kubernetes = R"(nodeSelector: {labels: {a: b}}
tolerations: [{key: a, operator: Exists, value: b, effect: NoSchedule, tolerationSeconds: '3'}]
nodeAffinity: [{matchExpressions: [], matchFields: [], weight: 1}]
podAffinity: [{topologyKey: a, anti: true}]
podMetadata: {labels: {}, annotations: {}}
imagePullSecret: [{secretName: s}]
imagePullPolicy: Always
enabledSharedMemory: {volumeName: shm, size: 1Gi}
securityContext: {runAsUser: 1, runAsGroup: 1, runAsNonRoot: true})"})
                  .size(),
              9u);
  EXPECT_THAT(findings(Spec{.kubernetes = "tolerations: [{kye: a}]"}),
              ElementsAre(HasSubstr("warning: tolerations of exec-a has no effect here: it chooses "
                                    "among the nodes of a cluster"),
                          "error: unknown field \"kye\" (did you mean \"key\"?)"));
  EXPECT_THAT(findings(Spec{.pipeline_config = R"(resourceTtlOnCompletion: 5
resourceTtlOnSuccess: 5
resourceTtlOnFailure: 5
workspace: {size: 1Gi, kubernetes: {pvcSpecPatch: {storageClassName: x}}})"})
                  .size(),
              5u);
  EXPECT_THAT(findings(Spec{.kubernetes = R"(emptyDirMounts:
- {volumeName: a, mountPath: /a, medium: Memory, sizeLimit: 1Gi}
- {volumeName: b, mountPath: /b, medium: Memory})"}),
              ElementsAre(HasSubstr("warning: medium of exec-a and 1 more has no effect here"),
                          HasSubstr("warning: sizeLimit of exec-a has no effect here")));
}

TEST(Kubernetes, TellsOfSettingsForNoContainer) {
  EXPECT_THAT(findings(to_yaml(Spec{}) + "---\nplatforms:\n  kubernetes:\n    deploymentSpec:\n"
                                         "      executors:\n        exec-b: {}\n"),
              ElementsAre("warning: the platform settings of exec-b have no effect: no component "
                          "runs a container of that name"));
}

TEST(Kubernetes, RefusesBadDeadlines) {
  for (const std::string text : {"0", "-1", "1.5", "x", "999999999999999"}) {
    EXPECT_EQ(findings(Spec{.kubernetes = "activeDeadlineSeconds: " + text}).size(), 1u) << text;
  }
}

TEST(Platform, RefusesOtherPlatforms) {
  EXPECT_THAT(findings(to_yaml(Spec{}) + "---\nplatforms: {vertex: {}}\n"),
              ElementsAre("error: the platform \"vertex\" is not known here"));
  EXPECT_THAT(findings(to_yaml(Spec{}) + "---\n- a\n"),
              ElementsAre("error: this must be a map, not a list"));
}

}  // namespace
}  // namespace cresset::codec
