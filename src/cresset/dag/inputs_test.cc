#include "cresset/dag/inputs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cresset/dag/testing/pipeline_builder.h"

namespace cresset::dag {
namespace {

using model::ParameterType;
using model::State;
using testing::artifact_from_parent;
using testing::artifact_from_task;
using testing::constant;
using testing::from_parent;
using testing::from_task;
using ::testing::HasSubstr;
using testing::TaskBuilder;

using List = Value::List;

// ---- coerce ----

TEST(Coerce, TurnsAnythingIntoTextAndTextIntoWhatItSpells) {
  const struct {
    Value value;
    ParameterType type;
    std::optional<Value> expected;
  } cases[] = {
      {3, ParameterType::kString, "3"},
      {0.1, ParameterType::kString, "0.1"},
      {true, ParameterType::kString, "true"},
      {List{1, "a"}, ParameterType::kString, R"([1,"a"])"},
      {Value::make_struct({{"a", 1}}), ParameterType::kString, R"({"a":1})"},
      {"3", ParameterType::kString, "3"},
      {"3", ParameterType::kNumberInteger, 3},
      {"3.5", ParameterType::kNumberDouble, 3.5},
      {"3.5", ParameterType::kNumberInteger, std::nullopt},
      {3.5, ParameterType::kNumberInteger, std::nullopt},
      {3.0, ParameterType::kNumberInteger, 3},
      {3, ParameterType::kNumberDouble, 3},
      {"true", ParameterType::kBoolean, true},
      {1, ParameterType::kBoolean, std::nullopt},
      {"[1]", ParameterType::kList, List{1}},
      {"{}", ParameterType::kList, std::nullopt},
      {R"({"a":1})", ParameterType::kStruct, Value::make_struct({{"a", 1}})},
      {"abc", ParameterType::kStruct, std::nullopt},
      {"9007199254740993", ParameterType::kNumberInteger, std::nullopt},
      {Value(), ParameterType::kNumberInteger, Value()},
      {Value(), ParameterType::kString, Value()},
  };
  for (const auto& one : cases) {
    const Result<Value> result = coerce(one.value, one.type);
    SCOPED_TRACE(::testing::Message() << to_string(one.type));
    ASSERT_EQ(result.has_value(), one.expected.has_value());
    if (result) EXPECT_EQ(*result, *one.expected);
    if (!result) EXPECT_EQ(result.error().code, Code::kInvalidArgument);
  }
  EXPECT_LT(coerce(Value(std::string(10'000, 'x')), ParameterType::kList).error().text().size(),
            200u)
      << "a message shows the beginning of a long value";
}

// ---- resolve_inputs ----

struct InputsTest : public ::testing::Test {
  InputsTest() {
    task.name = "t";
    task.spec = &spec;
    task.component = &component;
    context.name = "my run";
  }
  ResolvedInputs resolve() {
    const Surroundings around{
        .parent_inputs = parent,
        .neighbour =
            [this](const std::string& name) {
              return Surroundings::Neighbour{states[name], &outputs[name]};
            },
        .final_status = [](const std::string& name) { return Value("status of " + name); },
        .context = context,
        .ordinal = 3,
    };
    return resolve_inputs(task, around);
  }
  Value resolved(const std::string& name) {
    const ResolvedInputs inputs = resolve();
    EXPECT_FALSE(inputs.skip) << *inputs.skip;
    EXPECT_FALSE(inputs.fail) << *inputs.fail;
    auto it = inputs.slots.parameters.find(name);
    return it == inputs.slots.parameters.end() ? Value("absent") : *it->second;
  }
  model::InputParameter& declare(const std::string& name, ParameterType type) {
    component.input_parameters[name].type = type;
    return component.input_parameters[name];
  }
  void parent_has(const std::string& name, Value value) {
    parent.parameters[name] = std::make_shared<const Value>(std::move(value));
  }
  void produced(const std::string& name, State state, std::optional<Value> out = {}) {
    states[name] = state;
    outputs[name] = {};
    if (out) outputs[name].parameters["out"] = std::make_shared<const Value>(*std::move(out));
  }

  model::TaskSpec spec;
  model::Component component;
  GraphTask task;
  RunContext context;
  Slots parent;
  std::map<std::string, State> states;
  std::map<std::string, Slots> outputs;
  TaskBuilder build{spec};
};

TEST_F(InputsTest, ComeFromEverySource) {
  parent_has("p", "from parent");
  produced("a", State::kSucceeded, "from task");
  build.in("p", from_parent("p"))
      .in("t", from_task("a"))
      .in("c", constant("fixed"))
      .in("s", testing::final_status_of("a"));
  EXPECT_EQ(resolved("p"), Value("from parent"));
  EXPECT_EQ(resolved("t"), Value("from task"));
  EXPECT_EQ(resolved("c"), Value("fixed"));
  EXPECT_EQ(resolved("s"), Value("status of a"));
}

TEST_F(InputsTest, AreCoercedToTheDeclaredType) {
  declare("text", ParameterType::kString);
  declare("number", ParameterType::kNumberInteger);
  build.in("text", constant(7)).in("number", constant("8")).in("undeclared", constant("9"));
  EXPECT_EQ(resolved("text"), Value("7"));
  EXPECT_EQ(resolved("number"), Value(8));
  EXPECT_EQ(resolved("undeclared"), Value("9"));
  build.in("number", constant("eight"));
  EXPECT_THAT(*resolve().fail, HasSubstr("input \"number\": \"eight\" is no NUMBER_INTEGER"));
}

TEST_F(InputsTest, OfAClosedListTakeOnlyWhatIsInIt) {
  declare("mode", ParameterType::kString).literals = {"fast", "slow"};
  declare("n", ParameterType::kNumberInteger).literals = {1, 2};
  build.in("mode", constant("slow")).in("n", constant("2"));
  EXPECT_EQ(resolved("mode"), Value("slow"));
  EXPECT_EQ(resolved("n"), Value(2));
  build.in("mode", constant("medium"));
  EXPECT_THAT(*resolve().fail, HasSubstr(R"(none of the values that it takes: ["fast","slow"])"));
  declare("mode", ParameterType::kString).optional = true;
  build.in("mode", from_parent("nobody"));
  EXPECT_EQ(resolved("mode"), Value()) << "left out is not a value";
}

TEST_F(InputsTest, ThatAreLeftOutTakeTheDefaultOrNull) {
  declare("default", ParameterType::kNumberInteger).default_value = 5;
  declare("optional", ParameterType::kNumberInteger).optional = true;
  parent_has("null", Value());
  EXPECT_EQ(resolved("default"), Value(5));
  EXPECT_EQ(resolved("optional"), Value());
  build.in("default", from_parent("null")).in("optional", from_parent("null"));
  EXPECT_EQ(resolved("default"), Value(5)) << "null stands for left out";
  EXPECT_EQ(resolved("optional"), Value());
  build.in("default", from_parent("nobody"));
  EXPECT_EQ(resolved("default"), Value(5));
}

TEST_F(InputsTest, WithoutAValueSkipOrFailTheTask) {
  declare("x", ParameterType::kNumberInteger);
  const struct {
    State state;
    bool fails;
    const char* reason;
  } cases[] = {
      {State::kSkipped, false, "\"a\", which gives it, was skipped"},
      {State::kCanceled, false, "\"a\", which gives it, was cancelled"},
      {State::kFailed, true, "\"a\", which gives it, failed"},
      {State::kSucceeded, false, "\"a\" gave no output \"out\""},
  };
  for (const auto& one : cases) {
    produced("a", one.state);
    build.in("x", from_task("a"));
    const ResolvedInputs inputs = resolve();
    EXPECT_EQ(inputs.fail.has_value(), one.fails);
    EXPECT_THAT(inputs.fail ? *inputs.fail : *inputs.skip, HasSubstr(one.reason));
  }
  spec.parameters.clear();
  component.input_parameters.clear();
  component.input_artifacts["data"] = {};
  build.in("data", artifact_from_task("a"));
  EXPECT_THAT(*resolve().skip, HasSubstr("\"data\""));
  component.input_artifacts["data"].optional = true;
  EXPECT_FALSE(resolve().skip);
  build.in("data", artifact_from_parent("nobody"));
  EXPECT_FALSE(resolve().skip);
}

TEST_F(InputsTest, SelectorsSeeListsAndStructsAsTextAndAsWhatTheyAre) {
  parent_has("item", Value::make_struct({{"a", 3}, {"b", List{1, 2}}}));
  parent_has("text", R"({"a": "in text"})");
  parent_has("n", 4);
  const std::tuple<const char*, const char*, Value> cases[] = {
      {"item", R"(parseJson(string_value)["a"])", 3},
      {"item", R"(parseJson(string_value)["b"])", List{1, 2}},
      {"item", "struct_value.a", 3},
      {"text", R"(parseJson(string_value)["a"])", "in text"},
      {"n", "number_value * 2.0", 8},
  };
  for (const auto& [input, selector, expected] : cases) {
    model::ParameterSource source = from_parent(input);
    source.selector = selector;
    build.in("x", source);
    EXPECT_EQ(resolved("x"), expected) << selector;
  }
  for (const char* bad : {R"(parseJson(string_value)["zzz"])", "list_value", "((("}) {
    model::ParameterSource source = from_parent("item");
    source.selector = bad;
    build.in("x", source);
    EXPECT_THAT(*resolve().fail, HasSubstr("input \"x\"")) << bad;
  }
}

TEST_F(InputsTest, ConstantsExpandTheirPlaceholdersAndValuesDoNot) {
  parent_has("who", "{{$.pipeline_job_name}}");
  produced("a", State::kSucceeded, "{{$.inputs.parameters['who']}}");
  build.in("who", from_parent("who"))
      .in("t", from_task("a"))
      .in("plain", constant("x"))
      .in("c", constant("hello {{$.inputs.parameters['who']}} {{$.inputs.parameters['plain']}}"))
      .in("job", constant("{{$.pipeline_job_name}}!"))
      .in("kind", constant("{{$.inputs.parameters['n']}}"))
      .in("n", constant(5));
  EXPECT_EQ(resolved("who"), Value("{{$.pipeline_job_name}}"));
  EXPECT_EQ(resolved("t"), Value("{{$.inputs.parameters['who']}}"));
  EXPECT_EQ(resolved("c"), Value("hello {{$.pipeline_job_name}} x"));
  EXPECT_EQ(resolved("job"), Value("my run!"));
  EXPECT_EQ(resolved("kind"), Value(5)) << "one placeholder alone keeps its kind";
}

TEST_F(InputsTest, ConstantsCanNameArtifactsAndNotOutputs) {
  model::Artifact data;
  data.name = "data";
  data.uri = "gs://bucket/d";
  data.metadata = Value::make_struct({{"rows", 12}});
  parent.artifacts["d"] = std::make_shared<const std::vector<model::Artifact>>(1, data);
  build.in("d", artifact_from_parent("d"))
      .in("uri", constant("{{$.inputs.artifacts['d'].uri}}"))
      .in("path", constant("{{$.inputs.artifacts['d'].path}}"))
      .in("name", constant("{{$.inputs.artifacts['d'].name}}"))
      .in("rows", constant("{{$.inputs.artifacts['d'].metadata['rows']}}"));
  EXPECT_EQ(resolved("uri"), Value("gs://bucket/d"));
  EXPECT_EQ(resolved("path"), Value("/gcs/bucket/d"));
  EXPECT_EQ(resolved("name"), Value("data"));
  EXPECT_EQ(resolved("rows"), Value(12));
  build.in("bad", constant("{{$.outputs.parameters['o'].output_file}}"));
  EXPECT_THAT(*resolve().fail, HasSubstr("input \"bad\""));
}

// ---- artifacts_value ----

TEST(ArtifactsValue, IsWhatStepsRead) {
  model::Artifact artifact;
  artifact.name = "m";
  artifact.type.schema_title = "system.Model";
  artifact.type.schema_version = "0.0.1";
  artifact.uri = "file:///m";
  const Value entry = artifacts_value({artifact}).find("artifacts")->as_list().at(0);
  EXPECT_EQ(entry, Value::make_struct({{"name", "m"},
                                       {"type", Value::make_struct({{"schemaTitle", "system.Model"},
                                                                    {"schemaVersion", "0.0.1"}})},
                                       {"uri", "file:///m"},
                                       {"metadata", Value::make_struct()}}));
  EXPECT_EQ(artifacts_value({}), Value::make_struct({{"artifacts", List{}}}));
}

}  // namespace
}  // namespace cresset::dag
