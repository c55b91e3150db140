#include "cresset/adapters/python/local_environments.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cresset/adapters/python/built_environments.h"
#include "cresset/adapters/python/key_lock.h"
#include "cresset/adapters/python/program_search.h"
#include "cresset/adapters/python/testing/python_world.h"
#include "cresset/ports/testing/environments_contract.h"

namespace cresset::ports::testing {
namespace {

INSTANTIATE_TYPED_TEST_SUITE_P(Local, EnvironmentsContract, python::PythonWorld);

}  // namespace
}  // namespace cresset::ports::testing

namespace cresset::python {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

struct LocalEnvironmentsTest : public ::testing::Test {
  std::string error_of(const std::string& executable, Code code) {
    const auto answer = world_.environments().inspect(executable);
    if (answer) return "no error";
    EXPECT_EQ(answer.error().code, code) << answer.error().text();
    return answer.error().text();
  }
  BuiltEnvironment only_environment() {
    const auto all = list_environments(world_.envs());
    EXPECT_EQ(all->size(), 1u);
    return all->empty() ? BuiltEnvironment{} : all->front();
  }

  PythonWorld world_;
};

TEST_F(LocalEnvironmentsTest, InspectAsksAnInterpreterOnce) {
  const auto first = world_.environments().inspect(world_.python());
  ASSERT_TRUE(first) << first.error().text();
  EXPECT_EQ(first->executable, world_.python()) << "a virtual environment's python stays its own";
  const int calls = world_.runtime_calls();
  EXPECT_EQ(world_.environments().inspect(world_.python())->fingerprint, first->fingerprint);
  world_.restart();
  EXPECT_EQ(world_.environments().inspect(world_.python())->fingerprint, first->fingerprint);
  EXPECT_EQ(world_.runtime_calls(), calls);
}

TEST_F(LocalEnvironmentsTest, InspectNoticesWhatIsInstalled) {
  const auto first = world_.environments().inspect(world_.python());
  fs::create_directory(world_.site_packages() + "/new_thing-1.0.dist-info");
  const auto second = world_.environments().inspect(world_.python());
  EXPECT_NE(second->fingerprint, first->fingerprint);
  fs::remove(world_.site_packages() + "/new_thing-1.0.dist-info");
  EXPECT_EQ(world_.environments().inspect(world_.python())->fingerprint, first->fingerprint);
}

// As pyenv has them: a script in <root>/shims that starts what <root>/version or a .python-version
// names.
TEST_F(LocalEnvironmentsTest, InspectRemembersWhatAKnownLauncherStarts) {
  fs::create_directories(world_ / "pyenv/shims");
  fs::create_directories(world_ / "pyenv/versions");
  write_text(world_ / "pyenv/version", "one");
  const std::string launcher = world_ / "pyenv/shims/python3";
  write_text(launcher, "#!/bin/sh\nexec \"${0%/*}/../../base/bin/python\" \"$@\"\n", true);
  world_.settle();
  ASSERT_EQ(world_.environments().inspect(launcher)->executable, world_.python());
  const int calls = world_.runtime_calls();
  world_.restart();
  EXPECT_EQ(world_.environments().inspect(launcher)->executable, world_.python());
  EXPECT_EQ(world_.runtime_calls(), calls);
  write_text(world_ / "pyenv/version", "another");
  ASSERT_TRUE(world_.environments().inspect(launcher));
  EXPECT_EQ(world_.runtime_calls(), calls + 1);
}

TEST_F(LocalEnvironmentsTest, InspectKeepsWhatAKnownLauncherStartsUnderOtherSettingsApart) {
  for (const char* folder : {"pyenv/shims", "pyenv/versions", "other", "project"})
    fs::create_directories(world_ / folder);
  write_text(world_ / "other/version", "one");
  write_text(world_ / "project/.python-version", "one");
  const std::string launcher = world_ / "pyenv/shims/python3";
  write_text(launcher, "#!/bin/sh\nexec \"${0%/*}/../../base/bin/python\" \"$@\"\n", true);
  world_.settle();
  const std::vector<Variables> settings = {
      {},
      {{"PYENV_VERSION", "one"}},
      {{"PYENV_ROOT", world_ / "other"}},
      {{"PYENV_ROOT", world_ / "other"}, {"PYENV_DIR", world_ / "project"}}};
  int calls = world_.runtime_calls();
  for (const Variables& setting : settings) {
    world_.restart(setting);
    ASSERT_TRUE(world_.environments().inspect(launcher));
    EXPECT_EQ(world_.runtime_calls(), ++calls);
    world_.restart(setting);
    ASSERT_TRUE(world_.environments().inspect(launcher));
    EXPECT_EQ(world_.runtime_calls(), calls);
  }
  for (const char* file : {"other/version", "project/.python-version"}) {
    write_text(world_ / file, "another");
    world_.settle();
    world_.restart(settings.back());
    ASSERT_TRUE(world_.environments().inspect(launcher));
    EXPECT_EQ(world_.runtime_calls(), ++calls) << file;
  }
}

TEST_F(LocalEnvironmentsTest, InspectAsksAnUnknownLauncherInEachProcess) {
  write_text(world_ / "launcher", "#!/bin/sh\nexec \"${0%/*}/base/bin/python\" \"$@\"\n", true);
  ASSERT_EQ(world_.environments().inspect(world_ / "launcher")->executable, world_.python());
  const int calls = world_.runtime_calls();
  ASSERT_TRUE(world_.environments().inspect(world_ / "launcher"));
  EXPECT_EQ(world_.runtime_calls(), calls);
  world_.restart();
  ASSERT_TRUE(world_.environments().inspect(world_ / "launcher"));
  EXPECT_EQ(world_.runtime_calls(), calls + 1);
}

TEST_F(LocalEnvironmentsTest, InspectIgnoresADamagedMemory) {
  const auto first = world_.environments().inspect(world_.python());
  int damaged = 0;
  for (const auto& file : fs::directory_iterator(world_.envs() + "/.interpreters")) {
    write_text(file.path().native(), read_text(file.path().native()).substr(0, 100));
    ++damaged;
  }
  EXPECT_GE(damaged, 1);
  world_.restart();
  const auto second = world_.environments().inspect(world_.python());
  ASSERT_TRUE(second) << second.error().text();
  EXPECT_EQ(second->fingerprint, first->fingerprint);
}

TEST_F(LocalEnvironmentsTest, NamesAreLookedUpOnThePathVariable) {
  EXPECT_THAT(error_of("python3", Code::kNotFound),
              HasSubstr("command not found: python3 (looked in " + world_.bin() + ")"));
  fs::create_symlink(world_.python(), world_.bin() + "/python3");
  EXPECT_TRUE(world_.environments().inspect("python3"));
}

TEST_F(LocalEnvironmentsTest, InspectSaysWhatIsWrong) {
  EXPECT_THAT(error_of(world_ / "none", Code::kNotFound), HasSubstr("--python"));
  EXPECT_THAT(error_of(world_ / "bin", Code::kPermissionDenied), HasSubstr("may not be executed"));
  write_text(world_ / "locked", "#!/bin/sh\n");
  EXPECT_THAT(error_of(world_ / "locked", Code::kPermissionDenied), HasSubstr("locked"));
  write_text(world_ / "text", "words\n", true);
  EXPECT_THAT(error_of(world_ / "text", Code::kFailedPrecondition), HasSubstr("no program"));
  write_text(world_ / "broken", "#!/bin/sh\necho it broke >&2\nexit 4\n", true);
  const std::string broken = error_of(world_ / "broken", Code::kFailedPrecondition);
  EXPECT_THAT(broken, HasSubstr("status 4"));
  EXPECT_THAT(broken, HasSubstr("it broke"));
}

// Python 2 and 3.6 cannot even parse the probe; 3.8 can, and says its version.
TEST_F(LocalEnvironmentsTest, InspectRefusesOldPythons) {
  write_text(world_ / "old", "#!/bin/sh\n[ \"$1\" = -c ] && exec echo 2.7.18\nexit 1\n", true);
  EXPECT_THAT(error_of(world_ / "old", Code::kFailedPrecondition),
              HasSubstr("is Python 2.7.18, and steps need 3.9 or later"));
  write_text(world_ / "older", "#!/bin/sh\necho '{\"version\": \"3.8.20\"}'\n", true);
  EXPECT_THAT(error_of(world_ / "older", Code::kFailedPrecondition), HasSubstr("Python 3.8.20"));
}

TEST_F(LocalEnvironmentsTest, AProgramsFingerprintTellsItsReplacement) {
  write_text(world_ / "bin/tool", "#!/bin/sh\n", true);
  const auto find = [&] { return world_.environments().find_program("tool", world_.bin()); };
  const auto first = find();
  ASSERT_TRUE(first) << first.error().text();
  EXPECT_EQ(first->path, world_ / "bin/tool");
  EXPECT_EQ(find()->fingerprint, first->fingerprint);
  write_text(world_ / "bin/tool", "#!/bin/sh\nexit 1\n", true);
  EXPECT_NE(find()->fingerprint, first->fingerprint);
  fs::permissions(world_ / "bin/tool", fs::perms::owner_read);
  EXPECT_EQ(find().error().code, Code::kPermissionDenied);
  EXPECT_EQ(world_.environments().find_program("", world_.bin()).error().code,
            Code::kInvalidArgument);
}

TEST_F(LocalEnvironmentsTest, WhatTheBaseHoldsIsNotBuilt) {
  const auto answer = world_.ask(world_.spec({"cresset-probe-base>=1"}, true));
  ASSERT_TRUE(answer) << answer.error().text();
  EXPECT_EQ(answer->python, world_.python());
  EXPECT_EQ(world_.built(), 0);
  world_.restart();
  world_.environments().inspect(world_.python()).value();
  const int calls = world_.runtime_calls();
  EXPECT_EQ(world_.ask(world_.spec({"cresset-probe-base>=1"}))->python, world_.python());
  EXPECT_EQ(world_.runtime_calls(), calls) << "the answer is remembered";
}

TEST_F(LocalEnvironmentsTest, AnEnvironmentHoldsItsPackagesAndThoseOfTheBase) {
  const auto answer = world_.ask(world_.spec({"cresset-probe-one", "cresset-probe-uses"}));
  ASSERT_TRUE(answer) << answer.error().text();
  EXPECT_EQ(
      world_.run({answer->python, "-c",
                  "import cresset_probe_one as o, cresset_probe_base as b\n"
                  "print(o.version, b.version, o.__file__.startswith(__import__('sys').prefix))"}),
      "1.0 1.0 True\n");
  const BuiltEnvironment built = only_environment();
  EXPECT_EQ(built.python, answer->python);
  EXPECT_THAT(built.requirements, ElementsAre("cresset-probe-one", "cresset-probe-uses"));
  EXPECT_THAT(built.installed, Not(::testing::Contains(HasSubstr("probe_base"))));
  EXPECT_EQ(built.base_executable, world_.python());
}

TEST_F(LocalEnvironmentsTest, AnEnvironmentMayHoldANewerOneThanTheBase) {
  const auto answer = world_.ask(world_.spec({"cresset-probe-newer"}));
  ASSERT_TRUE(answer) << answer.error().text();
  const std::string print = "import cresset_probe_base as b; print(b.version)";
  EXPECT_EQ(world_.run({answer->python, "-c", print}), "2.0\n");
  EXPECT_EQ(world_.run({world_.python(), "-c", print}), "1.0\n");
}

TEST_F(LocalEnvironmentsTest, ScriptsRunInTheirFinalPlace) {
  const auto answer = world_.ask(world_.spec({"cresset-probe-one"}));
  ASSERT_TRUE(answer) << answer.error().text();
  const std::string script = fs::path(answer->python).parent_path() / "cresset-probe-script";
  EXPECT_THAT(read_text(script), Not(HasSubstr(".building-")));
  EXPECT_TRUE(fs::status(script).permissions() ==
              (fs::status(script).permissions() | fs::perms::owner_exec));
}

TEST_F(LocalEnvironmentsTest, WhatADeadBuilderLeftIsRemoved) {
  ASSERT_TRUE(world_.ask(world_.spec({"cresset-probe-one"})));
  const std::string key = only_environment().key;
  ASSERT_TRUE(remove_environment(world_.envs(), key));
  const std::string left = world_.envs() + "/.building-" + key + "-1";
  fs::create_directories(left + "/bin");
  write_text(left + "/bin/python", "#!/bin/sh\n", true);
  EXPECT_EQ(world_.built(), 0);
  ASSERT_TRUE(world_.ask(world_.spec({"cresset-probe-one"})));
  EXPECT_FALSE(fs::exists(left));
  EXPECT_EQ(only_environment().key, key);
}

TEST_F(LocalEnvironmentsTest, ATornMarkerIsNoEnvironment) {
  ASSERT_TRUE(world_.ask(world_.spec({"cresset-probe-one"})));
  const BuiltEnvironment built = only_environment();
  const std::string marker = world_.envs() + "/" + built.key + "/cresset-environment.json";
  const std::string whole = read_text(marker);
  for (std::size_t size = 0; size + 1 < whole.size(); ++size) {
    write_text(marker, whole.substr(0, size));
    EXPECT_FALSE(find_environment(world_.envs(), built.key)) << size;
  }
  const auto again = world_.ask(world_.spec({"cresset-probe-one"}));
  ASSERT_TRUE(again) << again.error().text();
  EXPECT_EQ(again->fingerprint, built.fingerprint);
}

TEST_F(LocalEnvironmentsTest, OfflineSaysWhatIsMissingAndWhatToDo) {
  const auto answer =
      world_.ask(world_.spec({"cresset-probe-base", "cresset-probe-one", "numpy<0"}, true));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().message,
            world_.python() +
                " does not hold cresset-probe-one, numpy<0, and --offline forbids to get it: run "
                "once without --offline, or install it with: " +
                world_.python() + " -m pip install 'cresset-probe-one' 'numpy<0'");
}

