#include "cresset/app/cluster_settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cresset::app {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

model::NameSource name(Value value) { return {model::Constant{std::move(value)}, ""}; }
model::NameSource input(std::string of) { return {model::FromParent{std::move(of)}, ""}; }

struct ClusterSettingsTest : public ::testing::Test {
  ClusterSettingsTest() {
    component.body = model::Container{};
    task.component = &component;
    task.spec = &spec;
    task.ordinal = 5;
    context.id = model::RunId("run1");
    context.resource_name = "digits-abcde";
  }
  model::KubernetesConfig& config() {
    return std::get<model::Container>(component.body).kubernetes;
  }
  Result<ClusterSettings> settings() {
    return cluster_settings(task, 2, home, "/h/runs/run1/steps/5.2", context);
  }
  std::string refusal() {
    const auto result = settings();
    if (result) return "accepted";
    EXPECT_TRUE(result.error().code == Code::kInvalidArgument ||
                result.error().code == Code::kFailedPrecondition);
    return result.error().text();
  }

  Home home{"/h"};
  model::Component component;
  model::TaskSpec spec;
  dag::LeafTask task;
  dag::RunContext context;
};

TEST_F(ClusterSettingsTest, KeysOfSecretsAndConfigMapsAreFiles) {
  config().secret_as_env = {{name("hub"), {{"token", "TOKEN"}, {"user", "USER"}}, false}};
  config().config_map_as_env = {{name("conf"), {{"mode", "MODE"}}, true}};
  const ClusterSettings found = settings().value();
  ASSERT_EQ(found.key_files.size(), 3u);
  EXPECT_EQ(found.key_files[0].path, "/h/secrets/hub/token");
  EXPECT_EQ(found.key_files[0].env, "TOKEN");
  EXPECT_EQ(found.key_files[0].what, "key \"token\" of Secret \"hub\"");
  EXPECT_FALSE(found.key_files[0].optional);
  EXPECT_EQ(found.key_files[2].path, "/h/configmaps/conf/mode");
  EXPECT_TRUE(found.key_files[2].optional);
}

TEST_F(ClusterSettingsTest, VolumesAreFolders) {
  config().secret_as_volume = {{name("hub"), "/etc/hub", false}};
  config().config_map_as_volume = {{name("conf"), "/etc/conf", true}};
  config().pvc_mounts = {{name("data"), "/data", ""}, {name("data"), "/sub", "a/b"}};
  config().scratch_mounts = {{"cache", "/cache"}};
  const ClusterSettings found = settings().value();
  ASSERT_EQ(found.mounts.size(), 5u);
  EXPECT_EQ(found.mounts[0].mount.source, "/h/secrets/hub");
  EXPECT_EQ(found.mounts[0].mount.target, "/etc/hub");
  EXPECT_TRUE(found.mounts[0].mount.read_only);
  EXPECT_TRUE(found.mounts[1].optional);
  EXPECT_EQ(found.mounts[2].mount.source, "/h/volumes/data");
  EXPECT_FALSE(found.mounts[2].mount.read_only);
  EXPECT_EQ(found.mounts[3].mount.source, "/h/volumes/data/a/b");
  EXPECT_EQ(found.mounts[4].mount.source, "/h/runs/run1/steps/5.2/scratch/cache");
  EXPECT_TRUE(found.mounts[4].create);
}

TEST_F(ClusterSettingsTest, NamesMayComeFromInputsAndNullDropsTheSetting) {
  task.inputs.parameters["which"] = "hub";
  task.inputs.parameters["none"] = Value();
  config().secret_as_volume = {
      {input("which"), "/a", false}, {input("none"), "/b", false}, {input("absent"), "/c", false}};
  config().pvc_mounts = {{input("none"), "/d", ""}};
  const ClusterSettings found = settings().value();
  ASSERT_EQ(found.mounts.size(), 1u);
  EXPECT_EQ(found.mounts[0].mount.source, "/h/secrets/hub");
}

TEST_F(ClusterSettingsTest, NothingLeavesItsFolder) {
  for (const char* bad : {"..", ".", "a/b", "../x", "/etc", ""}) {
    SCOPED_TRACE(bad);
    config() = {};
    config().secret_as_volume = {{name(bad), "/a", false}};
    EXPECT_NE(refusal(), "accepted");
    config() = {};
    config().config_map_as_env = {{name(bad), {{"k", "K"}}, false}};
    EXPECT_NE(refusal(), "accepted");
    config() = {};
    config().secret_as_env = {{name("hub"), {{bad, "K"}}, false}};
    EXPECT_NE(refusal(), "accepted");
    config() = {};
    config().pvc_mounts = {{name(bad), "/a", ""}};
    EXPECT_NE(refusal(), "accepted");
    config() = {};
    config().scratch_mounts = {{bad, "/a"}};
    EXPECT_NE(refusal(), "accepted");
  }
  for (const char* bad : {"..", "a/..", "a/../b", "../x", "a/b/.."}) {
    config() = {};
    config().pvc_mounts = {{name("data"), "/a", bad}};
    EXPECT_THAT(refusal(), HasSubstr("leaves the volume")) << bad;
  }
  config() = {};
  config().pvc_mounts = {{name("data"), "/a", "..a/b.."}};
  EXPECT_EQ(refusal(), "accepted");
}

TEST_F(ClusterSettingsTest, NamesMustBeTexts) {
  config().pvc_mounts = {{name(3), "/a", ""}};
  EXPECT_THAT(refusal(), HasSubstr("expected a name, got 3"));
}

TEST_F(ClusterSettingsTest, FieldsOfThePodHaveStandIns) {
  config().field_path_as_env = {{"POD", "metadata.name"},
                                {"UID", "metadata.uid"},
                                {"NS", "metadata.namespace"},
                                {"IP", "status.podIP"}};
  EXPECT_THAT(settings()->env, ElementsAre(Pair("POD", "digits-abcde-5-2"), Pair("UID", "run1-5"),
                                           Pair("NS", "default"), Pair("IP", "127.0.0.1")));
  config().field_path_as_env = {{"X", "metadata.moon"}};
  EXPECT_THAT(refusal(), HasSubstr("metadata.moon"));
}

TEST_F(ClusterSettingsTest, WhatAPipelineNamesMustBeThereBeforeItStarts) {
  config().secret_as_env = {{name("hub"), {{"token", "TOKEN"}}, false},
                            {name("maybe"), {{"k", "K"}}, true}};
  config().config_map_as_volume = {{name("conf"), "/c", false}};
  config().secret_as_volume = {{input("later"), "/d", false}};
  config().pvc_mounts = {{name("data"), "/e", ""},
                         {name("{{$.inputs.parameters['pvc']}}"), "/f", ""}};
  model::Pipeline pipeline;
  pipeline.components["comp-a"] = component;
  pipeline.components["comp-dag"].body = model::Dag{};
  std::vector<std::string> paths;
  for (const Requirement& wanted : cluster_requirements(pipeline, home))
    paths.push_back(wanted.path);
  EXPECT_THAT(paths, ElementsAre("/h/secrets/hub/token", "/h/configmaps/conf", "/h/volumes/data"));
  EXPECT_THAT(cluster_requirements(model::Pipeline{}, home), IsEmpty());
}

}  // namespace
}  // namespace cresset::app
