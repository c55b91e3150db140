#include "cresset/adapters/process/process_executor.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <memory>

#include "cresset/adapters/process/frame_stream.h"
#include "cresset/adapters/process/process_table.h"
#include "cresset/adapters/process/protocol.h"
#include "cresset/adapters/process/testing/keeper_world.h"
#include "cresset/adapters/process/unix_socket.h"
#include "cresset/ports/testing/executor_contract.h"

namespace cresset::ports::testing {
INSTANTIATE_TYPED_TEST_SUITE_P(Process, ExecutorContract, process::KeeperWorld);
}  // namespace cresset::ports::testing

namespace cresset::process {
namespace {

using ports::Exit;
using ports::StartSpec;
using ::testing::HasSubstr;
using ::testing::StartsWith;

struct TwoGpuWorld : public KeeperWorld {
  TwoGpuWorld() : KeeperWorld(2) {}
};

class ProcessExecutorTest : public ports::testing::ExecutorContract<TwoGpuWorld> {
 protected:
  StartSpec shell(std::uint32_t task, const std::string& script) {
    StartSpec made = world_.shell(id(task), script);
    made.token = 5;
    return made;
  }
  Exit run(const StartSpec& spec) {
    executor().start(spec);
    return await_exit(executor(), spec.id);
  }
  ports::Executor& executor() {
    if (!executor_) executor_ = world_.connect();
    return *executor_;
  }
  // A number that a step wrote.
  static pid_t pid_in(const std::string& path) {
    const std::string text = read_file(path);
    pid_t pid = 0;
    std::from_chars(text.data(), text.data() + text.size(), pid);
    EXPECT_GT(pid, 0) << path << ": " << text;
    return pid;
  }
  static rlim_t count_open_files(pid_t pid) {
    const std::filesystem::directory_iterator files("/proc/" + std::to_string(pid) + "/fd");
    return static_cast<rlim_t>(std::distance(begin(files), end(files)));
  }
  void await_text(const StartSpec& spec, const std::string& text) {
    listen_until(executor(), [&] { return world_.log(spec).find(text) != std::string::npos; });
  }

