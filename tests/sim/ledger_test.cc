#include "sim/ledger.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cresset/ports/testing/sim_clock.h"
#include "sim/generate.h"

namespace cresset::sim {
namespace {

using ::testing::HasSubstr;

// A ledger that is told of a run that goes wrong must say so: each test breaks one promise.
class LedgerTest : public ::testing::Test {
 protected:
  LedgerTest() {
    for (auto& [name, sketch] : corpus()) {
      if (entry != nullptr) break;
      entry = &ledger.add(std::make_shared<const Sketch>(std::move(sketch)), false);
    }
    ports::RunRecord record;
    record.id = run;
    ledger.created(*entry, record, {});
  }

  void commit(std::vector<std::string> payloads, std::optional<model::State> state = std::nullopt) {
    ports::Commit commit;
    for (std::string& payload : payloads) commit.events.push_back({++seq, {}, std::move(payload)});
    if (state) {
      commit.record.emplace();
      commit.record->id = run;
      commit.record->state = *state;
    }
    ledger.committed(run, commit);
  }
  ports::StartSpec spec_of(std::uint32_t task, std::uint32_t attempt, const std::string& path) {
    ports::StartSpec spec;
    spec.id = {run, task, attempt};
    spec.env = {{"CRESSET_TASK", path}};
    return spec;
  }
  void start(std::uint32_t task, std::uint32_t attempt, const std::string& path) {
    const ports::StartSpec spec = spec_of(task, attempt, path);
    ledger.begins(spec);
    ledger.executes(spec, files);
  }
  model::RunView ended(model::State state) {
    model::RunView view;
    view.id = run;
    view.state = state;
    view.started_at = view.finished_at = view.created_at;
    return view;
  }
  template <class Act>
  std::string violated_by(Act&& act) {
    try {
      act();
    } catch (const Violation& violation) {
      return violation.what();
    }
    return "nothing";
  }

