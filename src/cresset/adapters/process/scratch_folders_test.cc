#include "cresset/adapters/process/scratch_folders.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <string>

#include "cresset/ports/testing/temp_folder.h"

namespace cresset::process {
namespace {

namespace fs = std::filesystem;

class ScratchFoldersTest : public ::testing::Test {
 protected:
  std::string dir() const { return folder_ / "scratch"; }
  std::string left() const { return folder_ / "runs/run/tmp/1.1"; }
  static void write(const std::string& path) { std::ofstream(path) << "text"; }
  std::function<void(const Error&)> remark() {
    return [this](const Error& error) { remarks_ += error.text(); };
  }

  std::string remarks_;
  ports::testing::TempFolder folder_;
};

TEST_F(ScratchFoldersTest, NobodyElseHasTheFolder) {
  ScratchFolders folders(dir(), remark());
  const std::string first = folders.take().value();
  const std::string second = folders.take().value();
  EXPECT_NE(first, second);
  EXPECT_TRUE(fs::is_empty(first));
  EXPECT_TRUE(fs::is_empty(second));
}

TEST_F(ScratchFoldersTest, AnEmptyOneIsLentAgainOnceItsProcessesAreGone) {
  ScratchFolders folders(dir(), remark());
  const std::string first = folders.take().value();
  folders.give_back(first, left());
  EXPECT_NE(folders.take().value(), first);
  folders.settle();
  EXPECT_EQ(folders.take().value(), first);
  EXPECT_FALSE(fs::exists(left()));
}

TEST_F(ScratchFoldersTest, WhatIsLeftIsMoved) {
  ScratchFolders folders(dir(), remark());
  const std::string first = folders.take().value();
  write(first + "/file");
  folders.give_back(first, left());
  folders.settle();
  EXPECT_TRUE(fs::exists(left() + "/file"));
  const std::string second = folders.take().value();
  EXPECT_NE(second, first);
  EXPECT_TRUE(fs::is_empty(second));
}

TEST_F(ScratchFoldersTest, WhatADaemonWritesAfterTheEndIsMovedToo) {
  ScratchFolders folders(dir(), remark());
  const std::string first = folders.take().value();
  folders.give_back(first, left());
  write(first + "/late");
  folders.settle();
  EXPECT_NE(folders.take().value(), first);
  EXPECT_TRUE(fs::exists(left() + "/late"));
}

TEST_F(ScratchFoldersTest, AFreeOneThatHasGoneIsNotLent) {
  ScratchFolders folders(dir(), remark());
  const std::string first = folders.take().value();
  folders.give_back(first, left());
  folders.settle();
  fs::remove(first);
  EXPECT_TRUE(fs::is_empty(folders.take().value()));
}

TEST_F(ScratchFoldersTest, ANameThatIsTakenIsPassed) {
  ScratchFolders folders(dir(), remark());
  const std::string first = folders.take().value();
  fs::create_directory(first.substr(0, first.rfind('.') + 1) + "2");
  const auto second = folders.take();
  ASSERT_TRUE(second) << second.error().text();
  EXPECT_TRUE(second->ends_with(".3")) << *second;
}

TEST_F(ScratchFoldersTest, AChangedOneIsNotLentAgain) {
  ScratchFolders folders(dir(), remark());
  const std::string closed = folders.take().value();
  const std::string link = folders.take().value();
  const std::string gone = folders.take().value();
  ASSERT_EQ(::chmod(closed.c_str(), 0500), 0);
  fs::remove(link);
  fs::create_directory_symlink("/", link);
  fs::remove(gone);
  folders.give_back(closed, left() + "closed");
  folders.give_back(link, left() + "link");
  folders.give_back(gone, left() + "gone");
  folders.settle();
  for (int i = 0; i < 3; ++i) {
    const std::string taken = folders.take().value();
    EXPECT_TRUE(taken != closed && taken != link && taken != gone) << taken;
  }
  EXPECT_TRUE(fs::is_symlink(left() + "link"));
}

TEST_F(ScratchFoldersTest, WhatCannotBeMovedStaysAndIsNotLentAgain) {
  ScratchFolders folders(dir(), remark());
  const std::string first = folders.take().value();
  write(first + "/file");
  fs::create_directories(left());
  write(left() + "/earlier");
  folders.give_back(first, left());
  EXPECT_NE(remarks_.find(first), std::string::npos);
  folders.settle();
  EXPECT_NE(folders.take().value(), first);
  EXPECT_TRUE(fs::exists(first + "/file"));
}

TEST_F(ScratchFoldersTest, LeavesNothingBehind) {
  {
    ScratchFolders folders(dir(), remark());
    for (int i = 0; i < 3; ++i) folders.give_back(folders.take().value(), left());
  }
  EXPECT_FALSE(fs::exists(dir()));
}

TEST_F(ScratchFoldersTest, WhatAKilledKeeperLeftIsRemoved) {
  fs::create_directories(dir() + "/7/deep/er");
  write(dir() + "/7/deep/file");
  ScratchFolders folders(dir(), remark());
  folders.sweep();
  EXPECT_FALSE(fs::exists(dir() + "/7"));
  EXPECT_TRUE(fs::is_empty(folders.take().value()));
}

TEST_F(ScratchFoldersTest, AFolderThatWasTakenAwayIsMadeAgain) {
  ScratchFolders folders(dir(), remark());
  ASSERT_TRUE(folders.take());
  fs::remove_all(dir());
  EXPECT_TRUE(folders.take());
}

}  // namespace
}  // namespace cresset::process
