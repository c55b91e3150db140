#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cresset/adapters/python/built_environments.h"
#include "cresset/adapters/python/program_search.h"
#include "cresset/adapters/python/testing/python_world.h"

namespace cresset::python {
namespace {

namespace fs = std::filesystem;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

// The real uv, where ./dev setup has put it or the path has it.
std::string find_real_uv() {
  if (auto found = search_program("uv", from_environment("PATH"))) return std::move(found).value();
  const auto python = search_program("python3", from_environment("PATH"));
  if (!python) return {};
  const StopSignal never;
  Variables env;
  for (const std::string name : {"PATH", "HOME", "XDG_CACHE_HOME", "CRESSET_DEV_CACHE"}) {
    if (std::string value = from_environment(name); !value.empty())
      env.emplace_back(name, std::move(value));
  }
  const auto end =
      run_child({{*python, CR_SOURCE_DIR "/tools/python_env.py", "tools"}, env}, never);
  if (!end || end->status != 0) return {};
  const fs::path interpreter = end->output.substr(0, end->output.find('\n'));
  return (interpreter.parent_path() / "uv").native();
}

struct UvTest : public ::testing::Test {
  void SetUp() override {
    const std::string uv = find_real_uv();
    if (uv.empty()) GTEST_SKIP() << "there is no uv: ./dev setup gets it";
    fs::create_symlink(uv, world_.bin() + "/uv");
  }
  std::string print_in(const std::string& python, const std::string& expression) {
    return world_.run({python, "-c", "import cresset_probe_base as b; print(" + expression + ")"});
  }
  BuiltEnvironment only_environment() {
    const auto all = list_environments(world_.envs());
    EXPECT_EQ(all->size(), 1u);
    return all->empty() ? BuiltEnvironment{} : all->front();
  }

  PythonWorld world_;
};

TEST_F(UvTest, LeavesWhatTheBaseHoldsWhereItIs) {
  const auto answer = world_.ask(world_.spec({"cresset-probe-one", "cresset-probe-uses"}));
  ASSERT_TRUE(answer) << answer.error().text();
  EXPECT_EQ(only_environment().tool, "uv");
  EXPECT_THAT(only_environment().installed, Contains("cresset_probe_uses-1.0.dist-info"));
  EXPECT_THAT(only_environment().installed, Not(Contains(HasSubstr("probe_base"))));
  EXPECT_EQ(print_in(answer->python, "b.version"), "1.0\n");
}

TEST_F(UvTest, TakesANewerOneThanTheBaseHasWhereAPackageNeedsIt) {
  const auto answer = world_.ask(world_.spec({"cresset-probe-newer"}));
  ASSERT_TRUE(answer) << answer.error().text();
  EXPECT_EQ(print_in(answer->python, "b.version"), "2.0\n");
  EXPECT_EQ(print_in(world_.python(), "b.version"), "1.0\n");
}

TEST_F(UvTest, AFailureShowsUvsLastLines) {
  const auto answer = world_.ask(world_.spec({"cresset-probe-lost"}));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::kUnavailable);
  EXPECT_THAT(answer.error().message, HasSubstr("uv could not install cresset-probe-lost"));
  EXPECT_THAT(answer.error().message, HasSubstr("not found"));
  EXPECT_EQ(world_.built(), 0);
}

}  // namespace
}  // namespace cresset::python
