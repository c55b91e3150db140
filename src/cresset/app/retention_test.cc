#include "cresset/app/retention.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cresset::app {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr std::int64_t kDay = 24 * 60 * 60;
constexpr std::int64_t kNow = 100 * kDay;

WallTime at(std::int64_t seconds) { return WallTime{std::chrono::seconds(seconds)}; }

// A run that was made so many days ago and took a minute.
StoredRun run(const std::string& id, std::int64_t days, std::int64_t bytes = 10,
              const std::string& pipeline = "p", model::State state = model::State::kSucceeded) {
  StoredRun out;
  out.record.id = model::RunId(id);
  out.record.pipeline = pipeline;
  out.record.state = state;
  out.record.created_at = at(kNow - days * kDay - 60);
  if (is_final(state)) out.record.finished_at = at(kNow - days * kDay);
  out.bytes = bytes;
  return out;
}

ports::RunUse use(const std::string& user, const std::string& source) {
  return {model::RunId(user), model::RunId(source)};
}

std::vector<std::string> expired(const std::vector<StoredRun>& runs, const Retention& retention,
                                 const std::vector<ports::RunUse>& uses = {}) {
  std::vector<std::string> out;
  for (const StoredRun& going : choose_expired(runs, uses, retention, at(kNow)))
    out.push_back(going.record.id.str());
  return out;
}

const std::vector<StoredRun> kRuns = {run("new", 1), run("mid", 10), run("old", 40),
                                      run("live", 50, 10, "p", model::State::kRunning),
                                      run("other", 60, 10, "q")};

Retention older(std::int64_t days) { return {.older_than = std::chrono::hours(24 * days)}; }

TEST(Retention, AsksForNothingByItself) {
  EXPECT_TRUE(Retention{}.empty());
  EXPECT_THAT(expired(kRuns, {}), IsEmpty());
  EXPECT_THAT(expired(kRuns, {.pipeline = "p"}), IsEmpty());
}

TEST(Retention, ByAge) {
  EXPECT_THAT(expired(kRuns, older(30)), ElementsAre("other", "old"));
  EXPECT_THAT(expired(kRuns, older(5)), ElementsAre("other", "old", "mid"));
  EXPECT_THAT(expired(kRuns, older(40)), ElementsAre("other")) << "not longer ago than that";
  Retention one = older(30);
  one.pipeline = "p";
  EXPECT_THAT(expired(kRuns, one), ElementsAre("old"));
}

TEST(Retention, ByCountOfEachPipeline) {
  EXPECT_THAT(expired(kRuns, {.keep_last = 2}), ElementsAre("old"));
  EXPECT_THAT(expired(kRuns, {.keep_last = 1}), ElementsAre("old", "mid"));
  EXPECT_THAT(expired(kRuns, {.keep_last = 0}), ElementsAre("other", "old", "mid", "new"));
  Retention both = older(30);
  both.keep_last = 3;
  EXPECT_THAT(expired(kRuns, both), IsEmpty());
  both.keep_last = 2;
  EXPECT_THAT(expired(kRuns, both), ElementsAre("old"));
}

TEST(Retention, BySize) {
  EXPECT_THAT(expired(kRuns, {.bytes_max = 50}), IsEmpty());
  EXPECT_THAT(expired(kRuns, {.bytes_max = 49}), ElementsAre("other"));
  EXPECT_THAT(expired(kRuns, {.bytes_max = 25}), ElementsAre("other", "old", "mid"));
  EXPECT_THAT(expired(kRuns, {.keep_last = 1, .bytes_max = 0}), ElementsAre("old", "mid"));
  Retention both = older(50);
  both.bytes_max = 30;
  EXPECT_THAT(expired(kRuns, both), ElementsAre("other", "old"));
}

