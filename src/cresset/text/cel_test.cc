#include "cresset/text/cel.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "cresset/base/error.h"
#include "cresset/base/result.h"
#include "cresset/base/value.h"
#include "cresset/text/json.h"

namespace cresset::text {
namespace {

using ::testing::HasSubstr;

// What a task of the tests has as inputs.
const Value& inputs() {
  static const Value value = *parse_json(R"({
    "parameter_values": {
      "name": "heads", "count": 3, "half": 0.5, "big": 9007199254740991, "yes": true, "no": false,
      "number_text": "42", "bad_text": "abc", "nothing": null, "list": [1, "b", [2], {"k": "v"}],
      "map": {"a": 1, "b": {"c": [10, 20]}}, "empty": "", "umlaut": "größe",
      "json": "{\"key\": [1, 2], \"on\": false}", "huge": 1e300
    },
    "artifacts": {"model": {"artifacts": [{"metadata": {"accuracy": 0.95}}]}}
  })");
  return value;
}

Result<Value> evaluate(std::string_view text) {
  CR_TRY(const CelExpression expression, CelExpression::parse(text));
  return expression.evaluate(
      [](std::string_view name) { return name == "inputs" ? &inputs() : nullptr; });
}

// JSON of the result, or its error.
std::string outcome(std::string_view text) {
  const auto result = evaluate(text);
  return result ? to_json(*result) : std::string(to_string(result.error().code));
}

std::string error_of(std::string_view text) {
  const auto result = evaluate(text);
  return result ? "no error but " + to_json(*result) : result.error().text();
}

// P(x) in the tables below is a parameter.
std::string expand(std::string_view text) {
  std::string out(text);
  for (std::size_t at = out.find("P("); at != std::string::npos; at = out.find("P(", at)) {
    const std::size_t close = out.find(')', at);
    const std::string name = out.substr(at + 2, close - at - 2);
    out.replace(at, close + 1 - at, "inputs.parameter_values['" + name + "']");
  }
  return out;
}

struct Case {
  std::string expression;
  std::string expected;
};

void expect_outcomes(const std::vector<Case>& cases) {
  for (const Case& c : cases)
    EXPECT_EQ(outcome(expand(c.expression)), c.expected) << c.expression << "\n"
                                                         << error_of(expand(c.expression));
}

// Each message is about kFailedPrecondition.
void expect_errors(const std::vector<Case>& cases) {
  for (const Case& c : cases) {
    EXPECT_EQ(error_of(expand(c.expression)), expand(c.expected)) << c.expression;
    EXPECT_EQ(outcome(expand(c.expression)), "FAILED_PRECONDITION") << c.expression;
  }
}

TEST(Cel, EveryShapeThatTheCompilerEmits) {
  expect_outcomes({
      {"P(name) == 'heads'", "true"},
      {"P(name) == 'tails'", "false"},
      {"!(P(name) == 'heads')", "false"},
      {"P(name) != 'tails'", "true"},
      {"P(yes) == true", "true"},
      {"P(no) == true", "false"},
      {"!(P(yes) == true)", "false"},
      {"P(no) == false", "true"},
      {"int(P(count)) > 2", "true"},
      {"int(P(count)) <= 3", "true"},
      {"int(P(count)) == 3", "true"},
      {"int(P(count)) < 3", "false"},
      {"int(P(count)) >= int(P(number_text))", "false"},
      {"!(int(P(count)) < 3) && int(P(count)) > 2", "true"},
      {"!(int(P(count)) < 3) && !(int(P(count)) > 3)", "true"},
      {"!(P(name) == 'a') && P(name) == 'heads'", "true"},
      {"!(P(name) == 'heads') && !(P(name) == 'b')", "false"},
      {"P(name) == P(name)", "true"},
      {"double(P(half)) < 0.75", "true"},
      {"double(P(number_text)) == 42.0", "true"},
      {"P(count) == 3", "true"},
      {"P(count) > 0", "true"},
      {"inputs.artifacts['model'].artifacts[0].metadata['accuracy']*100.0 > 90.0", "true"},
      {"inputs.artifacts['model'].artifacts[0].metadata['accuracy']*100.0 <= 90.0", "false"},
  });
}

TEST(Cel, Literals) {
  expect_outcomes({
      {"1", "1"},
      {"-1", "-1"},
      {"0x1F", "31"},
      {"0xffu", "255"},
      {"7u", "7"},
      {"1.5", "1.5"},
      {".5", "0.5"},
      {"1e3", "1000"},
      {"-2.5e-1", "-0.25"},
      {"true", "true"},
      {"null", "null"},
      {"'a\"b'", R"("a\"b")"},
      {R"("a'b")", R"("a'b")"},
      {R"('\n\t\'\"\\\a\b\f\r\v\?\`' == "\x0A\u0009'\"\\\x07\x08\x0c\015\013?`")", "true"},
      {R"('\x41\u00e9\U0001F525\101')", "\"Aé🔥A\""},
      {R"(r'a\nb')", R"("a\\nb")"},
      {R"(R"\d")", R"("\\d")"},
      {"'''it's\n\"here\"'''", R"("it's\n\"here\"")"},
      {R"("""a"b""c""")", R"("a\"b\"\"c")"},
      {R"(r"""\n""")", R"("\\n")"},
      {"''", R"("")"},
      {"[1, 'a', [true], null,]", R"([1,"a",[true],null])"},
      {"[]", "[]"},
      {"{}", "{}"},
      {"{'b': 1, 'a': {'c': 2.5},}", R"({"b":1,"a":{"c":2.5}})"},
      {"1 // a comment\n+ // another\n2", "3"},
      {" \t\r\n1\f", "1"},
      {"-9223372036854775808 == -9223372036854775807 - 1", "true"},
      {"9223372036854775807 == 9223372036854775807u", "true"},
      {"18446744073709551615u > 9223372036854775807", "true"},
  });
}

TEST(Cel, PrecedenceAndAssociation) {
  expect_outcomes({
      {"1 + 2 * 3", "7"},
      {"(1 + 2) * 3", "9"},
      {"10 - 3 - 2", "5"},
      {"100 / 10 / 2", "5"},
      {"7 % 4 * 2", "6"},
      {"-2 * -3", "6"},
      {"--2", "2"},
      {"!!true", "true"},
      {"1 + 1 == 2", "true"},
      {"1 < 2 == true", "true"},
      {"true || false && false", "true"},
      {"(true || false) && false", "false"},
      {"!true || true", "true"},
      {"false ? 1 : true ? 2 : 3", "2"},
      {"true ? (false ? 1 : 2) : 3", "2"},
      {"1 in [1] && 2 in [1]", "false"},
      {"1 + 1 in [2]", "true"},
      {"[1, 2][1]", "2"},
      {"-[1, 2][1]", "-2"},
      {"{'a': [5]}.a[0]", "5"},
      {"!{'a': false}.a", "true"},
  });
}

TEST(Cel, NumbersCompareByValue) {
  expect_outcomes({
      {"1 == 1.0", "true"},
      {"1u == 1", "true"},
      {"1.5 > 1", "true"},
      {"1 < 1.5", "true"},
      {"-1 < 1u", "true"},
      {"1u > -1", "true"},
      {"2 >= 2.0", "true"},
      {"-1.5 < -1", "true"},
      {"-1 > -1.5", "true"},
      {"-2 < -1.5", "true"},
      // 2^53 + 1 has no double of its own, and must not become its neighbour.
      {"9007199254740993 == 9007199254740992.0", "false"},
      {"9007199254740993 > 9007199254740992.0", "true"},
      {"9223372036854775807 < 9223372036854775808.0", "true"},
      {"9223372036854775807 == 9223372036854775808.0", "false"},
      {"18446744073709551615u < 18446744073709551616.0", "true"},
      {"-9223372036854775808 == -9223372036854775808.0", "true"},
      {"1 < 1e300 && 1u < 1e300 && -1 > -1e300 && 0u > -1e300", "true"},
      {"double('nan') == double('nan')", "false"},
      {"double('nan') != 1", "true"},
      {"1 < double('nan') || 1 >= double('nan')", "false"},
      {"1 < double('inf') && 1u > double('-inf')", "true"},
      {"P(count) == 3u", "true"},
      {"0.0 == -0.0", "true"},
  });
}

TEST(Cel, OtherComparisons) {
  expect_outcomes({
      {"'a' < 'b' && 'b' >= 'a' && 'a' < 'aa' && 'Z' < 'a'", "true"},
      {"'é' > 'z' && '🔥' > 'é'", "true"},
      {"false < true", "true"},
      {"null == null", "true"},
      {"null == 1", "false"},
      {"'a' != null", "true"},
      {"P(nothing) == null", "true"},
      {"P(nothing) == 'heads'", "false"},
      {"P(name) == null", "false"},
      {"[1, 2] == [1.0, 2u]", "true"},
      {"[1] == [1, 2]", "false"},
      {"[1, 2] == [1, 3]", "false"},
      {"{'a': 1, 'b': 2} == {'b': 2.0, 'a': 1}", "true"},
      {"{'a': 1} == {'b': 1}", "false"},
      {"{'a': 1} == {'a': 2}", "false"},
      {"{1: 'x'} == {1u: 'x'}", "true"},
      {"P(list) == [1, 'b', [2], {'k': 'v'}]", "true"},
      {"P(map) == {'b': {'c': [10, 20]}, 'a': 1}", "true"},
      {"{'b': {'c': [10, 20]}, 'a': 1} == P(map)", "true"},
      {"P(map) == P(map)", "true"},
      {"P(map) == {'b': {'c': [10, 21]}, 'a': 1}", "false"},
  });
}

TEST(Cel, MixedTypesAreErrors) {
  expect_errors({
      {"P(count) == 'heads'",
       "P(count) == 'heads': a number cannot be compared with a string: 3 and \"heads\"; convert "
       "one of them first"},
      {"P(yes) == 'true'",
       "P(yes) == 'true': a boolean cannot be compared with a string: true and \"true\"; convert "
       "one of them first"},
      {"P(yes) == 1",
       "P(yes) == 1: a boolean cannot be compared with a number: true and 1; convert one of them "
       "first"},
      {"'1' < 2",
       "'1' < 2: a string cannot be compared with a number: \"1\" and 2; convert one of them "
       "first"},
      {"'a' != [1]",
       "'a' != [1]: a string cannot be compared with a list: \"a\" and a list of 1; convert one of "
       "them first"},
      {"[1] == ['a']",
       "[1] == ['a']: a number cannot be compared with a string: 1 and \"a\"; convert one of them "
       "first"},
      {"{'a': 1} == {'a': 'x'}",
       "{'a': 1} == {'a': 'x'}: a number cannot be compared with a string: 1 and \"x\"; convert "
       "one of them first"},
      {"[1] < [2]",
       "[1] < [2]: a list of 1 and a list of 1 are in no order: compare numbers, strings or "
       "booleans"},
      {"null < null",
       "null < null: null and null are in no order: compare numbers, strings or booleans"},
      {"null < 1",
       "null < 1: null cannot be compared with a number: null and 1; convert one of them first"},
      {"P(count) + 1",
       "P(count) + 1: a double and an int do not mix in arithmetic, 3 and 1: convert one with "
       "int() "
       "or double()"},
      {"1u + 1",
       "1u + 1: a uint and an int do not mix in arithmetic, 1u and 1: convert one with int() or "
       "double()"},
      {"'a' + 1", "'a' + 1: \"+\" does not work on \"a\" and 1"},
      {"'a' * 'b'", "'a' * 'b': \"*\" does not work on \"a\" and \"b\""},
      {"!1", "1: 1 is neither true nor false"},
      {"-'a'", "-'a': \"-\" does not work on \"a\""},
      {"-(1u)", "-(1u): \"-\" does not work on 1u"},
  });
}

TEST(Cel, ArithmeticOnIntegers) {
  expect_outcomes({
      {"7 / 2", "3"},
      {"-7 / 2", "-3"},
      {"-7 % 3", "-1"},
      {"7u % 4u", "3"},
      {"5u - 5u", "0"},
      {"int(P(count)) + 1", "4"},
      {"'ab' + 'cd'", R"("abcd")"},
      {"[1] + [2, 'x']", R"([1,2,"x"])"},
      {"P(list) + P(list) == P(list)", "false"},
      {"size(P(list) + [1])", "5"},
  });
  expect_errors({
      {"9223372036854775807 + 1",
       "9223372036854775807 + 1: 9223372036854775807 + 1 needs more than 64 bits"},
      {"-9223372036854775808 - 1",
       "-9223372036854775808 - 1: -9223372036854775808 - 1 needs more than 64 bits"},
      {"9223372036854775807 * 2",
       "9223372036854775807 * 2: 9223372036854775807 * 2 needs more than 64 bits"},
      {"-9223372036854775808 / -1",
       "-9223372036854775808 / -1: -9223372036854775808 / -1 needs more than 64 bits"},
      {"-9223372036854775808 % -1",
       "-9223372036854775808 % -1: -9223372036854775808 % -1 needs more than 64 bits"},
      {"-(-9223372036854775808)",
       "-(-9223372036854775808): 0 - -9223372036854775808 needs more than 64 bits"},
      {"1u - 2u", "1u - 2u: 1 - 2 needs more than 64 bits"},
      {"18446744073709551615u + 1u",
       "18446744073709551615u + 1u: 18446744073709551615 + 1 needs more than 64 bits"},
      {"1 / 0", "1 / 0: division by zero"},
      {"1 % 0", "1 % 0: division by zero"},
      {"1u / 0u", "1u / 0u: division by zero"},
  });
}

TEST(Cel, ArithmeticOnDoubles) {
  expect_outcomes({
      {"7.0 / 2.0", "3.5"},
      {"P(half) * 4.0 - 1.0", "1"},
      {"P(count) * 2.0 + P(half)", "6.5"},
      {"-P(half)", "-0.5"},
  });
  expect_errors({
      {"1.0 / 0.0", "1.0 / 0.0: division by zero"},
      {"7.0 % 2.0", "7.0 % 2.0: % works on integers: convert with int()"},
      {"P(huge) * P(huge)", "P(huge) * P(huge): 1e+300 * 1e+300 is out of the range of a double"},
  });
}

TEST(Cel, Conversions) {
  expect_outcomes({
      {"int('3')", "3"},
      {"int('-12')", "-12"},
      {"int('+5')", "5"},
      {"int(3.7)", "3"},
      {"int(-3.7)", "-3"},
      {"int(7u)", "7"},
      {"int(int('3'))", "3"},
      {"int('9223372036854775807') == 9223372036854775807", "true"},
      {"int(-9223372036854775808.0) == -9223372036854775808", "true"},
      {"double('0.5')", "0.5"},
      {"double('1e3')", "1000"},
      {"double(3)", "3"},
      {"double(3u)", "3"},
      {"string(3)", R"("3")"},
      {"string(3u)", R"("3")"},
      {"string(3.0)", R"("3")"},
      {"string(0.1)", R"("0.1")"},
      {"string(true)", R"("true")"},
      {"string('x')", R"("x")"},
      {"string(double('inf')) + string(double('-inf')) + string(double('nan'))",
       R"("+Inf-InfNaN")"},
      {"bool('true')", "true"},
      {"bool('True') && bool('1') && bool('t') && bool('TRUE') && bool('T')", "true"},
      {"bool('False') || bool('0') || bool('f') || bool('FALSE') || bool('F') || bool('false')",
       "false"},
      {"bool(false)", "false"},
      {"string(P(count)) == '3'", "true"},
  });
  expect_errors({
      {"int(P(bad_text))", "int(P(bad_text)): \"abc\" is no integer"},
      {"int('3.0')", "int('3.0'): \"3.0\" is no integer"},
      {"int(' 3')", "int(' 3'): \" 3\" is no integer"},
      {"int('')", "int(''): \"\" is no integer"},
      {"int('+-5')", "int('+-5'): \"+-5\" is no integer"},
      {"int('++5')", "int('++5'): \"++5\" is no integer"},
      {"int('9223372036854775808')",
       "int('9223372036854775808'): \"9223372036854775808\" is no integer"},
      {"int(9223372036854775808.0)",
       "int(9223372036854775808.0): 9223372036854776000 needs more than 64 bits as an int"},
      {"int(double('nan'))", "int(double('nan')): nan needs more than 64 bits as an int"},
      {"int(18446744073709551615u)",
       "int(18446744073709551615u): 18446744073709551615u needs more than 64 bits as an int"},
      {"int(true)", "int(true): true is a boolean, not a number or a string"},
      {"int(P(nothing))", "int(P(nothing)): null is no number or a string"},
      {"double('abc')", "double('abc'): \"abc\" is no number"},
      {"double('1e999')", "double('1e999'): \"1e999\" is no number"},
      {"double([1])", "double([1]): a list of 1 is a list, not a number or a string"},
      {"bool('yes')", "bool('yes'): \"yes\" is neither true nor false"},
      {"bool(1)", "bool(1): 1 is a number, not a boolean or a string"},
      {"string(null)", "string(null): null is no string, number or boolean"},
      {"string([1])", "string([1]): a list of 1 is a list, not a string, number or boolean"},
  });
}

TEST(Cel, ErrorsAreAbsorbedWhicheverSideTheyStandOn) {
  expect_outcomes({
      {"int('x') == 1 || true", "true"},
      {"true || int('x') == 1", "true"},
      {"int('x') == 1 && false", "false"},
      {"false && int('x') == 1", "false"},
      {"'text' || true", "true"},
      {"1 && false", "false"},
      {"int('x') == 1 || false || true", "true"},
      {"missing || true", "true"},
      {"P(nowhere) == 1 && P(no)", "false"},
      {"(1 / 0 == 1 || true) && (2 / 0 == 1 || true)", "true"},
  });
  expect_errors({
      {"int('x') == 1 || false", "int('x'): \"x\" is no integer"},
      {"true && int('x') == 1", "int('x'): \"x\" is no integer"},
      {"int('x') == 1 && int('y') == 1", "int('x'): \"x\" is no integer"},
      {"'text' && true", "'text': \"text\" is neither true nor false"},
      {"false || 1", "1: 1 is neither true nor false"},
  });
}

TEST(Cel, AConditionalEvaluatesOneBranch) {
  expect_outcomes({
      {"true ? 1 : 1 / 0", "1"},
      {"false ? 1 / 0 : 2", "2"},
      {"P(yes) ? 'a' : missing", R"("a")"},
  });
  expect_errors({
      {"1 ? 2 : 3", "1: 1 is neither true nor false"},
      {"1 / 0 == 1 ? 2 : 3", "1 / 0: division by zero"},
      {"true ? 1 / 0 : 2", "1 / 0: division by zero"},
  });
}

TEST(Cel, FieldsAndElements) {
  expect_outcomes({
      {"inputs.parameter_values.name", R"("heads")"},
      {".inputs.parameter_values.name", R"("heads")"},
      {"inputs['parameter_values']['name']", R"("heads")"},
      {"P(map).b.c[1]", "20"},
      {"P(map)['b']['c'][0]", "10"},
      {"P(list)[0]", "1"},
      {"P(list)[1.0]", R"("b")"},
      {"P(list)[P(count)].k", R"("v")"},
      {"P(list)[1u]", R"("b")"},
      {"{1: 'a', true: 'b', 2u: 'c'}[1]", R"("a")"},
      {"{1: 'a', true: 'b', 2u: 'c'}[true]", R"("b")"},
      {"{1: 'a', true: 'b', 2u: 'c'}[2.0]", R"("c")"},
      {"{18446744073709551615u: 'c'}[18446744073709551615u]", R"("c")"},
      {"P(map)", R"({"a":1,"b":{"c":[10,20]}})"},
      {"[P(map).b, P(nothing)]", R"([{"c":[10,20]},null])"},
      {"{'if': 1}.if", "1"},
  });
  expect_errors({
      {"P(nmae)", "P(nmae): there is no \"nmae\" (did you mean \"name\"?)"},
      {"inputs.parameter_value.x",
       "inputs.parameter_value: there is no \"parameter_value\" (did you mean "
       "\"parameter_values\"?)"},
      {"P(map)[1]", "P(map)[1]: there is no 1"},
      {"P(map)[1.5]", "P(map)[1.5]: 1.5 is no key: maps have strings as keys"},
      {"{'a': 1}['b']", "{'a': 1}['b']: there is no \"b\""},
      {"P(list)[4]", "P(list)[4]: there is no element 4: the list has 4"},
      {"P(list)[-1]", "P(list)[-1]: there is no element -1: the list has 4"},
      {"P(list)[0.5]", "P(list)[0.5]: 0.5 is no index: lists count from 0"},
      {"P(list)['0']", "P(list)['0']: \"0\" is no index: lists count from 0"},
      {"P(list)[true]", "P(list)[true]: true is no index: lists count from 0"},
      {"P(list)[18446744073709551615u]",
       "P(list)[18446744073709551615u]: 18446744073709551615u is no index: lists count from 0"},
      {"P(count).x", "P(count).x: 3 has no fields"},
      {"P(nothing).x", "P(nothing).x: null has no fields"},
      {"P(name)[0]", "P(name)[0]: \"heads\" is neither a list nor a map"},
      {"P(list).x", "P(list).x: a list of 4 has no fields"},
  });
}

TEST(Cel, PresenceAndMembership) {
  expect_outcomes({
      {"has(inputs.parameter_values.name)", "true"},
      {"has(inputs.parameter_values.nothing)", "true"},
      {"has(inputs.parameter_values.nowhere)", "false"},
      {"has({'a': 1}.a)", "true"},
      {"'name' in inputs.parameter_values", "true"},
      {"'nowhere' in inputs.parameter_values", "false"},
      {"P(count) in [1, 2, 3]", "true"},
      {"4 in [1, 2, 3]", "false"},
      {"1 in []", "false"},
      {"'b' in P(list)", "true"},
      {"1 in {1: 'x'}", "true"},
      {"1.5 in [1.5]", "true"},
      {"null in [1, null]", "true"},
      {"[2] in P(list)", "true"},
      {"1u in {1: 'x'}", "true"},
      {"2.0 in {1: 'x'}", "false"},
  });
  expect_errors({
      {"has(inputs.nowhere.x)", "inputs.nowhere: there is no \"nowhere\""},
      {"has(inputs.parameter_values.count.x)",
       "has(inputs.parameter_values.count.x): 3 has no fields"},
      {"'x' in [1, 2]",
       "'x' in [1, 2]: a number cannot be compared with a string: 1 and \"x\"; convert one of "
       "them first"},
      {"'x' in 'xyz'", "'x' in 'xyz': \"in\" looks into a list or a map, and \"xyz\" is a string"},
      {"1.5 in {'a': 1}", "1.5 in {'a': 1}: 1.5 is no key: maps have strings as keys"},
  });
}

TEST(Cel, Functions) {
  expect_outcomes({
      {"size('größe')", "5"},
      {"P(umlaut).size()", "5"},
      {"size('')", "0"},
      {"size([1, 2])", "2"},
      {"size({'a': 1})", "1"},
      {"size(P(map)) + P(list).size()", "6"},
      {"P(name).startsWith('he')", "true"},
      {"P(name).startsWith('eads')", "false"},
      {"P(name).endsWith('ads')", "true"},
      {"P(name).contains('ead')", "true"},
      {"P(name).contains('')", "true"},
      {"'' in ['']", "true"},
      {"parseJson(P(json))['key'][1]", "2"},
      {"parseJson(P(json)).on", "false"},
      {"parseJson('[1, 2.5, null]')", "[1,2.5,null]"},
      {"parseJson('\"text\"') + '!'", R"("text!")"},
      {"parseJson('3') == 3", "true"},
  });
  expect_errors({
      {"parseJson('{')", "parseJson('{'): \"{\" is no JSON: " + parse_json("{").error().text()},
      {"parseJson(1)", "parseJson(1): 1 is a number, not a string"},
      {"P(count).startsWith('3')", "P(count).startsWith('3'): 3 is a number, not a string"},
      {"'a'.contains(1)", "'a'.contains(1): 1 is a number, not a string"},
      {"size(1)", "size(1): 1 is a number, not a string, list or map"},
      {"size()", "size(): size() takes 1 argument, not 0"},
      {"'a'.size(1)", "'a'.size(1): size() takes 0 arguments, not 1"},
      {"int(1, 2)", "int(1, 2): int() takes 1 argument, not 2"},
      {"'a'.startsWith()", "'a'.startsWith(): startsWith() takes 1 argument, not 0"},
      {"startsWith('a', 'b')",
       "startsWith('a', 'b'): startsWith is written after its text, as in text.startsWith('x')"},
      {"'3'.int()", "'3'.int(): int is written before its value, as in int(x)"},
      {"itn('3')", "itn('3'): unknown function itn() (did you mean \"int\"?)"},
      {"'a'.startWith('b')",
       "'a'.startWith('b'): unknown function startWith() (did you mean \"startsWith\"?)"},
      {"nothingLikeIt(1)", "nothingLikeIt(1): unknown function nothingLikeIt()"},
      {"'a'.matches('a.*')",
       "'a'.matches('a.*'): matches() is not supported, regular expressions are left out: use "
       "startsWith(), endsWith() or contains()"},
      {"[1].exists(x, x > 0)",
       "[1].exists(x, x > 0): exists() is not supported, macros over lists are left out: use "
       "\"in\", or a step that computes the value"},
      {"input.x", "input: unknown name (did you mean \"inputs\"?)"},
      {"string_value", "string_value: unknown name"},
  });
}

TEST(Cel, Maps) {
  expect_errors({
      {"{'a': 1, 'a': 2}", "'a': the key \"a\" occurs twice"},
      {"{1: 1, 1u: 2}", "1u: the key 1u occurs twice"},
      {"{1.0: 1}", "1.0: 1 is no key of a map: use a string"},
      {"{null: 1}", "null: null is no key of a map: use a string"},
      {"{[1]: 1}", "[1]: a list of 1 is no key of a map: use a string"},
      {"{1: 1}",
       "{1: 1}: the result holds a map with a key that is no string: convert it with string()"},
      {"{'a': 1 / 0}", "1 / 0: division by zero"},
  });
}

TEST(Cel, ResultsThatAValueCannotHold) {
  expect_outcomes(
      {{"9007199254740991", "9007199254740991"}, {"-9007199254740991", "-9007199254740991"}});
  expect_errors({
      {"9007199254740992",
       "9007199254740992: the result 9007199254740992 is beyond ±(2^53 − 1), which a number cannot "
       "hold exactly"},
      {"-9223372036854775808",
       "-9223372036854775808: the result -9223372036854775808 is beyond ±(2^53 − 1), which a "
       "number cannot hold exactly"},
      {"[18446744073709551615u]",
       "[18446744073709551615u]: the result 18446744073709551615 is beyond ±(2^53 − 1), which a "
       "number cannot hold exactly"},
      {"double('inf')", "double('inf'): the result inf is no finite number"},
  });
}

TEST(Cel, Selectors) {
  const Value text(R"({"A_a": "heads", "B_b": ["1", 2]})");
  const auto select = [&text](std::string_view expression) -> std::string {
    const auto parsed = CelExpression::parse(expression);
    if (!parsed) return parsed.error().text();
    const auto result = parsed->evaluate(
        [&text](std::string_view name) { return name == "string_value" ? &text : nullptr; });
    return result ? to_json(*result) : result.error().text();
  };
  EXPECT_EQ(select(R"(parseJson(string_value)["A_a"])"), R"("heads")");
  EXPECT_EQ(select(R"(parseJson(string_value)["B_b"])"), R"(["1",2])");
  EXPECT_EQ(select(R"(parseJson(string_value)["B_b"][1])"), "2");
  EXPECT_EQ(select(R"(parseJson(string_value)["A_b"])"),
            R"(parseJson(string_value)["A_b"]: there is no "A_b" (did you mean "A_a"?))");
  EXPECT_EQ(select("string_valeu"), R"(string_valeu: unknown name (did you mean "string_value"?))");
}

TEST(Cel, EveryPrefixOfAnExpressionIsReadOrRefused) {
  const std::string text = expand(
      "!(P(name) == 'a\\u00e9') && ({'k': [1, 0x2, 3.5e1]}.k[0] in [1u] || has(inputs.x.y)) ? r'''x"
      "''' : parseJson(\"[]\")");
  EXPECT_EQ(outcome(text), R"("x")");
  for (std::size_t length = 0; length < text.size(); ++length) {
    const auto parsed = CelExpression::parse(text.substr(0, length));
    if (parsed) continue;
    EXPECT_EQ(parsed.error().code, Code::kInvalidArgument);
    EXPECT_THAT(parsed.error().text(), HasSubstr("column "));
  }
}

std::string repeat(std::string_view text, std::size_t count) {
  std::string out;
  for (std::size_t i = 0; i < count; ++i) out += text;
  return out;
}

TEST(Cel, LongChainsOfConditionsAreNotDeep) {
  EXPECT_EQ(outcome(repeat("false || ", 5'000) + "true"), "true");
  EXPECT_EQ(outcome(repeat("true && ", 5'000) + "false"), "false");
}

Result<Value> evaluate_with(std::string_view expression, const Value& x) {
  CR_TRY(const CelExpression parsed, CelExpression::parse(expression));
  return parsed.evaluate([&x](std::string_view name) { return name == "x" ? &x : nullptr; });
}

TEST(Cel, MemoryIsLimited) {
  const Value text(std::string(std::size_t{1} << 20u, 'x'));
  EXPECT_THAT(evaluate_with("x" + repeat("+x", 90), text).error().text(),
              HasSubstr("the values that the expression makes are larger than 64 MiB in all"));
  EXPECT_THAT(evaluate_with("[" + repeat("x,", 1'000) + "]", text).error().text(),
              HasSubstr("larger than 64 MiB in all"));
  EXPECT_TRUE(evaluate_with("size([" + repeat("x,", 1'000) + "]) == 1000", text)->as_bool());
  const Value list(Value::List(100'000, Value(1)));
  EXPECT_THAT(evaluate_with("x" + repeat("+x", 90), list).error().text(),
              HasSubstr("larger than 64 MiB in all"));
  EXPECT_THAT(evaluate_with("[" + repeat("x,", 1'000) + "]", list).error().text(),
              HasSubstr("larger than 64 MiB in all"));
  EXPECT_EQ(evaluate_with("x", list)->as_list().size(), 100'000);
}

TEST(Cel, WorkIsLimited) {
  constexpr std::string_view kTooMuch = "the expression takes more than 10000000 steps";
  const Value list(Value::List(1'000'000, Value(1)));
  EXPECT_THAT(evaluate_with("[" + repeat("2 in x,", 1'000) + "]", list).error().text(),
              HasSubstr(kTooMuch));
  EXPECT_FALSE(evaluate_with("2 in x", list)->as_bool());
  const Value text(std::string(std::size_t{8} << 20u, 'a'));
  EXPECT_THAT(evaluate_with("x.contains('" + std::string(60'000, 'a') + "b')", text).error().text(),
              HasSubstr(kTooMuch));
  EXPECT_TRUE(evaluate_with("x.contains('aaa') && x.startsWith(x) && x.endsWith(x) && x == x && "
                            "size(x) == 8388608",
                            text)
                  ->as_bool());
}

TEST(Cel, LongTextsAreShortenedInMessages) {
  const std::string error = error_of("int('" + std::string(1'000, 'y') + "')");
  EXPECT_LT(error.size(), 300);
  EXPECT_THAT(error, HasSubstr("yyy..."));
}

}  // namespace
}  // namespace cresset::text
