#include "cresset/adapters/process/leftovers.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

namespace cresset::process {
namespace {

// A child that leads a session, as a step does, and waits until it is killed.
class Step {
 public:
  Step() {
    int ready[2];
    EXPECT_EQ(::pipe(ready), 0);
    identity_.ticks_from = ticks_since_boot();
    identity_.pid = ::fork();
    if (identity_.pid == 0) {
      ::setsid();
      ::close(ready[0]);
      ::close(ready[1]);
      while (true) ::pause();
    }
    identity_.ticks_to = ticks_since_boot();
    ::close(ready[1]);
    char byte = 0;
    EXPECT_EQ(::read(ready[0], &byte, 1), 0);  // it leads its session
    ::close(ready[0]);
  }
  ~Step() {
    if (is_alive()) ::kill(identity_.pid, SIGKILL);
    if (!reaped_) ::waitpid(identity_.pid, nullptr, 0);
  }
  Step(const Step&) = delete;
  Step& operator=(const Step&) = delete;

  [[nodiscard]] const ProcessIdentity& identity() const { return identity_; }
  bool is_alive() {
    if (!reaped_) reaped_ = ::waitpid(identity_.pid, nullptr, WNOHANG) == identity_.pid;
    return !reaped_;
  }

 private:
  ProcessIdentity identity_;
  bool reaped_ = false;
};

const model::AttemptId kAttempt{model::RunId("run"), 1, 1};

TEST(LeftoversTest, ALostAttemptIsKilled) {
  Step step;
  kill_lost_attempts({{kAttempt, step.identity()}});
  EXPECT_FALSE(step.is_alive());
}

TEST(LeftoversTest, AProcessThatOnlyHasItsNumberIsSpared) {
  Step other;
  ProcessIdentity earlier = other.identity();
  earlier.ticks_from -= 200;
  earlier.ticks_to -= 100;
  kill_lost_attempts({{kAttempt, earlier}});
  EXPECT_TRUE(other.is_alive());
}

TEST(LeftoversTest, AnAttemptWithoutAProcessMatchesNone) {
  Step other;
  kill_lost_attempts({{kAttempt, ProcessIdentity{}}});
  EXPECT_TRUE(other.is_alive());
}

}  // namespace
}  // namespace cresset::process
