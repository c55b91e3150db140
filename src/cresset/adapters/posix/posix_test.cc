#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <string>
#include <thread>

#include "cresset/adapters/posix/poll_reactor.h"
#include "cresset/adapters/posix/signal_interrupts.h"
#include "cresset/adapters/posix/system_clock.h"
#include "cresset/adapters/posix/system_random.h"
#include "cresset/adapters/posix/write_all.h"

namespace cresset::posix {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

struct Pipe {
  Pipe() {
    int fds[2];
    EXPECT_EQ(::pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
    reader.reset(fds[0]);
    writer.reset(fds[1]);
  }
  void write(std::string_view text) const {
    EXPECT_EQ(::write(writer.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  UniqueFd reader;
  UniqueFd writer;
};

class ReactorTest : public testing::Test {
 protected:
  // Generous: reached only when a wake-up got lost.
  TimePoint far() { return clock_.now() + hours(1); }

  SystemClock clock_;
  PollReactor reactor_{clock_};
};

TEST_F(ReactorTest, ReturnsAtTheDeadline) {
  const TimePoint until = clock_.now() + milliseconds(5);
  reactor_.wait(until);
  EXPECT_GE(clock_.now(), until);
}

TEST_F(ReactorTest, APastDeadlineReturnsAtOnce) { reactor_.wait(TimePoint(Duration(0))); }

TEST_F(ReactorTest, WhatIsReadableBeforeTheWaitEndsIt) {
  const Pipe pipe;
  reactor_.add(pipe.reader.get());
  pipe.write("x");
  reactor_.wait(far());
  reactor_.wait(far());  // level-triggered: still unread
  reactor_.remove(pipe.reader.get());
}

TEST_F(ReactorTest, AWakeBeforeTheWaitIsNotLostAndEndsOneWait) {
  reactor_.waker().wake();
  reactor_.wait(far());
  const TimePoint until = clock_.now() + milliseconds(2);
  reactor_.wait(until);
  EXPECT_GE(clock_.now(), until);
}

TEST_F(ReactorTest, AnotherThreadEndsTheWait) {
  std::thread waking([waker = reactor_.waker()] { waker.wake(); });
  reactor_.wait(std::nullopt);
  waking.join();
}

TEST_F(ReactorTest, ARemovedDescriptorIsNotWaitedFor) {
  const Pipe pipe;
  reactor_.add(pipe.reader.get());
  pipe.write("x");
  reactor_.remove(pipe.reader.get());
  const TimePoint until = clock_.now() + milliseconds(2);
  reactor_.wait(until);
  EXPECT_GE(clock_.now(), until);
}

TEST(EventLoop, AHandlerMayRemoveAnotherThatIsReadyToo) {
  EventLoop loop;
  const Pipe a;
  const Pipe b;
  int calls = 0;
  const auto once = [&](std::uint32_t) {
    ++calls;
    loop.remove(a.reader.get());
    loop.remove(b.reader.get());
  };
  loop.add(a.reader.get(), EPOLLIN, once);
  loop.add(b.reader.get(), EPOLLIN, once);
  a.write("x");
  b.write("x");
  loop.run_once(Duration(0));
  loop.run_once(Duration(0));
  EXPECT_EQ(calls, 1);
}

TEST(EventLoop, AReusedDescriptorNumberDoesNotGetTheOldOnesEvents) {
  EventLoop loop;
  const Pipe a;
  const Pipe b;
  const Pipe fresh;
  int calls = 0;
  const auto replace_the_other = [&](int other) {
    ++calls;
    loop.remove(other);
    ASSERT_EQ(::dup3(fresh.reader.get(), other, O_CLOEXEC), other);
    loop.add(other, EPOLLIN,
             [&](std::uint32_t) { ADD_FAILURE() << "an event of the descriptor before it"; });
  };
  loop.add(a.reader.get(), EPOLLIN, [&](std::uint32_t) { replace_the_other(b.reader.get()); });
  loop.add(b.reader.get(), EPOLLIN, [&](std::uint32_t) { replace_the_other(a.reader.get()); });
  a.write("x");
  b.write("x");
  loop.run_once(Duration(0));
  EXPECT_EQ(calls, 1);
}

TEST(PollTimeout, IsRoundedUpAndBounded) {
  EXPECT_EQ(to_poll_timeout(std::nullopt), -1);
  EXPECT_EQ(to_poll_timeout(Duration(0)), 0);
  EXPECT_EQ(to_poll_timeout(Duration(1)), 1);
  EXPECT_EQ(to_poll_timeout(Duration(-5)), 0);
  EXPECT_EQ(to_poll_timeout(hours(24 * 365 * 100)), std::numeric_limits<int>::max());
}

TEST(SystemClock, GoesOn) {
  SystemClock clock;
  const TimePoint before = clock.now();
  EXPECT_GE(clock.now(), before);
  EXPECT_GT(clock.wall_now(), *parse_rfc3339("2024-01-01T00:00:00Z"));
}

TEST(SystemRandom, TwoGeneratorsDiffer) {
  SystemRandom a;
  SystemRandom b;
  EXPECT_NE(a.next(), b.next());
  EXPECT_NE(a.next(), a.next());
}

TEST(SignalInterrupts, CountsToTwoThenLeavesTheSignalToItsDefault) {
  const Waker waker;
  SignalInterrupts interrupts(waker);
  EXPECT_EQ(interrupts.level(), 0);
  EXPECT_EQ(interrupts.last(), 0);
  ::raise(SIGINT);
  EXPECT_EQ(interrupts.level(), 1);
  EXPECT_EQ(interrupts.last(), SIGINT);
  ::raise(SIGTERM);
  EXPECT_EQ(interrupts.level(), 2);
  EXPECT_EQ(interrupts.last(), SIGTERM);
  struct sigaction now{};
  ASSERT_EQ(::sigaction(SIGTERM, nullptr, &now), 0);
  EXPECT_EQ(now.sa_handler, SIG_DFL);
  std::uint64_t wakes = 0;
  EXPECT_EQ(::read(waker.fd(), &wakes, sizeof wakes), static_cast<ssize_t>(sizeof wakes));
}

TEST(SignalInterrupts, HangUpIsNoInterrupt) {
  SignalInterrupts interrupts{Waker()};
  ::raise(SIGHUP);
  EXPECT_TRUE(interrupts.hung_up());
  EXPECT_EQ(interrupts.level(), 0);
}

TEST(SignalInterrupts, AnIgnoredSignalStaysIgnoredAndHandlersComeBack) {
  const auto before = ::signal(SIGHUP, SIG_IGN);
  {
    SignalInterrupts interrupts{Waker()};
    ::raise(SIGHUP);
    EXPECT_FALSE(interrupts.hung_up());
  }
  EXPECT_EQ(::signal(SIGHUP, before), SIG_IGN);
  EXPECT_EQ(::signal(SIGINT, SIG_DFL), SIG_DFL);
}

TEST(WriteAll, WritesOnWhereASingleWriteTakesLess) {
  int fds[2];
  ASSERT_EQ(::pipe2(fds, O_CLOEXEC), 0);
  const UniqueFd reader(fds[0]);
  UniqueFd writer(fds[1]);
  const std::string all(1 << 20, 'x');  // more than any pipe holds
  std::string got;
  std::thread reading([&] {
    char buffer[4096];
    for (ssize_t n = 0; (n = ::read(reader.get(), buffer, sizeof buffer)) > 0;)
      got.append(buffer, static_cast<std::size_t>(n));
  });
  const auto written = write_all(writer.get(), all, "pipe");
  writer.reset();
  reading.join();
  EXPECT_TRUE(written);
  EXPECT_EQ(got, all);
  const Error error = write_all(-1, "x", "nothing").error();
  EXPECT_EQ(error.text(), "writing: nothing: Bad file descriptor");
}

}  // namespace
}  // namespace cresset::posix
