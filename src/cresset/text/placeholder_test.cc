#include "cresset/text/placeholder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "cresset/base/error.h"
#include "cresset/base/result.h"

namespace cresset::text {
namespace {

using Kind = Reference::Kind;
using ::testing::HasSubstr;

std::string joined(const Template& parsed) {
  std::string out;
  for (const Piece& piece : parsed.pieces) {
    const auto* literal = std::get_if<std::string>(&piece);
    out += literal != nullptr ? *literal : std::get<Reference>(piece).text;
  }
  return out;
}

// What a text that is one placeholder refers to.
Reference reference(std::string_view text) {
  const auto parsed = parse_template(text);
  EXPECT_TRUE(parsed) << parsed.error().text();
  if (!parsed) return {};
  const Reference* sole = parsed->sole_reference();
  EXPECT_NE(sole, nullptr) << text;
  return sole == nullptr ? Reference{} : *sole;
}

std::string template_error(std::string_view text) {
  const auto parsed = parse_template(text);
  if (parsed) return "no error";
  EXPECT_EQ(parsed.error().code, Code::kInvalidArgument);
  return parsed.error().text();
}

TEST(Placeholder, EveryFormThatTheSdkWrites) {
  struct Case {
    std::string_view text;
    Kind kind;
    std::string name;
    std::string field;
    std::string key;
  };
  const std::vector<Case> cases = {
      {"{{$}}", Kind::kExecutorInput, "", "", ""},
      {"{{$.inputs.parameters['pipelinechannel--x-Output']}}", Kind::kInputParameter,
       "pipelinechannel--x-Output", "", ""},
      {"{{$.inputs.artifacts['in']}}", Kind::kInputArtifact, "in", "", ""},
      {"{{$.inputs.artifacts['in'].path}}", Kind::kInputArtifactField, "in", "path", ""},
      {"{{$.inputs.artifacts['in'].uri}}", Kind::kInputArtifactField, "in", "uri", ""},
      {"{{$.inputs.artifacts['in'].name}}", Kind::kInputArtifactField, "in", "name", ""},
      {"{{$.inputs.artifacts['in'].metadata}}", Kind::kInputArtifactField, "in", "metadata", ""},
      {"{{$.inputs.artifacts['in'].metadata['k 1']}}", Kind::kInputArtifactField, "in", "metadata",
       "k 1"},
      {"{{$.outputs.artifacts['out']}}", Kind::kOutputArtifact, "out", "", ""},
      {"{{$.outputs.artifacts['out'].path}}", Kind::kOutputArtifactField, "out", "path", ""},
      {"{{$.outputs.artifacts['out'].uri}}", Kind::kOutputArtifactField, "out", "uri", ""},
      {"{{$.outputs.artifacts['out'].name}}", Kind::kOutputArtifactField, "out", "name", ""},
      {"{{$.outputs.artifacts['out'].metadata['k']}}", Kind::kOutputArtifactField, "out",
       "metadata", "k"},
      {"{{$.outputs.parameters['o'].output_file}}", Kind::kOutputParameterFile, "o", "", ""},
      {"{{$.outputs.output_file}}", Kind::kOutputFile, "", "", ""},
      {"{{$.outputs.outputMetadataUri}}", Kind::kOutputFile, "", "", ""},
      {"{{$.outputMetadataUri}}", Kind::kOutputFile, "", "", ""},
      {"{{$.pipeline_job_name}}", Kind::kJob, "pipeline_job_name", "", ""},
      {"{{$.pipeline_job_resource_name}}", Kind::kJob, "pipeline_job_resource_name", "", ""},
      {"{{$.pipeline_job_uuid}}", Kind::kJob, "pipeline_job_uuid", "", ""},
      {"{{$.pipeline_task_name}}", Kind::kJob, "pipeline_task_name", "", ""},
      {"{{$.pipeline_task_uuid}}", Kind::kJob, "pipeline_task_uuid", "", ""},
      {"{{$.pipeline_root}}", Kind::kJob, "pipeline_root", "", ""},
      {"{{$.pipeline_job_create_time_utc}}", Kind::kJob, "pipeline_job_create_time_utc", "", ""},
      {"{{$.pipeline_job_schedule_time_utc}}", Kind::kJob, "pipeline_job_schedule_time_utc", "",
       ""},
      {"{{$.workspace_path}}", Kind::kJob, "workspace_path", "", ""},
  };
  for (const Case& c : cases) {
    const Reference expected{c.kind, c.name, c.field, c.key, std::string(c.text)};
    EXPECT_EQ(reference(c.text), expected) << c.text;
  }
}

TEST(Placeholder, NamesAreWrittenInManyWays) {
  for (const std::string_view text :
       {"{{$.inputs.parameters['x']}}", "{{$.inputs.parameters[\"x\"]}}",
        "{{$.inputs.parameters[''x'']}}", "{{$.inputs.parameters[\"\"x\"\"]}}",
        "{{$.inputs.parameters.x}}", "{{$.inputs.parameters['x'] }}",
        "{{$ .inputs.parameters['x']}}", "{{$.inputs.parameters[ 'x' ]}}",
        "{{$.inputs.parameters ['x']}}"}) {
    const Reference found = reference(text);
    EXPECT_EQ(found.kind, Kind::kInputParameter) << text;
    EXPECT_EQ(found.name, "x") << text;
    EXPECT_EQ(found.text, text);
  }
  EXPECT_EQ(reference("{{$ }}").kind, Kind::kExecutorInput);
  EXPECT_EQ(reference("{{$.inputs.artifacts.in-1.metadata.k}}").key, "k");
  EXPECT_EQ(reference("{{$.inputs.artifacts[''in''].metadata[''foo'']}}").key, "foo");
}

TEST(Placeholder, NamesMayHoldQuotesBracketsAndBraces) {
  struct Case {
    std::string_view text;
    std::string_view name;
  };
  for (const Case& c : std::vector<Case>{
           {"{{$.inputs.parameters['it's']}}", "it's"},
           {"{{$.inputs.parameters['a[0]']}}", "a[0]"},
           {"{{$.inputs.parameters['a']b']}}", "a']b"},
           {"{{$.inputs.parameters['a}}b']}}", "a}}b"},
           {"{{$.inputs.parameters['a.b']}}", "a.b"},
           {"{{$.inputs.parameters['say \"x\"']}}", "say \"x\""},
           {"{{$.inputs.parameters[\"it's\"]}}", "it's"},
           {"{{$.inputs.parameters['größe']}}", "größe"},
           {"{{$.inputs.parameters['back\\slash']}}", "back\\slash"},
           {"{{$.inputs.parameters[' x ']}}", " x "},
       }) {
    EXPECT_EQ(reference(c.text).name, c.name) << c.text;
  }
}

TEST(Placeholder, ATextWithoutPlaceholdersIsOneLiteral) {
  for (const std::string_view text : {"", "plain", "{{ $.inputs.parameters['x'] }}", "{{x}}",
                                      "{$.x}", "$.x", "}}", "{{", "{ {$}}", "{{.Values.x}}"}) {
    const auto parsed = parse_template(text);
    ASSERT_TRUE(parsed) << text;
    EXPECT_EQ(parsed->pieces, std::vector<Piece>{std::string(text)});
    EXPECT_FALSE(parsed->has_references());
    EXPECT_EQ(parsed->sole_reference(), nullptr);
  }
}

TEST(Placeholder, TextAroundPlaceholdersStays) {
  const std::string text =
      "{{a: {{$}} b}}{{$.inputs.parameters['x']}}{{$.pipeline_job_name}}}}\n{{{$.workspace_path}}}";
  const auto parsed = parse_template(text);
  ASSERT_TRUE(parsed) << parsed.error().text();
  EXPECT_EQ(joined(*parsed), text);
  ASSERT_EQ(parsed->pieces.size(), 8u);
  EXPECT_EQ(std::get<std::string>(parsed->pieces[0]), "{{a: ");
  EXPECT_EQ(std::get<Reference>(parsed->pieces[1]).kind, Kind::kExecutorInput);
  EXPECT_EQ(std::get<std::string>(parsed->pieces[2]), " b}}");
  EXPECT_EQ(std::get<Reference>(parsed->pieces[3]).name, "x");
  EXPECT_EQ(std::get<Reference>(parsed->pieces[4]).name, "pipeline_job_name");
  EXPECT_EQ(std::get<std::string>(parsed->pieces[5]), "}}\n{");
  EXPECT_EQ(std::get<std::string>(parsed->pieces[7]), "}");
  EXPECT_TRUE(parsed->has_references());
  EXPECT_EQ(parsed->sole_reference(), nullptr);
}

TEST(Placeholder, WhatIsNoFormIsRefusedByName) {
  struct Case {
    std::string_view text;
    std::string_view error;
  };
  for (const Case& c : std::vector<Case>{
           {"a {{$.json_escape[1]}} b",
            "the placeholder {{$.json_escape[1]}} is not supported: json_escape exists only on "
            "Vertex AI; pass {{$}} and let the program escape it"},
           {"{{$.pipeline_job_nmae}}",
            "the placeholder {{$.pipeline_job_nmae}} is unknown: nothing is called "
            "pipeline_job_nmae (did you mean \"pipeline_job_name\"?)"},
           {"{{$.pipeline_google_cloud_location}}",
            "the placeholder {{$.pipeline_google_cloud_location}} is unknown: nothing is called "
            "pipeline_google_cloud_location"},
           {"{{$.input.parameters['x']}}",
            "the placeholder {{$.input.parameters['x']}} is unknown: nothing is called input (did "
            "you mean \"inputs\"?)"},
           {"{{$.inputs.parameter['x']}}",
            "the placeholder {{$.inputs.parameter['x']}} is unknown: inputs have no parameter (did "
            "you mean \"parameters\"?)"},
           {"{{$.outputs.output_fil}}",
            "the placeholder {{$.outputs.output_fil}} is unknown: outputs have no output_fil (did "
            "you mean \"output_file\"?)"},
           {"{{$.inputs.output_file}}",
            "the placeholder {{$.inputs.output_file}} is unknown: inputs have no output_file"},
           {"{{$.inputs.artifacts['x'].pth}}",
            "the placeholder {{$.inputs.artifacts['x'].pth}} is unknown: an artifact has .path, "
            ".uri, .name and .metadata, not .pth (did you mean \"path\"?)"},
           {"{{$.outputs.parameters['x']}}",
            "the placeholder {{$.outputs.parameters['x']}} is not complete: an output parameter "
            "has no value yet, only a file: add .output_file"},
           {"{{$.outputs.parameters['x'].path}}",
            "the placeholder {{$.outputs.parameters['x'].path}} is unknown: an output parameter "
            "has only .output_file, not .path"},
           {"{{$.inputs.parameters['x'].value}}",
            "the placeholder {{$.inputs.parameters['x'].value}} is malformed: expected \"}}\", "
            "found \".value}}\""},
           {"{{$.inputs.artifacts['x'].path.y}}",
            "the placeholder {{$.inputs.artifacts['x'].path.y}} is malformed: expected \"}}\", "
            "found \".y}}\""},
           {"{{$.inputs.parameters['']}}",
            "the placeholder {{$.inputs.parameters['']}} has an empty name"},
           {"{{$.inputs.parameters[x]}}",
            "the placeholder {{$.inputs.parameters[x]}} is malformed: expected a name in quotes, "
            "as in ['x'], found \"x]}}\""},
           {"{{$.inputs.parameters[0]}}",
            "the placeholder {{$.inputs.parameters[0]}} is malformed: expected a name in quotes, "
            "as in ['x'], found \"0]}}\""},
           {"{{$.inputs.parameters}}",
            "the placeholder {{$.inputs.parameters}} is malformed: expected a name in brackets, as "
            "in ['x'], found \"}}\""},
           {"{{$.inputs}}",
            "the placeholder {{$.inputs}} is malformed: expected a dot and a name, found \"}}\""},
           {"{{$x := 1}} of another template language",
            "the placeholder {{$x := 1}} is malformed: expected a dot and a name, found \"x := 1}} "
            "of another ...\""},
           {"{{$", "the placeholder {{$ is not complete: expected a dot and a name"},
           {"{{$}", "the placeholder {{$} is malformed: expected a dot and a name, found \"}\""},
           {"{{$.inputs.parameters['x']",
            "the placeholder {{$.inputs.parameters['x'] is not complete: expected \"}}\""},
           {"{{$.inputs.parameters['x\ny']}}",
            "the placeholder {{$.inputs.parameters['x is not complete: expected '] after the "
            "name"},
           {"{{$.inputs.parameters['x}} {{$.inputs.parameters['y']}}",
            "the placeholder {{$.inputs.parameters['x}} is malformed: expected '] after the name, "
            "found \"{{$.inputs.parameter...\""},
       }) {
    EXPECT_EQ(template_error(c.text), c.error) << c.text;
  }
}

TEST(Placeholder, EveryPrefixIsReadOrRefused) {
  const std::string text = "a {{$.inputs.artifacts['x'].metadata['k']}} b {{$}}";
  for (std::size_t length = 0; length <= text.size(); ++length) {
    const std::string prefix = text.substr(0, length);
    const auto parsed = parse_template(prefix);
    if (parsed) {
      EXPECT_EQ(joined(*parsed), prefix);
    } else {
      EXPECT_EQ(parsed.error().code, Code::kInvalidArgument);
    }
  }
}

TEST(Placeholder, LongTextsTakeLinearTime) {
  std::string text;
  for (int i = 0; i < 100'000; ++i) text += "{{$.inputs.parameters['x']}} ";
  EXPECT_EQ(parse_template(text)->pieces.size(), 200'000u);
  EXPECT_LT(template_error("{{$.inputs.parameters['" + std::string(1'000'000, '\'')).size(), 400u);
}

// A template as it was written; structs as Concat(…) and IfPresent(input, …, …).
std::string shown(const Argument& argument);

std::string shown(const std::vector<Argument>& arguments) {
  std::string out = "[";
  for (const Argument& argument : arguments) out += (out.size() > 1 ? "," : "") + shown(argument);
  return out + "]";
}

std::string shown(const Argument& argument) {
  if (const auto* parsed = std::get_if<Template>(&argument.form)) return joined(*parsed);
  if (const auto* concat = std::get_if<Concat>(&argument.form))
    return "Concat(" + shown(concat->items) + ")";
  const auto& choice = std::get<IfPresent>(argument.form);
  return "IfPresent(" + choice.input + "," + shown(choice.then) + "," + shown(choice.otherwise) +
         ")";
}

std::string argument(std::string_view text) {
  const auto parsed = parse_argument(text);
  if (parsed) return shown(*parsed);
  EXPECT_EQ(parsed.error().code, Code::kInvalidArgument);
  return parsed.error().text();
}

TEST(Argument, OtherTextsAreTemplates) {
  for (const std::string_view text :
       {"", "plain", "{{$}}", "{\"Other\": 1}", "{\"IfPresentX\": 1}", "{", "echo {\"Concat\": []}",
        "[{\"Concat\": []}]", "{{$.inputs.parameters['x']}}-{\"Concat\""}) {
    EXPECT_EQ(argument(text), text);
  }
  EXPECT_EQ(parse_argument("{{$.x}}").error().code, Code::kInvalidArgument);
}

TEST(Argument, Structs) {
  struct Case {
    std::string_view text;
    std::string_view expected;
  };
  for (const Case& c : std::vector<Case>{
           {R"({"Concat": ["a", "{{$.inputs.parameters['x']}}", "b"]})",
            "Concat([a,{{$.inputs.parameters['x']}},b])"},
           {R"({"Concat": []})", "Concat([])"},
           {R"({"Concat": ["a", {"Concat": ["b", {"Concat": ["c"]}]}]})",
            "Concat([a,Concat([b,Concat([c])])])"},
           {R"({"IfPresent": {"InputName": "x", "Then": "a", "Else": "b"}})",
            "IfPresent(x,[a],[b])"},
           {R"({"IfPresent": {"InputName": "x", "Then": ["--x", "{{$.inputs.parameters['x']}}"]}})",
            "IfPresent(x,[--x,{{$.inputs.parameters['x']}}],[])"},
           {R"({"IfPresent": {"InputName": "x", "Then": ["a"], "Else": ["b", "c"]}})",
            "IfPresent(x,[a],[b,c])"},
           {R"({"IfPresent": {"InputName": "x", "Then": null, "Else": null}})",
            "IfPresent(x,[],[])"},
           {R"({"IfPresent": {"InputName": "x", "Then": [], "Else": []}})", "IfPresent(x,[],[])"},
           {R"({"IfPresent": {"InputName": "x", "Then": {"Concat": ["a", "b"]}}})",
            "IfPresent(x,[Concat([a,b])],[])"},
           {R"({"Concat": ["a", {"IfPresent": {"InputName": "x", "Then": "b", "Else": "c"}}]})",
            "Concat([a,IfPresent(x,[b],[c])])"},
           {R"({"IfPresent": {"InputName": "x", "Then": ["a",
                {"IfPresent": {"InputName": "y", "Then": ["b"]}}]}})",
            "IfPresent(x,[a,IfPresent(y,[b],[])],[])"},
           {"\n { \t\"Concat\"\n:[\"a\"]} ", "Concat([a])"},
       }) {
    EXPECT_EQ(argument(c.text), c.expected) << c.text;
  }
}

