#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cresset/codec/testing/spec.h"

namespace cresset::codec {
namespace {

using testing::component_of;
using testing::container_of;
using ::testing::ElementsAre;
using testing::findings;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::read;
using testing::Spec;

TEST(Container, ReadsItsFields) {
  const model::Pipeline pipeline = read(Spec{.container = R"(image: '{{$.inputs.parameters[''i'']}}'
command: [sh, -c]
args:
- 'true'
- |
  two
   lines
env:
- {name: A, value: '1'}
- {name: B}
- {name: a.b-c, value: ' x ='})"});
  const model::Container& container = container_of(pipeline);
  EXPECT_EQ(container.image, "{{$.inputs.parameters['i']}}");
  EXPECT_THAT(container.command, ElementsAre("sh", "-c"));
  EXPECT_THAT(container.args, ElementsAre("true", "two\n lines\n"));
  ASSERT_EQ(container.env.size(), 3u);
  EXPECT_EQ(container.env[0].name, "A");
  EXPECT_EQ(container.env[0].value, "1");
  EXPECT_EQ(container.env[1].value, "");
  EXPECT_EQ(container.env[2].name, "a.b-c");
  EXPECT_EQ(container.env[2].value, " x =");
}

TEST(Container, RefusesBadFields) {
  EXPECT_THAT(findings(Spec{.container = R"(command: sh
args: [1, true, null]
env:
- {value: x}
- {name: A=B}
- {name: A, value: 1}
- {name: "A\0B"})"}),
              ElementsAre("error: image is missing", "error: command must be a list, not a string",
                          "error: this must be a string, not a number",
                          "error: this must be a string, not a boolean",
                          "error: this must be a string, not null", "error: name is missing",
                          "error: \"A=B\" cannot be the name of an environment variable",
                          "error: value must be a string, not a number",
                          "error: this text holds a NUL character"));
}

TEST(Container, NotesWhatHasNoEffect) {
  EXPECT_THAT(findings(Spec{.container = R"(image: i
lifecycle: {preCacheCheck: {command: [a], args: [b]}}
env: [{name: ARGO_DEBUG_PAUSE_AFTER, value: 'true'}])"}),
              ElementsAre(HasSubstr("warning: lifecycle of exec-a has no effect here"),
                          "warning: ARGO_DEBUG_PAUSE_AFTER does not pause the step here: it is "
                          "for a pod"));
  EXPECT_THAT(findings(Spec{.container = "image: i\nlifecycle: {postStart: {}}"}),
              ElementsAre(HasSubstr("warning: lifecycle"), "error: unknown field \"postStart\""));
}

TEST(Resources, ReadsTexts) {
  const model::Pipeline pipeline = read(Spec{.container = R"(image: i
resources:
  resourceCpuLimit: 500m
  resourceCpuRequest: '1'
  resourceMemoryLimit: 2Gi
  resourceMemoryRequest: '{{$.inputs.parameters[''m'']}}'
  accelerator: {resourceType: nvidia.com/gpu, resourceCount: '2'})"});
  const model::Resources& resources = container_of(pipeline).resources;
  EXPECT_EQ(resources.cpu_limit, "500m");
  EXPECT_EQ(resources.cpu_request, "1");
  EXPECT_EQ(resources.memory_limit, "2Gi");
  EXPECT_EQ(resources.memory_request, "{{$.inputs.parameters['m']}}");
  EXPECT_EQ(resources.accelerator_type, "nvidia.com/gpu");
  EXPECT_EQ(resources.accelerator_count, "2");
}

TEST(Resources, ReadsTheOlderNumbers) {
  const model::Pipeline pipeline = read(Spec{.container = R"(image: i
resources:
  cpuLimit: 0.5
  cpuRequest: 2.0
  memoryLimit: 2.0
  memoryRequest: 0.25
  accelerator: {type: NVIDIA_TESLA_P4, count: '1'})"});
  const model::Resources& resources = container_of(pipeline).resources;
  EXPECT_EQ(resources.cpu_limit, "0.5");
  EXPECT_EQ(resources.cpu_request, "2");
  EXPECT_EQ(resources.memory_limit, "2G");
  EXPECT_EQ(resources.memory_request, "0.25G");
  EXPECT_EQ(resources.accelerator_type, "NVIDIA_TESLA_P4");
  EXPECT_EQ(resources.accelerator_count, "1");
}

TEST(Resources, PrefersTextsToTheOlderNumbers) {
  const model::Pipeline pipeline = read(Spec{.container = R"(image: i
resources:
  cpuLimit: 1.0
  resourceCpuLimit: 1500m
  memoryLimit: 15.0
  resourceMemoryLimit: 15Gi
  accelerator: {type: old, resourceType: new, count: 1, resourceCount: '4'})"});
  const model::Resources& resources = container_of(pipeline).resources;
  EXPECT_EQ(resources.cpu_limit, "1500m");
  EXPECT_EQ(resources.memory_limit, "15Gi");
  EXPECT_EQ(resources.accelerator_type, "new");
  EXPECT_EQ(resources.accelerator_count, "4");
}

TEST(Resources, RefusesBadValues) {
  EXPECT_THAT(findings(Spec{.container = R"(image: i
resources:
  resourceCpuLimit: 2
  cpuRequest: -1.0
  memoryLimit: 2G
  accelerator: {count: 1.5}
  gpu: 1)"}),
              ElementsAre("error: resourceCpuLimit must be a string, not a number",
                          "error: cpuRequest is negative",
                          "error: memoryLimit must be a number, not a string",
                          "error: count must be an integer within ±9007199254740991",
                          "error: unknown field \"gpu\""));
}

TEST(Importer, ReadsItsFields) {
  const model::Pipeline pipeline = read(Spec{.executor = R"(importer:
  artifactUri: {constant: file:///data/x}
  typeSchema: {schemaTitle: system.Dataset, schemaVersion: 0.0.1}
  metadata: {'{{$.inputs.parameters[''k'']}}': v, n: [1]}
  reimport: true
  downloadToWorkspace: true)"});
  const auto& importer = std::get<model::Importer>(component_of(pipeline).body);
  EXPECT_EQ(std::get<std::string>(importer.uri), "file:///data/x");
  EXPECT_EQ(importer.type.schema_title, "system.Dataset");
  EXPECT_EQ(text::to_json(importer.metadata), R"({"{{$.inputs.parameters['k']}}":"v","n":[1]})");
  EXPECT_TRUE(importer.reimport);
  EXPECT_TRUE(importer.download_to_workspace);
}

TEST(Importer, ReadsEverySpellingOfTheUri) {
  const auto uri = [](std::string_view source) {
    const model::Pipeline pipeline =
        read(Spec{.executor = "importer: {artifactUri: " + std::string(source) + "}"});
    return std::get<model::Importer>(component_of(pipeline).body).uri;
  };
  EXPECT_EQ(std::get<model::FromParent>(uri("{runtimeParameter: uri}")).input, "uri");
  EXPECT_EQ(std::get<std::string>(uri("{constantValue: {stringValue: x}}")), "x");
  EXPECT_THAT(findings(Spec{.executor = "importer: {artifactUri: {constant: 1}}"}),
              ElementsAre("error: the URI must be a string, not a number"));
  EXPECT_THAT(findings(Spec{.executor = "importer: {}"}),
              ElementsAre("error: artifactUri is missing"));
}

TEST(Executor, RefusesTheKindsThatNobodyRuns) {
  EXPECT_THAT(findings(Spec{.executor = "resolver: {}"}),
              ElementsAre(HasSubstr("error: resolver is not supported: it asks a metadata")));
  EXPECT_THAT(findings(Spec{.executor = "customJob: {}"}),
              ElementsAre(HasSubstr("error: customJob is not supported: it is a job of Google")));
  EXPECT_THAT(findings(Spec{.executor = "{}"}),
              ElementsAre("error: one of container, importer, resolver, customJob is missing"));
  EXPECT_THAT(findings(Spec{.executor = "container: {image: i}\nimporter: {}"}),
              ElementsAre("error: container and importer exclude each other"));
}

}  // namespace
}  // namespace cresset::codec
