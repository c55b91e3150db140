#include "cresset/adapters/process/spawn.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "cresset/adapters/posix/unique_fd.h"
#include "cresset/ports/testing/temp_folder.h"

namespace cresset::process {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class SpawnTest : public ::testing::Test {
 protected:
  // The error's text, or what it printed and how it ended.
  std::string run(const std::vector<std::string>& argv,
                  const std::vector<ports::Mount>& mounts = {}) {
    const posix::UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
    int ends[2];
    EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    const posix::UniqueFd reader(ends[0]);
    posix::UniqueFd writer(ends[1]);
    const auto process = spawn(
        SpawnRequest{argv.front(), argv, env_, folder_.path(), mounts, null.get(), writer.get()});
    writer.reset();
    if (!process) return process.error().text();
    std::string output;
    char buffer[4096];
    for (ssize_t got = 0; (got = ::read(reader.get(), buffer, sizeof buffer)) > 0;)
      output.append(buffer, static_cast<std::size_t>(got));
    int status = 0;
    EXPECT_EQ(::waitpid(process->pid, &status, 0), process->pid);
    return output + "=" + std::to_string(WEXITSTATUS(status));
  }
  std::string write(const std::string& name, const std::string& text, mode_t mode) {
    std::filesystem::create_directories(std::filesystem::path(folder_ / name).parent_path());
    std::ofstream(folder_ / name) << text;
    EXPECT_EQ(::chmod((folder_ / name).c_str(), mode), 0);
    return folder_ / name;
  }

  ports::testing::TempFolder folder_;
  Environment env_;
};

TEST_F(SpawnTest, SaysWhyAProgramDoesNotStart) {
  EXPECT_THAT(run({"./none"}), StartsWith("command not found: ./none"));
  write("plain", "#!/bin/sh\n", 0644);
  EXPECT_EQ(run({"./plain"}), "permission denied: ./plain may not be executed");
  write("lost", "#!/no/such/shell -x\n", 0755);
  EXPECT_EQ(run({"./lost"}), "command not found: /no/such/shell, which ./lost names after #!");
  write("text", "hello", 0755);
  EXPECT_THAT(run({"./text"}), HasSubstr("is no program that this machine runs"));
}

TEST_F(SpawnTest, RefusesWhatTheKernelCannotTake) {
  EXPECT_THAT(run({"/bin/echo", std::string("a\0b", 3)}),
              HasSubstr("argument 1 of the command holds a zero byte"));
  EXPECT_THAT(run({"/bin/echo", std::string(kArgumentBytesMax, 'x')}), HasSubstr("limit 131071"));
  EXPECT_EQ(run({"/bin/echo", "-n", std::string(kArgumentBytesMax - 1, 'x')}).size(),
            kArgumentBytesMax - 1 + 2);
  env_.emplace_back("BIG", std::string(kArgumentBytesMax, 'x'));
  EXPECT_THAT(run({"/bin/true"}), StartsWith("the environment variable BIG is too long"));
}

TEST_F(SpawnTest, AWorkingFolderThatIsGoneIsNamed) {
  const std::vector<std::string> argv = {"/bin/true"};
  const std::string gone = folder_ / "gone";
  const posix::UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  const auto process = spawn(SpawnRequest{argv[0], argv, env_, gone, {}, null.get(), null.get()});
  EXPECT_EQ(process.error().text(), "the working folder " + gone + " is gone");
}

TEST_F(SpawnTest, FilesAreWrittenWholeOrNotAtAll) {
  ASSERT_TRUE(write_file({folder_ / "a/b/c", "one"}));
  ASSERT_TRUE(write_file({folder_ / "a/b/c", "two"}));
  std::ifstream file(folder_ / "a/b/c");
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(file), {}), "two");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_ / "a/b"), {}), 1);
  EXPECT_FALSE(write_file({folder_ / "a/b/c/d", "below a file"}));
}

TEST_F(SpawnTest, AFileIsReplacedUnlessItHasTheSameBytes) {
  const std::string path = write("source", std::string(10'000, 'a'), 0600);
  const auto serial = [&path] {
    struct stat status{};
    EXPECT_EQ(::lstat(path.c_str(), &status), 0);
    return status.st_ino;
  };
  const ino_t first = serial();
  ASSERT_TRUE(write_file({path, std::string(10'000, 'a')}));
  EXPECT_EQ(serial(), first);
  ASSERT_TRUE(write_file({path, std::string(9'999, 'a') + "b"}));
  EXPECT_NE(serial(), first);
  // A step that has put a link in its place does not choose what another step runs.
  write("elsewhere", "source", 0600);
  std::filesystem::remove(path);
  std::filesystem::create_symlink(folder_ / "elsewhere", path);
  ASSERT_TRUE(write_file({path, "source"}));
  EXPECT_FALSE(std::filesystem::is_symlink(path));
}

// What it has not got to must not be taken for something that the next start has made.
TEST_F(SpawnTest, AStartThatBreaksOffWhileItRemovesIsFollowedByOneThatRemovesAll) {
  ports::StartSpec spec;
  spec.work_dir = folder_ / "work";
  ASSERT_TRUE(prepare_files(spec));
  write("work/file", "old", 0600);
  write("outputs/out", "old", 0600);
  const std::string impossible = folder_ / std::string(300, 'x');
  spec.fresh = {spec.work_dir, impossible, folder_ / "outputs"};
  ASSERT_FALSE(prepare_files(spec));
  EXPECT_TRUE(std::filesystem::exists(folder_ / "outputs"));
  spec.fresh = {spec.work_dir, folder_ / "outputs"};
  ASSERT_TRUE(prepare_files(spec));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "outputs"));
  EXPECT_TRUE(std::filesystem::is_empty(spec.work_dir));
}

// For whoever may not write everywhere, as root may.
TEST_F(SpawnTest, WhatAnEarlierStepClosedToItselfIsRemovedToo) {
  ports::StartSpec spec;
  spec.work_dir = folder_ / "work";
  spec.fresh = {spec.work_dir};
  ASSERT_TRUE(prepare_files(spec));
  write("work/closed/below/file", "old", 0400);
  ASSERT_EQ(::chmod((folder_ / "work/closed/below").c_str(), 0), 0);
  ASSERT_EQ(::chmod((folder_ / "work/closed").c_str(), 0500), 0);
  ASSERT_EQ(::chmod(folder_.path().c_str(), 0777), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    if (::getuid() == 0 && (::chown(folder_.path().c_str(), 65534, 65534) != 0 ||
                            ::chown(spec.work_dir.c_str(), 65534, 65534) != 0 ||
                            ::chown((spec.work_dir + "/closed").c_str(), 65534, 65534) != 0 ||
                            ::chown((spec.work_dir + "/closed/below").c_str(), 65534, 65534) != 0 ||
                            ::setuid(65534) != 0))
      ::_exit(2);
    ::_exit(prepare_files(spec) ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_TRUE(std::filesystem::is_empty(spec.work_dir));
}

TEST_F(SpawnTest, AnErrorInLayingMountsIsTheSteps) {
  EXPECT_THAT(run({"/bin/true"}, {{"/no/such/source", folder_ / "x", false}}),
              ::testing::AnyOf(HasSubstr("/no/such/source"), HasSubstr("lets you make no mounts")));
}

}  // namespace
}  // namespace cresset::process