TEST(Argument, MalformedStructsAreRefused) {
  struct Case {
    std::string_view text;
    std::string_view reason;
  };
  for (const Case& c : std::vector<Case>{
           {R"({"Concat": ["a")", "line 1, column "},
           {R"({"Concat": ["a"]} tail)", "line 1, column "},
           {R"({"Concat": "a"})", "Concat takes a list"},
           {R"({"Concat": [1]})", "expected a text, IfPresent or Concat, found a number"},
           {R"({"Concat": [null]})", "expected a text, IfPresent or Concat, found a null"},
           {R"({"Concat": [["a"]]})", "expected a text, IfPresent or Concat, found a list"},
           {R"({"Concat": [{}]})", "expected a struct with the one key IfPresent or Concat"},
           {R"({"Concat": [], "IfPresent": {}})",
            "expected a struct with the one key IfPresent or Concat"},
           {R"({"Concat": [{"concat": []}]})",
            "expected a struct with the one key IfPresent or Concat"},
           {R"({"IfPresent": []})", "IfPresent takes a struct"},
           {R"({"IfPresent": {"Then": "a"}})",
            "IfPresent needs an InputName, which is the name of an input"},
           {R"({"IfPresent": {"InputName": "", "Then": "a"}})",
            "IfPresent needs an InputName, which is the name of an input"},
           {R"({"IfPresent": {"InputName": 1, "Then": "a"}})",
            "IfPresent needs an InputName, which is the name of an input"},
           {R"({"IfPresent": {"InputName": "x"}})", "IfPresent needs a Then"},
           {R"({"IfPresent": {"InputName": "x", "Then": true}})",
            "expected a text, IfPresent or Concat, found a boolean"},
           {R"({"IfPresent": {"InputName": "x", "Then": "a", "Els": "b"}})",
            "IfPresent has InputName, Then and Else, not \"Els\" (did you mean \"Else\"?)"},
           {R"({"Concat": ["{{$.x}}"]})", "the placeholder {{$.x}} is unknown"},
       }) {
    EXPECT_THAT(argument(c.text), HasSubstr(c.reason)) << c.text;
  }
  EXPECT_THAT(argument(R"({"Concat": "a"})"),
              HasSubstr(R"(the argument {"Concat": "a"} is malformed: )"));
}

std::string nested(std::string_view opening, std::string_view closing, std::size_t levels) {
  std::string out;
  for (std::size_t i = 0; i < levels; ++i) out += opening;
  out += "\"a\"";
  for (std::size_t i = 0; i < levels; ++i) out += closing;
  return out;
}

TEST(Argument, DepthIsLimited) {
  EXPECT_THAT(argument(nested(R"({"Concat": [)", "]}", 20)), HasSubstr("Concat([a])"));
  EXPECT_THAT(argument(nested(R"({"IfPresent": {"InputName": "x", "Then": [)", "]}}", 20)),
              HasSubstr("IfPresent(x,[a],[])"));
  EXPECT_THAT(argument(nested(R"({"Concat": [)", "]}", 21)), HasSubstr("more than 20 levels deep"));
  EXPECT_THAT(argument(nested(R"({"IfPresent": {"InputName": "x", "Then": [)", "]}}", 21)),
              HasSubstr("more than 20 levels deep"));
  EXPECT_THAT(argument(nested(R"({"Concat": [)", "]}", 100'000)), HasSubstr("is malformed"));
}

}  // namespace
}  // namespace cresset::text