TEST(Retention, KeepsWhatAStayingRunTookArtifactsFrom) {
  EXPECT_THAT(expired(kRuns, older(30), {use("new", "old")}), ElementsAre("other"));
  EXPECT_THAT(expired(kRuns, older(30), {use("live", "old")}), ElementsAre("other"));
  EXPECT_THAT(expired(kRuns, older(5), {use("new", "mid"), use("mid", "old")}),
              ElementsAre("other"));
  EXPECT_THAT(expired(kRuns, {.bytes_max = 25}, {use("live", "other")}),
              ElementsAre("old", "mid", "new"));
}

TEST(Retention, TakesUsersBeforeSources) {
  EXPECT_THAT(expired(kRuns, older(5), {use("mid", "old")}), ElementsAre("other", "mid", "old"));
  // Removing the oldest takes along who uses it.
  EXPECT_THAT(expired(kRuns, {.bytes_max = 45}, {use("new", "other")}),
              ElementsAre("new", "other"));
  EXPECT_THAT(expired(kRuns, older(5), {use("mid", "old"), use("old", "mid")}),
              ElementsAre("other"));
}

TEST(Retention, ReadsAges) {
  EXPECT_EQ(parse_age("30d").value(), std::chrono::hours(720));
  EXPECT_EQ(parse_age("12h").value(), std::chrono::hours(12));
  EXPECT_EQ(parse_age("5m").value(), std::chrono::minutes(5));
  EXPECT_EQ(parse_age("0s").value(), Duration{0});
  for (const char* bad : {"", "d", "30", "30 d", "-1d", "1.5d", "3w", "99999999999999999999d",
                          "9999999999999d", "1dd"})
    EXPECT_FALSE(parse_age(bad)) << bad;
}

TEST(Retention, ReadsSizes) {
  const std::pair<const char*, std::int64_t> sizes[] = {{"0", 0},
                                                        {"1000", 1000},
                                                        {"1000B", 1000},
                                                        {"2K", 2000},
                                                        {"2k", 2000},
                                                        {"2KB", 2000},
                                                        {"1MB", 1'000'000},
                                                        {"2M", 2'000'000},
                                                        {"3GB", 3'000'000'000},
                                                        {"1T", 1'000'000'000'000},
                                                        {"1Ki", 1024},
                                                        {"1KiB", 1024},
                                                        {"500 MB", 500'000'000},
                                                        {"20GiB", std::int64_t{20} << 30},
                                                        {"1.5G", 1'500'000'000},
                                                        {"1.5GiB", std::int64_t{3} << 29},
                                                        {"0.25Ki", 256},
                                                        {"2TiB", std::int64_t{2} << 40}};
  for (const auto& [text, bytes] : sizes) {
    const auto read = parse_size(text);
    ASSERT_TRUE(read) << text;
    EXPECT_EQ(*read, bytes) << text;
  }
  // A lower-case m is a thousandth elsewhere.
  for (const char* bad : {"",     "500m",        "500n",
                          "500u", "1.5",         "0.5",
                          "0.5B", "1.5e3",       "1e3",
                          "50g",  "50t",         "50mb",
                          "-1",   "+1",          "1.G",
                          ".5G",  "1.2.3G",      "1.2345G",
                          "KB",   "B",           "1KK",
                          "1iB",  "1 K B",       "1E",
                          "1EiB", "99999999TiB", "9223372036854775808",
                          "0x10", "nan"}) {
    const auto read = parse_size(bad);
    ASSERT_FALSE(read) << bad;
    EXPECT_TRUE(read.error().message.starts_with('"' + std::string(bad) + "\" is no size"));
  }
}

TEST(Retention, ReadsCounts) {
  EXPECT_EQ(parse_count("0").value(), 0u);
  EXPECT_EQ(parse_count("1000000000").value(), 1'000'000'000u);
  for (const char* bad : {"", "-1", "+1", "x", "1x", "1.5", "99999999999999999999", "1000000001"})
    EXPECT_FALSE(parse_count(bad)) << bad;
}

}  // namespace
}  // namespace cresset::app
