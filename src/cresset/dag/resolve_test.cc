#include "cresset/dag/resolve.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cresset::dag {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Kind = text::Reference::Kind;

// Parameters by name; nothing else can be answered.
Result<Value> answer(const text::Reference& reference) {
  if (reference.kind == Kind::kInputParameter) {
    if (reference.name == "n") return Value(3);
    if (reference.name == "half") return Value(0.5);
    if (reference.name == "text") return Value("a {{$.inputs.parameters['n']}} b");
    if (reference.name == "list") return Value(Value::List{1, "x", Value()});
    if (reference.name == "null") return Value();
    if (reference.name == "yes") return Value(true);
  }
  return make_error(Code::kFailedPrecondition, "no {}", reference.text);
}

bool present(std::string_view name) { return name == "n" || name == "text"; }

TEST(Resolve, ATextThatIsOneReferenceKeepsTheKindOfTheValue) {
  const std::pair<const char*, Value> cases[] = {
      {"{{$.inputs.parameters['n']}}", 3},
      {"{{$.inputs.parameters['list']}}", Value::List{1, "x", Value()}},
      {"{{$.inputs.parameters['null']}}", Value()},
      {"{{$.inputs.parameters['n']}} ", "3 "},
      {"{{$.inputs.parameters['n']}}{{$.inputs.parameters['half']}}", "30.5"},
      {"is {{$.inputs.parameters['yes']}}", "is true"},
      {"l={{$.inputs.parameters['list']}}", R"(l=[1,"x",null])"},
      {"n={{$.inputs.parameters['null']}}.", "n=."},
      {"{{ not one }}", "{{ not one }}"},
      {"", ""},
  };
  for (const auto& [text, expected] : cases)
    EXPECT_EQ(resolve_text(text, answer).value(), expected) << text;
  EXPECT_EQ(resolve_to_string("{{$.inputs.parameters['list']}}", answer).value(),
            R"([1,"x",null])");
}

TEST(Resolve, ExpandsOnce) {
  const Value once("a {{$.inputs.parameters['n']}} b");
  EXPECT_EQ(resolve_text("{{$.inputs.parameters['text']}}", answer).value(), once);
  EXPECT_EQ(resolve_text("-{{$.inputs.parameters['text']}}", answer).value(),
            Value("-a {{$.inputs.parameters['n']}} b"));
  EXPECT_THAT(resolve_arguments({"{{$.inputs.parameters['text']}}"}, answer, present).value(),
              ElementsAre("a {{$.inputs.parameters['n']}} b"));
}

TEST(Resolve, LooksIntoConstantsOfAnyShape) {
  const Value constant = Value::make_struct(
      {{"k{{$.inputs.parameters['n']}}", Value::List{"{{$.inputs.parameters['n']}}", 1}},
       {"plain", Value::make_struct({{"deep", "{{$.inputs.parameters['half']}}!"}})}});
  EXPECT_EQ(resolve_constant(constant, answer).value(),
            Value::make_struct(
                {{"k3", Value::List{3, 1}}, {"plain", Value::make_struct({{"deep", "0.5!"}})}}));
  EXPECT_EQ(resolve_constant(Value(7), answer).value(), Value(7));
}

TEST(Resolve, SaysWhichReferenceHasNoAnswer) {
  EXPECT_THAT(resolve_text("x {{$.inputs.parameters['other']}}", answer).error().text(),
              HasSubstr("{{$.inputs.parameters['other']}}"));
  EXPECT_FALSE(resolve_constant(Value::List{"{{$.inputs.parameters['other']}}"}, answer));
  EXPECT_FALSE(resolve_text("{{$.inputs.nonsense}}", answer));
  EXPECT_FALSE(resolve_arguments({R"({"Concat": 3})"}, answer, present));
}

TEST(Resolve, ArgumentsMayBecomeNoneOrSeveral) {
  const std::pair<std::vector<std::string>, std::vector<std::string>> cases[] = {
      {{"a", "{{$.inputs.parameters['n']}}", ""}, {"a", "3", ""}},
      {{R"({"Concat": ["x", "{{$.inputs.parameters['n']}}", {"Concat": ["y", "z"]}]})"}, {"x3yz"}},
      {{R"({"IfPresent": {"InputName": "n", "Then": "yes", "Else": "no"}})"}, {"yes"}},
      {{R"({"IfPresent": {"InputName": "null", "Then": "yes", "Else": "no"}})"}, {"no"}},
      {{R"({"IfPresent": {"InputName": "null", "Then": "yes"}})"}, {}},
      {{R"({"IfPresent": {"InputName": "n", "Then": ["--n", "{{$.inputs.parameters['n']}}"]}})"},
       {"--n", "3"}},
      {{R"({"Concat": ["a", {"IfPresent": {"InputName": "null", "Then": "b"}}, "c"]})"}, {"ac"}},
      {{R"({"IfPresent": {"InputName": "n", "Then": [{"Concat": ["p", "q"]}, "r"]}})"},
       {"pq", "r"}},
  };
  for (const auto& [texts, expected] : cases)
    EXPECT_EQ(resolve_arguments(texts, answer, present).value(), expected) << texts.front();
}

TEST(Resolve, AnswersForTheRunItself) {
  RunContext context;
  context.id = model::RunId("id1");
  context.name = "my run";
  context.resource_name = "digits-abcde";
  context.created_at = WallTime{std::chrono::seconds{1'700'000'000}};
  context.artifact_root = "file:///root";
  context.workspace = "/ws";
  const std::pair<const char*, const char*> cases[] = {
      {"pipeline_job_name", "my run"},
      {"pipeline_job_resource_name", "digits-abcde"},
      {"pipeline_job_uuid", "id1"},
      {"pipeline_task_name", "train"},
      {"pipeline_task_uuid", "id1-4"},
      {"pipeline_root", "file:///root"},
      {"pipeline_job_create_time_utc", "2023-11-14T22:13:20.000000Z"},
      {"pipeline_job_schedule_time_utc", "2023-11-14T22:13:20.000000Z"},
      {"workspace_path", "/ws"},
  };
  for (const auto& [name, expected] : cases) {
    const auto lookup = [&context](const text::Reference& reference) {
      return job_reference(reference, context, "train", 4);
    };
    EXPECT_EQ(resolve_text(std::string("{{$.") + name + "}}", lookup).value(), Value(expected))
        << name;
    EXPECT_EQ(resolve_text(std::string("<{{$.") + name + "}}>", lookup).value(),
              Value(std::string("<") + expected + ">"));
  }
  text::Reference unknown;
  unknown.kind = Kind::kJob;
  unknown.name = "pipeline_moon";
  unknown.text = "{{$.pipeline_moon}}";
  EXPECT_THAT(job_reference(unknown, context, "train", 4).error().text(),
              HasSubstr("{{$.pipeline_moon}}"));
}

}  // namespace
}  // namespace cresset::dag
