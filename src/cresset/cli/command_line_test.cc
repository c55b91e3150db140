#include "cresset/cli/command_line.h"

#include <gtest/gtest.h>

#include <string>
#include <variant>
#include <vector>

#include "cresset/cli/completion.h"

namespace cresset::cli {
namespace {

using Words = std::vector<std::string>;

template <class V>
V parsed(const Words& words) {
  auto out = parse_command_line(words);
  if (const auto* wrong = std::get_if<UsageError>(&out)) {
    ADD_FAILURE() << wrong->message;
    return {};
  }
  const auto* request = std::get_if<Request>(&out);
  if (request == nullptr || !std::holds_alternative<V>(*request)) {
    ADD_FAILURE() << "another request than expected";
    return {};
  }
  return std::get<V>(*request);
}

std::string refused(const Words& words) {
  auto out = parse_command_line(words);
  const auto* wrong = std::get_if<UsageError>(&out);
  return wrong == nullptr ? "accepted" : wrong->message;
}

TEST(CommandLine, ReadsRun) {
  const auto verb =
      parsed<RunVerb>({"run",        "p.yaml",    "-p",          "a=1",   "-p", "b=x=y", "--param",
                       "c=",         "--env",     "A=1",         "--env", "B",  "-j",    "3",
                       "--no-cache", "--offline", "--fail-fast", "-d",    "-o", "json"});
  EXPECT_EQ(verb.file, "p.yaml");
  EXPECT_EQ(verb.parameters, (std::vector<NamedText>{{"a", "1"}, {"b", "x=y"}, {"c", ""}}));
  EXPECT_EQ(verb.env, (Words{"A=1", "B"}));
  EXPECT_EQ(verb.jobs, 3);
  EXPECT_TRUE(verb.no_cache && verb.offline && verb.fail_fast && verb.detach);
  EXPECT_EQ(verb.format, Format::kJson);
}

TEST(CommandLine, TakesFileAfterOptions) {
  EXPECT_EQ(parsed<RunVerb>({"run", "-p", "a=1", "p.yaml"}).file, "p.yaml");
  EXPECT_EQ(parsed<RunVerb>({"run", "-p", "a=-1", "-"}).file, "-");
}

TEST(CommandLine, KeepsValuesAsTheyAre) {
  const auto verb =
      parsed<RunVerb>({"run", "p", "-p", "list=[1, 2]", "-p", "text=a b,c", "-p", "n=-5"});
  EXPECT_EQ(verb.parameters,
            (std::vector<NamedText>{{"list", "[1, 2]"}, {"text", "a b,c"}, {"n", "-5"}}));
}

TEST(CommandLine, ReadsTheOthers) {
  EXPECT_EQ(parsed<ShowVerb>({"show", "latest", "train"}).task, "train");
  EXPECT_TRUE(parsed<LogsVerb>({"logs", "-f", "latest"}).follow);
  EXPECT_TRUE(parsed<CancelVerb>({"cancel", "x", "--kill"}).kill);
  EXPECT_EQ(parsed<RerunVerb>({"rerun", "r", "t", "-p", "lr=0.1"}).parameters.size(), 1u);
  EXPECT_EQ(parsed<RmVerb>({"rm", "a", "b"}).runs, (Words{"a", "b"}));
  EXPECT_TRUE(parsed<EnvRmVerb>({"env", "rm", "--all"}).all);
  EXPECT_EQ(parsed<EnvLsVerb>({"env", "ls", "-o", "json"}).format, Format::kJson);
  EXPECT_TRUE(parsed<GcVerb>({"gc", "-n"}).dry_run);
  EXPECT_EQ(parsed<CompletionVerb>({"completion", "zsh"}).shell, "zsh");
  parsed<VersionVerb>({"--version"});
}

TEST(CommandLine, HelpOfEveryVerb) {
  for (const std::string& verb : verb_names()) {
    const auto out = parse_command_line({verb, "--help"});
    ASSERT_TRUE(std::holds_alternative<Help>(out)) << verb;
    EXPECT_NE(std::get<Help>(out).text.find("Usage: cresset " + verb), std::string::npos) << verb;
  }
  EXPECT_TRUE(std::holds_alternative<Help>(parse_command_line({})));
  EXPECT_TRUE(std::holds_alternative<Help>(parse_command_line({"help", "run"})));
}

TEST(CommandLine, SaysWhatIsWrong) {
  const std::pair<Words, const char*> cases[] = {
      {{"rnu"}, "there is no verb \"rnu\" (did you mean \"run\"?)"},
      {{"run", "p", "--nocache"}, "no option --nocache (did you mean \"--no-cache\"?)"},
      {{"run"}, "FILE is required"},
      {{"run", "p", "-p", "novalue"}, "expected name=value, got \"novalue\""},
      {{"run", "p", "-p", "=1"}, "expected name=value, got \"=1\""},
      {{"run", "p", "-j", "0"}, "not in range 1 to 4096"},
      {{"run", "p", "-j", "two"}, "two"},
      {{"run", "p", "-o", "xml"}, "expected text or json, got \"xml\""},
      {{"show", "a", "b", "c"}, "c"},
      {{"env"}, "needs one of: ls, rm"},
      {{"completion", "tcsh"}, "tcsh"},
      {{"gc", "--max-size", "500m"}, "\"500m\" is no size"},
      {{"gc", "--max-size", "50g"}, "\"50g\" is no size"},
      {{"gc", "--keep-last", "-1"}, "\"-1\" is no number"},
      {{"gc", "--keep-last", "99999999999999999999"}, "is no number"},
      {{"gc", "--pipeline", "", "--keep-last", "0"}, "\"\" is no pipeline"},
      {{"df", "-n", "-1"}, "\"-1\" is no number"},
      {{"df", "-n", "x"}, "\"x\" is no number"},
      {{"ls", "--limit", "-1"}, "\"-1\" is no number"},
  };
  for (const auto& [words, expected] : cases)
    EXPECT_NE(refused(words).find(expected), std::string::npos) << refused(words);
}

TEST(CommandLine, CompletionKnowsVerbsAndFlags) {
  for (const char* shell : {"bash", "zsh", "fish"}) {
    const std::string script = completion_script(shell);
    for (const std::string& verb : verb_names())
      EXPECT_NE(script.find(verb), std::string::npos) << shell << " " << verb;
    EXPECT_NE(script.find("no-cache"), std::string::npos);
    EXPECT_EQ(script.find('@'), std::string::npos) << "a mark was not filled in";
  }
  EXPECT_EQ(completion_script("tcsh"), "");
}

}  // namespace
}  // namespace cresset::cli
