#include "cresset/adapters/process/mounts.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "cresset/adapters/posix/unique_fd.h"
#include "cresset/adapters/process/spawn.h"
#include "cresset/ports/testing/temp_folder.h"

namespace cresset::process {
namespace {

namespace fs = std::filesystem;

using ::testing::HasSubstr;

class MountsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ::chmod(folder_.path().c_str(), 0755);
    fs::create_directories(folder_ / "source/sub");
    write("source/file", "secret");
    write("source/sub/deep", "deeper");
    if (run({{folder_ / "source", folder_ / "probe", false}}, "true")
            .find("lets you make no mounts") != std::string::npos)
      GTEST_SKIP() << "no mount namespaces here";
  }
  void write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ / name) << text;
  }
  // What the script printed, or why it did not run.
  [[nodiscard]] std::string run(const std::vector<ports::Mount>& mounts,
                                const std::string& script) const {
    const posix::UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
    int ends[2];
    EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    const posix::UniqueFd reader(ends[0]);
    posix::UniqueFd writer(ends[1]);
    const std::vector<std::string> argv = {"/bin/sh", "-c", script};
    const Environment env = {{"PATH", "/usr/bin:/bin"}, {"T", folder_.path()}};
    const auto process =
        spawn(SpawnRequest{argv[0], argv, env, folder_.path(), mounts, null.get(), writer.get()});
    writer.reset();
    if (!process) return process.error().text();
    std::string output;
    char buffer[4096];
    for (ssize_t got = 0; (got = ::read(reader.get(), buffer, sizeof buffer)) > 0;)
      output.append(buffer, static_cast<std::size_t>(got));
    EXPECT_EQ(::waitpid(process->pid, nullptr, 0), process->pid);
    return output;
  }
  [[nodiscard]] ports::Mount mount(const std::string& target, bool read_only = false) const {
    return {folder_ / "source", target, read_only};
  }

  ports::testing::TempFolder folder_;
};

TEST_F(MountsTest, AFolderIsSeenWhereThereWasNone) {
  const std::string target = folder_ / "some/new/place";
  EXPECT_EQ(run({mount(target)}, "cat \"$T/some/new/place/file\" \"$T/some/new/place/sub/deep\""),
            "secretdeeper");
  EXPECT_FALSE(fs::exists(folder_ / "some"));
}

TEST_F(MountsTest, AFolderAtTheRootIsSeenAndTheRestStays) {
  EXPECT_EQ(run({mount("/cresset-test-secret/inner")},
                "cat /cresset-test-secret/inner/file; ls /proc/self/status /usr/bin/env; "
                "echo x > /dev/null && echo written; ls \"$T\""),
            "secret/proc/self/status\n/usr/bin/env\nwritten\nsource\n");
  EXPECT_FALSE(fs::exists("/cresset-test-secret"));
}

TEST_F(MountsTest, AnExistingFolderIsCoveredForTheStepOnly) {
  fs::create_directories(folder_ / "target");
  write("target/own", "own");
  EXPECT_EQ(run({mount(folder_ / "target")}, "ls \"$T/target\""), "file\nsub\n");
  EXPECT_TRUE(fs::exists(folder_ / "target/own"));
}

TEST_F(MountsTest, WhatIsWrittenReachesTheSource) {
  EXPECT_EQ(run({mount(folder_ / "t")}, "echo new > \"$T/t/out\"; echo $?"), "0\n");
  EXPECT_TRUE(fs::exists(folder_ / "source/out"));
}

TEST_F(MountsTest, AReadOnlyMountIsReadOnly) {
  EXPECT_EQ(
      run({mount(folder_ / "t", true)}, "(echo new > \"$T/t/out\") 2>/dev/null || echo refused"),
      "refused\n");
  EXPECT_FALSE(fs::exists(folder_ / "source/out"));
}

TEST_F(MountsTest, NeighboursOfAMountPointStayVisibleAndWritable) {
  fs::create_directories(folder_ / "outer/neighbour");
  write("outer/plain", "plain");
  fs::create_symlink("plain", folder_ / "outer/link");
  EXPECT_EQ(run({mount(folder_ / "outer/new"), mount(folder_ / "outer/newer/deep")},
                "cd \"$T/outer\"; cat plain link new/file newer/deep/file; echo x > neighbour/out"),
            "plainplainsecretsecret");
  EXPECT_TRUE(fs::exists(folder_ / "outer/neighbour/out"));
}

TEST_F(MountsTest, AFileIsMountedOnAFile) {
  const ports::Mount file{folder_ / "source/file", folder_ / "etc/password", true};
  EXPECT_EQ(run({file}, "cat \"$T/etc/password\""), "secret");
  const ports::Mount wrong{folder_ / "source/file", folder_.path(), true};
  EXPECT_THAT(run({wrong}, "true"), HasSubstr("cannot be mounted there"));
}

TEST_F(MountsTest, ImpossibleMountsAreNamed) {
  EXPECT_THAT(run({{folder_ / "none", folder_ / "t", false}}, "true"), HasSubstr(folder_ / "none"));
  EXPECT_THAT(run({mount("/")}, "true"), HasSubstr("no place for a mount"));
  EXPECT_THAT(run({mount("relative")}, "true"), HasSubstr("no place for a mount"));
}

#if !__has_feature(thread_sanitizer)  // its own thread keeps a process out of a user namespace
TEST_F(MountsTest, AnOrdinaryUserHasMountsToo) {
  if (::geteuid() != 0) GTEST_SKIP() << "the other tests ran as an ordinary user";
  constexpr uid_t kNobody = 65534;
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const posix::UniqueFd reader(ends[0]);
  posix::UniqueFd writer(ends[1]);
  const pid_t child = ::fork();
  if (child == 0) {
    // Changing the user hides what /proc says of this process to it, which is not so for one that
    // was started by that user.
    const bool dropped =
        ::setgroups(0, nullptr) == 0 && ::setresgid(kNobody, kNobody, kNobody) == 0 &&
        ::setresuid(kNobody, kNobody, kNobody) == 0 && ::prctl(PR_SET_DUMPABLE, 1) == 0;
    const std::string got =
        dropped ? run({mount(folder_ / "a/b")}, "id -u; cat \"$T/a/b/file\"") : "not dropped";
    [[maybe_unused]] const ssize_t ignored = ::write(writer.get(), got.data(), got.size());
    ::_exit(0);
  }
  writer.reset();
  char buffer[4096];
  const ssize_t got = ::read(reader.get(), buffer, sizeof buffer);
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  ASSERT_GT(got, 0);
  const std::string text(buffer, static_cast<std::size_t>(got));
  if (text.find("lets you make no mounts") == std::string::npos) {
    EXPECT_EQ(text, "65534\nsecret");
  } else {
    EXPECT_THAT(text, HasSubstr("run as root"));
  }
}
#endif

}  // namespace
}  // namespace cresset::process
