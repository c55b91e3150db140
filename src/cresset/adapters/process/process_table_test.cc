#include "cresset/adapters/process/process_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

namespace cresset::process {
namespace {

// A child that waits until it is killed.
class Child {
 public:
  Child() {
    identity_.ticks_from = ticks_since_boot();
    identity_.pid = ::fork();
    if (identity_.pid == 0) {
      while (true) ::pause();
    }
    identity_.ticks_to = ticks_since_boot();
  }
  ~Child() { end(); }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  void end() {
    if (ended_) return;
    ended_ = true;
    ::kill(identity_.pid, SIGKILL);
    ::waitpid(identity_.pid, nullptr, 0);
  }
  [[nodiscard]] const ProcessIdentity& identity() const { return identity_; }

 private:
  ProcessIdentity identity_;
  bool ended_ = false;
};

TEST(ProcessTableTest, ParsesAStatWithAnyName) {
  const auto stat =
      parse_stat("42 (a) b (c)) S 1 40 39 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 123456 9 9 9\n");
  ASSERT_TRUE(stat);
  EXPECT_EQ(stat->pid, 42);
  EXPECT_EQ(stat->state, 'S');
  EXPECT_EQ(stat->parent, 1);
  EXPECT_EQ(stat->session, 39);
  EXPECT_EQ(stat->start_ticks, 123456u);
}

TEST(ProcessTableTest, ACutStatIsNone) {
  const std::string text = "42 (x) S 1 40 39 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 123456";
  for (std::size_t size = 0; size < text.size() - 6; ++size)
    EXPECT_FALSE(parse_stat(text.substr(0, size))) << size;
  EXPECT_TRUE(parse_stat(text));
}

TEST(ProcessTableTest, AProcessIsItselfAndNoOther) {
  Child child;
  EXPECT_TRUE(is_same_process(child.identity()));
  ProcessIdentity earlier = child.identity();
  earlier.ticks_from -= 200;
  earlier.ticks_to -= 100;
  EXPECT_FALSE(is_same_process(earlier));
  EXPECT_FALSE(is_same_process({0, 0, ~0ULL}));
  EXPECT_THAT(list_children(), ::testing::Contains(child.identity().pid));
  EXPECT_THAT(list_processes(), ::testing::Contains(child.identity().pid));
  child.end();
  EXPECT_FALSE(is_same_process(child.identity()));
  EXPECT_FALSE(read_stat(child.identity().pid));
}

TEST(ProcessTableTest, ReadsTheEnvironmentThatAProcessWasStartedWith) {
  int gate[2];
  ASSERT_EQ(::pipe(gate), 0);
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::dup2(gate[0], STDIN_FILENO);
    ::close(gate[0]);
    ::close(gate[1]);
    const char* argv[] = {"cat", nullptr};
    const char* env[] = {"XNAME=no", "NAME=a=b", "EMPTY=", nullptr};
    ::execve("/bin/cat", const_cast<char**>(argv), const_cast<char**>(env));
    ::_exit(1);
  }
  ::close(gate[0]);
  // Until execve() the environment is that of the test.
  std::optional<std::string> value;
  for (int i = 0; i < 1'000'000 && value != "a=b"; ++i)
    value = read_environment_variable(pid, "NAME");
  EXPECT_EQ(value, "a=b");
  EXPECT_EQ(read_environment_variable(pid, "EMPTY"), "");
  EXPECT_EQ(read_environment_variable(pid, "NONE"), std::nullopt);
  ::close(gate[1]);
  EXPECT_EQ(::waitpid(pid, nullptr, 0), pid);
  EXPECT_EQ(read_environment_variable(pid, "NAME"), std::nullopt);
}

TEST(ProcessTableTest, TheBootHasAName) {
  EXPECT_EQ(read_boot_id(), read_boot_id());
  EXPECT_FALSE(read_boot_id().empty());
}

}  // namespace
}  // namespace cresset::process
