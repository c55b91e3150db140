#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "cresset/base/error.h"
#include "cresset/text/cel.h"

namespace cresset::text {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct Case {
  std::string expression;
  std::string expected;
};

void expect_parse_errors(const std::vector<Case>& cases) {
  for (const Case& c : cases) {
    const auto parsed = CelExpression::parse(c.expression);
    ASSERT_FALSE(parsed) << c.expression;
    EXPECT_EQ(parsed.error().code, Code::kInvalidArgument) << c.expression;
    EXPECT_EQ(parsed.error().text(), c.expected) << c.expression;
  }
}

TEST(CelParser, ParseErrorsSayWhereAndWhatWasExpected) {
  expect_parse_errors({
      {"", "column 1: expected a value, but the expression ends"},
      {"  ", "column 3: expected a value, but the expression ends"},
      {"1 +", "column 4: expected a value, but the expression ends"},
      {"1 2", "column 3: expected an operator or the end, found 2"},
      {"a b", "column 3: expected an operator or the end, found b"},
      {"(1", "column 3: expected \")\", but the expression ends"},
      {"[1, 2", "column 6: expected \",\" or \"]\", but the expression ends"},
      {"[1 2]", "column 4: expected \",\" or \"]\", found 2"},
      {"{'a' 1}", "column 6: expected \":\", found 1"},
      {"{'a': 1 'b'}", "column 9: expected \",\" or \"}\", found 'b'"},
      {"f(1,)", "column 5: expected a value, found )"},
      {"x[1", "column 4: expected \"]\", but the expression ends"},
      {"x.", "column 3: expected the name of a field, but the expression ends"},
      {"x.'y'", "column 3: expected the name of a field, found 'y'"},
      {"x.in", "column 3: expected the name of a field, found in"},
      {"true ? 1", "column 9: expected \":\", but the expression ends"},
      {"true ? false ? 1 : 2 : 3", "column 14: expected \":\", found ?"},
      {"* 2", "column 1: expected a value, found *"},
      {")", "column 1: expected a value, found )"},
      {".1.", "column 4: expected the name of a field, but the expression ends"},
      {". 5", "column 3: expected a name, found 5"},
      {"a = b", "column 3: \"=\" is no operator: compare with \"==\""},
      {"a & b", "column 3: \"&\" is no operator: join conditions with \"&&\""},
      {"a | b", "column 3: \"|\" is no operator: join conditions with \"||\""},
      {"a # b", "column 3: the character \"#\" has no meaning here"},
      {"größe", "column 3: the character \"ö\" has no meaning here"},
      {"'größe' #", "column 9: the character \"#\" has no meaning here"},
      {"a \x01", "column 3: the control character 0x01 has no meaning here"},
      {"'a\xff'", "column 3: the byte 0xFF is not valid UTF-8"},
      {"'abc", "column 1: expected ' at the end of this string"},
      {"1 == 'a\nb'", "column 6: expected ' at the end of this string"},
      {"\"\"\"abc\"\"", "column 1: expected \"\"\" at the end of this string"},
      {"r'abc\\", "column 1: expected ' at the end of this string"},
      {R"('\q')",
       "column 2: this escape does not exist: expected \\n, \\t, \\', \\\", \\\\, \\x41, \\u0041, "
       "\\101 or the like, or a raw string r'...'"},
      {R"('\)",
       "column 2: this escape does not exist: expected \\n, \\t, \\', \\\", \\\\, \\x41, \\u0041, "
       "\\101 or the like, or a raw string r'...'"},
      {R"('\400')",
       "column 2: this escape does not exist: expected \\n, \\t, \\', \\\", \\\\, \\x41, \\u0041, "
       "\\101 or the like, or a raw string r'...'"},
      {R"('\x4')", "column 2: expected 2 hexadecimal digits in this escape"},
      {R"('\u12g4')", "column 2: expected 4 hexadecimal digits in this escape"},
      {R"('\08')", "column 2: expected 3 octal digits in this escape"},
      {R"('a\ud800')", "column 3: no character has the number U+D800"},
      {R"('\U00110000')", "column 2: no character has the number U+110000"},
      {"b'abc'", "column 1: bytes literals are not supported: write a string without the b"},
      {"x == rb'abc'", "column 6: bytes literals are not supported: write a string without the b"},
      {"9223372036854775808", "column 1: the integer 9223372036854775808 needs more than 64 bits"},
      {"-9223372036854775809", "column 2: the integer 9223372036854775809 needs more than 64 bits"},
      {"18446744073709551616u",
       "column 1: the integer 18446744073709551616u needs more than 64 bits"},
      {"0x", "column 3: expected a hexadecimal digit after \"0x\""},
      {"-1u", "column 2: an unsigned number cannot be negative: leave out the u"},
      {"1e999", "column 1: the number 1e999 is out of the range of a double"},
      {"12abc", "column 3: expected an operator or the end, found abc"},
      {"if", "column 1: \"if\" is a reserved word and names no value"},
      {"has(x)", "column 5: has() takes one field, as in has(inputs.parameter_values.x)"},
      {"has()", "column 5: has() takes one field, as in has(inputs.parameter_values.x)"},
      {"has(x.y, 1)", "column 5: has() takes one field, as in has(inputs.parameter_values.x)"},
      {"has(x['y'])", "column 5: has() takes one field, as in has(inputs.parameter_values.x)"},
      {"1 +\n 2 #", "line 2, column 4: the character \"#\" has no meaning here"},
      {"Name{}", "column 5: expected an operator or the end, found {"},
  });
}

std::string repeat(std::string_view text, std::size_t count) {
  std::string out;
  for (std::size_t i = 0; i < count; ++i) out += text;
  return out;
}

TEST(CelParser, DepthIsLimited) {
  EXPECT_TRUE(CelExpression::parse(repeat("(", 99) + "1" + repeat(")", 99)));
  for (const std::string& deep : std::vector<std::string>{
           repeat("(", 30'000),
           repeat("[", 30'000),
           repeat("!", 30'000) + "true",
           repeat("-", 30'000) + "x",
           repeat("{1:", 10'000),
           repeat("a?1:", 10'000) + "1",
           repeat("a[", 10'000),
           repeat("f(", 10'000),
           "a" + repeat(".a", 10'000),
           "a" + repeat("[0]", 10'000),
           "1" + repeat("+1", 9'000),
           "a" + repeat(".a()", 5'000),
       }) {
    const auto parsed = CelExpression::parse(deep);
    ASSERT_FALSE(parsed) << deep.substr(0, 10);
    EXPECT_THAT(parsed.error().text(), HasSubstr("the expression is more than 100 levels deep"))
        << deep.substr(0, 10);
  }
}

TEST(CelParser, SizeIsLimited) {
  const auto long_text = CelExpression::parse("'" + std::string(64 << 10, 'x') + "'");
  ASSERT_FALSE(long_text);
  EXPECT_EQ(long_text.error().text(),
            "the expression is 65538 bytes long: at most 65536 are allowed");
  const auto many_parts = CelExpression::parse("[" + repeat("1,", 25'000) + "]");
  ASSERT_FALSE(many_parts);
  EXPECT_THAT(many_parts.error().text(), HasSubstr("the expression has more than 20000 parts"));
}

struct Visited {
  std::vector<std::string> names;
  bool all = false;
};

Visited visited(std::string_view text) {
  const auto parsed = CelExpression::parse(text);
  EXPECT_TRUE(parsed) << text;
  Visited out;
  out.all = parsed->visit_parameter_names(
      [&out](std::string_view name) { out.names.emplace_back(name); });
  return out;
}

TEST(CelParser, VisitsConstantParameterNames) {
  const Visited all = visited(
      "inputs.parameter_values['a'] == 'x' && inputs.parameter_values.b > "
      "inputs['parameter_values']['c'] || "
      "has(inputs.parameter_values.d) || 'e' in inputs.parameter_values || "
      "inputs.parameter_values['f'].g['h'][0] == 1 || "
      "inputs.artifacts['m'].artifacts[0].metadata['k'] == 1");
  EXPECT_THAT(all.names, ElementsAre("a", "b", "c", "d", "e", "f"));
  EXPECT_TRUE(all.all);

  const Visited none = visited("'inputs.parameter_values.x' == other.parameter_values['y']");
  EXPECT_THAT(none.names, ElementsAre());
  EXPECT_TRUE(none.all);
}

TEST(CelParser, VisitsTopLevelNames) {
  const auto parsed =
      CelExpression::parse("inputs.a == string_value || {'b': 1}[c] == size(inputs)");
  ASSERT_TRUE(parsed);
  std::vector<std::string> names;
  parsed->visit_names([&names](std::string_view name) { names.emplace_back(name); });
  EXPECT_THAT(names, ElementsAre("inputs", "string_value", "c", "inputs"));
}

TEST(CelParser, ComputedParameterNamesAreAdmitted) {
  const Visited computed = visited(
      "inputs.parameter_values['a'] == 1 && inputs.parameter_values[inputs.parameter_values['b']] "
      "== 2");
  EXPECT_THAT(computed.names, ElementsAre("a", "b"));
  EXPECT_FALSE(computed.all);
  EXPECT_FALSE(visited("size(inputs.parameter_values) == 1").all);
  EXPECT_FALSE(visited("inputs['parameter' + '_values'].x == 1").all);
  EXPECT_FALSE(visited("inputs == {}").all);
  EXPECT_FALSE(visited("inputs.parameter_values['a'] in inputs.parameter_values").all);
}

}  // namespace
}  // namespace cresset::text
