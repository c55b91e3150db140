#include "cresset/codec/parameters.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cresset/text/json.h"

namespace cresset::codec {
namespace {

using model::ParameterType;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// The value as JSON, or the error.
std::string json_of(const Result<Value>& value) {
  return value ? text::to_json(*value) : value.error().text();
}

model::InputParameter of_type(ParameterType type) {
  model::InputParameter out;
  out.type = type;
  return out;
}

std::string error_of(const Result<void>& result) { return result ? "" : result.error().text(); }

std::string parsed(ParameterType type, std::string_view text) {
  return json_of(parse_parameter_text("x", type, text));
}

TEST(ParseParameterText, TakesAStringAsItIs) {
  EXPECT_EQ(parsed(ParameterType::kString, " 1 "), "\" 1 \"");
  EXPECT_EQ(parsed(ParameterType::kString, "\"q\""), R"("\"q\"")");
  EXPECT_EQ(parsed(ParameterType::kString, ""), "\"\"");
  EXPECT_EQ(parsed(ParameterType::kString, "a\xFF"), "the value of parameter x is not valid UTF-8");
}

TEST(ParseParameterText, ReadsJsonForOtherTypes) {
  EXPECT_EQ(parsed(ParameterType::kNumberInteger, "-3"), "-3");
  EXPECT_EQ(parsed(ParameterType::kNumberInteger, "3.0"), "3");
  EXPECT_EQ(parsed(ParameterType::kNumberInteger, "9007199254740991"), "9007199254740991");
  EXPECT_EQ(parsed(ParameterType::kNumberDouble, "1e-3"), "0.001");
  EXPECT_EQ(parsed(ParameterType::kNumberDouble, "3"), "3");
  EXPECT_EQ(parsed(ParameterType::kBoolean, "true"), "true");
  EXPECT_EQ(parsed(ParameterType::kList, "[1, \"a\"]"), R"([1,"a"])");
  EXPECT_EQ(parsed(ParameterType::kStruct, "{\"a\": null}"), R"({"a":null})");
}

TEST(ParseParameterText, NamesTheParameterAndWhatItShouldBe) {
  EXPECT_EQ(parsed(ParameterType::kNumberInteger, "abc"),
            "parameter x must be an integer within ±9007199254740991 (NUMBER_INTEGER), not abc");
  EXPECT_THAT(parsed(ParameterType::kNumberInteger, "1.5"), HasSubstr("not 1.5"));
  EXPECT_THAT(parsed(ParameterType::kNumberInteger, "9007199254740992"), HasSubstr("an integer"));
  EXPECT_THAT(parsed(ParameterType::kNumberDouble, "NaN"), HasSubstr("must be a number"));
  EXPECT_EQ(parsed(ParameterType::kBoolean, "True"),
            "parameter x must be true or false (BOOLEAN), not True");
  EXPECT_THAT(parsed(ParameterType::kList, "{}"), HasSubstr("must be a list (LIST), not {}"));
  EXPECT_THAT(parsed(ParameterType::kStruct, "{a: 1}"),
              StartsWith("parameter x must be a struct (STRUCT), not {a: 1}: as JSON, line 1, "
                         "column 2: "));
  EXPECT_THAT(parsed(ParameterType::kStruct, "{\"a\":1,\"a\":2}"), HasSubstr("twice"));
  EXPECT_LT(parsed(ParameterType::kList, std::string(5000, 'x')).size(), 400u);
}

TEST(CheckParameter, ChecksTypes) {
  EXPECT_EQ(error_of(check_parameter(of_type(ParameterType::kString), "x", Value("a"))), "");
  EXPECT_EQ(error_of(check_parameter(of_type(ParameterType::kString), "x", Value(1))),
            "parameter x must be a string (STRING), not 1");
  EXPECT_EQ(error_of(check_parameter(of_type(ParameterType::kNumberInteger), "x", Value(1e16))),
            "parameter x must be an integer within ±9007199254740991 (NUMBER_INTEGER), not "
            "1e+16");
}

TEST(CheckParameter, NullIsForOptionalOnes) {
  model::InputParameter declared;
  EXPECT_THAT(error_of(check_parameter(declared, "x", Value())), HasSubstr("not null"));
  declared.optional = true;
  EXPECT_EQ(error_of(check_parameter(declared, "x", Value())), "");
}

TEST(CheckParameter, ChecksLiterals) {
  model::InputParameter declared;
  declared.literals = {Value("a"), Value("b")};
  EXPECT_EQ(error_of(check_parameter(declared, "x", Value("b"))), "");
  EXPECT_EQ(error_of(check_parameter(declared, "x", Value("c"))),
            R"(parameter x must be one of "a", "b", not "c")");
}

TEST(ReadParametersFile, ReadsYamlAndJson) {
  const auto yaml = read_parameters_file("a: 1\nb: [x]\nc: '1'\n");
  ASSERT_TRUE(yaml);
  EXPECT_EQ(yaml->at("a"), Value(1));
  EXPECT_EQ(text::to_json(yaml->at("b")), R"(["x"])");
  EXPECT_EQ(yaml->at("c"), Value("1"));
  const auto json = read_parameters_file(R"({"a": {"b": 1}})");
  ASSERT_TRUE(json);
  EXPECT_EQ(text::to_json(json->at("a")), R"({"b":1})");
  const auto empty = read_parameters_file("# nothing\n");
  ASSERT_TRUE(empty);
  EXPECT_TRUE(empty->empty());
}

TEST(ReadParametersFile, RefusesOtherThings) {
  EXPECT_EQ(read_parameters_file("- a\n").error().text(),
            "a parameters file holds a map of names to values, not a list");
  EXPECT_EQ(read_parameters_file("a: 1\n---\nb: 1\n").error().text(),
            "line 2, column 1: a second document in a file that holds one");
  EXPECT_THAT(read_parameters_file("a: 1\na: 2\n").error().text(),
              StartsWith("line 2, column 1: the key \"a\" occurs twice"));
}

class ResolveInputs : public ::testing::Test {
 protected:
  std::string resolved(model::ByName<Value> given) {
    const auto out = resolve_inputs(root_, std::move(given));
    if (!out) return out.error().text();
    Value::Struct fields;
    for (const auto& [name, value] : *out) fields.append(name, value);
    return text::to_json(Value(std::move(fields)));
  }

