#include "cresset/codec/diagnostic.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace cresset::codec {
namespace {

std::string shown(std::string_view text, text::Position position) {
  return render({Severity::kError, "p.yaml", position, "", "wrong", ""}, text);
}

TEST(Diagnostic, ShowsTheLineWithACaret) {
  EXPECT_EQ(render({Severity::kError, "p.yaml", {2, 3}, "/a/b", "unknown field \"b\"", "write c"},
                   "a:\n  b: 1\n"),
            "p.yaml:2:3: error: unknown field \"b\"\n    b: 1\n    ^\nhelp: write c\n");
  EXPECT_EQ(render({Severity::kWarning, "p.yaml", {1, 1}, "", "no effect", ""}, "a: 1"),
            "p.yaml:1:1: warning: no effect\n  a: 1\n  ^\n");
}

TEST(Diagnostic, CountsCharactersNotBytes) {
  EXPECT_EQ(shown("é: ü x\n", {1, 6}), "p.yaml:1:6: error: wrong\n  é: ü x\n       ^\n");
}

TEST(Diagnostic, KeepsTheCaretUnderATab) {
  EXPECT_EQ(shown("a:\tb\n", {1, 4}), "p.yaml:1:4: error: wrong\n  a: b\n     ^\n");
}

TEST(Diagnostic, LeavesOutWhatIsNotThere) {
  EXPECT_EQ(shown("", {1, 1}), "p.yaml:1:1: error: wrong\n");
  EXPECT_EQ(shown("a\n", {9, 1}), "p.yaml:9:1: error: wrong\n");
  EXPECT_EQ(shown("a\n", {2, 1}), "p.yaml:2:1: error: wrong\n");
}

TEST(Diagnostic, DropsLineEndsAndTheByteOrderMark) {
  EXPECT_EQ(shown("\xEF\xBB\xBF"
                  "ab\r\n",
                  {1, 2}),
            "p.yaml:1:2: error: wrong\n  ab\n   ^\n");
}

TEST(Diagnostic, CutsLongLinesToAWindow) {
  const std::string line = std::string(500, 'x') + "HERE" + std::string(500, 'y');
  EXPECT_EQ(shown(line, {1, 501}), "p.yaml:1:501: error: wrong\n  … " + std::string(60, 'x') +
                                       "HERE" + std::string(36, 'y') + " …\n  " +
                                       std::string(62, ' ') + "^\n");
  EXPECT_EQ(shown(line, {1, 1}),
            "p.yaml:1:1: error: wrong\n  " + std::string(100, 'x') + " …\n  ^\n");
}

TEST(Diagnostic, ShowsWhatWouldSteerATerminal) {
  EXPECT_EQ(render({Severity::kError, "a\x1B[2Jb", {1, 1}, "", "x\x07y", "z\xC2\x9Bw"},
                   "q\x1B]0;\xE2\x80\xAE"
                   "r\n"),
            "a\uFFFD[2Jb:1:1: error: x\uFFFDy\n  q\uFFFD]0;\uFFFDr\n  ^\nhelp: z\uFFFDw\n");
  EXPECT_EQ(shown("a\xFF\xE2\x80z\n", {1, 1}),
            "p.yaml:1:1: error: wrong\n  a\uFFFD\uFFFD\uFFFDz\n  ^\n");
}

}  // namespace
}  // namespace cresset::codec
