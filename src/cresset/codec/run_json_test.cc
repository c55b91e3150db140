#include "cresset/codec/run_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "cresset/text/json.h"

namespace cresset::codec {
namespace {

WallTime at(std::int64_t microseconds) { return WallTime(Duration(microseconds)); }

model::Artifact sample_artifact() {
  model::Artifact out;
  out.name = "model";
  out.type = {"system.Model", "0.0.1", "", ""};
  out.uri = "file:///data/model";
  out.metadata = Value::make_struct({{"accuracy", 1.0}, {"loss", 0.25}});
  out.custom_path = "/tmp/x";
  out.digest = std::string(64, 'a');
  return out;
}

model::RunView sample_run() {
  model::RunView run;
  run.id = model::RunId("digits-1");
  run.name = "digits";
  run.state = model::State::kFailed;
  run.error = model::Failure{"step train failed: exit status 1", "Traceback\n"};
  run.inputs.parameters = {{"epochs", Value(3)}, {"lr", Value(0.1)}};
  run.outputs.artifacts["model"] = {sample_artifact()};
  run.created_at = at(1'000'000);
  run.started_at = at(1'500'000);
  model::TaskView task;
  task.path = "for-loop-1[0]/train";
  task.name = "train";
  task.display_name = "Train it";
  task.kind = model::TaskKind::kContainer;
  task.state = model::State::kSucceeded;
  task.cached = true;
  task.attempts = 2;
  task.started_at = at(2'000'001);
  task.finished_at = at(3'000'000);
  run.tasks.push_back(std::move(task));
  return run;
}

TEST(RunJson, IsExactlyWhatProgramsRelyOn) {
  EXPECT_EQ(
      text::to_json(to_value(sample_run())),
      R"({"id":"digits-1","name":"digits","state":"FAILED",)"
      R"("error":{"message":"step train failed: exit status 1","log_tail":"Traceback\n"},)"
      R"("inputs":{"parameters":{"epochs":3,"lr":0.1},"artifacts":{}},)"
      R"("outputs":{"parameters":{},"artifacts":{"model":[{"name":"model","type":"system.Model",)"
      R"("uri":"file:///data/model","metadata":{"accuracy":1,"loss":0.25}}]}},)"
      R"("created_at":"1970-01-01T00:00:01.000000Z","started_at":"1970-01-01T00:00:01.500000Z",)"
      R"("finished_at":null,)"
      R"("tasks":[{"path":"for-loop-1[0]/train","name":"train","display_name":"Train it","kind":"container",)"
      R"("state":"SUCCEEDED","cached":true,"attempts":2,"error":null,)"
      R"("inputs":{"parameters":{},"artifacts":{}},"outputs":{"parameters":{},"artifacts":{}},)"
      R"("started_at":"1970-01-01T00:00:02.000001Z","finished_at":"1970-01-01T00:00:03.000000Z"}]})");
}

TEST(RunJson, AnEmptyRunHasEveryField) {
  model::RunView run;
  run.id = model::RunId("r");
  EXPECT_EQ(text::to_json(to_value(run)),
            R"({"id":"r","name":"","state":"PENDING","error":null,)"
            R"("inputs":{"parameters":{},"artifacts":{}},)"
            R"("outputs":{"parameters":{},"artifacts":{}},)"
            R"("created_at":"1970-01-01T00:00:00.000000Z","started_at":null,"finished_at":null,)"
            R"("tasks":[]})");
}

TEST(RunJson, AnArtifactAlwaysHasATypeAndMetadata) {
  model::Artifact older;
  older.type.schema_uri = "google.Model";
  model::Bindings bindings;
  bindings.artifacts["a"] = {older, sample_artifact()};
  bindings.artifacts["none"] = {};
  EXPECT_EQ(text::to_json(to_value(bindings)),
            R"({"parameters":{},"artifacts":{"a":[{"name":"","type":"google.Model","uri":"",)"
            R"("metadata":{}},{"name":"model","type":"system.Model","uri":"file:///data/model",)"
            R"("metadata":{"accuracy":1,"loss":0.25}}],"none":[]}})");
}

TEST(RunJson, DecodesWhatItEncodes) {
  model::Bindings bindings;
  bindings.parameters = {{"a", Value(Value::List{Value(1), Value()})}, {"b", Value("x")}};
  bindings.artifacts["m"] = {sample_artifact(), model::Artifact{}};
  bindings.artifacts["none"] = {};
  const auto decoded = decode_bindings(encode(bindings));
  ASSERT_TRUE(decoded) << decoded.error().text();
  EXPECT_EQ(*decoded, bindings);
  const auto read_back = text::parse_json(text::to_json(encode(bindings)));
  ASSERT_TRUE(read_back);
  EXPECT_EQ(decode_bindings(*read_back).value(), bindings);
}

TEST(RunJson, WhatLiesInTheHomeMovesWithIt) {
  model::Artifact inside = sample_artifact();
  inside.uri = "file:///old/home/artifacts/p/r/data";
  inside.custom_path = "/old/home/volumes/v/data";
  model::Artifact outside = sample_artifact();
  outside.uri = "file:///old/home-of-another/data";
  outside.custom_path = "/old/home";
  model::Bindings bindings;
  bindings.artifacts["a"] = {inside, outside};
  const Value stored = encode(bindings, "/old/home");
  EXPECT_THAT(text::to_json(stored), ::testing::HasSubstr(R"("uri_in_home":"artifacts/p/r/data")"));
  EXPECT_EQ(decode_bindings(stored, "/old/home").value(), bindings);
  EXPECT_FALSE(decode_bindings(stored));

  const model::Bindings moved = decode_bindings(stored, "/new").value();
  EXPECT_EQ(moved.artifacts.at("a")[0].uri, "file:///new/artifacts/p/r/data");
  EXPECT_EQ(moved.artifacts.at("a")[0].custom_path, "/new/volumes/v/data");
  EXPECT_EQ(moved.artifacts.at("a")[1], outside);
  // What was stored before homes could be moved.
  EXPECT_EQ(decode_bindings(encode(bindings), "/new").value(), bindings);
}

TEST(RunJson, EveryMissingOrWrongPartIsDamage) {
  const Value whole = encode(sample_artifact());
  for (const auto& [name, value] : whole.as_struct()) {
    Value without = whole;
    without.as_struct().erase(name);
    const auto missing = decode_artifact(without);
    ASSERT_FALSE(missing) << name;
    EXPECT_EQ(missing.error().code, Code::kDataLoss);
    EXPECT_EQ(missing.error().message,
              "the stored record is damaged: " + name + " is missing or of the wrong kind");
    Value wrong = whole;
    wrong[name] = Value(1);
    EXPECT_FALSE(decode_artifact(wrong)) << name;
  }
  for (const char* text :
       {"null", "{}", R"({"parameters":{}})", R"({"parameters":[],"artifacts":{}})",
        R"({"parameters":{},"artifacts":{"a":{}}})",
        R"({"parameters":{},"artifacts":{"a":[1]}})"}) {
    const auto decoded = decode_bindings(text::parse_json(text).value());
    ASSERT_FALSE(decoded) << text;
    EXPECT_EQ(decoded.error().code, Code::kDataLoss);
  }
}

}  // namespace
}  // namespace cresset::codec
