#include "cresset/dag/cache_key.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <set>

namespace cresset::dag {
namespace {

// Everything that a key is made of.
struct Ingredients {
  Ingredients() {
    model::Container container;
    container.command = {"run", "{{$.inputs.parameters['n']}}"};
    container.args = {"--out", "x"};
    container.env = {{"SEED", "1"}};
    container.image = "python:3.11";
    component.body = container;
    component.output_parameters["o"].type = model::ParameterType::kNumberInteger;
    component.output_artifacts["made"].type.schema_title = "system.Model";
    task.component_name = "comp-train";
    task.ordinal = 3;
    task.path = "train";
    task.inputs.parameters["n"] = 3;
    task.inputs.parameters["big"] = std::string(1000, 'x');
    model::Artifact data;
    data.name = "data";
    data.uri = "file:///runs/1/data";
    data.digest = std::string(64, 'd');
    data.metadata = Value::make_struct({{"a", 1}, {"b", 2}});
    task.inputs.artifacts["data"] = {data};
    tooling = {"python 1", "program 1", {{"HF_TOKEN", "secret"}}, {}};
  }
  model::Container& container() { return std::get<model::Container>(component.body); }
  CacheKey make() {
    task.component = &component;
    task.spec = &spec;
    return make_cache_key(task, component_parts(component, lightweight), tooling);
  }

  model::Component component;
  model::TaskSpec spec;
  LeafTask task;
  std::optional<Lightweight> lightweight;
  Tooling tooling;
};

using Change = std::function<void(Ingredients&)>;

std::string key_after(const Change& change) {
  Ingredients ingredients;
  change(ingredients);
  return ingredients.make().key;
}

const std::string kSame = Ingredients().make().key;

TEST(CacheKey, IsADigest) {
  EXPECT_EQ(kSame.size(), 64u);
  EXPECT_EQ(Ingredients().make().key, kSame);
}

TEST(CacheKey, ChangesWithAllThatCouldChangeTheResult) {
  const std::pair<const char*, Change> changes[] = {
      {"component", [](Ingredients& i) { i.task.component_name = "comp-other"; }},
      {"value", [](Ingredients& i) { i.task.inputs.parameters["n"] = 4; }},
      {"kind of value", [](Ingredients& i) { i.task.inputs.parameters["n"] = "3"; }},
      {"long value",
       [](Ingredients& i) { i.task.inputs.parameters["big"] = std::string(999, 'x') + "y"; }},
      {"one more input", [](Ingredients& i) { i.task.inputs.parameters["m"] = Value(); }},
      {"bytes",
       [](Ingredients& i) { i.task.inputs.artifacts["data"][0].digest = std::string(64, 'e'); }},
      {"metadata", [](Ingredients& i) { i.task.inputs.artifacts["data"][0].metadata["a"] = 2; }},
      {"number of artifacts",
       [](Ingredients& i) {
         auto& list = i.task.inputs.artifacts["data"];
         list.push_back(list[0]);
       }},
      {"command", [](Ingredients& i) { i.container().command[0] = "walk"; }},
      {"args", [](Ingredients& i) { i.container().args[1] = "y"; }},
      {"cut between arguments", [](Ingredients& i) { i.container().args = {"--ou", "tx"}; }},
      {"env", [](Ingredients& i) { i.container().env[0].value = "2"; }},
      {"env of the run", [](Ingredients& i) { i.tooling.env[0].second = "other"; }},
      {"program", [](Ingredients& i) { i.tooling.program = "program 2"; }},
      {"interpreter", [](Ingredients& i) { i.tooling.interpreter = "python 2"; }},
      {"type of an output",
       [](Ingredients& i) {
         i.component.output_parameters["o"].type = model::ParameterType::kString;
       }},
      {"one more output", [](Ingredients& i) { i.component.output_artifacts["more"]; }},
  };
  std::set<std::string> keys = {kSame};
  for (const auto& [what, change] : changes)
    EXPECT_TRUE(keys.insert(key_after(change)).second) << what;
}

TEST(CacheKey, StaysWithWhatChangesNothing) {
  const std::pair<const char*, Change> changes[] = {
      {"place of the bytes",
       [](Ingredients& i) { i.task.inputs.artifacts["data"][0].uri = "file:///runs/2/data"; }},
      {"order of metadata",
       [](Ingredients& i) {
         i.task.inputs.artifacts["data"][0].metadata = Value::make_struct({{"b", 2}, {"a", 1}});
       }},
      {"task",
       [](Ingredients& i) {
         i.task.path = "elsewhere";
         i.task.ordinal = 9;
       }},
      {"image", [](Ingredients& i) { i.container().image = "python:3.12"; }},
      {"resources", [](Ingredients& i) { i.container().resources.cpu_limit = "8"; }},
      {"3 and 3.0", [](Ingredients& i) { i.task.inputs.parameters["n"] = 3.0; }},
  };
  for (const auto& [what, change] : changes) EXPECT_EQ(key_after(change), kSame) << what;
}

TEST(CacheKey, OfAnArtifactWithoutBytesHasItsUri) {
  const auto remote = [](const std::string& uri) {
    return key_after([&uri](Ingredients& i) {
      i.task.inputs.artifacts["data"][0].digest.clear();
      i.task.inputs.artifacts["data"][0].uri = uri;
    });
  };
  EXPECT_NE(remote("gs://a"), remote("gs://b"));
}

TEST(CacheKey, OfALightweightComponentHasItsSourceAndPackages) {
  const auto key = [](const Lightweight& lightweight, const std::string& preamble) {
    return key_after([&](Ingredients& i) {
      i.lightweight = lightweight;
      i.container().command[0] = preamble;
    });
  };
  const Lightweight base{"f", "def f(): pass", {"numpy"}, {}, {}};
  EXPECT_EQ(key(base, "kfp 2.14"), key(base, "kfp 2.15"));
  Lightweight other = base;
  other.source += "#";
  EXPECT_NE(key(other, ""), key(base, ""));
  other = base;
  other.function = "g";
  EXPECT_NE(key(other, ""), key(base, ""));
  other = base;
  other.requirements = {"numpy==1"};
  EXPECT_NE(key(other, ""), key(base, ""));
}

TEST(CacheKey, OfTheUserReplacesAllButTheComponent) {
  const auto own = [](
                       const std::string& cache_key, const Change& change = [](Ingredients&) {}) {
    return key_after([&](Ingredients& i) {
      i.spec.caching.key = cache_key;
      change(i);
    });
  };
  EXPECT_NE(own("k"), kSame);
  EXPECT_NE(own("k"), own("l"));
  EXPECT_EQ(own("k"), own("k", [](Ingredients& i) { i.task.inputs.parameters["n"] = 4; }));
  EXPECT_NE(own("k"), own("k", [](Ingredients& i) { i.task.component_name = "comp-other"; }));
}

// `explain` shows the parts: short ones as they are, and no secret.
TEST(CacheKey, PartsCanBeReadAndHideTheEnvOfTheRun) {
  const Value parts = Ingredients().make().parts;
  EXPECT_EQ(*parts.find("input n"), Value("3"));
  EXPECT_THAT(parts.find("input big")->as_string(), ::testing::StartsWith("sha256:"));
  EXPECT_EQ(*parts.find("env SEED"), Value("1"));
  EXPECT_THAT(parts.find("env HF_TOKEN")->as_string(), ::testing::StartsWith("sha256:"));
}

}  // namespace
}  // namespace cresset::dag