TEST_F(LocalEnvironmentsTest, AFailureShowsTheToolsLastLines) {
  const auto answer = world_.ask(world_.spec({"cresset-probe-one==7"}));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::kUnavailable);
  EXPECT_THAT(answer.error().message, HasSubstr("pip could not install cresset-probe-one==7"));
  EXPECT_THAT(answer.error().message, HasSubstr("No matching distribution found"));
  for (const auto& entry : fs::directory_iterator(world_.envs()))
    EXPECT_THAT(entry.path().filename().native(), Not(HasSubstr("building")));
}

TEST_F(LocalEnvironmentsTest, DestructionKillsABuild) {
  write_text(world_ / "bin/uv", "#!/bin/sh\necho $$ >\"$HOME/pid\"\n/bin/sleep 1000\n", true);
  world_.environments().prepare(1, world_.spec({"cresset-probe-one"}));
  const StopSignal never;
  while (read_text(world_ / "pid").empty())
    static_cast<void>(never.wait(std::chrono::milliseconds(5)));
  std::string pid = read_text(world_ / "pid");
  pid.pop_back();
  world_.stop();
  EXPECT_FALSE(fs::exists("/proc/" + pid));
}

TEST_F(LocalEnvironmentsTest, ListsAndRemovesEnvironments) {
  EXPECT_TRUE(list_environments(world_ / "none")->empty());
  ASSERT_TRUE(world_.ask(world_.spec({"cresset-probe-one"})));
  const std::string key = only_environment().key;
  EXPECT_EQ(only_environment().tool, "pip");
  EXPECT_GT(only_environment().created.time_since_epoch().count(), 0);
  EXPECT_GT(environment_bytes(world_.envs(), key), 1000);
  EXPECT_EQ(environment_bytes(world_.envs(), "0"), 0);

  for (const std::string bad : {"", "..", "a/b", "../envs", "xyz"})
    EXPECT_EQ(remove_environment(world_.envs(), bad).error().code, Code::kInvalidArgument) << bad;
  EXPECT_EQ(remove_environment(world_.envs(), "abc").error().code, Code::kNotFound);
  {
    const auto building = KeyLock::try_lock(world_.envs(), key);
    ASSERT_TRUE(building && *building);
    const auto refused = remove_environment(world_.envs(), key);
    EXPECT_EQ(refused.error().code, Code::kFailedPrecondition);
    EXPECT_EQ(world_.built(), 1);
  }
  ASSERT_TRUE(remove_environment(world_.envs(), key));
  EXPECT_EQ(world_.built(), 0);
  EXPECT_FALSE(fs::exists(world_.envs() + "/" + key));
  EXPECT_FALSE(fs::exists(world_.envs() + "/.lock-" + key));
}

TEST_F(LocalEnvironmentsTest, RemovesWhatNobodyBuildsAnyMore) {
  fs::create_directories(world_.envs() + "/.building-aa-1/x");
  fs::create_directories(world_.envs() + "/.removing-bb-2/x");
  fs::create_directories(world_.envs() + "/.building-cc-3/x");
  const auto live = KeyLock::try_lock(world_.envs(), "cc");
  ASSERT_TRUE(live && *live);
  EXPECT_EQ(remove_unfinished_environments(world_.envs()).value(), 2);
  EXPECT_FALSE(fs::exists(world_.envs() + "/.building-aa-1"));
  EXPECT_TRUE(fs::exists(world_.envs() + "/.building-cc-3"));
}

}  // namespace
}  // namespace cresset::python