  ports::testing::SimClock clock;
  Ledger ledger{clock};
  ports::testing::MemoryFiles files;
  RunEntry* entry = nullptr;
  const model::RunId run{"run"};
  std::uint64_t seq = 0;
};

TEST_F(LedgerTest, EventsFollowEachOther) {
  ++seq;
  EXPECT_THAT(violated_by([&] { commit({R"({"event":"submitted"})"}); }),
              HasSubstr("event 2 follows event 0"));
}

TEST_F(LedgerTest, AnAttemptEndsOnce) {
  const std::string end = R"({"event":"failed","task":1,"attempt":1,"message":"x","log_tail":""})";
  commit({end});
  EXPECT_THAT(violated_by([&] { commit({end}); }), HasSubstr("ended twice"));
}

TEST_F(LedgerTest, AnAttemptIsForgottenAfterItsEnd) {
  EXPECT_THAT(violated_by([&] { ledger.forgotten({{run, 1, 1}}); }),
              HasSubstr("forgotten before its end"));
  commit({R"({"event":"failed","task":1,"attempt":1,"message":"x","log_tail":""})"});
  EXPECT_EQ(violated_by([&] { ledger.forgotten({{run, 1, 1}}); }), "nothing");
}

TEST_F(LedgerTest, ATaskIsDoneOnce) {
  commit({R"({"event":"succeeded","task":1,"attempt":1,"outputs":{}})"});
  EXPECT_THAT(
      violated_by([&] { commit({R"({"event":"succeeded","task":1,"attempt":2,"outputs":{}})"}); }),
      HasSubstr("done twice"));
}

TEST_F(LedgerTest, AFinishedRunStaysAsItIs) {
  commit({R"({"event":"submitted"})"}, model::State::kFailed);
  EXPECT_THAT(violated_by([&] { commit({}, model::State::kSucceeded); }),
              HasSubstr("changed from FAILED to SUCCEEDED"));
  EXPECT_THAT(violated_by([&] { commit({}, model::State::kRunning); }),
              HasSubstr("reopened by no retry"));
  EXPECT_EQ(violated_by([&] { commit({R"({"event":"retry"})"}, model::State::kRunning); }),
            "nothing");
}

TEST_F(LedgerTest, ACancelNeedsSomebodyWhoAskedForIt) {
  EXPECT_THAT(violated_by([&] { commit({R"({"event":"cancel"})"}); }),
              HasSubstr("nobody has asked"));
  ledger.cancel_asked(run);
  EXPECT_EQ(violated_by([&] { commit({R"({"event":"cancel"})"}); }), "nothing");
}

TEST_F(LedgerTest, ACommandGoesWithItsAnswer) {
  ledger.cancel_asked(run);
  ports::Commit taken;
  taken.commands_taken = 1;
  EXPECT_THAT(violated_by([&] { ledger.committed(run, taken); }), HasSubstr("without an answer"));
  taken.events.push_back({1, {}, R"({"event":"cancel"})"});
  EXPECT_EQ(violated_by([&] { ledger.committed(run, taken); }), "nothing");
}

TEST_F(LedgerTest, WhoInterruptsARetryCancelsWhatItBegins) {
  commit({}, model::State::kFailed);
  Ledger::interrupted(*ledger.find(run));
  commit({R"({"event":"retry"})"}, model::State::kRunning);
  EXPECT_EQ(violated_by([&] { commit({R"({"event":"cancel"})"}, model::State::kCanceled); }),
            "nothing");
  commit({R"({"event":"retry"})"}, model::State::kRunning);
  EXPECT_THAT(violated_by([&] { commit({R"({"event":"cancel"})"}); }),
              HasSubstr("nobody has asked"));
}

TEST_F(LedgerTest, ACancelWhileARetryIsUnderWayMayCancelWhatItBegins) {
  commit({}, model::State::kFailed);
  ledger.cancel_asked(run);  // too early: the retry will know of it
  {
    const Ledger::Reopening reopening(*ledger.find(run));
    commit({R"({"event":"retry"})"}, model::State::kRunning);
  }
  EXPECT_THAT(violated_by([&] { commit({R"({"event":"cancel"})"}); }),
              HasSubstr("nobody has asked"));
  commit({}, model::State::kFailed);
  {
    const Ledger::Reopening reopening(*ledger.find(run));
    ledger.cancel_asked(run);
    commit({R"({"event":"retry"})"}, model::State::kRunning);
  }
  EXPECT_EQ(violated_by([&] { commit({R"({"event":"cancel"})"}, model::State::kCanceled); }),
            "nothing");
}

TEST_F(LedgerTest, AnAttemptBeginsOnceAndATaskRunsOnceAtATime) {
  ledger.disturb(run, "what runs here is no task of the pipeline");
  start(1, 1, "a");
  EXPECT_THAT(violated_by([&] { start(1, 1, "a"); }), HasSubstr("began twice"));
  EXPECT_THAT(violated_by([&] { start(1, 2, "a"); }), HasSubstr("at the same time"));
}

TEST_F(LedgerTest, WhatIsDoneDoesNotRunAgain) {
  ledger.disturb(run, "what runs here is no task of the pipeline");
  commit({R"({"event":"succeeded","task":1,"attempt":1,"outputs":{}})"});
  EXPECT_THAT(violated_by([&] { start(1, 2, "a"); }), HasSubstr("is done and runs again"));
}

TEST_F(LedgerTest, WhatIsDoneDoesNotRunAgainInALaterGeneration) {
  ledger.disturb(run, "it fails");
  const std::string path = entry->sketch->root.tasks.front().name;
  start(1, 1, path);
  commit({R"({"event":"succeeded","task":1,"attempt":1,"outputs":{}})"}, model::State::kFailed);
  ledger.gone(spec_of(1, 1, path));
  commit({R"({"event":"retry"})"}, model::State::kRunning);
  EXPECT_THAT(violated_by([&] { start(1, 2, path); }), HasSubstr("is done and runs again"));
  EXPECT_THAT(violated_by([&] { start(7, 1, path); }), HasSubstr("is done and runs again"))
      << "as another task of the plan";
}

TEST_F(LedgerTest, AHitThatCameTooLateIsTakenAgainInALaterGeneration) {
  ledger.disturb(run, "it fails");
  const std::string path = entry->sketch->root.tasks.front().name;
  start(1, 1, path);
  commit({R"({"event":"failed","task":1,"attempt":1,"message":"x","log_tail":""})"},
         model::State::kFailed);
  const std::string hit = R"({"event":"cache_hit","task":1,"from":"other","outputs":{}})";
  commit({R"({"event":"retry"})", hit}, model::State::kFailed);
  EXPECT_EQ(violated_by([&] { commit({R"({"event":"retry"})", hit}, model::State::kFailed); }),
            "nothing");
  EXPECT_THAT(violated_by([&] { commit({R"({"event":"retry"})", hit, hit}); }),
              HasSubstr("was done twice"));
}

TEST_F(LedgerTest, AnAttemptThatWasCommittedAsRunningDoesNotBeginAfterAPowerCut) {
  ledger.disturb(run, "what runs here is no task of the pipeline");
  start(1, 1, "a");
  start(2, 1, "b");
  commit({R"({"event":"running","task":1,"attempt":1})"});
  for (const auto& [task, path] : {std::pair(1u, "a"), std::pair(2u, "b")})
    ledger.gone(spec_of(task, 1, path));
  ledger.power_cut();
  EXPECT_EQ(violated_by([&] { start(2, 1, "b"); }), "nothing");
  EXPECT_THAT(violated_by([&] { start(1, 1, "a"); }), HasSubstr("began twice"));
}

TEST_F(LedgerTest, AnAttemptThatEndedDoesNotBegin) {
  ledger.disturb(run, "what runs here is no task of the pipeline");
  commit({R"({"event":"failed","task":1,"attempt":1,"message":"x","log_tail":""})"});
  EXPECT_THAT(violated_by([&] { start(1, 1, "a"); }), HasSubstr("has ended and begins"));
}

TEST_F(LedgerTest, NothingIsAddedToAFinishedRun) {
  commit({R"({"event":"submitted"})"}, model::State::kFailed);
  EXPECT_THAT(violated_by([&] { commit({R"({"event":"cache_missed","task":1})"}); }),
              HasSubstr("goes on after its end"));
}

TEST_F(LedgerTest, NoRunIsLost) {
  commit({R"({"event":"submitted"})"}, model::State::kFailed);
  model::RunView view;
  view.state = model::State::kRunning;
  EXPECT_THAT(violated_by([&] { ledger.check_kept(*entry, &view); }), HasSubstr("in the store"));
  EXPECT_THAT(violated_by([&] { ledger.check_kept(*entry, nullptr); }), HasSubstr("is not there"));
  view.state = model::State::kFailed;
  EXPECT_EQ(violated_by([&] { ledger.check_kept(*entry, &view); }), "nothing");
  ledger.removed(run, true);
  EXPECT_THAT(violated_by([&] { ledger.check_kept(*entry, &view); }), HasSubstr("and is there"));
}

TEST_F(LedgerTest, ADisturbedRunThatSucceedsIsComparedAllTheSame) {
  ledger.disturb(run, "a step was killed");
  commit({R"({"event":"submitted"})"}, model::State::kSucceeded);
  model::RunView view = ended(model::State::kSucceeded);
  ASSERT_EQ(entry->outcome->run, Fate::kSucceeded);
  EXPECT_THAT(violated_by([&] { ledger.check_end(view, files); }), HasSubstr("and should have"));
}

TEST_F(LedgerTest, DamageSpoilsThoseWhoMayHaveTakenIt) {
  const auto add = [&](const char* id) -> RunEntry& {
    RunEntry& added = ledger.add(entry->sketch, false);
    ports::RunRecord record;
    record.id = model::RunId(id);
    ledger.created(added, record, {});
    return added;
  };
  RunEntry& user = add("user");
  RunEntry& user_of_user = add("user of user");
  RunEntry& later = add("later");
  ledger.found(user.id, run);
  ledger.found(user_of_user.id, user.id);
  ledger.damaged(*entry);
  ledger.found(later.id, run);
  EXPECT_TRUE(entry->damaged);
  EXPECT_FALSE(entry->spoiled);
  EXPECT_TRUE(user.spoiled);
  EXPECT_TRUE(user_of_user.spoiled);
  EXPECT_FALSE(later.spoiled);
}

TEST_F(LedgerTest, WhatOthersNeedIsNotRemoved) {
  commit({R"({"event":"submitted"})"}, model::State::kSucceeded);
  RunEntry& user = ledger.add_rerun(*entry);
  ports::RunRecord record;
  record.id = model::RunId("user");
  ledger.created(user, record, {run});
  EXPECT_THAT(violated_by([&] { ledger.removed(run, true); }), HasSubstr("needs its artifacts"));
  user.state = model::State::kFailed;
  ledger.removed(user.id, true);
  {
    const Ledger::Hold hold(ledger);
    EXPECT_THAT(violated_by([&] { ledger.removed(run, true); }), HasSubstr("a backup held it"));
  }
  EXPECT_EQ(violated_by([&] { ledger.removed(run, true); }), "nothing");
}

TEST_F(LedgerTest, ACacheHitWithArtifactsNeedsTheirRun) {
  RunEntry& source = ledger.add(entry->sketch, false);
  ports::RunRecord record;
  record.id = model::RunId("source");
  ledger.created(source, record, {});
  commit({R"({"event":"cache_hit","task":1,"from":"source","outputs":{"artifacts":{}}})"});
  EXPECT_TRUE(ledger.take_newly_used().empty());
  commit({R"({"event":"cache_hit","task":2,"from":"source","outputs":{"artifacts":{"a":[]}}})"});
  EXPECT_EQ(ledger.take_newly_used(), std::vector<RunEntry*>{&source});
  EXPECT_TRUE(entry->uses.contains(source.id));
}

TEST_F(LedgerTest, NothingEndsBeforeItBegan) {
  model::RunView view;
  view.id = run;
  view.created_at = WallTime(std::chrono::seconds(10));
  view.started_at = WallTime(std::chrono::seconds(11));
  EXPECT_EQ(violated_by([&] { ledger.check_times(view); }), "nothing");
  view.finished_at = WallTime(std::chrono::seconds(10));
  EXPECT_THAT(violated_by([&] { ledger.check_times(view); }), HasSubstr("ended before it began"));
  view.finished_at.reset();
  view.tasks.emplace_back();
  view.tasks[0].path = "a";
  view.tasks[0].started_at = WallTime(std::chrono::seconds(9));
  EXPECT_THAT(violated_by([&] { ledger.check_times(view); }), HasSubstr("a began before the run"));
  view = ended(model::State::kFailed);
  EXPECT_EQ(violated_by([&] { ledger.check_times(view); }), "nothing");
  view.finished_at.reset();
  EXPECT_THAT(violated_by([&] { ledger.check_times(view); }), HasSubstr("not told when"));
}

TEST_F(LedgerTest, NothingRunsAfterTheEnd) {
  commit({R"({"event":"submitted"})"}, model::State::kFailed);
  EXPECT_THAT(violated_by([&] { start(1, 1, "a"); }), HasSubstr("after the run's end"));
}

TEST_F(LedgerTest, OnlyStepsOfThePipelineRun) {
  EXPECT_THAT(violated_by([&] { start(1, 1, "no such task"); }), HasSubstr("no such step should"));
}

TEST_F(LedgerTest, AnEndIsComparedWithWhatWasForeseen) {
  commit({R"({"event":"submitted"})"}, model::State::kSucceeded);
  model::RunView view = ended(model::State::kSucceeded);
  EXPECT_NE(violated_by([&] { ledger.check_end(view, files); }), "nothing");
  view.state = model::State::kFailed;
  EXPECT_THAT(violated_by([&] { ledger.check_end(view, files); }), HasSubstr("in the store"));
}

}  // namespace
}  // namespace cresset::sim
