#include "cresset/adapters/posix/worker_threads.h"

#include <gtest/gtest.h>
#include <pthread.h>

#include <csignal>
#include <future>
#include <string>

namespace cresset::posix {
namespace {

TEST(WorkerThreads, RunJobsInOrderWithoutSignals) {
  std::string order;
  bool takes_signals = true;
  std::promise<void> done;
  WorkerThreads threads(1);
  threads.post([&] { order += "a"; });
  threads.post([&] {
    sigset_t blocked;
    ::pthread_sigmask(SIG_SETMASK, nullptr, &blocked);
    takes_signals = ::sigismember(&blocked, SIGINT) == 0 || ::sigismember(&blocked, SIGTERM) == 0;
    order += "b";
  });
  threads.post([&] { done.set_value(); });
  done.get_future().wait();
  EXPECT_EQ(order, "ab");
  EXPECT_FALSE(takes_signals);
  sigset_t ours;
  ::pthread_sigmask(SIG_SETMASK, nullptr, &ours);
  EXPECT_EQ(::sigismember(&ours, SIGINT), 0) << "who posts goes on to take them";
}

TEST(WorkerThreads, FinishWhatHasBegun) {
  std::promise<void> begun;
  std::promise<void> go_on;
  bool finished = false;
  {
    WorkerThreads threads(1);
    threads.post([&] {
      begun.set_value();
      go_on.get_future().wait();
      finished = true;
    });
    begun.get_future().wait();
    go_on.set_value();
  }
  EXPECT_TRUE(finished);
}

}  // namespace
}  // namespace cresset::posix
