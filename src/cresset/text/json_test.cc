#include "cresset/text/json.h"

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <limits>
#include <ostream>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace cresset::text {

// For gtest's messages.
void PrintTo(const Position& position, std::ostream* out) {
  *out << position.line << ":" << position.column;
}

namespace {

using std::literals::operator""sv;
using testing::HasSubstr;
using testing::StartsWith;

Value parsed(std::string_view text) {
  auto value = parse_json(text);
  EXPECT_TRUE(value) << text << ": " << (value ? "" : value.error().text());
  return value ? *std::move(value) : Value();
}

// --- what is read ---

TEST(ParseJson, EveryKindOfValue) {
  EXPECT_EQ(parsed("null"), Value());
  EXPECT_EQ(parsed("true"), Value(true));
  EXPECT_EQ(parsed("false"), Value(false));
  EXPECT_EQ(parsed("\"\""), Value(""));
  EXPECT_EQ(parsed("[]"), Value(Value::List{}));
  EXPECT_EQ(parsed("{}"), Value::make_struct());
  EXPECT_EQ(
      parsed("[null, [1], {\"a\": {}}]"),
      Value(Value::List{Value(), Value::List{1}, Value::make_struct({{"a", Value::Struct{}}})}));
}

TEST(ParseJson, WhiteSpaceStandsAnywhereBetweenWords) {
  EXPECT_EQ(parsed(" \t\r\n{ \"a\"\n:\t[ 1\r, 2 ] , \"b\" : null } \n"),
            parsed("{\"a\":[1,2],\"b\":null}"));
  EXPECT_EQ(parsed("[ ]"), parsed("[]"));
  EXPECT_EQ(parsed("{\n}"), parsed("{}"));
}

TEST(ParseJson, FieldsKeepTheirOrder) {
  const Value value = parsed(R"({"z": 1, "a": 2, "": 3})");
  std::vector<std::string> names;
  for (const auto& [name, field] : value.as_struct()) names.push_back(name);
  EXPECT_THAT(names, testing::ElementsAre("z", "a", ""));
}

struct NumberCase {
  std::string_view text;
  double number;
};

TEST(ParseJson, Numbers) {
  const NumberCase cases[] = {
      {"0", 0},
      {"-0", 0},
      {"10", 10},
      {"9007199254740991", 9'007'199'254'740'991.0},
      {"-9007199254740991", -9'007'199'254'740'991.0},
      {"0.5", 0.5},
      {"-0.25e1", -2.5},
      {"1e3", 1000},
      {"1E+3", 1000},
      {"1e-3", 0.001},
      {"0e0", 0},
      {"0.0e999999999999999999999", 0},
      {"9007199254740992.0", 9'007'199'254'740'992.0},
      {"1e20", 1e20},
      {"1.7976931348623157e308", 1.7976931348623157e308},
      {"2.2250738585072011e-308", 2.2250738585072011e-308},
      {"5e-324", 5e-324},
      {"97.22222222222223", 97.22222222222223},
      {"1000000000000000000000000000000.0", 1e30},
  };
  for (const auto& [text, number] : cases) EXPECT_EQ(parsed(text).as_number(), number) << text;
}

struct StringCase {
  std::string_view text;
  std::string_view string;
};

TEST(ParseJson, Strings) {
  const StringCase cases[] = {
      {R"("a b")", "a b"},
      {R"("\"\\\/\b\f\n\r\t")", "\"\\/\b\f\n\r\t"},
      {R"("\u0041\u00e9\u00E9\u20ac")", "A\u00e9\u00e9\u20ac"},
      {R"("\ud83d\ude00")", "\U0001F600"},
      {R"("\uD800\uDC00 \uDBFF\uDFFF")", "\U00010000 \U0010FFFF"},
      {R"("\ud7ff\ue000\uffff")", "\uD7FF\uE000\uFFFF"},
      {R"("\u0000")", "\0"sv},
      {R"("\u007f")", "\x7F"},
      {"\"\x7F\"", "\x7F"},
      {"\"\u00e9\u20ac\U0001F600\u2028\"", "\u00e9\u20ac\U0001F600\u2028"},
      {"\"\xC2\x80 \xDF\xBF\"", "\xC2\x80 \xDF\xBF"},
      {"\"\xE0\xA0\x80 \xED\x9F\xBF \xEE\x80\x80 \xEF\xBF\xBF\"",
       "\xE0\xA0\x80 \xED\x9F\xBF \xEE\x80\x80 \xEF\xBF\xBF"},
      {"\"\xF0\x90\x80\x80 \xF4\x8F\xBF\xBF\"", "\xF0\x90\x80\x80 \xF4\x8F\xBF\xBF"},
      {"\"\xEF\xBB\xBF\"", "\xEF\xBB\xBF"},
  };
  for (const auto& [text, string] : cases) EXPECT_EQ(parsed(text).as_string(), string) << text;
}

// --- what is refused, and where ---

struct FaultCase {
  std::string_view text;
  Position position;
  std::string_view message;  // a part of it
};

void expect_faults(const std::vector<FaultCase>& cases, const JsonLimits& limits = {}) {
  for (const auto& [text, position, message] : cases) {
    JsonError detail;
    auto value = parse_json(text, limits, &detail);
    ASSERT_FALSE(value) << text << " was read as " << to_json(*value);
    EXPECT_EQ(detail.position, position) << text << ": " << detail.message;
    EXPECT_THAT(detail.message, HasSubstr(message)) << text;
    EXPECT_EQ(value.error().code, Code::kInvalidArgument);
    EXPECT_EQ(value.error().message, fmt::format("line {}, column {}: {}", detail.position.line,
                                                 detail.position.column, detail.message));
  }
}

TEST(ParseJson, RefusesATextWithoutAValue) {
  expect_faults({
      {"", {1, 1}, "the text is empty"},
      {" \n\t ", {1, 1}, "the text is empty"},
      {"\xEF\xBB\xBF{}", {1, 1}, "byte order mark"},
      {"{\"a\":", {1, 6}, "the text ends where a value should stand"},
      {"{\"a\"", {1, 5}, "the text ends where the colon after a key should stand"},
  });
}

TEST(ParseJson, RefusesWhatFollowsTheValue) {
  expect_faults({
      {"{} {}", {1, 4}, "{ stands where the end of the text should"},
      {"1 2", {1, 3}, "2 stands where the end of the text should"},
      {"[]]", {1, 3}, "] stands where the end"},
      {"null\n,", {2, 1}, ", stands where the end"},
      {"{}\0"sv, {1, 3}, "the control character U+0000"},
      {"1 \xC3\xA9t\xC3\xA9", {1, 3}, "\xC3\xA9 stands where the end"},
      {"1 \xFF", {1, 3}, "the byte 0xFF is not valid UTF-8"},
  });
}

TEST(ParseJson, RefusesBrokenListsAndObjects) {
  expect_faults({
      {"[", {1, 1}, "this list is not closed; end it with \"]\""},
      {"[1", {1, 1}, "this list is not closed"},
      {"[1,", {1, 1}, "this list is not closed"},
      {"[1,\n [2, ", {2, 2}, "this list is not closed"},
      {"{", {1, 1}, "this object is not closed; end it with \"}\""},
      {"{\"a\":1,", {1, 1}, "this object is not closed"},
      {"{\"a\":1\n", {1, 1}, "this object is not closed"},
      {"[1,]", {1, 3}, "nothing follows this comma; remove it before \"]\""},
      {"{\"a\":1\n, }", {2, 1}, "nothing follows this comma; remove it before \"}\""},
      {"[,1]", {1, 2}, ", stands where a value should"},
      {"[1,,2]", {1, 4}, ", stands where a value should"},
      {"[1 2]", {1, 4}, "2 stands where a comma or \"]\" should"},
      {"[1}", {1, 3}, "} stands where a comma or \"]\" should"},
      {"{\"a\":1]", {1, 7}, "] stands where a comma or \"}\" should"},
      {"{\"a\" 1}", {1, 6}, "1 stands where the colon after a key should"},
      {"{\"a\":}", {1, 6}, "} stands where a value should"},
      {"{,}", {1, 2}, ", stands where a key in double quotes should"},
      {"{[1]: 2}", {1, 2}, "[ stands where a key in double quotes should"},
      {"{a: 1}", {1, 2}, "a key must stand in double quotes"},
      {"{'a': 1}", {1, 2}, "a key must stand in double quotes"},
      {"{1: 1}", {1, 2}, "a key must stand in double quotes"},
      {"{\"a\": 1, null: 2}", {1, 10}, "a key must stand in double quotes"},
  });
}

TEST(ParseJson, RefusesWhatOtherLanguagesWrite) {
  expect_faults({
      {"True", {1, 1}, "True is not JSON; write true"},
      {"[False]", {1, 2}, "False is not JSON; write false"},
      {"{\"a\": None}", {1, 7}, "None is not JSON; write null"},
      {"NULL", {1, 1}, "NULL is not JSON; write null"},
      {"undefined", {1, 1}, "undefined is not JSON; write null"},
      {"NaN", {1, 1}, "NaN is not JSON: numbers are finite"},
      {"Infinity", {1, 1}, "Infinity is not JSON: numbers are finite"},
      {"-Infinity", {1, 1}, "-Infinity is not JSON: numbers are finite"},
      {"tru", {1, 1}, "tru is not JSON; put text in double quotes"},
      {"truely", {1, 1}, "truely is not JSON"},
      {"null1", {1, 1}, "null1 is not JSON"},
      {"falsetrue", {1, 1}, "falsetrue is not JSON"},
      {"hello", {1, 1}, "hello is not JSON; put text in double quotes"},
      {"'a'", {1, 1}, "double quotes, not in single ones"},
      {"// no\n1", {1, 1}, "JSON has no comments"},
      {"[1, /* no */ 2]", {1, 5}, "JSON has no comments"},
      {"{} # no", {1, 4}, "JSON has no comments"},
  });
}

TEST(ParseJson, RefusesBrokenNumbers) {
  expect_faults({
      {"-", {1, 2}, "a digit must follow the minus sign"},
      {"[-]", {1, 3}, "a digit must follow the minus sign"},
      {"-a", {1, 2}, "a digit must follow the minus sign"},
      {"--1", {1, 2}, "a digit must follow the minus sign"},
      {"+1", {1, 1}, "must not begin with a plus sign"},
      {".5", {1, 1}, "a digit must stand before the decimal point"},
      {"-.5", {1, 2}, "a digit must follow the minus sign"},
      {"01", {1, 1}, "must not begin with a zero"},
      {"-012.5", {1, 2}, "must not begin with a zero"},
      {"00", {1, 1}, "must not begin with a zero"},
      {"1.", {1, 3}, "a digit must follow the decimal point"},
      {"1.e1", {1, 3}, "a digit must follow the decimal point"},
      {"[1.]", {1, 4}, "a digit must follow the decimal point"},
      {"1e", {1, 3}, "a digit must stand in the exponent"},
      {"1e+", {1, 4}, "a digit must stand in the exponent"},
      {"1e+-1", {1, 4}, "a digit must stand in the exponent"},
      {"1.5.2", {1, 4}, ". stands where the end"},
      {"1_000", {1, 2}, "_000 stands where the end"},
      {"0x10", {1, 2}, "x10 stands where the end"},
      {"1 000", {1, 3}, "000 stands where the end"},
  });
}

TEST(ParseJson, RefusesNumbersThatCannotBeHeld) {
  const std::string long_integer = "1" + std::string(5'000, '0');
  expect_faults({
      {"9007199254740992", {1, 1}, "the integer 9007199254740992 is beyond ±9007199254740991"},
      {"[\n-9007199254740992]", {2, 1}, "the integer -9007199254740992 is beyond"},
      {"18446744073709551616", {1, 1}, "is beyond ±9007199254740991"},
      {"-99999999999999999999999", {1, 1}, "is beyond ±9007199254740991"},
      {long_integer, {1, 1}, "is beyond ±9007199254740991"},
      {"1e309", {1, 1}, "the number 1e309 is too large or too small to be held"},
      {"-1e999999999999999999999", {1, 1}, "is too large or too small"},
      {"[0, 1e-400]", {1, 5}, "the number 1e-400 is too large or too small"},
  });
}

TEST(ParseJson, RefusesBrokenStrings) {
  expect_faults({
      {"\"abc", {1, 1}, "this string is not closed"},
      {"[\"a\", \"b]", {1, 7}, "this string is not closed"},
      {"\"abc\\\"", {1, 1}, "this string is not closed"},
      {"\"abc\\", {1, 5}, "ends within an escape sequence"},
      {"{\"a\nb\":1}", {1, 4}, "write a line break as \\n"},
      {"\"a\r\n\"", {1, 3}, "write a carriage return as \\r"},
      {"\"\t\"", {1, 2}, "a tab within a string must be written as \\t"},
      {"\"a\0b\""sv,
       {1, 3},
       "the control character U+0000 within a string must be written as \\u0000"},
      {"\"\x1F\"", {1, 2}, "the control character U+001F"},
      {"\"a\\q\"", {1, 3}, "\\q is no escape sequence"},
      {"\"\\'\"", {1, 2}, "\\' is no escape sequence"},
      {"\"\\\xC3\xA9\"", {1, 2}, "\\\xC3\xA9 is no escape sequence"},
      {"\"\\\n\"", {1, 2}, "a backslash at this place is no escape sequence"},
      {"\"C:\\Users\"", {1, 4}, "write a backslash as \\\\"},
      {"\"\\u12\"", {1, 2}, "four hexadecimal digits"},
      {"\"\\u12g4\"", {1, 2}, "four hexadecimal digits"},
      {"\"\\u-123\"", {1, 2}, "four hexadecimal digits"},
      {"\"\\u 123\"", {1, 2}, "four hexadecimal digits"},
      {"\"\\u123", {1, 2}, "four hexadecimal digits"},
  });
}

TEST(ParseJson, RefusesHalfASurrogatePair) {
  expect_faults({
      {R"("\ud83d")", {1, 2}, "\\ud83d is one half of a surrogate pair"},
      {R"("a\uD83D ")", {1, 3}, "\\uD83D is one half"},
      {R"("\ude00")", {1, 2}, "\\ude00 is one half"},
      {R"("\ude00\ud83d")", {1, 2}, "\\ude00 is one half"},
      {R"("\ud83d\ud83d\ude00")", {1, 2}, "\\ud83d is one half"},
      {R"("\ud83d\u0041")", {1, 2}, "\\ud83d is one half"},
      {R"("\ud83d\n")", {1, 2}, "\\ud83d is one half"},
      {R"("\ud83d\ude0")", {1, 2}, "\\ud83d is one half"},
  });
}

TEST(ParseJson, RefusesInvalidUtf8AtItsFirstByte) {
  expect_faults({
      {"\"\x80\"", {1, 2}, "the byte 0x80 is not valid UTF-8"},
      {"\"\xFF\"", {1, 2}, "the byte 0xFF"},
      {"\"\xC0\x80\"", {1, 2}, "the byte 0xC0"},
      {"\"\xC1\xBF\"", {1, 2}, "the byte 0xC1"},
      {"\"\xC3\"", {1, 2}, "the byte 0xC3"},
      {"\"\xC3(\"", {1, 2}, "the byte 0xC3"},
      {"\"\xE0\x9F\xBF\"", {1, 2}, "the byte 0xE0"},
      {"\"\xE2\x82\"", {1, 2}, "the byte 0xE2"},
      {"\"\xED\xA0\x80\"", {1, 2}, "the byte 0xED"},
      {"\"\xF0\x8F\xBF\xBF\"", {1, 2}, "the byte 0xF0"},
      {"\"\xF4\x90\x80\x80\"", {1, 2}, "the byte 0xF4"},
      {"\"\xF5\x80\x80\x80\"", {1, 2}, "the byte 0xF5"},
      {"\"\xF0\x9F\x98", {1, 2}, "the byte 0xF0"},
      {"{\"\xC3\xA9\xFE\":1}", {1, 4}, "the byte 0xFE"},
      {"[\xA0]", {1, 2}, "the byte 0xA0"},
  });
}

TEST(ParseJson, ColumnsCountCharacters) {
  expect_faults({
      {"[\"\u00e9\u20ac\U0001F600\", x]", {1, 9}, "x is not JSON"},
      {"[\r\n  \"\u00e9\",\r\n\t\"\u00e9\" x]", {3, 6}, "x stands where a comma"},
  });
}

TEST(ParseJson, RefusesAKeyThatOccursTwice) {
  expect_faults({
      {R"({"a": 1, "a": 2})",
       {1, 10},
       "the key \"a\" occurs twice in one object; keep one of them"},
      {"{\"a\": {\"b\": 1,\n  \"b\": 2}}", {2, 3}, "the key \"b\" occurs twice"},
      {R"({"": 1, "": 2})", {1, 9}, "the key \"\" occurs twice"},
      {R"({"a": 1, "\u0061": 2})", {1, 10}, "the key \"a\" occurs twice"},
      {R"({"\n": 1, "\n": 2})", {1, 11}, "the key \"\\n\" occurs twice"},
      // The duplicate comes first, and what is wrong behind it later.
      {R"({"a": 1, "a": tru})", {1, 10}, "occurs twice"},
  });
  EXPECT_TRUE(parse_json(R"([{"a": 1}, {"a": {"a": 2}}, {"A": 1, "a": 2}])"));
}

TEST(ParseJson, NamesOnlyTheStartOfALongKey) {
  const std::string key(1'000, 'k');
  JsonError detail;
  EXPECT_FALSE(parse_json("{\"" + key + "\":1,\"" + key + "\":2}", {}, &detail));
  EXPECT_EQ(detail.position, (Position{1, 1'007}));
  EXPECT_LT(detail.message.size(), 150u);
}

std::string object_with_keys(int count, std::string_view last_field) {
  std::string out = "{";
  for (int i = 0; i < count; ++i) out += fmt::format("\"key-{}\": {},\n", i, i);
  return out + std::string(last_field) + "}";
}

TEST(ParseJson, FindsADuplicateInAnObjectOfAnySize) {
  for (const int count : {1, 2, 15, 16, 17, 18, 1'000}) {
    const auto line = static_cast<std::size_t>(count) + 1;
    EXPECT_EQ(parsed(object_with_keys(count, "\"last\": 0")).as_struct().size(), line);
    for (const int repeated : {0, count / 2, count - 1}) {
      JsonError detail;
      const std::string field = fmt::format("\"key-{}\": 0", repeated);
      EXPECT_FALSE(parse_json(object_with_keys(count, field), {}, &detail));
      EXPECT_EQ(detail.position, (Position{line, 1})) << count << " " << repeated;
      EXPECT_THAT(detail.message, StartsWith(fmt::format("the key \"key-{}\" occurs", repeated)));
    }
  }
}

TEST(ParseJson, TellsAllDuplicatesWhereThatIsAsked) {
  std::vector<JsonError> repeated;
  const auto few = parse_json("{\"a\": 1,\n\"a\": {\"b\": 2,\n\"b\": 3},\n\"c\": 4,\n\"a\": 5}", {},
                              nullptr, &repeated);
  ASSERT_TRUE(few);
  EXPECT_EQ(*few, Value::make_struct({{"a", 1}, {"c", 4}}));
  std::vector<std::size_t> lines;
  for (const JsonError& error : repeated) lines.push_back(error.position.line);
  EXPECT_THAT(lines, ::testing::ElementsAre(2, 3, 5));
  EXPECT_EQ(repeated.at(0).message, "the key \"a\" occurs twice in one object; keep one of them");

  repeated.clear();
  const std::string fields = "\"key-20\": true,\n\"key-3\": true,\n\"key-20\": false,\n\"last\": 0";
  const auto many = parse_json(object_with_keys(30, fields), {}, nullptr, &repeated);
  ASSERT_TRUE(many);
  EXPECT_EQ(many->as_struct().size(), 31u);
  EXPECT_EQ(*many->find("key-20"), Value(20));
  EXPECT_EQ(*many->find("last"), Value(0));
  lines.clear();
  for (const JsonError& error : repeated) lines.push_back(error.position.line);
  EXPECT_THAT(lines, ::testing::ElementsAre(31, 32, 33));

  repeated.clear();
  std::string endless = "{\"a\": 0";
  for (int i = 0; i < 1'000; ++i) endless += ", \"a\": 0";
  EXPECT_TRUE(parse_json(endless + "}", {}, nullptr, &repeated));
  EXPECT_EQ(repeated.size(), 100u);
}

TEST(ParseJson, NamesTheFirstOfManyDuplicates) {
  const std::string fields = "\"key-7\": 0,\n\"key-20\": 0,\n\"key-3\": 0,\n\"key-7\": 0";
  expect_faults({{object_with_keys(30, fields), {31, 1}, "the key \"key-7\" occurs twice"}});
}

TEST(ParseJson, FindsADuplicateAmongAHundredThousandFields) {
  JsonError detail;
  EXPECT_FALSE(parse_json(object_with_keys(100'000, "\"key-99\": 0"), {}, &detail));
  EXPECT_EQ(detail.position, (Position{100'001, 1}));
}

std::string nested(std::size_t depth, std::string_view open, std::string_view close) {
  std::string out;
  for (std::size_t i = 0; i < depth; ++i) out += open;
  out += "0";
  for (std::size_t i = 0; i < depth; ++i) out += close;
  return out;
}

TEST(ParseJson, DepthIsLimited) {
  EXPECT_TRUE(parse_json(nested(100, "[", "]")));
  EXPECT_TRUE(parse_json(nested(100, "{\"a\":", "}")));
  EXPECT_TRUE(parse_json(nested(1'000, "[", "]"), {.depth = 1'000}));
  EXPECT_TRUE(parse_json("0", {.depth = 0}));
  EXPECT_TRUE(parse_json("[[], [], [[]], []]", {.depth = 3}));
  expect_faults({{nested(101, "[", "]"), {1, 101}, "nested deeper than 100 levels"}});
  expect_faults({{nested(101, "{\"a\":", "}"), {1, 501}, "nested deeper than 100 levels"},
                 {std::string(10'000'000, '['), {1, 101}, "nested deeper than 100 levels"}});
  expect_faults({{"[[]]", {1, 2}, "nested deeper than 1 levels"}}, {.depth = 1});
  expect_faults({{"{}", {1, 1}, "nested deeper than 0 levels"}}, {.depth = 0});
}

TEST(ParseJson, BytesAreLimited) {
  const JsonLimits limits{.bytes = 10};
  EXPECT_TRUE(parse_json("\"12345678\"", limits));
  expect_faults({{"\"123456789\"", {1, 11}, "the text has 11 bytes, and 10 are allowed"},
                 {"[1,\n2,\n3,\n4]", {4, 1}, "the text has 12 bytes, and 10 are allowed"}},
                limits);
}

TEST(ParseJson, ValuesAreLimited) {
  const JsonLimits limits{.values = 3};
  EXPECT_TRUE(parse_json("[1, 2]", limits));
  EXPECT_TRUE(parse_json("{\"a\": {\"b\": 1}}", limits));
  expect_faults({{"[1, 2,\n 3]", {2, 2}, "more than 3 values in one text"},
                 {"{\"a\": [[[]]]}", {1, 9}, "more than 3 values in one text"}},
                limits);
}

TEST(ParseJson, DetailIsLeftAloneOnSuccess) {
  JsonError detail{{7, 8}, "before"};
  EXPECT_TRUE(parse_json("[]", {}, &detail));
  EXPECT_EQ(detail.position, (Position{7, 8}));
  EXPECT_EQ(detail.message, "before");
}

// --- what is written ---

TEST(ToJson, KeepsOrderAndIsCompact) {
  EXPECT_EQ(to_json(parsed(R"( {"z": [1, true, null], "a": {"b": "c"}, "e": [], "f": {}} )")),
            R"({"z":[1,true,null],"a":{"b":"c"},"e":[],"f":{}})");
}

TEST(ToJson, EscapesWhatMustBeEscaped) {
  EXPECT_EQ(to_json(Value("\"\\/\b\f\n\r\t\x01\x1F\x7F\0"sv)), R"("\"\\/\b\f\n\r\t\u0001\u001f)"
                                                               "\x7F"
                                                               R"(\u0000")");
  EXPECT_EQ(to_json(Value("\u00e9\u2028\U0001F600")), "\"\u00e9\u2028\U0001F600\"");
  EXPECT_EQ(to_json(Value::make_struct({{"a\nb", 1}})), "{\"a\\nb\":1}");
}

TEST(ToJson, ReplacesWhatIsNoUtf8) {
  EXPECT_EQ(to_json(Value("a\xFF\xC3")), "\"a\uFFFD\uFFFD\"");
  EXPECT_EQ(to_json(Value("\xED\xA0\x80z")), "\"\uFFFD\uFFFD\uFFFDz\"");
}

struct PrintedNumber {
  double number;
  std::string_view json;
  std::string_view text;
};

TEST(ToJson, NumbersAreShortestAndReadBackTheSame) {
  const PrintedNumber cases[] = {
      {0, "0", "0"},
      {-0.0, "0", "0"},
      {-1, "-1", "-1"},
      {100, "100", "100"},
      {1e15, "1000000000000000", "1000000000000000"},
      {9'007'199'254'740'991.0, "9007199254740991", "9007199254740991"},
      {9'007'199'254'740'992.0, "9007199254740992.0", "9007199254740992"},
      {-9'007'199'254'740'994.0, "-9007199254740994.0", "-9007199254740994"},
      {0.1, "0.1", "0.1"},
      {0.30000000000000004, "0.30000000000000004", "0.30000000000000004"},
      {-1234.5, "-1234.5", "-1234.5"},
      {1e20, "1e+20", "100000000000000000000"},
      {1.25e21, "1.25e+21", "1250000000000000000000"},
      {-1e-7, "-1e-07", "-0.0000001"},
      {1.5e-5, "1.5e-05", "0.000015"},
      {123456789.125, "123456789.125", "123456789.125"},
  };
  for (const auto& [number, json, text] : cases) {
    EXPECT_EQ(to_json(Value(number)), json);
    EXPECT_EQ(to_text(Value(number)), text);
    EXPECT_EQ(parsed(json).as_number(), number);
  }
}

TEST(ToJson, NonFiniteNumbersAreNull) {
  const double infinity = std::numeric_limits<double>::infinity();
  EXPECT_EQ(to_json(Value(Value::List{infinity, -infinity, std::nan("")})), "[null,null,null]");
}

TEST(ToJson, AnyDoubleReadsBackTheSame) {
  std::mt19937_64 bits(20'240'607);
  for (int i = 0; i < 20'000; ++i) {
    const auto number = std::bit_cast<double>(bits());
    if (!std::isfinite(number)) continue;
    ASSERT_EQ(parsed(to_json(Value(number))).as_number(), number);
    const std::string text = to_text(Value(number));
    ASSERT_EQ(text.find_first_not_of("-.0123456789"), std::string::npos) << text;
    double back = 0;
    std::from_chars(text.data(), text.data() + text.size(), back, std::chars_format::fixed);
    ASSERT_EQ(back, number) << text;
  }
}

TEST(ToJsonPretty, IndentsByTwo) {
  EXPECT_EQ(to_json_pretty(parsed(R"({"a":[1,{"b":"c"}],"d":{},"e":[]})")),
            "{\n"
            "  \"a\": [\n"
            "    1,\n"
            "    {\n"
            "      \"b\": \"c\"\n"
            "    }\n"
            "  ],\n"
            "  \"d\": {},\n"
            "  \"e\": []\n"
            "}");
  EXPECT_EQ(to_json_pretty(Value("x")), "\"x\"");
}

TEST(ToCanonicalJson, SortsAtEveryLevel) {
  EXPECT_EQ(
      to_canonical_json(parsed(R"({"b": [{"z": 1, "y": 2}], "a": {"d": 1, "c": 2}, "B": 0})")),
      R"({"B":0,"a":{"c":2,"d":1},"b":[{"y":2,"z":1}]})");
  EXPECT_EQ(to_canonical_json(parsed(R"({"x": 1.0, "y": -0.0})")),
            to_canonical_json(parsed(R"({"y": 0, "x": 1})")));
  EXPECT_NE(to_canonical_json(parsed("[1, 2]")), to_canonical_json(parsed("[2, 1]")));
}

TEST(ToCanonicalJson, KeepsBytesApartThatAreNoUtf8) {
  EXPECT_NE(to_canonical_json(Value("\xFF")), to_canonical_json(Value("\xFE")));
}

TEST(ToText, EveryKindOfValue) {
  EXPECT_EQ(to_text(Value()), "");
  EXPECT_EQ(to_text(Value(true)), "true");
  EXPECT_EQ(to_text(Value(false)), "false");
  EXPECT_EQ(to_text(Value("a \"b\"\n\xFF")), "a \"b\"\n\xFF");
  EXPECT_EQ(to_text(Value(3)), "3");
  EXPECT_EQ(to_text(parsed(R"({"b": [1.5, "x"], "a": null})")), R"({"b":[1.5,"x"],"a":null})");
  EXPECT_EQ(to_text(Value(std::numeric_limits<double>::infinity())), "");
}

TEST(ToText, TheLargestAndTheSmallestNumbers) {
  EXPECT_EQ(to_text(Value(1e300)), "1" + std::string(300, '0'));
  EXPECT_EQ(to_text(Value(-5e-324)), "-0." + std::string(323, '0') + "5");
  EXPECT_EQ(to_text(Value(std::numeric_limits<double>::max())),
            "17976931348623157" + std::string(292, '0'));
}

TEST(JsonRoundTrip, EveryPrinterIsReadBack) {
  const std::string_view texts[] = {
      R"({"a":[1,2.5,-1e+30,"x",null,true,false,{"":{}}],"b":[[[]]]})",
      R"("\u0000\u001f\"\\")",
      "\"\u00e9\U0001F600\"",
      "[]",
      "9007199254740991",
  };
  for (const std::string_view text : texts) {
    const Value value = parsed(text);
    EXPECT_EQ(to_json(value), text);
    EXPECT_EQ(parsed(to_json_pretty(value)), value);
    EXPECT_EQ(parsed(to_canonical_json(value)), value);
  }
}

// --- pointers ---

TEST(PointerToken, EscapesTildeAndSlash) {
  EXPECT_EQ(pointer_token("plain"), "plain");
  EXPECT_EQ(pointer_token("a/b~c~1"), "a~1b~0c~01");
  EXPECT_EQ(pointer_token(""), "");
}

}  // namespace
}  // namespace cresset::text
