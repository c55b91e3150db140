#include "cresset/ports/testing/fake_environments.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cresset::ports::testing {
namespace {

struct FakeEnvironmentsTest : public ::testing::Test {
  EnvironmentSpec spec(std::vector<std::string> requirements, bool offline = false) {
    return {
        environments.inspect("/usr/bin/python3").value(), std::move(requirements), {}, {}, offline};
  }
  Result<Environment> get(EnvironmentSpec asked) {
    environments.prepare(7, std::move(asked));
    std::vector<EnvironmentReady> ready = environments.poll();
    EXPECT_EQ(ready.at(0).job, 7u);
    return std::move(ready.at(0).answer);
  }
  FakeEnvironments environments;
};

TEST_F(FakeEnvironmentsTest, BuildsEqualRequirementsOnce) {
  const Result<Environment> first = get(spec({"numpy"}));
  const Result<Environment> second = get(spec({"numpy"}));
  const Result<Environment> third = get(spec({"scipy"}));
  EXPECT_EQ(first->python, second->python);
  EXPECT_NE(first->python, third->python);
  EXPECT_NE(first->fingerprint, third->fingerprint);
  EXPECT_EQ(environments.builds(), 2);
}

TEST_F(FakeEnvironmentsTest, TheBaseServesWithoutRequirements) {
  EXPECT_EQ(get(spec({}))->python, "/usr/bin/python3");
  EXPECT_EQ(environments.builds(), 0);
}

TEST_F(FakeEnvironmentsTest, OfflineGivesOnlyWhatIsBuilt) {
  const Result<Environment> missing = get(spec({"numpy"}, true));
  EXPECT_EQ(missing.error().code, Code::kFailedPrecondition);
  EXPECT_THAT(missing.error().message, ::testing::HasSubstr("numpy"));
  ASSERT_TRUE(get(spec({"numpy"})));
  EXPECT_TRUE(get(spec({"numpy"}, true)));
}

TEST_F(FakeEnvironmentsTest, FailsAsTold) {
  environments.lose_requirement("gone");
  EXPECT_EQ(get(spec({"gone"})).error().code, Code::kUnavailable);
  environments.fail_next(make_error(Code::kResourceExhausted, "disk full"));
  EXPECT_EQ(get(spec({"numpy"})).error().code, Code::kResourceExhausted);
  EXPECT_TRUE(get(spec({"numpy"})));
  environments.set_interpreter("/bad", make_error(Code::kFailedPrecondition, "no Python"));
  EXPECT_FALSE(environments.inspect("/bad"));
  EXPECT_FALSE(environments.find_program("sh", "/bin"));
  environments.add_program("sh", {"/bin/sh", "f"});
  EXPECT_EQ(environments.find_program("sh", "/bin")->path, "/bin/sh");
}

TEST_F(FakeEnvironmentsTest, HoldsAnswersUntilTheyAreReleased) {
  environments.hold();
  environments.prepare(1, spec({"numpy"}));
  EXPECT_TRUE(environments.poll().empty());
  environments.release_all();
  EXPECT_EQ(environments.poll().size(), 1u);
  EXPECT_EQ(environments.asked().size(), 1u);
}

}  // namespace
}  // namespace cresset::ports::testing
