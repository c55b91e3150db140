#include "cresset/adapters/process/warm_workers.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "cresset/adapters/process/leftovers.h"
#include "cresset/ports/testing/sim_clock.h"
#include "cresset/ports/testing/temp_folder.h"

namespace cresset::process {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr std::int64_t kMuchMemory = std::int64_t{1} << 40;
constexpr int kPatienceMillis = 20'000;

// What a keeper is to its warm workers, with a script instead of a component.
class WarmWorkersTest : public ::testing::Test {
 protected:
  WarmWorkersTest() {
    EXPECT_EQ(::prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
    make({.memory_bytes = kMuchMemory});
    step_ = write("step.py",
                  "import os, sys\n"
                  "assert b'CRESSET_ATTEMPT=run/1.1' in open('/proc/self/environ', 'rb').read()\n"
                  "print(os.getcwd(), sys.argv[1:], os.environ['A'])\n");
  }
  ~WarmWorkersTest() override {
    workers_.reset();
    while (::waitpid(-1, nullptr, 0) > 0) {
    }
  }

  void make(WarmWorkers::Limits limits) {
    workers_.reset();
    workers_ =
        std::make_unique<WarmWorkers>(folder_ / "warm", limits, loop_, clock_,
                                      [this](const std::string& text) { remarks_ += text + "\n"; });
  }
  std::string write(const std::string& name, const std::string& text) {
    const std::string path = folder_ / name;
    EXPECT_TRUE(write_file({path, text}));
    return path;
  }

  // The step's output and exit status; nothing: it was not started warm.
  std::optional<std::string> run(const std::vector<std::string>& arguments = {"x"}) {
    int ends[2];
    EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    const posix::UniqueFd reader(ends[0]);
    posix::UniqueFd writer(ends[1]);
    std::vector<std::string> argv = {CR_PYTHON3, step_};
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    const std::string work_dir = folder_.path();
    const auto process = workers_->start(
        SpawnRequest{argv.front(), argv, env_, work_dir, {}, null_.get(), writer.get()}, warm_,
        {"OWN", kAttemptVariable}, "run/1.1");
    writer.reset();
    if (!process) return std::nullopt;
    EXPECT_EQ(::getsid(process->pid), process->pid);
    std::string output;
    char buffer[4096];
    for (ssize_t got = 0; (got = ::read(reader.get(), buffer, sizeof buffer)) > 0;)
      output.append(buffer, static_cast<std::size_t>(got));
    int status = 0;
    EXPECT_EQ(::waitpid(process->pid, &status, 0), process->pid);
    return output + "=" + std::to_string(WEXITSTATUS(status));
  }
  std::string printed(const std::string& argument = "x", const std::string& a = "1") const {
    return folder_.path() + " ['" + argument + "'] " + a + "\n=0";
  }

  // Until a zygote is there for the step and forks of it wait.
  void warm_up() {
    const std::size_t before = waiting();
    EXPECT_EQ(run(), std::nullopt);
    EXPECT_TRUE(pump([&] { return waiting() >= before + 3; }));
  }
  // Handles events until it is so.
  bool pump(const std::function<bool()>& is_so) {
    for (int waited = 0; !is_so(); waited += 5) {
      if (waited > kPatienceMillis) return false;
      loop_.run_once(std::chrono::milliseconds(5));
      siginfo_t info{};
      while (::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid != 0) {
        workers_->on_ended(info.si_pid);
        ::waitpid(info.si_pid, nullptr, 0);
        info.si_pid = 0;
      }
    }
    return true;
  }
  // Zygotes and forks that wait.
  std::size_t waiting() const {
    return static_cast<std::size_t>(
        std::ranges::count_if(list_children(), [this](pid_t pid) { return workers_->owns(pid); }));
  }

  ports::testing::TempFolder folder_;
  ports::testing::SimClock clock_;
  posix::EventLoop loop_;
  posix::UniqueFd null_{::open("/dev/null", O_RDWR | O_CLOEXEC)};
  std::string remarks_;
  std::string step_;
  Environment env_ = {{"A", "1"}, {"OWN", "mine"}, {"PATH", "/usr/bin:/bin"}};
  ports::WarmStart warm_{CR_SOURCE_DIR "/runtime/python/cresset_zygote.py", "one", {}, {}};
  std::unique_ptr<WarmWorkers> workers_;
};

TEST_F(WarmWorkersTest, AStepIsWarmAfterTheFirst) {
  EXPECT_TRUE(workers_->empty());
  warm_up();
  for (const char* argument : {"a", "b", "c", "d"})
    EXPECT_EQ(run({argument}), printed(argument)) << argument;
  EXPECT_THAT(remarks_, IsEmpty());
  EXPECT_THAT(workers_->objection(warm_), IsEmpty());
}

TEST_F(WarmWorkersTest, AnInterpreterIsForOneEnvironmentAndOneSetOfPackages) {
  warm_up();
  env_[1].second = "another attempt's";
  EXPECT_EQ(run(), printed());
  env_[0].second = "2";
  EXPECT_EQ(run(), std::nullopt);
  env_[0].second = "1";
  EXPECT_EQ(run(), printed());
  warm_.fingerprint = "two";
  EXPECT_EQ(run(), std::nullopt);
}

TEST_F(WarmWorkersTest, MoreModulesThanWantedServeAsWellButNotWhereNoneIsWanted) {
  warm_.modules = {"csv", "not_installed", "wave"};
  warm_up();
  warm_.modules = {"wave"};
  EXPECT_EQ(run(), printed());
  warm_.modules = {"csv", "wave", "zipapp"};
  EXPECT_EQ(run(), std::nullopt);
  warm_.modules = {};
  EXPECT_EQ(run(), std::nullopt);
}

TEST_F(WarmWorkersTest, TheOneThatWasWantedLongestAgoMakesRoom) {
  make({.zygotes = 2, .memory_bytes = kMuchMemory});
  for (const char* fingerprint : {"one", "two"}) {
    warm_.fingerprint = fingerprint;
    warm_up();
    clock_.advance(std::chrono::seconds(1));
  }
  warm_.fingerprint = "one";
  EXPECT_EQ(run(), printed());
  clock_.advance(std::chrono::seconds(1));
  warm_.fingerprint = "three";
  EXPECT_EQ(run(), std::nullopt);
  warm_.fingerprint = "one";
  EXPECT_EQ(run(), printed());
  warm_.fingerprint = "two";
  EXPECT_EQ(run(), std::nullopt);
}

TEST_F(WarmWorkersTest, IdleOnesLeave) {
  make({.memory_bytes = kMuchMemory, .idle = std::chrono::seconds(60)});
  EXPECT_EQ(workers_->next_expiry(), std::nullopt);
  warm_up();
  clock_.advance(std::chrono::seconds(30));
  EXPECT_EQ(run(), printed());
  EXPECT_EQ(workers_->next_expiry(), clock_.now() + std::chrono::seconds(60));
  clock_.advance(std::chrono::seconds(59));
  workers_->expire();
  EXPECT_FALSE(workers_->empty());
  clock_.advance(std::chrono::seconds(1));
  workers_->expire();
  EXPECT_TRUE(workers_->empty());
  EXPECT_TRUE(pump([] { return list_children().empty(); }));
  EXPECT_TRUE(std::filesystem::is_empty(folder_ / "warm"));
}

TEST_F(WarmWorkersTest, OneThatHoldsTooMuchMemoryIsNotBegunAgain) {
  make({.memory_bytes = 1 << 20});
  EXPECT_EQ(run(), std::nullopt);
  EXPECT_TRUE(pump([this] { return workers_->empty(); }));
  EXPECT_THAT(workers_->objection(warm_), HasSubstr("more memory than warm workers may have"));
  EXPECT_EQ(run(), std::nullopt);
  EXPECT_TRUE(workers_->empty());
}

TEST_F(WarmWorkersTest, OneThatEndsWhileItGetsReadyIsNotBegunAgain) {
  warm_.zygote = write("zygote.py", "raise SystemExit(1)\n");
  EXPECT_EQ(run(), std::nullopt);
  EXPECT_TRUE(pump([this] { return workers_->empty(); }));
  EXPECT_THAT(workers_->objection(warm_), HasSubstr("ended while it got ready"));
  EXPECT_EQ(run(), std::nullopt);
  EXPECT_TRUE(workers_->empty());
  warm_.fingerprint = "two";
  EXPECT_THAT(workers_->objection(warm_), IsEmpty());
}

TEST_F(WarmWorkersTest, WhatCannotBeSaidToASpareIsStartedCold) {
  warm_up();
  EXPECT_EQ(run({std::string(100'000, 'x')}), std::nullopt);
  EXPECT_EQ(run({std::string("a\0b", 3)}), std::nullopt);
  EXPECT_EQ(run(), printed());
}

TEST_F(WarmWorkersTest, DeadWorkersAreReplaced) {
  warm_up();
  for (const pid_t pid : list_children()) ::kill(pid, SIGKILL);
  EXPECT_TRUE(pump([] { return list_children().empty(); }));
  EXPECT_TRUE(workers_->empty());
  warm_up();
  EXPECT_EQ(run(), printed());
}

TEST_F(WarmWorkersTest, NoneWhereNoneMayBe) {
  make({.zygotes = 0, .memory_bytes = kMuchMemory});
  EXPECT_EQ(run(), std::nullopt);
  EXPECT_TRUE(workers_->empty());
}

}  // namespace
}  // namespace cresset::process
