#include "cresset/adapters/process/step_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "cresset/ports/testing/temp_folder.h"

namespace cresset::process {
namespace {

using std::chrono::milliseconds;

struct IndexEntry {
  std::uint64_t offset = 0;
  std::int64_t at = 0;
  std::uint32_t size = 0;
  std::uint32_t flags = 0;
  bool operator==(const IndexEntry&) const = default;
};

class StepLogTest : public ::testing::Test {
 protected:
  StepLog open(std::int64_t cap = 0) { return StepLog::open(path_, cap).value(); }
  [[nodiscard]] static WallTime at(std::int64_t millis) { return WallTime(milliseconds(millis)); }
  [[nodiscard]] static std::string read(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  [[nodiscard]] std::string text() const { return read(path_); }
  [[nodiscard]] std::vector<IndexEntry> index() const {
    const std::string bytes = read(path_ + ".idx");
    std::vector<IndexEntry> entries(bytes.size() / sizeof(IndexEntry));
    EXPECT_EQ(bytes.size() % sizeof(IndexEntry), 0u);
    if (!entries.empty()) std::memcpy(entries.data(), bytes.data(), bytes.size());
    return entries;
  }

  ports::testing::TempFolder folder_;
  std::string path_ = folder_ / "logs/a/log";
};

TEST_F(StepLogTest, KeepsWhatComesAndWhenItCame) {
  StepLog log = open();
  log.append("one\n", at(1000));
  log.append("two\n", at(1005));    // still of the first chunk
  log.append("three\n", at(1011));  // 10 ms after the first chunk's start
  log.close(at(2000));
  EXPECT_EQ(text(), "one\ntwo\nthree\n");
  EXPECT_THAT(index(), ::testing::ElementsAre(IndexEntry{0, 1'000'000, 8, 0},
                                              IndexEntry{8, 1'011'000, 6, 0}));
  EXPECT_FALSE(log.truncated());
}

TEST_F(StepLogTest, AnIndexIsThereWhenTheChunkIs) {
  StepLog log = open();
  log.append("one\n", at(1000));
  EXPECT_EQ(index().size(), 1u);
  log.append("two\n", at(1001));
  EXPECT_EQ(index().at(0).size, 8u);
}

TEST_F(StepLogTest, AClockThatJumpsBackBeginsAChunk) {
  StepLog log = open();
  log.append("a", at(1000));
  log.append("b", at(10));
  EXPECT_EQ(index().size(), 2u);
}

TEST_F(StepLogTest, NoOutputLeavesAnEmptyLogAndNoIndex) {
  open().close(at(1));
  EXPECT_TRUE(std::filesystem::exists(path_));
  EXPECT_EQ(text(), "");
  EXPECT_FALSE(std::filesystem::exists(path_ + ".idx"));
}

TEST_F(StepLogTest, TheCapIsSaidOnceAtTheRightByte) {
  for (std::size_t piece = 1; piece <= 12; ++piece) {
    std::filesystem::remove_all(folder_ / "logs");
    StepLog log = open(10);
    const std::string all = "abcdefghijkl";
    for (std::size_t i = 0; i < all.size(); i += piece) log.append(all.substr(i, piece), at(1));
    log.close(at(2));
    EXPECT_TRUE(log.truncated());
    EXPECT_EQ(text(),
              "abcdefghij\ncresset: the log's limit of 10 bytes is reached: later output "
              "is not kept\n")
        << piece;
    EXPECT_EQ(index().back().flags, kChunkIsNotice);
  }
}

TEST_F(StepLogTest, ExactlyTheCapIsNoLoss) {
  StepLog log = open(3);
  log.append("abc", at(1));
  log.close(at(2));
  EXPECT_FALSE(log.truncated());
  EXPECT_EQ(text(), "abc");
}

TEST_F(StepLogTest, ARestInBetweenChangesNothing) {
  StepLog log = open();
  log.rest();
  log.append("one ", at(1));
  log.rest();
  log.append("two ", at(2));
  log.append("three", at(100));
  log.rest();
  log.close(at(101));
  EXPECT_EQ(text(), "one two three");
  EXPECT_EQ(index().size(), 2u);
  EXPECT_EQ(index().at(0), (IndexEntry{0, 1'000, 8, 0}));
  EXPECT_EQ(index().at(1), (IndexEntry{8, 100'000, 5, 0}));
}

TEST_F(StepLogTest, ALogThatIsGoneAfterARestIsTold) {
  StepLog log = open();
  log.rest();
  std::filesystem::remove(path_);
  std::filesystem::create_directories(path_);
  log.append("lost", at(1));
  log.close(at(2));
  EXPECT_TRUE(log.truncated());
  EXPECT_THAT(log.trouble(), ::testing::HasSubstr("opening"));
}

TEST_F(StepLogTest, ALaterPartGoesBehindTheEarlier) {
  {
    StepLog log = open(8);
    log.append("first\n", at(1));
    log.close(at(1));
  }
  StepLog log = open(8);
  log.append("more\n", at(100));
  log.close(at(100));
  EXPECT_THAT(text(), ::testing::StartsWith("first\nmo\ncresset: "));
  EXPECT_EQ(index().at(1), (IndexEntry{6, 100'000, 2, 0}));
}

// A disk that takes no more, as the file size limit of this process.
TEST_F(StepLogTest, ADiskThatIsFullLosesOutputAndSaysSo) {
  rlimit old{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &old), 0);
  const auto handler = ::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{1000, old.rlim_max};
  StepLog log = open();
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  log.append(std::string(600, 'x'), at(1));
  log.append(std::string(600, 'y'), at(2));
  log.append("lost", at(3));
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &old), 0);
  log.close(at(4));
  ::signal(SIGXFSZ, handler);
  EXPECT_TRUE(log.truncated());
  EXPECT_THAT(log.trouble(), ::testing::HasSubstr("File too large"));
  EXPECT_EQ(text().substr(0, 1000), std::string(600, 'x') + std::string(400, 'y'));
  EXPECT_THAT(text().substr(1000),
              ::testing::StartsWith("\ncresset: 204 bytes of output are missing"));
}

TEST_F(StepLogTest, AFolderInItsPlaceIsAnError) {
  std::filesystem::create_directories(path_);
  EXPECT_FALSE(StepLog::open(path_, 0));
}

}  // namespace
}  // namespace cresset::process
