#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "cresset/ports/environments.h"

// What every Environments keeps. Instantiate with a World: an interpreter, and an index that has
// the packages "cresset-probe-one" and "cresset-probe-two", which the interpreter lacks, and no
// package "cresset-probe-lost".
//   Environments& environments();
//   Environments& others();      over the same environments, as another process has them
//   EnvironmentReady next(Environments&);   waits for an answer that poll() has not given yet
//   std::string python();        what inspect() accepts
//   std::string no_python();     what inspect() refuses
//   std::pair<std::string, std::string> program();   a name and the path variable that finds it
//   int built();                 how many environments there are
namespace cresset::ports::testing {

template <class World>
class EnvironmentsContract : public ::testing::Test {
 protected:
  EnvironmentSpec spec(std::vector<std::string> requirements, bool offline = false) {
    return {base(), std::move(requirements), {}, {}, offline};
  }

  Interpreter base() {
    Result<Interpreter> found = world_.environments().inspect(world_.python());
    EXPECT_TRUE(found) << found.error().text();
    return found ? std::move(found).value() : Interpreter{};
  }

  Result<Environment> ask(EnvironmentSpec asked) {
    const std::uint64_t job = ++last_job_;
    world_.environments().prepare(job, std::move(asked));
    EnvironmentReady ready = world_.next(world_.environments());
    EXPECT_EQ(ready.job, job);
    return std::move(ready.answer);
  }

  Environment get(EnvironmentSpec asked) {
    Result<Environment> answer = ask(std::move(asked));
    EXPECT_TRUE(answer) << answer.error().text();
    return answer ? std::move(answer).value() : Environment{};
  }

  World world_;
  std::uint64_t last_job_ = 0;
};
TYPED_TEST_SUITE_P(EnvironmentsContract);

TYPED_TEST_P(EnvironmentsContract, InspectSaysTheSameEachTime) {
  const Interpreter first = this->base();
  EXPECT_TRUE(first.executable.starts_with("/")) << first.executable;
  EXPECT_THAT(first.version, ::testing::StartsWith("3."));
  EXPECT_FALSE(first.fingerprint.empty());
  auto second = this->world_.others().inspect(this->world_.python());
  ASSERT_TRUE(second) << second.error().text();
  EXPECT_EQ(second->executable, first.executable);
  EXPECT_EQ(second->version, first.version);
  EXPECT_EQ(second->fingerprint, first.fingerprint);
}

TYPED_TEST_P(EnvironmentsContract, InspectRefusesWhatIsNoPython) {
  const auto answer = this->world_.environments().inspect(this->world_.no_python());
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::kFailedPrecondition);
}

TYPED_TEST_P(EnvironmentsContract, FindsPrograms) {
  const auto [name, path_variable] = this->world_.program();
  const auto found = this->world_.environments().find_program(name, path_variable);
  ASSERT_TRUE(found) << found.error().text();
  EXPECT_THAT(found->path, ::testing::EndsWith("/" + name));
  EXPECT_FALSE(found->fingerprint.empty());
  const auto lost = this->world_.environments().find_program("no such program", path_variable);
  ASSERT_FALSE(lost);
  EXPECT_EQ(lost.error().code, Code::kNotFound);
  EXPECT_THAT(lost.error().message, ::testing::HasSubstr("no such program"));
}

TYPED_TEST_P(EnvironmentsContract, TheBaseServesWithoutRequirements) {
  const Interpreter base = this->base();
  const Environment environment = this->get(this->spec({}));
  EXPECT_EQ(environment.python, base.executable);
  EXPECT_EQ(environment.fingerprint, base.fingerprint);
  EXPECT_EQ(this->world_.built(), 0);
}

TYPED_TEST_P(EnvironmentsContract, EqualSpecificationsAreBuiltOnceWhoeverAsks) {
  constexpr int kJobs = 6;
  for (int job = 0; job < kJobs; ++job) {
    Environments& asked = job % 2 == 0 ? this->world_.environments() : this->world_.others();
    asked.prepare(static_cast<std::uint64_t>(job), this->spec({"cresset-probe-one"}));
  }
  std::set<std::string> pythons;
  std::set<std::string> fingerprints;
  for (int job = 0; job < kJobs; ++job) {
    EnvironmentReady ready =
        this->world_.next(job % 2 == 0 ? this->world_.environments() : this->world_.others());
    ASSERT_TRUE(ready.answer) << ready.answer.error().text();
    pythons.insert(ready.answer->python);
    fingerprints.insert(ready.answer->fingerprint);
  }
  EXPECT_EQ(pythons.size(), 1u);
  EXPECT_EQ(fingerprints.size(), 1u);
  EXPECT_NE(*pythons.begin(), this->base().executable);
  EXPECT_EQ(this->world_.built(), 1);
}

TYPED_TEST_P(EnvironmentsContract, OtherRequirementsAreAnotherEnvironment) {
  const Environment one = this->get(this->spec({"cresset-probe-one"}));
  const Environment both = this->get(this->spec({"cresset-probe-one", "cresset-probe-two"}));
  EXPECT_NE(one.python, both.python);
  EXPECT_NE(one.fingerprint, both.fingerprint);
  EXPECT_EQ(this->world_.built(), 2);
}

TYPED_TEST_P(EnvironmentsContract, OfflineGivesOnlyWhatIsThere) {
  const auto missing = this->ask(this->spec({"cresset-probe-one"}, true));
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, Code::kFailedPrecondition);
  EXPECT_THAT(missing.error().message, ::testing::HasSubstr("cresset-probe-one"));
  EXPECT_EQ(this->world_.built(), 0);
  const Environment built = this->get(this->spec({"cresset-probe-one"}));
  EXPECT_EQ(this->get(this->spec({"cresset-probe-one"}, true)).python, built.python);
}

TYPED_TEST_P(EnvironmentsContract, AFailedBuildLeavesNothing) {
  for (int attempt = 0; attempt < 2; ++attempt) {
    const auto lost = this->ask(this->spec({"cresset-probe-lost"}));
    ASSERT_FALSE(lost);
    EXPECT_EQ(lost.error().code, Code::kUnavailable);
    EXPECT_THAT(lost.error().message, ::testing::HasSubstr("cresset-probe-lost"));
    EXPECT_EQ(this->world_.built(), 0);
  }
}

TYPED_TEST_P(EnvironmentsContract, AnswersEachJobOnce) {
  std::multiset<std::uint64_t> answered;
  for (std::uint64_t job = 1; job <= 20; ++job)
    this->world_.environments().prepare(job, this->spec({}));
  for (int i = 0; i < 20; ++i) {
    const EnvironmentReady ready = this->world_.next(this->world_.environments());
    EXPECT_TRUE(ready.answer);
    answered.insert(ready.job);
  }
  EXPECT_EQ(answered.size(), 20u);
  EXPECT_EQ(std::set<std::uint64_t>(answered.begin(), answered.end()).size(), 20u);
  EXPECT_TRUE(this->world_.environments().poll().empty());
}

REGISTER_TYPED_TEST_SUITE_P(EnvironmentsContract, InspectSaysTheSameEachTime,
                            InspectRefusesWhatIsNoPython, FindsPrograms,
                            TheBaseServesWithoutRequirements,
                            EqualSpecificationsAreBuiltOnceWhoeverAsks,
                            OtherRequirementsAreAnotherEnvironment, OfflineGivesOnlyWhatIsThere,
                            AFailedBuildLeavesNothing, AnswersEachJobOnce);

}  // namespace cresset::ports::testing