  std::unique_ptr<ports::Executor> executor_;
};

TEST_F(ProcessExecutorTest, AStepHasOnlyTheDeclaredEnvironment) {
  StartSpec spec = shell(1, "");
  spec.argv = {"env"};
  spec.env = {{"PATH", "/usr/bin:/bin"}, {"ODD", "a=b\nc"}};
  EXPECT_EQ(run(spec).code, 0);
  EXPECT_EQ(world_.log(spec),
            "PATH=/usr/bin:/bin\nODD=a=b\nc\nCUDA_VISIBLE_DEVICES=\nCRESSET_ATTEMPT=" +
                model::to_string(spec.id) + "\n");
}

TEST_F(ProcessExecutorTest, AnEmptyCommandIsNotStarted) {
  StartSpec spec = shell(1, "");
  spec.argv = {};
  EXPECT_EQ(run(spec).detail, "the command is empty");
  spec = shell(2, "");
  spec.argv = {""};
  EXPECT_EQ(run(spec).detail, "the command is empty");
}

TEST_F(ProcessExecutorTest, AStepHasItsScratchFoldersToItself) {
  const std::string tell = R"(echo "$PLACE"; ls -A "$PLACE"; echo text > "$PLACE/file")";
  std::vector<std::string> logs;
  for (std::uint32_t task = 1; task <= 3; ++task) {
    StartSpec spec = shell(task, tell);
    spec.scratch = {{"PLACE", spec.work_dir + " left/deep"}};
    EXPECT_EQ(run(spec).code, 0);
    logs.push_back(world_.log(spec));
    EXPECT_EQ(read_file(spec.work_dir + " left/deep/file"), "text\n");
    EXPECT_EQ(logs.back().find('\n'), logs.back().size() - 1) << "was not empty: " << logs.back();
  }
}

TEST_F(ProcessExecutorTest, AScratchFolderIsNotLentWhileADaemonOfItsStepMayLive) {
  StartSpec first = shell(1, R"(
setsid sh -c 'echo $$ > "$DIR/daemon"; while :; do : > "$PLACE/late"; rm "$PLACE/late"; done' &
while [ ! -s "$DIR/daemon" ]; do :; done
)");
  first.scratch = {{"PLACE", first.work_dir + " left"}};
  EXPECT_EQ(run(first).code, 0);
  EXPECT_TRUE(is_gone(pid_in(first.work_dir + "/daemon")));
  for (std::uint32_t task = 2; task <= 40; ++task) {
    StartSpec spec = shell(task, R"(ls -A "$PLACE")");
    spec.scratch = {{"PLACE", spec.work_dir + " left"}};
    EXPECT_EQ(run(spec).code, 0);
    EXPECT_EQ(world_.log(spec), "");
  }
}

TEST_F(ProcessExecutorTest, ScratchFoldersOfAKilledKeeperAreRemoved) {
  StartSpec spec = shell(1, R"(echo text > "$PLACE/file"; echo "$PLACE"; exec sleep 1000)");
  spec.scratch = {{"PLACE", spec.work_dir + " left"}};
  executor().start(spec);
  await_text(spec, "\n");
  std::string place = world_.log(spec);
  place.pop_back();
  world_.lose_all_running();
  EXPECT_EQ(await_exit(executor(), spec.id).kind, Exit::Kind::kLost);
  EXPECT_EQ(read_file(place + "/file"), "");
}

TEST_F(ProcessExecutorTest, BothStreamsGoIntoOneLogInOrder) {
  const StartSpec spec = shell(1, "pwd; echo b >&2; echo c; cat; echo d >&2");
  EXPECT_EQ(run(spec).code, 0);
  EXPECT_EQ(world_.log(spec), spec.work_dir + "\nb\nc\nd\n");
}

TEST_F(ProcessExecutorTest, AStepLeadsASessionAndHasThreeDescriptors) {
  const StartSpec spec = shell(1, "cut -d' ' -f1,5,6 /proc/$$/stat; ls /proc/$$/fd");
  EXPECT_EQ(run(spec).code, 0);
  const std::string log = world_.log(spec);
  const std::string pid = log.substr(0, log.find(' '));
  EXPECT_EQ(log, pid + " " + pid + " " + pid + "\n0\n1\n2\n");
}

TEST_F(ProcessExecutorTest, WhatAStepLeavesRunningIsKilled) {
  const StartSpec spec = shell(1, R"(
sleep 1000 & echo $! > "$DIR/child"
setsid sh -c 'echo $$ > "$DIR/daemon"; exec sleep 1000' &
while [ ! -s "$DIR/daemon" ]; do :; done
)");
  EXPECT_EQ(run(spec).code, 0);
  EXPECT_TRUE(is_gone(pid_in(spec.work_dir + "/child")));
  EXPECT_TRUE(is_gone(pid_in(spec.work_dir + "/daemon")));
}

TEST_F(ProcessExecutorTest, AStopReachesTheWholeGroup) {
  const StartSpec spec = shell(
      1, "trap '' TERM; sh -c 'trap \"\" TERM; echo $$; read line < gate' & echo $! > child; wait");
  executor().start(spec);
  await_text(spec, "\n");
  executor().stop(spec.id, std::chrono::milliseconds(1));
  EXPECT_EQ(await_exit(executor(), spec.id).code, SIGKILL);
  EXPECT_TRUE(is_gone(pid_in(spec.work_dir + "/child")));
}

TEST_F(ProcessExecutorTest, ABackgroundProcessThatHoldsTheOutputDoesNotHoldUpTheEnd) {
  const StartSpec spec = shell(1, "setsid sleep 1000 & echo done");
  EXPECT_EQ(run(spec).code, 0);
  EXPECT_EQ(world_.log(spec), "done\n");
}

TEST_F(ProcessExecutorTest, MeasuresWhatAStepUsed) {
  const Exit exit = run(shell(1, "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done"));
  EXPECT_GT(exit.cpu_time, Duration(0));
  EXPECT_GT(exit.peak_memory_bytes, 100 << 10);
  EXPECT_FALSE(exit.out_of_memory);
}

TEST_F(ProcessExecutorTest, AnArgumentBeyondTheKernelsLimitFailsBeforeTheStart) {
  StartSpec one = shell(1, "echo ran");
  one.argv.push_back(std::string(200'000, 'x'));
  const Exit exit = run(one);
  EXPECT_EQ(exit.kind, Exit::Kind::kNotStarted);
  EXPECT_THAT(exit.detail, StartsWith("argument 3 of the command is too long for the kernel"));

  StartSpec many = shell(2, "echo ran");
  for (int i = 0; i < 100; ++i) many.argv.push_back(std::string(100'000, 'x'));
  const Exit too_many = run(many);
  EXPECT_EQ(too_many.kind, Exit::Kind::kNotStarted);
  EXPECT_THAT(too_many.detail, StartsWith("the argument list is too long for the kernel"));
  EXPECT_EQ(world_.log(one) + world_.log(many), "");
}

TEST_F(ProcessExecutorTest, AFileAboveTheInlineLimitArrivesWhole) {
  StartSpec spec = shell(1, "wc -c < value");
  spec.files = {{spec.work_dir + "/value", std::string(10'000'000, 'v')}};
  EXPECT_EQ(run(spec).code, 0);
  EXPECT_EQ(world_.log(spec), "10000000\n");
}

TEST_F(ProcessExecutorTest, GpusAreHandedOutOnce) {
  const std::string script = "echo \"<$CUDA_VISIBLE_DEVICES>\"; read line < gate";
  std::vector<StartSpec> specs;
  for (std::uint32_t task = 1; task <= 3; ++task) {
    specs.push_back(shell(task, script));
    specs.back().slots = {0, 0, 1};
    executor().start(specs.back());
  }
  specs.push_back(shell(4, "echo \"<$CUDA_VISIBLE_DEVICES>\""));
  specs.back().slots.cpu_millis = 0;
  specs.back().id.run = model::RunId("other");
  await_text(specs[0], "<0>\n");
  await_text(specs[1], "<1>\n");
  EXPECT_EQ(run(specs[3]).code, 0);
  EXPECT_EQ(world_.log(specs[3]), "<>\n");
  EXPECT_EQ(world_.log(specs[2]), "");
  world_.release(specs[1].id);
  await_text(specs[2], "<1>\n");
}

TEST_F(ProcessExecutorTest, MuchOutputIsKeptWhole) {
  const StartSpec spec = shell(1, "head -c 50000000 /dev/zero; echo end >&2");
  EXPECT_FALSE(run(spec).log_truncated);
  EXPECT_EQ(std::filesystem::file_size(spec.log_path), 50'000'004u);
  EXPECT_EQ(std::filesystem::file_size(spec.log_path + ".idx") % 24, 0u);
}

TEST_F(ProcessExecutorTest, ALogThatCannotBeWrittenStopsTheStart) {
  StartSpec spec = shell(1, "echo ran");
  spec.log_path = spec.work_dir;
  const Exit exit = run(spec);
  EXPECT_EQ(exit.kind, Exit::Kind::kNotStarted);
  EXPECT_THAT(exit.detail, HasSubstr("opening the log"));
}

TEST_F(ProcessExecutorTest, ThousandsMayWaitAndBeCancelled) {
  StartSpec first = shell(0, "read line < gate");
  first.slots.cpu_millis = world_.cpu_millis();
  executor().start(first);
  await_running(executor(), first.id);
  constexpr std::uint32_t kMany = 5000;
  StartSpec spec = shell(1, "echo ran");
  for (std::uint32_t task = kMany; task > 0; --task) {
    spec.id = id(task);
    executor().start(spec);
  }
  for (std::uint32_t task = 1; task <= kMany; ++task) executor().stop(id(task), Duration(1));
  for (std::uint32_t task = 1; task <= kMany; ++task)
    ASSERT_EQ(await_exit(executor(), id(task)).kind, Exit::Kind::kNotStarted);
  world_.release(first.id);
  EXPECT_EQ(await_exit(executor(), first.id).code, 0);
  EXPECT_EQ(world_.log(spec), "");
}

TEST_F(ProcessExecutorTest, AnEndIsToldThoughOthersOfItsRunWait) {
  std::vector<StartSpec> specs = {shell(1, "true"), shell(2, "read line < gate"),
                                  shell(3, "echo ran")};
  for (StartSpec& spec : specs) {
    spec.slots.cpu_millis = world_.cpu_millis();
    executor().start(spec);
  }
  EXPECT_EQ(await_exit(executor(), specs[0].id).code, 0);
  await_running(executor(), specs[1].id);
  EXPECT_EQ(world_.log(specs[2]), "");
  world_.release(specs[1].id);
  EXPECT_EQ(await_exit(executor(), specs[2].id).code, 0);
  EXPECT_EQ(world_.log(specs[2]), "ran\n");
}

TEST_F(ProcessExecutorTest, WaitingAttemptsGoWithTheirEngine) {
  StartSpec first = shell(1, "read line < gate");
  StartSpec second = spec(id(2));
  first.slots.cpu_millis = second.slots.cpu_millis = world_.cpu_millis();
  executor().start(first);
  executor().start(second);
  await_running(executor(), first.id);
  executor_.reset();
  new_engine();
  executor().start(adopting(second));
  EXPECT_EQ(await_exit(executor(), second.id).kind, Exit::Kind::kLost);
  EXPECT_EQ(world_.starts(second.id), 0);
}

// An engine in a process of its own, killed without warning.
TEST_F(ProcessExecutorTest, AKilledEngineLeavesItsStepsRunning) {
  const StartSpec spec =
      shell(1, "echo before; read line < gate; head -c 3000000 /dev/zero; exit 9");
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const posix::UniqueFd reader(ends[0]);
  posix::UniqueFd writer(ends[1]);
  const pid_t engine = ::fork();
  ASSERT_GE(engine, 0);
  if (engine == 0) {
    executor().start(spec);
    await_running(executor(), spec.id);
    [[maybe_unused]] const ssize_t ignored = ::write(writer.get(), "x", 1);
    while (true) ::pause();
  }
  writer.reset();
  char byte = 0;
  ASSERT_EQ(::read(reader.get(), &byte, 1), 1);
  ASSERT_EQ(::kill(engine, SIGKILL), 0);
  ASSERT_EQ(::waitpid(engine, nullptr, 0), engine);

  world_.release(spec.id);
  executor().start(adopting(spec));
  EXPECT_EQ(await_exit(executor(), spec.id).code, 9);
  expect_heard_once(spec.id);
  EXPECT_EQ(world_.log(spec).size(), 7 + 3'000'000u);
}

TEST_F(ProcessExecutorTest, AKilledKeeperLeavesNoProcessBehind) {
  const StartSpec spec = shell(1, R"(
setsid sh -c 'echo $$ > "$DIR/daemon"; exec sleep 1000' &
while [ ! -s "$DIR/daemon" ]; do :; done
sleep 1000 & echo $! > "$DIR/child"
echo $$ > "$DIR/main"; echo ready
wait)");
  executor().start(spec);
  await_text(spec, "ready");
  world_.lose_all_running();
  const Exit exit = await_exit(executor(), spec.id);
  EXPECT_EQ(exit.kind, Exit::Kind::kLost);
  EXPECT_THAT(exit.detail, HasSubstr("keeper"));
  for (const char* name : {"main", "child", "daemon"})
    EXPECT_TRUE(is_gone(pid_in(spec.work_dir + "/" + name))) << name;
  EXPECT_EQ(run(shell(2, "exit 3")).code, 3);
}

// A disk that takes no more, as the file size limit of the keeper.
TEST_F(ProcessExecutorTest, AFullDiskStopsTheStartsAndLosesNothing) {
  const StartSpec first = shell(1, "read line < gate; exit 4");
  executor().start(first);
  await_running(executor(), first.id);
  const pid_t keeper = world_.keeper();
  rlimit old{};
  const rlimit none{0, RLIM_INFINITY};
  ASSERT_EQ(::prlimit(keeper, RLIMIT_FSIZE, &none, &old), 0);
  const StartSpec second = shell(2, "exit 5");
  executor().start(second);
  Result<std::vector<ports::ExecutorEvent>> events = executor().poll();
  for (int i = 0; events && i < 1000; ++i) {
    world_.wait(executor());
    events = executor().poll();
  }
  ASSERT_FALSE(events);
  EXPECT_EQ(events.error().code, Code::kUnavailable);
  EXPECT_THAT(events.error().message, HasSubstr("no step can be started"));
  EXPECT_THAT(events.error().message, HasSubstr("File too large"));

  // An end that cannot be written keeps the keeper from leaving with it.
  executor_.reset();
  world_.release(first.id);
  ASSERT_EQ(::prlimit(keeper, RLIMIT_FSIZE, &old, nullptr), 0);
  EXPECT_EQ(run(second).code, 5);
  EXPECT_EQ(run(first).code, 4);
  EXPECT_EQ(world_.keeper(), keeper);
}

TEST_F(ProcessExecutorTest, AKeeperWithoutDescriptorsMakesOthersWait) {
  const StartSpec first = shell(1, "read line < gate; exit 4");
  executor().start(first);
  await_running(executor(), first.id);
  const pid_t keeper = world_.keeper();
  // As many as it has: as the numbers are given out from below, none is left.
  const rlim_t open_files = count_open_files(keeper);
  rlimit old{};
  ASSERT_EQ(::prlimit(keeper, RLIMIT_NOFILE, nullptr, &old), 0);
  const rlimit full{open_files, old.rlim_max};
  ASSERT_EQ(::prlimit(keeper, RLIMIT_NOFILE, &full, nullptr), 0);

  // A step waits until another has left its descriptors, an engine until there are some.
  const StartSpec second = shell(2, "exit 5");
  executor().start(second);
  const auto other = world_.connect();
  const StartSpec third = shell(3, "exit 6");
  other->start(third);
  world_.wait(executor());
  listen(executor());
  EXPECT_TRUE(heard_[second.id].exited.empty());
  world_.release(first.id);
  EXPECT_EQ(await_exit(executor(), first.id).code, 4);
  EXPECT_EQ(await_exit(executor(), second.id).code, 5);
  ASSERT_EQ(::prlimit(keeper, RLIMIT_NOFILE, &old, nullptr), 0);
  EXPECT_EQ(await_exit(*other, third.id).code, 6);
  EXPECT_EQ(world_.keeper(), keeper);
}

TEST_F(ProcessExecutorTest, AStepHasTheLimitOfOpenFilesOfWhoStartedTheKeeper) {
  rlimit limit{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
  const StartSpec spec = shell(1, "ulimit -Sn; ulimit -Hn");
  EXPECT_EQ(run(spec).code, 0);
  const auto text = [](rlim_t value) {
    return value == RLIM_INFINITY ? "unlimited" : std::to_string(value);
  };
  EXPECT_EQ(world_.log(spec), text(limit.rlim_cur) + "\n" + text(limit.rlim_max) + "\n");
}

TEST_F(ProcessExecutorTest, TheKeeperInheritsNothing) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);  // not close-on-exec
  sigset_t blocked;
  ::sigemptyset(&blocked);
  ::sigaddset(&blocked, SIGUSR2);
  ::sigprocmask(SIG_BLOCK, &blocked, nullptr);
  for (const int signal : {SIGUSR1, SIGHUP}) ::signal(signal, SIG_IGN);
  const StartSpec spec = shell(1, "grep -E 'SigBlk|SigIgn' /proc/self/status");
  EXPECT_EQ(run(spec).code, 0);
  for (const int signal : {SIGUSR1, SIGHUP}) ::signal(signal, SIG_DFL);
  ::sigprocmask(SIG_UNBLOCK, &blocked, nullptr);
  // The C library may keep signals beyond 31 for itself: they are the digits before the last eight.
  EXPECT_THAT(world_.log(spec), ::testing::MatchesRegex("SigBlk:\t0000000000000000\n"
                                                        "SigIgn:\t........[08]0000000\n"));
  const pid_t keeper = world_.keeper();
  const std::string proc = "/proc/" + std::to_string(keeper);
  EXPECT_EQ(std::filesystem::read_symlink(proc + "/cwd"), "/");
  EXPECT_EQ(read_stat(keeper)->session, keeper);
  const auto ours = std::filesystem::read_symlink("/proc/self/fd/" + std::to_string(ends[0]));
  for (const auto& entry : std::filesystem::directory_iterator(proc + "/fd"))
    EXPECT_NE(std::filesystem::read_symlink(entry.path()), ours);
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST_F(ProcessExecutorTest, TheKeeperIsNotInterrupted) {
  const StartSpec spec = shell(1, "read line < gate; exit 4");
  executor().start(spec);
  await_running(executor(), spec.id);
  const pid_t keeper = world_.keeper();
  ::kill(keeper, SIGINT);
  ::kill(keeper, SIGHUP);
  EXPECT_EQ(run(shell(2, "exit 5")).code, 5);
  world_.release(spec.id);
  EXPECT_EQ(await_exit(executor(), spec.id).code, 4);
  EXPECT_EQ(world_.keeper(), keeper);
}

TEST_F(ProcessExecutorTest, AKeeperThatIsAskedToEndTakesItsStepsAlong) {
  const StartSpec spec = shell(1, "echo $$ > main; echo ready; read line < gate");
  executor().start(spec);
  await_text(spec, "ready");
  const pid_t keeper = world_.keeper();
  ::kill(keeper, SIGTERM);
  const Exit exit = await_exit(executor(), spec.id);
  EXPECT_EQ(exit.kind, Exit::Kind::kLost);
  EXPECT_FALSE(exit.stopped_by_us);
  EXPECT_THAT(exit.detail, HasSubstr("asked to end"));
  EXPECT_TRUE(is_gone(pid_in(spec.work_dir + "/main")));
  EXPECT_TRUE(is_gone(keeper));
}

TEST_F(ProcessExecutorTest, TheKeeperLeavesWhenThereIsNothingToKeep) {
  const StartSpec spec = shell(1, "exit 6");
  EXPECT_EQ(run(spec).code, 6);
  const pid_t keeper = world_.keeper();
  executor_.reset();
  EXPECT_TRUE(is_gone(keeper));
  // What was not forgotten is known to the next one.
  new_engine();
  executor().start(spec);
  EXPECT_EQ(await_exit(executor(), spec.id).code, 6);
  EXPECT_NE(world_.keeper(), keeper);
}

TEST_F(ProcessExecutorTest, TwoEnginesShareTheMachine) {
  StartSpec first = shell(1, "read line < gate");
  StartSpec second = spec(id(2));
  first.slots.cpu_millis = second.slots.cpu_millis = world_.cpu_millis();
  second.id.run = model::RunId("other");
  const auto other = world_.connect();
  executor().start(first);
  await_running(executor(), first.id);
  other->start(second);
  world_.wait(*other);
  listen(*other);
  EXPECT_TRUE(heard_[second.id].running.empty());
  world_.release(first.id);
  EXPECT_EQ(await_exit(*other, second.id).code, 0);
}

TEST_F(ProcessExecutorTest, SaysWhyThereCanBeNoKeeper) {
  ProcessExecutorOptions options = world_.options();
  options.keeper_command = {"/no/such/keeper"};
  ProcessExecutor missing(options, world_.clock());
  missing.start(shell(1, ""));
  const auto events = missing.poll();
  EXPECT_EQ(events.error().code, Code::kUnavailable);
  EXPECT_THAT(events.error().message, HasSubstr("/no/such/keeper"));

  std::ofstream(world_.path("file")) << "no folder";
  options.keeper_dir = world_.path("file") + "/keeper";
  ProcessExecutor homeless(options, world_.clock());
  homeless.start(shell(1, ""));
  EXPECT_EQ(homeless.poll().error().code, Code::kUnavailable);
}

TEST_F(ProcessExecutorTest, AKeeperThatFailsIsGivenUpAfterSomeTries) {
  ProcessExecutorOptions options = world_.options();
  options.keeper_command = {"/bin/false"};
  ProcessExecutor failing(options, world_.clock());
  failing.start(shell(1, ""));
  Result<std::vector<ports::ExecutorEvent>> events = failing.poll();
  for (int i = 0; events && i < 1000; ++i) {
    world_.wait(failing);
    events = failing.poll();
  }
  ASSERT_FALSE(events);
  EXPECT_EQ(events.error().code, Code::kUnavailable);
  EXPECT_THAT(events.error().message, HasSubstr("keeper.log"));
}

TEST_F(ProcessExecutorTest, AKeeperOfAnotherVersionIsNamed) {
  const posix::UniqueFd dir = open_private_dir(world_.keeper_dir()).value();
  const posix::UniqueFd listener = listen_in(dir).value();
  ProcessExecutor puzzled(world_.options(), world_.clock());
  puzzled.start(shell(1, ""));
  std::vector<FrameStream> clients;
  Result<std::vector<ports::ExecutorEvent>> events = puzzled.poll();
  for (int i = 0; events && i < 1000; ++i) {
    if (Result<posix::UniqueFd> socket = accept_on(listener)) {
      FrameStream& client = clients.emplace_back(std::move(socket).value());
      client.queue(encode_frame(Welcome{99}));
      ASSERT_TRUE(client.flush());
    }
    world_.wait(puzzled);
    events = puzzled.poll();
  }
  ASSERT_FALSE(events);
  EXPECT_EQ(events.error().code, Code::kUnavailable);
  EXPECT_THAT(events.error().message, HasSubstr("another version"));
}

}  // namespace
}  // namespace cresset::process
