#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cresset/codec/document.h"

namespace cresset::codec {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

// The documents as JSON, one a line; or "line:column message".
std::string read(std::string_view text, const DocumentLimits& limits = {}) {
  DocumentError fault;
  const auto documents = read_documents(text, limits, &fault);
  if (!documents) {
    return std::to_string(fault.position.line) + ":" + std::to_string(fault.position.column) + " " +
           fault.message;
  }
  std::string out;
  for (const Value& document : *documents)
    out += (out.empty() ? "" : "\n") + text::to_json(document);
  return out;
}

TEST(Yaml, ReadsPlainScalarsAsPyYamlDoes) {
  const std::vector<std::pair<std::string, std::string>> cases{
      {"~", "null"},
      {"null", "null"},
      {"", "null"},
      {"nUll", "\"nUll\""},
      {"true", "true"},
      {"Yes", "true"},
      {"off", "false"},
      {"y", "\"y\""},
      {"1", "1"},
      {"+1", "1"},
      {"-0", "0"},
      {"010", "8"},
      {"08", "\"08\""},
      {"0o10", "\"0o10\""},
      {"0x1F", "31"},
      {"0b11", "3"},
      {"1_000", "1000"},
      {"1:30", "90"},
      {"190:20:30", "685230"},
      {"1:30.5", "90.5"},
      {"1.", "1"},
      {".5", "0.5"},
      {"-.5", "\"-.5\""},
      {"1e5", "\"1e5\""},
      {"1.0e+5", "100000"},
      {"1.0e5", "\"1.0e5\""},
      {"1.5_0", "1.5"},
      {"2.1.0", "\"2.1.0\""},
      {"12:99", "\"12:99\""},
      {"2001-01-01", "\"2001-01-01\""},
      {"it's", "\"it's\""},
      {"a:b", "\"a:b\""},
      {"x#y", "\"x#y\""},
      {"x #y", "\"x\""},
      {"<<", "\"<<\""},
      {"=", "\"=\""},
      {"9007199254740991", "9007199254740991"},
      {"-9007199254740991", "-9007199254740991"},
  };
  for (const auto& [text, json] : cases) {
    EXPECT_EQ(read("a: " + text), "{\"a\":" + json + "}") << text;
    EXPECT_EQ(read("- " + text + "\n"), "[" + json + "]") << text;
  }
}

TEST(Yaml, ReadsQuotedTextsAsTexts) {
  EXPECT_EQ(read("a: 'true'"), R"({"a":"true"})");
  EXPECT_EQ(read("a: \"1\""), R"({"a":"1"})");
  EXPECT_EQ(read("a: 'it''s'"), R"({"a":"it's"})");
  EXPECT_EQ(read(R"(a: "x\ty\x41\u00e9\U0001F600\/")"), "{\"a\":\"x\\tyA\u00e9\U0001F600/\"}");
  EXPECT_EQ(read("a: \"x\\\n  y\""), R"({"a":"xy"})");
  EXPECT_EQ(read("a: 'x\n\n  y'"), "{\"a\":\"x\\ny\"}");
}

TEST(Yaml, ReadsEscapesOfOddSpaces) {
  EXPECT_EQ(read(R"(a: "\N\_é\N")"), "{\"a\":\"\u0085\u00a0é\u0085\"}");
}

TEST(Yaml, ReadsBlockTexts) {
  EXPECT_EQ(read("a: |\n  x\n   y\n"), R"({"a":"x\n y\n"})");
  EXPECT_EQ(read("a: |-\n  x\n  # y\n"), R"({"a":"x\n# y"})");
  EXPECT_EQ(read("a: |+\n  x\n\n"), R"({"a":"x\n\n"})");
  EXPECT_EQ(read("a: >-\n  x\n  y\n\n  z\n"), R"({"a":"x y\nz"})");
  EXPECT_EQ(read("a: |2\n    x\n"), R"({"a":"  x\n"})");
}

TEST(Yaml, ReadsFlowAndBlockCollections) {
  EXPECT_EQ(read("a: [1, {b: c}, [], {}]\nd:\n- e\n-\n  - f\n"),
            R"({"a":[1,{"b":"c"},[],{}],"d":["e",["f"]]})");
}

TEST(Yaml, ReadsBothLineEndsAndAByteOrderMark) {
  EXPECT_EQ(read("a: 1\r\nb:\r\n- x\r\n"), R"({"a":1,"b":["x"]})");
  EXPECT_EQ(read("\xEF\xBB\xBF# c\na: 1\n"), R"({"a":1})");
  EXPECT_EQ(read("\xEF\xBB\xBF{\"a\": 1}"), R"({"a":1})");
}

TEST(Yaml, ReadsUpToTwoDocumentsAndSkipsEmptyOnes) {
  EXPECT_EQ(read("# c\n---\na: 1\n---\n---\nb: 2\n...\n"), "{\"a\":1}\n{\"b\":2}");
  EXPECT_EQ(read("a: 1\n---\nb: 2\n---\nc: 3\n"), "4:1 more than 2 documents in one file");
  EXPECT_EQ(read("a: 1\n---\nb: 2\n", {.documents = 1}),
            "2:1 a second document in a file that holds one");
  EXPECT_EQ(read("# nothing\n"), "");
}

TEST(Yaml, RefusesNumbersThatANumberCannotHold) {
  EXPECT_THAT(read("a: 9007199254740992"),
              StartsWith("1:4 the integer 9007199254740992 is beyond"));
  EXPECT_THAT(read("a: -0x20000000000000"), StartsWith("1:4 the integer"));
  EXPECT_EQ(read("a: .inf"), "1:4 .inf is no finite number; to mean the text, put it in quotes");
  EXPECT_EQ(read("- -.INF"), "1:3 -.INF is no finite number; to mean the text, put it in quotes");
  EXPECT_EQ(read("a: .NaN"), "1:4 .NaN is no finite number; to mean the text, put it in quotes");
  EXPECT_THAT(read("a: 1.0e+400"), HasSubstr("too large or too small"));
}

TEST(Yaml, RefusesKeysThatAreNoStringsOrOccurTwice) {
  EXPECT_EQ(read("a:\n  1: x\n"), "2:3 a key must be a string, and this one reads as a number");
  EXPECT_EQ(read("on: x\n"), "1:1 a key must be a string, and this one reads as a boolean");
  EXPECT_EQ(read("? [a]\n: x\n"), "1:3 a list or map cannot be a key");
  EXPECT_EQ(read("a: 1\nb: 2\n'a': 3\n"),
            "3:1 the key \"a\" occurs twice in this map, first in line 1, column 1");
  EXPECT_EQ(read("a: {b: 1, b: 2}"),
            "1:11 the key \"b\" occurs twice in this map, first in line 1, column 5");
}

TEST(Yaml, RefusesTagsAndMergeKeys) {
  EXPECT_EQ(read("a: !!int '3'\nb: !!str 4\nc: !!null ''\n"), R"({"a":3,"b":"4","c":null})");
  EXPECT_EQ(read("a: !!python/object:x y"), "1:4 the tag !!python/object:x is not supported");
  EXPECT_EQ(read("a: !x {}"), "1:4 the tag !x is not supported");
  EXPECT_EQ(read("a: !!int x"), "1:4 \"x\" is no value of !!int");
  EXPECT_EQ(read("a: &a {b: 1}\nc:\n  <<: *a\n"), "3:3 merge keys (<<) are not supported");
  EXPECT_EQ(read("a: {'<<': 1}"), R"({"a":{"<<":1}})");
}

TEST(Yaml, ExpandsAliases) {
  EXPECT_EQ(read("a: &x [1, &y z]\nb: *x\nc: *y\n"), R"({"a":[1,"z"],"b":[1,"z"],"c":"z"})");
}

TEST(Yaml, BoundsWhatAliasesExpandTo) {
  std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 12; ++i) {
    const std::string before = "*a" + std::to_string(i - 1);
    bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [";
    for (int k = 0; k < 9; ++k) bomb += (k == 0 ? "" : ", ") + before;
    bomb += "]\n";
  }
  EXPECT_THAT(read(bomb), HasSubstr("the aliases of this text expand to more than 16 MB"));
}

TEST(Yaml, RefusesAliasesToWhatIsNotThere) {
  EXPECT_EQ(read("a: &a [*a]"), "1:8 this alias stands inside the value that it names");
  EXPECT_THAT(read("a: *b"), HasSubstr("the referenced anchor is not defined"));
}

TEST(Yaml, BoundsNestingAliasesIncluded) {
  EXPECT_EQ(read(std::string(100, '[') + std::string(100, ']')),
            std::string(100, '[') + std::string(100, ']'));
  EXPECT_EQ(read("a: " + std::string(100, '[') + std::string(100, ']')),
            "1:103 lists and maps are nested more than 100 deep");
  std::string text = "a: &a " + std::string(60, '[') + std::string(60, ']');
  text += "\nb: " + std::string(50, '[') + "*a" + std::string(50, ']');
  EXPECT_EQ(read(text), "2:54 lists and maps are nested more than 100 deep");
}

TEST(Yaml, BoundsWhatTheParserCollects) {
  EXPECT_THAT(read("a: " + std::string(1'000'000, '[')), HasSubstr("too deeply nested"));
  EXPECT_THAT(read("a: " + std::string(1'000'000, '{')), HasSubstr("too deeply nested"));
}

TEST(Yaml, BoundsBytesAndValues) {
  EXPECT_EQ(read(std::string(3u << 20, ' '), {.bytes = 2u << 20}),
            "1:1 the file is larger than 2 MB");
  EXPECT_EQ(read("- a\n- b\n- c\n", {.values = 2}), "3:3 more than 2 values in one file");
  EXPECT_THAT(read("{\"a\":[1,2]}", {.values = 3}), StartsWith("1:9 more than 3 values"));
}

TEST(Yaml, RefusesWhatIsNoText) {
  EXPECT_EQ(read("a: x\xFFy"), "1:5 the byte 0xFF is not valid UTF-8");
  EXPECT_EQ(read("a: \xC0\x80"), "1:4 the byte 0xC0 is not valid UTF-8");
  EXPECT_EQ(read("a: \xED\xA0\x80"), "1:4 the byte 0xED is not valid UTF-8");
  EXPECT_EQ(read("é: \x01"), "1:4 the control character U+0001 may not stand in a text");
  EXPECT_EQ(read(std::string("a: x\0y", 6)),
            "1:5 the control character U+0000 may not stand in a text");
  DocumentError fault;
  EXPECT_FALSE(read_documents("PK\x03\x04", {}, &fault));
  EXPECT_THAT(fault.help, StartsWith("this is a zip archive"));
  EXPECT_FALSE(read_documents("\x1F\x8B\x08", {}, &fault));
  EXPECT_THAT(fault.help, StartsWith("this is a gzip archive"));
}

TEST(Yaml, NamesWhatNothingCloses) {
  EXPECT_EQ(read("a: 'x\nb: 1\n"), "1:4 nothing closes the text that begins here");
  EXPECT_EQ(read("a:\n  b: \"x\n  c: 1"), "2:6 nothing closes the text that begins here");
  EXPECT_EQ(read("a: &a !!str \"x\n"), "1:13 nothing closes the text that begins here");
  EXPECT_EQ(read("a: [1, 'it]'\n"), "1:4 nothing closes this [");
  EXPECT_EQ(read("a: [x, {y: z]\n"), "1:4 nothing closes this [");
  EXPECT_EQ(read("a: {b: c\nd: e\n"), "1:4 nothing closes this {");
  EXPECT_EQ(read("a: 'x\\'\n"), R"({"a":"x\\"})");
  EXPECT_EQ(read("a: \"x\\\"\n\""), "{\"a\":\"x\\\" \"}");
}

TEST(Yaml, PlacesSyntaxErrors) {
  EXPECT_THAT(read("a:\n\tb: 1\n"), StartsWith("2:"));
  EXPECT_THAT(read("a: b: c\n"), StartsWith("1:5 "));
  EXPECT_THAT(read("a:\n  - x\n b: 1\n"), StartsWith("3:2 "));
  EXPECT_EQ(read("a: 1\n...\nb: 2\n"), "3:1 text after the end of the document");
  EXPECT_THAT(read("a: \"x\n  y\\u0"), StartsWith("2:7 "));
  EXPECT_EQ(read("[a]\nb\n"), "2:1 text after the end of the document");
}

// --- where things stand ---

std::string located(std::string_view text, std::string pointer, bool key = false,
                    std::size_t document = 0) {
  const text::Position at = locate(text, {{document, std::move(pointer), key}}).front();
  return std::to_string(at.line) + ":" + std::to_string(at.column);
}

TEST(Locate, Yaml) {
  constexpr std::string_view kText =
      "# c\na: &x 1\n'b':\n- c: [é, {d: 2}]\n- f\ng/h~:\n  i: |\n    z\n---\na: 3\n";
  EXPECT_EQ(located(kText, ""), "2:1");
  EXPECT_EQ(located(kText, "/a"), "2:4");
  EXPECT_EQ(located(kText, "/a", true), "2:1");
  EXPECT_EQ(located(kText, "/b"), "3:1") << "a block list stands where its key stands";
  EXPECT_EQ(located(kText, "/b/0/c"), "4:6");
  EXPECT_EQ(located(kText, "/b/0/c/0"), "4:7");
  EXPECT_EQ(located(kText, "/b/0/c/1/d"), "4:14");
  EXPECT_EQ(located(kText, "/b/0/c/1/d", true), "4:11");
  EXPECT_EQ(located(kText, "/b/1"), "5:3");
  EXPECT_EQ(located(kText, "/g~1h~0/i"), "7:6");
  EXPECT_EQ(located(kText, "/a", false, 1), "10:4");
  EXPECT_EQ(located(kText, "/b/0/none/more"), "4:3") << "the deepest ancestor";
  EXPECT_EQ(located(kText, "/g~1h~0/none"), "6:1");
}

TEST(Locate, Json) {
  constexpr std::string_view kText =
      "{\"a\": 1,\n \"b\" : [{\"é\\\"c\": [\"x]\", {\"d\": 2}]}, true],\n\"g/h~\":{\"i\":null}}";
  EXPECT_EQ(located(kText, ""), "1:1");
  EXPECT_EQ(located(kText, "/a"), "1:7");
  EXPECT_EQ(located(kText, "/a", true), "1:2");
  EXPECT_EQ(located(kText, "/b"), "2:8");
  EXPECT_EQ(located(kText, "/b", true), "2:2");
  EXPECT_EQ(located(kText, "/b/0/é\"c/1/d"), "2:31");
  EXPECT_EQ(located(kText, "/b/1"), "2:37");
  EXPECT_EQ(located(kText, "/g~1h~0/i"), "3:13");
  EXPECT_EQ(located(kText, "/g~1h~0/none"), "3:1");
}

TEST(Locate, SkipsEmptyDocuments) {
  EXPECT_EQ(located("---\n---\na: 1\n---\n# c\n---\nb: 2\n", "/b", true, 1), "7:1");
}

TEST(Locate, AnswersInTheOrderOfTheQuestions) {
  const auto at = locate("a: 1\nb: 2\n", {{0, "/b", true}, {0, "/a", true}, {0, "/b", true}});
  EXPECT_EQ(at, (std::vector<text::Position>{{2, 1}, {1, 1}, {2, 1}}));
}

// The time must not be the product of a key's length and the number of values below it.
TEST(Locate, LongKeysCostNothing) {
  std::string text = "a:\n  - ? '" + std::string(1'000'000, 'k') + "'\n    :\n";
  for (int i = 0; i < 100'000; ++i) text += "    -\n";
  text += "b: 1\n";
  EXPECT_EQ(located(text, "/b", true), "100004:1");
}

}  // namespace
}  // namespace cresset::codec
