#include "cresset/app/event_codec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

namespace cresset::app {
namespace {

using ::testing::HasSubstr;

model::Bindings some_bindings() {
  model::Artifact artifact;
  artifact.name = "data";
  artifact.type = {"system.Dataset", "0.0.1", "uri", "schema"};
  artifact.uri = "file:///a b/\xc3\xa9";
  artifact.metadata = Value::make_struct({{"rows", 3}, {"ok", true}});
  artifact.custom_path = "/elsewhere";
  artifact.digest = std::string(64, 'a');
  model::Bindings out;
  out.parameters["text"] = "line\n\"quoted\" \x01";
  out.parameters["null"] = Value();
  out.parameters["list"] = Value::List{1, 0.5, "x", Value::List{}, Value::make_struct({{"k", 1}})};
  out.artifacts["data"] = {artifact, artifact};
  out.artifacts["none"] = {};
  return out;
}

// Events have no ==; their text tells all of them.
TEST(EventCodec, GivesBackEveryEvent) {
  constexpr std::uint32_t kMax = std::numeric_limits<std::uint32_t>::max();
  const std::pair<dag::Event, std::string> cases[] = {
      {dag::Submitted{}, R"({"event":"submitted"})"},
      {dag::CacheMissed{7}, R"({"event":"cache_missed","task":7})"},
      {dag::CacheHit{3, some_bindings(), model::RunId("r1")}, R"("from":"r1","outputs")"},
      {dag::CacheHit{3, some_bindings(), model::RunId("r1"), {{9, "k"}}},
       R"("from":"r1","from_task":9,"key":"k")"},
      {dag::AttemptRunning{1, 2}, R"({"event":"running","task":1,"attempt":2})"},
      {dag::AttemptRunning{1, 2, {"two \"CPUs\"", ""}}, R"("notices":["two \"CPUs\"",""])"},
      {dag::AttemptSucceeded{kMax, kMax, some_bindings()}, R"("task":4294967295)"},
      {dag::AttemptSucceeded{1, 2, {}}, R"("succeeded")"},
      {dag::AttemptFailed{1, 2, {"why", "tail\n"}, false, false}, R"("log_tail":"tail\n")"},
      {dag::AttemptFailed{1, 2, {"", ""}, true, false}, R"("lost":true)"},
      {dag::AttemptFailed{1, 2, {"why", ""}, false, true}, R"("permanent":true)"},
      {dag::AttemptSucceeded{1, 2, {}, WallTime(Duration(1790000000000001))},
       R"("known_at":1790000000000001})"},
      {dag::AttemptFailed{1, 2, {"why", ""}, true, true, WallTime(Duration(5))},
       R"("permanent":true,"known_at":5})"},
      {dag::TimerFired{{dag::TimerKind::kRetry, 1, 2}}, R"("timer":"retry")"},
      {dag::TimerFired{{dag::TimerKind::kTaskDeadline, 1, 2}}, R"("timer":"task_deadline")"},
      {dag::TimerFired{{dag::TimerKind::kRunDeadline, 0, 2}}, R"("timer":"run_deadline")"},
      {dag::CancelAsked{}, R"({"event":"cancel"})"},
      {dag::KillAsked{}, R"({"event":"kill"})"},
      {dag::RetryAsked{}, R"({"event":"retry"})"},
  };
  for (const auto& [event, part] : cases) {
    const std::string payload = encode_event(event);
    EXPECT_THAT(payload, HasSubstr(part));
    const Result<dag::Event> back = decode_event(payload);
    ASSERT_TRUE(back) << back.error().text();
    EXPECT_EQ(back->index(), event.index());
    EXPECT_EQ(encode_event(*back), payload);
  }
}

TEST(EventCodec, KeepsOutputsWhole) {
  const Result<dag::Event> back =
      decode_event(encode_event(dag::AttemptSucceeded{1, 2, some_bindings()}));
  ASSERT_TRUE(back);
  EXPECT_EQ(std::get<dag::AttemptSucceeded>(*back).outputs, some_bindings());
}

TEST(EventCodec, RefusesWhatItNeverWrote) {
  const char* cases[] = {
      "",
      "null",
      "[]",
      "{}",
      R"({"event":3})",
      R"({"event":"dance"})",
      R"({"event":"dance","task":1,"attempt":1})",
      R"({"event":"running"})",
      R"({"event":"running","task":1})",
      R"({"event":"running","task":-1,"attempt":1})",
      R"({"event":"running","task":1.5,"attempt":1})",
      R"({"event":"running","task":4294967296,"attempt":1})",
      R"({"event":"succeeded","task":1,"attempt":1})",
      R"({"event":"succeeded","task":1,"attempt":1,"outputs":3})",
      R"({"event":"failed","task":1,"attempt":1,"message":"x"})",
      R"({"event":"timer","task":1,"attempt":1,"timer":"egg"})",
      R"({"event":"cache_hit","task":1,"outputs":{}})",
  };
  for (const char* payload : cases) {
    const Result<dag::Event> event = decode_event(payload);
    ASSERT_FALSE(event) << payload;
    EXPECT_EQ(event.error().code, Code::kDataLoss) << payload;
  }
}

}  // namespace
}  // namespace cresset::app
