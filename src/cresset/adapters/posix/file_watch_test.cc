#include "cresset/adapters/posix/file_watch.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "cresset/ports/testing/temp_folder.h"

namespace cresset::posix {
namespace {

namespace fs = std::filesystem;

class FileWatchTest : public testing::Test {
 protected:
  void SetUp() override {
    fs::create_directory(root_ / "steps");
    write("p.py");
    write("steps/one.py");
    watch({root_ / "p.py", root_ / "steps/one.py"});
  }
  void write(const std::string& name) { std::ofstream(root_ / name) << name; }
  void watch(const std::vector<std::string>& files, const std::string& ending = {}) {
    const auto done = watch_.watch(files, ending);
    ASSERT_TRUE(done) << done.error().text();
  }

  ports::testing::TempFolder root_;
  FileWatch watch_ = FileWatch::make().value();
};

TEST_F(FileWatchTest, NothingHasChangedAtFirst) { EXPECT_FALSE(watch_.poll()); }

TEST_F(FileWatchTest, AWrittenFileIsToldOnce) {
  write("p.py");
  write("p.py");
  EXPECT_TRUE(watch_.poll());
  EXPECT_FALSE(watch_.poll());
  write("steps/one.py");
  EXPECT_TRUE(watch_.poll());
}

TEST_F(FileWatchTest, OthersDoNotCount) {
  write("p.py~");
  write("4913");
  write("steps/two.py");
  std::ifstream(root_ / "p.py").get();
  EXPECT_FALSE(watch_.poll());
}

TEST_F(FileWatchTest, RenamingOverAFileIsAChangeEachTime) {
  for (int i = 0; i < 3; ++i) {
    write("p.py.tmp");
    EXPECT_FALSE(watch_.poll());
    fs::rename(root_ / "p.py.tmp", root_ / "p.py");
    EXPECT_TRUE(watch_.poll());
  }
}

TEST_F(FileWatchTest, WhatIsNotNamedAgainNoLongerCounts) {
  watch({root_ / "p.py"});
  write("steps/one.py");
  EXPECT_FALSE(watch_.poll());
  write("p.py");
  EXPECT_TRUE(watch_.poll());
}

TEST_F(FileWatchTest, AnEndingTakesInTheRestOfTheFolders) {
  watch({root_ / "p.py"}, ".py");
  write("other.txt");
  EXPECT_FALSE(watch_.poll());
  write("new.py");
  EXPECT_TRUE(watch_.poll());
}

TEST_F(FileWatchTest, AFolderThatIsReplacedIsToldAndWatchedAgain) {
  fs::remove_all(root_ / "steps");
  EXPECT_TRUE(watch_.poll());
  fs::create_directory(root_ / "steps");
  watch({root_ / "p.py", root_ / "steps/one.py"});
  EXPECT_FALSE(watch_.poll());
  write("steps/one.py");
  EXPECT_TRUE(watch_.poll());
}

TEST_F(FileWatchTest, AFolderThatIsNotThereIsAnError) {
  const auto done = watch_.watch({root_ / "no/such.py"});
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, Code::kNotFound);
}

}  // namespace
}  // namespace cresset::posix
