#include "cresset/dag/lightweight.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cresset::dag {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

const std::string kEnsurePip =
    "\nif ! [ -x \"$(command -v pip)\" ]; then\n    python3 -m ensurepip || python3 -m ensurepip "
    "--user || apt-get install python3-pip\nfi\n\n";
const std::string kInstallKfp =
    "PIP_DISABLE_PIP_VERSION_CHECK=1 python3 -m pip install --quiet --no-warn-script-location "
    "'kfp==2.14.6' '--no-deps' 'typing-extensions>=3.7.4,<5; python_version<\"3.9\"'";
const std::string kRun =
    "program_path=$(mktemp -d)\n\nprintf \"%s\" \"$0\" > \"$program_path/ephemeral_component.py\"\n"
    "_KFP_RUNTIME=true python3 -m kfp.dsl.executor_main                         "
    "--component_module_path                         \"$program_path/ephemeral_component.py\"      "
    "                   \"$@\"\n";
const std::string kSource = "\nimport kfp\n\ndef f(a: int) -> int:\n    return a\n";

model::Container container(const std::string& install) {
  model::Container out;
  if (!install.empty()) out.command = {"sh", "-c", install};
  for (const std::string& part : {std::string("sh"), std::string("-ec"), kRun, kSource})
    out.command.push_back(part);
  out.args = {"--executor_input", "{{$}}", "--function_to_execute", "f"};
  return out;
}

std::string with_packages(const std::string& pip_arguments) {
  return kEnsurePip + kInstallKfp + " && python3 -m pip install --quiet " + pip_arguments +
         " && \"$0\" \"$@\"\n";
}

TEST(Lightweight, IsRecognisedWithAndWithoutThePreamble) {
  for (const std::string& install :
       {std::string(), kEnsurePip + kInstallKfp + " && \"$0\" \"$@\"\n"}) {
    const auto found = recognise_lightweight(container(install));
    ASSERT_TRUE(found) << install;
    EXPECT_EQ(found->function, "f");
    EXPECT_EQ(found->source, kSource);
    EXPECT_THAT(found->requirements, IsEmpty());
  }
}

TEST(Lightweight, PackagesAreSortedAndWithoutKfpItself) {
  const auto found = recognise_lightweight(
      container(with_packages("'torch==2.1' 'numpy>=1.0,<2' 'pandas' 'numpy>=1.0,<2' 'kfp==2.0'")));
  ASSERT_TRUE(found);
  EXPECT_THAT(found->requirements, ElementsAre("numpy>=1.0,<2", "pandas", "torch==2.1"));
  const auto extra = recognise_lightweight(container(with_packages("'kfp[all]' 'kfp-kubernetes'")));
  ASSERT_TRUE(extra);
  EXPECT_THAT(extra->requirements, ElementsAre("kfp-kubernetes", "kfp[all]"));
}

TEST(Lightweight, IndexesAndTrustedHostsAreKeptInOrder) {
  const auto found = recognise_lightweight(container(with_packages(
      "--index-url https://a/simple --trusted-host https://a/simple --extra-index-url "
      "https://b/simple 'x'")));
  ASSERT_TRUE(found);
  EXPECT_THAT(found->index_urls, ElementsAre("https://a/simple", "https://b/simple"));
  EXPECT_THAT(found->trusted_hosts, ElementsAre("https://a/simple"));
  EXPECT_THAT(found->requirements, ElementsAre("x"));
}

TEST(Lightweight, AnythingElseRunsAsItIs) {
  const model::Container good = container(with_packages("'x'"));
  ASSERT_TRUE(recognise_lightweight(good));
  std::vector<model::Container> others(9, good);
  others[0].args.pop_back();
  others[1].args[1] = "{{$.inputs.parameters['x']}}";
  others[2].command[2] = "echo hello; " + others[2].command[2];
  others[3].command[5] += "rm -rf /tmp/x\n";
  others[4].command.insert(others[4].command.begin(), "env");
  others[5].command[0] = "bash";
  others[6].command[2] = with_packages("--pre 'x'");
  others[7].command[2] = with_packages("'x");
  others[8].command[2] = kEnsurePip + kInstallKfp + " && curl x && \"$0\" \"$@\"\n";
  for (std::size_t i = 0; i < others.size(); ++i)
    EXPECT_FALSE(recognise_lightweight(others[i])) << i;
  EXPECT_FALSE(recognise_lightweight(model::Container{}));
}

}  // namespace
}  // namespace cresset::dag
