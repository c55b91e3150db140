#include "cresset/adapters/process/program_finder.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "cresset/ports/testing/sim_clock.h"
#include "cresset/ports/testing/temp_folder.h"

namespace cresset::process {
namespace {

namespace fs = std::filesystem;

class ProgramFinderTest : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const char* folder : {"first", "second"}) fs::create_directory(folder_ / folder);
  }
  void write(const std::string& name, bool executable) {
    std::ofstream(folder_ / name) << "#!/bin/sh\n";
    fs::permissions(folder_ / name, executable ? fs::perms::owner_all : fs::perms::owner_read);
  }
  // Its path below the folder, or why there is none.
  std::string find(const std::string& name, const Environment& env) {
    const auto found = finder_.find(name, env, folder_.path());
    if (!found) return found.error().text();
    return found->starts_with(folder_.path()) ? found->substr(folder_.path().size() + 1) : *found;
  }
  std::string find(const std::string& name) {
    return find(name, {{"PATH", folder_ / "first" + ":" + folder_ / "second"}});
  }

  ports::testing::TempFolder folder_;
  ports::testing::SimClock clock_;
  ProgramFinder finder_{clock_};
};

TEST_F(ProgramFinderTest, TheFirstThatMayBeExecutedIsTaken) {
  write("first/tool", true);
  write("second/tool", true);
  write("first/locked", false);
  write("second/locked", true);
  write("second/plain", false);
  fs::create_directory(folder_ / "first/folder");
  EXPECT_EQ(find("tool"), "first/tool");
  EXPECT_EQ(find("locked"), "second/locked");
  EXPECT_EQ(find("plain"),
            "permission denied: " + folder_ / "second/plain" + " may not be executed");
  EXPECT_EQ(find("folder"), "command not found: folder");
  EXPECT_EQ(find("sh"), "command not found: sh");
  EXPECT_EQ(find(""), "the command is empty");
}

TEST_F(ProgramFinderTest, WithoutAPathTheUsualFoldersAreSearched) {
  EXPECT_TRUE(fs::equivalent(find("sh", {}), "/bin/sh"));
}

TEST_F(ProgramFinderTest, ANameWithASlashIsNotLookedUp) { EXPECT_EQ(find("./none"), "./none"); }

TEST_F(ProgramFinderTest, AnAnswerIsRememberedForAWhile) {
  write("second/tool", true);
  EXPECT_EQ(find("tool"), "second/tool");
  write("first/tool", true);
  EXPECT_EQ(find("tool"), "second/tool");
  EXPECT_EQ(find("tool", {{"PATH", folder_ / "first"}}), "first/tool");
  clock_.advance(ProgramFinder::kMemoryAge + Duration(1));
  EXPECT_EQ(find("tool"), "first/tool");
}

TEST_F(ProgramFinderTest, ARememberedProgramThatIsGoneIsLookedForAgain) {
  write("first/tool", true);
  write("second/tool", true);
  EXPECT_EQ(find("tool"), "first/tool");
  fs::remove(folder_ / "first/tool");
  EXPECT_EQ(find("tool"), "second/tool");
}

TEST_F(ProgramFinderTest, WhatIsNotFoundIsLookedForAgain) {
  EXPECT_EQ(find("tool"), "command not found: tool");
  write("second/tool", true);
  EXPECT_EQ(find("tool"), "second/tool");
}

TEST_F(ProgramFinderTest, WhatLiesBelowTheWorkingFolderIsLookedForEachTime) {
  const Environment env = {{"PATH", "first:second"}};
  write("second/tool", true);
  EXPECT_EQ(find("tool", env), "second/tool");
  write("first/tool", true);
  EXPECT_EQ(find("tool", env), "first/tool");
}

}  // namespace
}  // namespace cresset::process
