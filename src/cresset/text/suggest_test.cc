#include "cresset/text/suggest.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

namespace cresset::text {
namespace {

const std::vector<std::string> kVerbs{"run",  "validate", "ls",     "show",  "logs",
                                      "wait", "resume",   "cancel", "retry", "artifacts"};

struct Guess {
  std::string word;
  std::optional<std::string> meant;
};

TEST(DidYouMean, FindsTheNearestWord) {
  const Guess cases[] = {
      {"run", "run"},            // itself
      {"rnu", "run"},            // swapped
      {"ru", "run"},             // one missing
      {"runn", "run"},           // one too many
      {"rum", "run"},            // one replaced
      {"valdate", "validate"},   // of seven characters two may differ
      {"vaildaet", "validate"},  // two swaps
      {"artefact", "artifacts"},
      {"l", "ls"},
      {"lgos", "logs"},
      {"Resume", "resume"},
  };
  for (const auto& [word, meant] : cases) EXPECT_EQ(did_you_mean(word, kVerbs), meant) << word;
}

TEST(DidYouMean, IsSilentWhenNothingIsNear) {
  for (const std::string& word : {"", "x", "delete", "rxx", "cnaecl-it", "xxxxxdate", "wai ting"})
    EXPECT_EQ(did_you_mean(word, kVerbs), std::nullopt) << word;
  EXPECT_EQ(did_you_mean("run", {}), std::nullopt);
}

TEST(DidYouMean, AllowsAThirdOfTheWord) {
  EXPECT_EQ(did_you_mean("abcdef", {"abcdxy"}), "abcdxy");
  EXPECT_EQ(did_you_mean("abcdef", {"abcxyz"}), std::nullopt);
  EXPECT_EQ(did_you_mean("abcdefghi", {"abcdefxyz"}), "abcdefxyz");
  EXPECT_EQ(did_you_mean("abcdefghi", {"abcdefghi1234"}), std::nullopt);
  EXPECT_EQ(did_you_mean("ab", {"xb"}), "xb");
  EXPECT_EQ(did_you_mean("ab", {"xy"}), std::nullopt);
}

TEST(DidYouMean, PrefersTheNearerAndThenTheFirst) {
  EXPECT_EQ(did_you_mean("learning_rat", {"learning_bat", "learning_rate", "learning_cat"}),
            "learning_bat");
  EXPECT_EQ(did_you_mean("learning_rates", {"learning_baits", "learning_rate"}), "learning_rate");
}

TEST(DidYouMean, GivesUpOnLongWordsAtOnce) {
  const std::string longest(200, 'a');
  EXPECT_EQ(did_you_mean(longest, {longest + "b"}), longest + "b");
  const std::string endless(10'000'000, 'a');
  EXPECT_EQ(did_you_mean(endless, {endless}), std::nullopt);
  EXPECT_EQ(did_you_mean("run", {endless, "run"}), "run");
}

TEST(DidYouMeanSuffix, IsReadyToAppend) {
  EXPECT_EQ(did_you_mean_suffix("rnu", kVerbs), " (did you mean \"run\"?)");
  EXPECT_EQ(did_you_mean_suffix("something", kVerbs), "");
}

}  // namespace
}  // namespace cresset::text
