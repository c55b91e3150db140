#include "cresset/app/run_options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cresset/text/json.h"

namespace cresset::app {
namespace {

RunOptions unusual() {
  RunOptions out;
  out.use_cache = false;
  out.offline = true;
  out.fail_fast = true;
  out.cold = true;
  out.jobs = 7;
  out.python = "/opt/a b/python";
  out.env = {{"B", "2"}, {"A", ""}, {"B", "again"}};
  out.path_variable = "/bin";
  out.locale = "de_DE.UTF-8";
  out.success_word = "COMPLETE";
  out.log_cap_bytes = 12;
  return out;
}

TEST(RunOptions, AreKeptWithTheRun) {
  for (const RunOptions& options : {RunOptions{}, unusual()}) {
    const std::string stored = text::to_json(encode(options));
    const Result<RunOptions> back = decode_run_options(text::parse_json(stored).value());
    ASSERT_TRUE(back) << back.error().text();
    EXPECT_EQ(text::to_json(encode(*back)), stored);
    EXPECT_EQ(back->env, options.env);
    EXPECT_EQ(back->success_word, options.success_word);
  }
}

TEST(RunOptions, EachOfThemIsMissedAndMustBeOfItsKind) {
  const Value whole = encode(unusual());
  for (const auto& [name, value] : whole.as_struct()) {
    Value without = whole;
    without.as_struct().erase(name);
    if (name == "cold") {
      EXPECT_TRUE(decode_run_options(without)) << "older runs do not have it";
    } else {
      EXPECT_THAT(decode_run_options(without).error().text(), ::testing::HasSubstr(name));
    }
    Value wrong = whole;
    wrong[name] = Value::make_struct();
    EXPECT_EQ(decode_run_options(wrong).error().code, Code::kDataLoss) << name;
  }
  Value bad_env = whole;
  bad_env["env"] = Value::List{Value::make_struct({{"name", "A"}})};
  EXPECT_FALSE(decode_run_options(bad_env));
  EXPECT_FALSE(decode_run_options(Value()));
}

}  // namespace
}  // namespace cresset::app