  model::Component root_;
};

TEST_F(ResolveInputs, FillsInDefaultsAndNulls) {
  root_.input_parameters["a"].type = ParameterType::kNumberInteger;
  root_.input_parameters["b"].default_value = Value("d");
  root_.input_parameters["c"].optional = true;
  EXPECT_EQ(resolved({{"a", Value(1)}}), R"({"a":1,"b":"d","c":null})");
  EXPECT_EQ(resolved({{"a", Value(1)}, {"b", Value("e")}, {"c", Value("f")}}),
            R"({"a":1,"b":"e","c":"f"})");
}

TEST_F(ResolveInputs, NamesAllThatIsMissing) {
  root_.input_parameters["a"].type = ParameterType::kNumberInteger;
  EXPECT_EQ(resolved({}),
            "the pipeline needs a (NUMBER_INTEGER): give it with -p name=value or --params FILE");
  root_.input_parameters["b"].type = ParameterType::kList;
  EXPECT_EQ(resolved({}),
            "the pipeline needs a (NUMBER_INTEGER), b (LIST): give them with -p name=value or "
            "--params FILE");
}

TEST_F(ResolveInputs, RefusesWhatItDoesNotKnow) {
  EXPECT_EQ(resolved({{"a", Value(1)}}), "the pipeline has no parameter a; it has none");
  root_.input_parameters["epochs"].type = ParameterType::kNumberInteger;
  EXPECT_EQ(resolved({{"epoch", Value(1)}}),
            "the pipeline has no parameter epoch (did you mean \"epochs\"?); it has epochs");
}

TEST_F(ResolveInputs, ChecksWhatIsGiven) {
  root_.input_parameters["a"].type = ParameterType::kNumberInteger;
  EXPECT_THAT(resolved({{"a", Value("x")}}), StartsWith("parameter a must be an integer"));
}

TEST_F(ResolveInputs, CannotBeGivenArtifacts) {
  root_.input_artifacts["data"].optional = true;
  EXPECT_EQ(resolved({}), "{}");
  root_.input_artifacts["data"].optional = false;
  EXPECT_THAT(resolved({}), StartsWith("the pipeline needs the artifact data, which a run cannot"));
}

}  // namespace
}  // namespace cresset::codec
