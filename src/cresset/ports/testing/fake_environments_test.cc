#include "cresset/ports/testing/fake_environments.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cresset/ports/testing/environments_contract.h"

namespace cresset::ports::testing {
namespace {

struct FakeEnvironmentsWorld {
  FakeEnvironmentsWorld() {
    fake.add_program("tool", {"/fake/bin/tool", "1"});
    fake.set_interpreter("/fake/no_python",
                         make_error(Code::kFailedPrecondition, "/fake/no_python is no Python"));
    fake.lose_requirement("cresset-probe-lost");
  }
  Environments& environments() { return fake; }
  Environments& others() { return fake; }
  EnvironmentReady next(Environments&) {
    if (answers.empty()) answers = fake.poll();
    EnvironmentReady first = std::move(answers.front());
    answers.erase(answers.begin());
    return first;
  }
  std::string python() { return "/usr/bin/python3"; }
  std::string no_python() { return "/fake/no_python"; }
  std::pair<std::string, std::string> program() { return {"tool", "/fake/bin"}; }
  int built() { return fake.builds(); }

  FakeEnvironments fake;
  std::vector<EnvironmentReady> answers;
};
INSTANTIATE_TYPED_TEST_SUITE_P(Fake, EnvironmentsContract, FakeEnvironmentsWorld);

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
