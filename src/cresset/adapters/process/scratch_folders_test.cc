#include "cresset/adapters/process/scratch_folders.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <string>

#include "cresset/adapters/posix/system_clock.h"
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

  // Until a change of what is there now shows in its ctime.
  static void grow_old() { ::poll(nullptr, 0, 30); }

  posix::SystemClock clock_;
  std::string remarks_;
  ports::testing::TempFolder folder_;
};

TEST_F(ScratchFoldersTest, NobodyElseHasTheFolder) {
  ScratchFolders folders(dir(), remark(), clock_);
  const ScratchFolders::Folder first = folders.take().value();
  const ScratchFolders::Folder second = folders.take().value();
  EXPECT_NE(first.path, second.path);
  EXPECT_TRUE(fs::is_empty(first.path));
  EXPECT_TRUE(fs::is_empty(second.path));
}

TEST_F(ScratchFoldersTest, AnEmptyOneIsLentAgainOnceItsProcessesAreGone) {
  ScratchFolders folders(dir(), remark(), clock_);
  const ScratchFolders::Folder first = folders.take().value();
  folders.give_back(first, left());
  EXPECT_NE(folders.take().value().path, first.path);
  folders.settle();
  EXPECT_EQ(folders.take().value().path, first.path);
  EXPECT_FALSE(fs::exists(left()));
}

TEST_F(ScratchFoldersTest, WhatIsLeftIsMoved) {
  ScratchFolders folders(dir(), remark(), clock_);
  const ScratchFolders::Folder first = folders.take().value();
  write(first.path + "/file");
  folders.give_back(first, left());
  folders.settle();
  EXPECT_TRUE(fs::exists(left() + "/file"));
  const ScratchFolders::Folder second = folders.take().value();
  EXPECT_NE(second.path, first.path);
  EXPECT_TRUE(fs::is_empty(second.path));
}

TEST_F(ScratchFoldersTest, WhatIsLeftInOneThatIsLentAgainIsMovedToo) {
  ScratchFolders folders(dir(), remark(), clock_);
  for (const bool late : {false, true}) {
    ScratchFolders::Folder folder = folders.take().value();
    folders.give_back(folder, left() + "never");
    folders.settle();
    grow_old();
    folder = folders.take().value();
    ASSERT_TRUE(folder.was_old);
    const std::string leftovers = left() + (late ? "late" : "");
    if (!late) write(folder.path + "/file");
    folders.give_back(folder, leftovers);
    if (late) write(folder.path + "/file");
    folders.settle();
    EXPECT_TRUE(fs::exists(leftovers + "/file"));
    EXPECT_NE(folders.take().value().path, folder.path);
  }
  EXPECT_FALSE(fs::exists(left() + "never"));
}

TEST_F(ScratchFoldersTest, OneThatWasUsedAndEmptiedLeavesNothing) {
  ScratchFolders folders(dir(), remark(), clock_);
  ScratchFolders::Folder folder = folders.take().value();
  for (int turn = 0; turn < 3; ++turn) {
    write(folder.path + "/file");
    fs::remove(folder.path + "/file");
    folders.give_back(folder, left());
    folders.settle();
    grow_old();
    const std::string before = folder.path;
    folder = folders.take().value();
    EXPECT_EQ(folder.path, before);
  }
  EXPECT_FALSE(fs::exists(left()));
}

TEST_F(ScratchFoldersTest, WhatADaemonWritesAfterTheEndIsMovedToo) {
  ScratchFolders folders(dir(), remark(), clock_);
  const ScratchFolders::Folder first = folders.take().value();
  folders.give_back(first, left());
  write(first.path + "/late");
  folders.settle();
  EXPECT_NE(folders.take().value().path, first.path);
  EXPECT_TRUE(fs::exists(left() + "/late"));
}

TEST_F(ScratchFoldersTest, AFreeOneThatHasGoneIsNotLent) {
  ScratchFolders folders(dir(), remark(), clock_);
  const ScratchFolders::Folder first = folders.take().value();
  folders.give_back(first, left());
  folders.settle();
  fs::remove(first.path);
  EXPECT_TRUE(fs::is_empty(folders.take().value().path));
}

TEST_F(ScratchFoldersTest, ANameThatIsTakenIsPassed) {
  ScratchFolders folders(dir(), remark(), clock_);
  const ScratchFolders::Folder first = folders.take().value();
  fs::create_directory(first.path.substr(0, first.path.rfind('.') + 1) + "2");
  const auto second = folders.take();
  ASSERT_TRUE(second) << second.error().text();
  EXPECT_TRUE(second->path.ends_with(".3")) << second->path;
}

TEST_F(ScratchFoldersTest, AChangedOneIsNotLentAgain) {
  ScratchFolders folders(dir(), remark(), clock_);
  const ScratchFolders::Folder closed = folders.take().value();
  const ScratchFolders::Folder link = folders.take().value();
  const ScratchFolders::Folder gone = folders.take().value();
  ASSERT_EQ(::chmod(closed.path.c_str(), 0500), 0);
  fs::remove(link.path);
  fs::create_directory_symlink("/", link.path);
  fs::remove(gone.path);
  folders.give_back(closed, left() + "closed");
  folders.give_back(link, left() + "link");
  folders.give_back(gone, left() + "gone");
  folders.settle();
  for (int i = 0; i < 3; ++i) {
    const std::string taken = folders.take().value().path;
    EXPECT_TRUE(taken != closed.path && taken != link.path && taken != gone.path) << taken;
  }
  EXPECT_TRUE(fs::is_symlink(left() + "link"));
}

TEST_F(ScratchFoldersTest, WhatCannotBeMovedStaysAndIsNotLentAgain) {
  ScratchFolders folders(dir(), remark(), clock_);
  const ScratchFolders::Folder first = folders.take().value();
  write(first.path + "/file");
  fs::create_directories(left());
  write(left() + "/earlier");
  folders.give_back(first, left());
  EXPECT_NE(remarks_.find(first.path), std::string::npos);
  folders.settle();
  EXPECT_NE(folders.take().value().path, first.path);
  EXPECT_TRUE(fs::exists(first.path + "/file"));
}

TEST_F(ScratchFoldersTest, LeavesNothingBehind) {
  {
    ScratchFolders folders(dir(), remark(), clock_);
    for (int i = 0; i < 3; ++i) folders.give_back(folders.take().value(), left());
  }
  EXPECT_FALSE(fs::exists(dir()));
}

TEST_F(ScratchFoldersTest, WhatAKilledKeeperLeftIsRemoved) {
  fs::create_directories(dir() + "/7/deep/er");
  write(dir() + "/7/deep/file");
  ScratchFolders folders(dir(), remark(), clock_);
  folders.sweep();
  EXPECT_FALSE(fs::exists(dir() + "/7"));
  EXPECT_TRUE(fs::is_empty(folders.take().value().path));
}

TEST_F(ScratchFoldersTest, AFolderThatWasTakenAwayIsMadeAgain) {
  ScratchFolders folders(dir(), remark(), clock_);
  ASSERT_TRUE(folders.take());
  fs::remove_all(dir());
  EXPECT_TRUE(folders.take());
}

}  // namespace
}  // namespace cresset::process
