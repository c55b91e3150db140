#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cresset/dag/check.h"
#include "cresset/dag/launch.h"
#include "cresset/dag/testing/check_helpers.h"
#include "cresset/dag/testing/plan_driver.h"

// The names of secrets, ConfigMaps and volumes (kfp.md §1.8): their sources are those of a task's
// inputs.
namespace cresset::dag {
namespace {

using model::ParameterType;
using testing::constant;
using ::testing::ElementsAre;
using testing::from_parent;
using testing::from_task;
using ::testing::HasSubstr;
using testing::Outcome;
using testing::PipelineBuilder;
using testing::PlanDriver;
using testing::selected;

model::KubernetesConfig& config_of(model::Component& component) {
  return std::get<model::Container>(component.body).kubernetes;
}

// Names of the first secret, or why there is none.
std::string secret_of(PlanDriver& run, const std::string& path) {
  const LeafTask leaf = run.plan().leaf(run.ordinal(path));
  const auto& config = std::get<model::Container>(leaf.component->body).kubernetes;
  const auto name = resolve_name(config.secret_as_env.at(0).name, leaf, {});
  if (!name) return name.error().text();
  return name->value_or("(dropped)");
}

PipelineBuilder with_secret(model::NameSource source) {
  PipelineBuilder b;
  config_of(b.step("use")).secret_as_env = {{std::move(source), {}, false}};
  return b;
}

model::Bindings given(const std::string& name, Value value) {
  model::Bindings out;
  out.parameters[name] = std::move(value);
  return out;
}

TEST(PlatformNames, FromTheDagAround) {
  PipelineBuilder b = with_secret(from_parent("secret"));
  b.root().input("secret", ParameterType::kString);
  b.root().add("task", "use");
  PlanDriver run(b.build(), {}, given("secret", "token"));
  run.submit();
  EXPECT_EQ(secret_of(run, "task"), "token");
}

TEST(PlatformNames, FromTheTaskItself) {
  PipelineBuilder b = with_secret(from_parent("secret"));
  b.root().add("task", "use").in("secret", constant("own"));
  PlanDriver run(b.build());
  run.submit();
  EXPECT_EQ(secret_of(run, "task"), "own");
}

TEST(PlatformNames, FromANeighbourWhichIsWaitedFor) {
  PipelineBuilder b = with_secret(from_task("make"));
  b.root().add("task", "use");
  b.root().add("make");
  PlanDriver run(b.build());
  run.submit();
  EXPECT_THAT(run.live(), ElementsAre("make"));
  run.succeed("make", Outcome::gives("made"));
  EXPECT_THAT(run.live(), ElementsAre("task"));
  EXPECT_EQ(secret_of(run, "task"), "made");
  run.check_replay();
}

TEST(PlatformNames, InTheIterationsOfALoop) {
  PipelineBuilder b = with_secret(selected(from_parent("item"), "struct_value.name"));
  b.group("body").input("item", ParameterType::kStruct).add("task", "use");
  b.root().add("loop", "body").loop(R"([{"name": "a"}, {"name": "b"}])");
  PlanDriver run(b.build());
  run.submit();
  EXPECT_EQ(secret_of(run, "loop[0]/task"), "a");
  EXPECT_EQ(secret_of(run, "loop[1]/task"), "b");
}

TEST(PlatformNames, NullDropsTheSetting) {
  PipelineBuilder b = with_secret(from_parent("secret"));
  b.root().input("secret", ParameterType::kString, true);
  b.root().add("task", "use");
  PlanDriver run(b.build(), {}, given("secret", nullptr));
  run.submit();
  EXPECT_EQ(secret_of(run, "task"), "(dropped)");
}

TEST(PlatformNames, WhatIsNoNameIsRefused) {
  for (const Value& value : {Value(""), Value(7), Value(Value::List{"a"})}) {
    PipelineBuilder b = with_secret(constant(value));
    b.root().add("task", "use");
    PlanDriver run(b.build());
    run.submit();
    EXPECT_THAT(secret_of(run, "task"), HasSubstr("expected a name, got "));
  }
}

TEST(PlatformNames, CyclesThroughThemAreFound) {
  PipelineBuilder b = with_secret(from_task("make"));
  b.root().add("task", "use");
  b.root().add("make").after({"task"});
  EXPECT_THAT(testing::problems_of(b),
              ElementsAre("/root/dag/tasks/make: these tasks wait for each other: make → task → "
                          "make"));
}

TEST(PlatformNames, SelectorsAreChecked) {
  PipelineBuilder b = with_secret(selected(constant("x"), "strin_value"));
  b.root().add("task", "use");
  EXPECT_THAT(testing::problems_of(b),
              ElementsAre(HasSubstr("the selector names \"strin_value\"")));
}

}  // namespace
}  // namespace cresset::dag
