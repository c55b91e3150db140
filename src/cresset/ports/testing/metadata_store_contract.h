#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cresset/base/digest.h"
#include "cresset/ports/metadata_store.h"

// What every MetadataStore keeps. Instantiate with a World: one set of stored data, empty at first,
// and
//   std::unique_ptr<ports::MetadataStore> open();     another handle to it, as another process
//   would have void break_lock(const model::RunId& run);         lets the next acquire() succeed
//   although the owner lives
namespace cresset::ports::testing {

inline RunRecord make_run_record(const std::string& id, std::int64_t created_us = 1'000'000) {
  RunRecord record;
  record.id = model::RunId(id);
  record.name = "run " + id;
  record.pipeline = "digits";
  record.created_at = WallTime{Duration{created_us}};
  return record;
}

inline StepRecord make_step(std::uint32_t task, const std::string& path, const std::string& key) {
  StepRecord step;
  step.task = task;
  step.path = path;
  step.key = key;
  step.parts = Value::make_struct({{"command", "python " + path}, {"count", 3}});
  step.reusable = true;
  step.outputs = R"({"parameters":{"n":1}})";
  return step;
}

template <class World>
class MetadataStoreContract : public ::testing::Test {
 protected:
  void create(const std::string& id, std::int64_t created_us = 1'000'000) {
    const Result<void> created =
        store_->create_run(make_run_record(id, created_us),
                           RunDefinition{"a.yaml", "spec of " + id, Value::make_struct()});
    ASSERT_TRUE(created) << created.error().text();
  }

  std::unique_ptr<Lease> own(const std::string& id) {
    Result<std::unique_ptr<Lease>> lease = store_->acquire(model::RunId(id));
    EXPECT_TRUE(lease) << lease.error().text();
    return lease ? std::move(*lease) : nullptr;
  }

  static Commit events_from(std::uint64_t first_seq, const std::vector<std::string>& payloads) {
    Commit commit;
    for (const std::string& payload : payloads) {
      commit.events.push_back(
          {first_seq, WallTime{Duration{static_cast<std::int64_t>(first_seq) * 10}}, payload});
      ++first_seq;
    }
    return commit;
  }

  std::vector<std::string> payloads(MetadataStore& store, const std::string& id,
                                    std::uint64_t after_seq = 0) {
    const Result<std::vector<StoredEvent>> events = store.events(model::RunId(id), after_seq);
    EXPECT_TRUE(events) << events.error().text();
    std::vector<std::string> out;
    if (!events) return out;
    for (const StoredEvent& event : *events) {
      EXPECT_EQ(event.seq, ++after_seq) << "a gap";
      EXPECT_EQ(event.at.time_since_epoch().count(), static_cast<std::int64_t>(event.seq) * 10);
      out.push_back(event.payload);
    }
    return out;
  }

  // A run with these steps, in this state when it is committed.
  void create_with_steps(const std::string& id, model::State state,
                         const std::vector<StepRecord>& steps) {
    create(id);
    const std::unique_ptr<Lease> lease = own(id);
    ASSERT_NE(lease, nullptr);
    Commit commit = events_from(1, {"e"});
    commit.steps = steps;
    commit.record = make_run_record(id);
    commit.record->state = state;
    const Result<void> committed = store_->commit(*lease, commit);
    ASSERT_TRUE(committed) << committed.error().text();
  }

  // Brings it to this state. It must have no owner.
  void move_to(const std::string& id, model::State state) {
    const std::unique_ptr<Lease> lease = own(id);
    ASSERT_NE(lease, nullptr);
    Commit commit;
    commit.record = make_run_record(id);
    commit.record->state = state;
    const Result<void> committed = store_->commit(*lease, commit);
    ASSERT_TRUE(committed) << committed.error().text();
  }

  std::string hit(const std::string& key, const std::string& except = "none",
                  const std::string& pipeline = "digits") {
    const Result<std::optional<ReusableStep>> found =
        store_->find_step(pipeline, key, model::RunId(except));
    EXPECT_TRUE(found) << found.error().text();
    if (!found || !*found) return "";
    const Result<std::optional<StepRecord>> step = store_->step((*found)->run, (*found)->task);
    EXPECT_TRUE(step && *step);
    if (!step || !*step) return "";
    EXPECT_EQ((*found)->outputs, (*step)->outputs);
    return (*found)->run.str() + "/" + (*step)->path;
  }

  World world_;
  std::unique_ptr<MetadataStore> store_ = world_.open();
};
TYPED_TEST_SUITE_P(MetadataStoreContract);

TYPED_TEST_P(MetadataStoreContract, GivesBackARunAsItWasCreated) {
  RunRecord record = make_run_record("r1", 42);
  record.name = "na\"me ' \n\xc3\xa9";
  record.started_at = WallTime{Duration{43}};
  const RunDefinition definition{
      "dir/p.yaml", std::string("spec\0with nul", 13),
      Value::make_struct({{"jobs", 2}, {"names", Value::List{"a", nullptr, true, 0.5}}})};
  ASSERT_TRUE(this->store_->create_run(record, definition));

  const Result<RunRecord> found = this->store_->find_run(record.id);
  ASSERT_TRUE(found) << found.error().text();
  EXPECT_EQ(found->id, record.id);
  EXPECT_EQ(found->name, record.name);
  EXPECT_EQ(found->pipeline, record.pipeline);
  EXPECT_EQ(found->state, model::State::kPending);
  EXPECT_EQ(found->created_at, record.created_at);
  EXPECT_EQ(found->started_at, record.started_at);
  EXPECT_EQ(found->finished_at, std::nullopt);
  const Result<StoredDefinition> kept = this->store_->definition(record.id);
  ASSERT_TRUE(kept) << kept.error().text();
  EXPECT_EQ(kept->file_name, definition.file_name);
  EXPECT_EQ(kept->spec_digest, sha256_hex(definition.spec));
  EXPECT_EQ(kept->options, definition.options);
  EXPECT_EQ(this->store_->spec(record.id).value(), definition.spec);
}

TYPED_TEST_P(MetadataStoreContract, RunsOfOneSpecGoOneByOne) {
  for (const char* id : {"r1", "r2", "r3"}) {
    const std::string spec = id == std::string("r3") ? "another" : "shared";
    ASSERT_TRUE(this->store_->create_run(make_run_record(id), {"a.yaml", spec, Value()}));
    this->move_to(id, model::State::kSucceeded);
  }
  ASSERT_TRUE(this->store_->remove_run(model::RunId("r1")));
  EXPECT_EQ(this->store_->spec(model::RunId("r1")).error().code, Code::kNotFound);
  EXPECT_EQ(this->store_->spec(model::RunId("r2")).value(), "shared");
  ASSERT_TRUE(this->store_->remove_run(model::RunId("r2")));
  EXPECT_EQ(this->store_->spec(model::RunId("r3")).value(), "another");
  ASSERT_TRUE(this->store_->create_run(make_run_record("r4"), {"a.yaml", "shared", Value()}));
  EXPECT_EQ(this->store_->spec(model::RunId("r4")).value(), "shared");
}

TYPED_TEST_P(MetadataStoreContract, RefusesASecondRunOfTheSameId) {
  this->create("r1");
  const Result<void> again =
      this->store_->create_run(make_run_record("r1", 2), RunDefinition{"b.yaml", "other", Value()});
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, Code::kAlreadyExists);
  EXPECT_EQ(this->store_->spec(model::RunId("r1")).value(), "spec of r1");
}

TYPED_TEST_P(MetadataStoreContract, RefusesIdsThatCannotNameAFile) {
  for (const std::string id : {"", "..", "a/b", ".hidden", "a b", "a\nb"}) {
    const Result<void> created = this->store_->create_run(make_run_record(id), RunDefinition{});
    ASSERT_FALSE(created) << id;
    EXPECT_EQ(created.error().code, Code::kInvalidArgument) << id;
  }
  EXPECT_TRUE(this->store_->list_runs()->empty());
}

TYPED_TEST_P(MetadataStoreContract, SaysThatAnUnknownRunIsNotFound) {
  const model::RunId run("nobody");
  EXPECT_EQ(this->store_->find_run(run).error().code, Code::kNotFound);
  EXPECT_EQ(this->store_->definition(run).error().code, Code::kNotFound);
  EXPECT_EQ(this->store_->spec(run).error().code, Code::kNotFound);
  EXPECT_EQ(this->store_->events(run, 0).error().code, Code::kNotFound);
  EXPECT_EQ(this->store_->acquire(run).error().code, Code::kNotFound);
  EXPECT_EQ(this->store_->remove_run(run).error().code, Code::kNotFound);
  EXPECT_EQ(this->store_->step(run, 1).error().code, Code::kNotFound);
  EXPECT_EQ(this->store_->post(run, Command::kKill).error().code, Code::kNotFound);
  EXPECT_EQ(this->store_->commands(run, 0).error().code, Code::kNotFound);
}

TYPED_TEST_P(MetadataStoreContract, ListsTheNewestRunFirst) {
  this->create("old", 10);
  this->create("clock-went-back", 5);
  this->create("same-time-later", 10);
  const Result<std::vector<RunRecord>> runs = this->store_->list_runs();
  ASSERT_TRUE(runs) << runs.error().text();
  std::vector<std::string> ids;
  for (const RunRecord& run : *runs) ids.push_back(run.id.str());
  EXPECT_THAT(ids, ::testing::ElementsAre("same-time-later", "old", "clock-went-back"));
}

TYPED_TEST_P(MetadataStoreContract, KeepsEventsInOrder) {
  this->create("r1");
  const std::unique_ptr<Lease> lease = this->own("r1");
  ASSERT_TRUE(this->store_->commit(*lease, this->events_from(1, {"a", "b"})));
  ASSERT_TRUE(this->store_->commit(*lease, this->events_from(3, {"c"})));
  EXPECT_THAT(this->payloads(*this->store_, "r1"), ::testing::ElementsAre("a", "b", "c"));
  EXPECT_THAT(this->payloads(*this->store_, "r1", 2), ::testing::ElementsAre("c"));
  EXPECT_THAT(this->payloads(*this->store_, "r1", 3), ::testing::IsEmpty());
}

TYPED_TEST_P(MetadataStoreContract, KeepsLargePayloadsOfAnyBytes) {
  this->create("r1");
  const std::unique_ptr<Lease> lease = this->own("r1");
  std::string large(10 << 20, 'x');
  large[5] = '\0';
  large[6] = '\xff';
  ASSERT_TRUE(this->store_->commit(*lease, this->events_from(1, {"", large, "after"})));
  EXPECT_TRUE(this->payloads(*this->store_, "r1") ==
              (std::vector<std::string>{"", large, "after"}));
}

TYPED_TEST_P(MetadataStoreContract, UpdatesTheRecordWithTheEvents) {
  this->create("r1");
  const std::unique_ptr<Lease> lease = this->own("r1");
  Commit commit = this->events_from(1, {"a"});
  commit.record = make_run_record("r1");
  commit.record->state = model::State::kFailed;
  commit.record->started_at = WallTime{Duration{50}};
  commit.record->finished_at = WallTime{Duration{60}};
  ASSERT_TRUE(this->store_->commit(*lease, commit));
  const Result<RunRecord> found = this->store_->find_run(model::RunId("r1"));
  EXPECT_EQ(found->state, model::State::kFailed);
  EXPECT_EQ(found->started_at, commit.record->started_at);
  EXPECT_EQ(found->finished_at, commit.record->finished_at);
}

TYPED_TEST_P(MetadataStoreContract, AnEmptyCommitIsFine) {
  this->create("r1");
  const std::unique_ptr<Lease> lease = this->own("r1");
  EXPECT_TRUE(this->store_->commit(*lease, Commit{}));
  EXPECT_THAT(this->payloads(*this->store_, "r1"), ::testing::IsEmpty());
}

TYPED_TEST_P(MetadataStoreContract, ShowsEachCommitToEveryHandle) {
  const std::unique_ptr<MetadataStore> other = this->world_.open();
  this->create("r1");
  const std::unique_ptr<Lease> lease = this->own("r1");
  ASSERT_TRUE(this->store_->commit(*lease, this->events_from(1, {"a"})));
  EXPECT_THAT(this->payloads(*other, "r1"), ::testing::ElementsAre("a"));
  ASSERT_TRUE(this->store_->commit(*lease, this->events_from(2, {"b"})));
  EXPECT_THAT(this->payloads(*other, "r1"), ::testing::ElementsAre("a", "b"));
}

TYPED_TEST_P(MetadataStoreContract, ChangeCounterMovesWithCommitsOfOthers) {
  const std::unique_ptr<MetadataStore> other = this->world_.open();
  this->create("r1");
  const std::unique_ptr<Lease> lease = this->own("r1");
  const std::uint64_t before = other->change_counter().value();
  EXPECT_EQ(other->change_counter().value(), before);
  ASSERT_TRUE(this->store_->commit(*lease, this->events_from(1, {"a"})));
  const std::uint64_t after = other->change_counter().value();
  EXPECT_NE(after, before);
  EXPECT_EQ(other->change_counter().value(), after);
}

TYPED_TEST_P(MetadataStoreContract, ARunHasOneOwnerAtATime) {
  const std::unique_ptr<MetadataStore> other = this->world_.open();
  this->create("r1");
  this->create("r2");
  std::unique_ptr<Lease> lease = this->own("r1");
  ASSERT_NE(lease, nullptr);
  EXPECT_EQ(lease->run(), model::RunId("r1"));
  const std::uint64_t first_token = lease->token();
  for (MetadataStore* store : {this->store_.get(), other.get()}) {
    const Result<std::unique_ptr<Lease>> second = store->acquire(model::RunId("r1"));
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, Code::kFailedPrecondition);
    EXPECT_EQ(second.error().reason, "run.owned");
  }
  EXPECT_TRUE(other->acquire(model::RunId("r2")));
  lease.reset();
  const Result<std::unique_ptr<Lease>> next = other->acquire(model::RunId("r1"));
  ASSERT_TRUE(next) << next.error().text();
  EXPECT_GT((*next)->token(), first_token);
}

TYPED_TEST_P(MetadataStoreContract, FencesOffAnOwnerThatWasReplaced) {
  this->create("r1");
  const std::unique_ptr<Lease> stale = this->own("r1");
  ASSERT_TRUE(this->store_->commit(*stale, this->events_from(1, {"a"})));
  EXPECT_TRUE(this->store_->confirm(*stale));
  this->world_.break_lock(model::RunId("r1"));
  const std::unique_ptr<MetadataStore> other = this->world_.open();
  const Result<std::unique_ptr<Lease>> fresh = other->acquire(model::RunId("r1"));
  ASSERT_TRUE(fresh) << fresh.error().text();
  EXPECT_TRUE(other->confirm(**fresh));
  EXPECT_EQ(this->store_->confirm(*stale).error().reason, "run.taken_over");

  Commit commit = this->events_from(2, {"stale"});
  commit.record = make_run_record("r1");
  commit.record->state = model::State::kFailed;
  commit.steps = {make_step(1, "train", "k")};
  const Result<void> refused = this->store_->commit(*stale, commit);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kAborted);
  EXPECT_EQ(refused.error().reason, "run.taken_over");
  EXPECT_EQ(other->find_run(model::RunId("r1"))->state, model::State::kPending);
  EXPECT_EQ(other->step(model::RunId("r1"), 1).value().has_value(), false);
  ASSERT_TRUE(other->commit(**fresh, this->events_from(2, {"fresh"})));
  EXPECT_THAT(this->payloads(*this->store_, "r1"), ::testing::ElementsAre("a", "fresh"));
}

TYPED_TEST_P(MetadataStoreContract, RemembersSteps) {
  this->create_with_steps("r1", model::State::kRunning, {make_step(7, "train", "k")});
  const Result<std::optional<StepRecord>> step = this->store_->step(model::RunId("r1"), 7);
  ASSERT_TRUE(step && *step);
  const StepRecord expected = make_step(7, "train", "k");
  EXPECT_EQ((*step)->task, 7u);
  EXPECT_EQ((*step)->path, expected.path);
  EXPECT_EQ((*step)->key, expected.key);
  EXPECT_EQ((*step)->parts, expected.parts);
  EXPECT_TRUE((*step)->reusable);
  EXPECT_EQ((*step)->outputs, expected.outputs);
  EXPECT_FALSE(this->store_->step(model::RunId("r1"), 8)->has_value());
}

TYPED_TEST_P(MetadataStoreContract, AStepRecordedAgainReplacesTheFirst) {
  this->create("r1");
  const std::unique_ptr<Lease> lease = this->own("r1");
  Commit commit;
  commit.steps = {make_step(1, "train", "old"), make_step(2, "eval", "e")};
  ASSERT_TRUE(this->store_->commit(*lease, commit));
  commit.steps = {make_step(1, "train", "new")};
  ASSERT_TRUE(this->store_->commit(*lease, commit));
  EXPECT_EQ((*this->store_->step(model::RunId("r1"), 1))->key, "new");
  EXPECT_EQ((*this->store_->step(model::RunId("r1"), 2))->key, "e");
}

TYPED_TEST_P(MetadataStoreContract, FindsReusableStepsOfFinishedRunsOnly) {
  StepRecord failed = make_step(2, "failed", "k-failed");
  failed.reusable = false;
  this->create_with_steps("done", model::State::kSucceeded,
                          {make_step(1, "train", "k"), failed, make_step(3, "off", "")});
  this->create_with_steps("live", model::State::kRunning,
                          {make_step(1, "train", "k"), make_step(2, "live", "k-live")});
  EXPECT_EQ(this->hit("k"), "done/train");
  EXPECT_EQ(this->hit("k", "done"), "");
  EXPECT_EQ(this->hit("k", "live"), "done/train");
  EXPECT_EQ(this->hit("k", "none", "other pipeline"), "");
  EXPECT_EQ(this->hit("k-failed"), "");
  EXPECT_EQ(this->hit("k-live"), "");
  EXPECT_EQ(this->hit("k-unknown"), "");
  EXPECT_EQ(this->hit(""), "");
}

TYPED_TEST_P(MetadataStoreContract, FindsTheNewestOfSeveralSteps) {
  for (const char* id : {"r1", "r2", "r3"}) {
    this->create_with_steps(id, model::State::kFailed,
                            {make_step(1, "a", "k"), make_step(2, "b", "k")});
  }
  this->create_with_steps("live", model::State::kRunning,
                          {make_step(1, "a", "k"), make_step(2, "b", "k")});
  EXPECT_EQ(this->hit("k"), "r3/b");
  EXPECT_EQ(this->hit("k", "r3"), "r2/b");
  ASSERT_TRUE(this->store_->remove_run(model::RunId("r3")));
  EXPECT_EQ(this->hit("k"), "r2/b");
}

TYPED_TEST_P(MetadataStoreContract, ReadsTogetherWhatItReadsAlone) {
  this->create_with_steps("r1", model::State::kSucceeded, {make_step(1, "train", "k")});
  {
    const std::unique_ptr<ReadScope> together = this->store_->read_together();
    EXPECT_EQ(this->hit("k"), "r1/train");
    EXPECT_EQ(this->hit("other"), "");
  }
  this->create_with_steps("r2", model::State::kSucceeded, {make_step(1, "train", "k")});
  const std::unique_ptr<ReadScope> together = this->store_->read_together();
  EXPECT_EQ(this->hit("k"), "r2/train");
}

TYPED_TEST_P(MetadataStoreContract, AReopenedRunGivesNoSteps) {
  this->create_with_steps("r1", model::State::kFailed, {make_step(1, "train", "k")});
  EXPECT_EQ(this->hit("k"), "r1/train");
  const std::unique_ptr<Lease> lease = this->own("r1");
  Commit commit = this->events_from(2, {"retry"});
  commit.record = make_run_record("r1");
  commit.record->state = model::State::kRunning;
  ASSERT_TRUE(this->store_->commit(*lease, commit));
  EXPECT_EQ(this->hit("k"), "");
}

TYPED_TEST_P(MetadataStoreContract, FindsTheStepsOfEarlierRuns) {
  this->create_with_steps("r1", model::State::kFailed, {make_step(1, "train", "k1")});
  this->create_with_steps("r2", model::State::kRunning, {make_step(4, "train", "")});
  this->create_with_steps("r3", model::State::kSucceeded, {make_step(1, "train", "k3")});
  const auto previous = [this](const std::string& path, const std::string& before,
                               std::size_t most = 9) {
    const Result<std::vector<StepMatch>> matches =
        this->store_->previous_steps("digits", path, model::RunId(before), most);
    EXPECT_TRUE(matches) << matches.error().text();
    std::string runs;
    for (const StepMatch& match : *matches) {
      runs += match.run.str() + " ";
      EXPECT_EQ(match.at.time_since_epoch().count(), 10) << "the time of the event it came with";
    }
    return runs;
  };
  EXPECT_EQ(previous("train", "r3"), "r2 r1 ");
  EXPECT_EQ(previous("train", "r3", 1), "r2 ");
  EXPECT_EQ(previous("train", "r2"), "r1 ");
  EXPECT_EQ(previous("train", "r1"), "");
  EXPECT_EQ(previous("eval", "r3"), "");
  EXPECT_TRUE(this->store_->previous_steps("other", "train", model::RunId("r3"), 9)->empty());
}

TYPED_TEST_P(MetadataStoreContract, PassesCommandsToTheOwner) {
  this->create("r1");
  this->create("r2");
  const std::unique_ptr<MetadataStore> other = this->world_.open();
  ASSERT_TRUE(other->post(model::RunId("r1"), Command::kCancel));
  ASSERT_TRUE(other->post(model::RunId("r2"), Command::kKill));
  ASSERT_TRUE(other->post(model::RunId("r1"), Command::kKill));
  const Result<std::vector<StoredCommand>> commands = this->store_->commands(model::RunId("r1"), 0);
  ASSERT_TRUE(commands) << commands.error().text();
  ASSERT_EQ(commands->size(), 2u);
  EXPECT_EQ(commands->at(0).command, Command::kCancel);
  EXPECT_EQ(commands->at(1).command, Command::kKill);
  EXPECT_LT(commands->at(0).id, commands->at(1).id);
  EXPECT_EQ(this->store_->commands(model::RunId("r1"), commands->at(0).id)->size(), 1u);

  const std::unique_ptr<Lease> lease = this->own("r1");
  Commit commit = this->events_from(1, {"cancel asked"});
  commit.commands_taken = commands->at(0).id;
  ASSERT_TRUE(this->store_->commit(*lease, commit));
  const Result<std::vector<StoredCommand>> left = this->store_->commands(model::RunId("r1"), 0);
  ASSERT_EQ(left->size(), 1u);
  EXPECT_EQ(left->at(0).id, commands->at(1).id);
  EXPECT_EQ(this->store_->commands(model::RunId("r2"), 0)->size(), 1u);
}

TYPED_TEST_P(MetadataStoreContract, CommandIdsAreNotUsedAgain) {
  this->create("r1");
  const std::unique_ptr<Lease> lease = this->own("r1");
  ASSERT_TRUE(this->store_->post(model::RunId("r1"), Command::kCancel));
  Commit commit;
  commit.commands_taken = this->store_->commands(model::RunId("r1"), 0)->at(0).id;
  ASSERT_TRUE(this->store_->commit(*lease, commit));
  ASSERT_TRUE(this->store_->post(model::RunId("r1"), Command::kKill));
  EXPECT_GT(this->store_->commands(model::RunId("r1"), 0)->at(0).id, commit.commands_taken);
}

TYPED_TEST_P(MetadataStoreContract, RemovesARunWithAllThatIsKnownOfIt) {
  this->create_with_steps("r1", model::State::kSucceeded, {make_step(1, "train", "k")});
  this->create_with_steps("r2", model::State::kSucceeded, {});
  ASSERT_TRUE(this->store_->post(model::RunId("r1"), Command::kCancel));
  ASSERT_TRUE(this->store_->remove_run(model::RunId("r1")));
  EXPECT_EQ(this->store_->find_run(model::RunId("r1")).error().code, Code::kNotFound);
  EXPECT_EQ(this->hit("k"), "");
  EXPECT_EQ(this->store_->list_runs()->size(), 1u);

  this->create("r1");
  EXPECT_THAT(this->payloads(*this->store_, "r1"), ::testing::IsEmpty());
  EXPECT_TRUE(this->store_->commands(model::RunId("r1"), 0)->empty());
  EXPECT_THAT(this->payloads(*this->store_, "r2"), ::testing::ElementsAre("e"));
}

TYPED_TEST_P(MetadataStoreContract, KeepsARunThatHasAnOwner) {
  this->create("r1");
  this->move_to("r1", model::State::kSucceeded);
  std::unique_ptr<Lease> lease = this->own("r1");
  const Result<void> refused = this->store_->remove_run(model::RunId("r1"));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kFailedPrecondition);
  EXPECT_EQ(refused.error().reason, "run.owned");
  EXPECT_TRUE(this->store_->find_run(model::RunId("r1")));
  lease.reset();
  EXPECT_TRUE(this->store_->remove_run(model::RunId("r1")));
}

TYPED_TEST_P(MetadataStoreContract, KeepsARunThatHasNotEnded) {
  this->create("r1");
  const std::unique_ptr<MetadataStore> other = this->world_.open();
  const auto expect_kept = [&] {
    const Result<void> refused = other->remove_run(model::RunId("r1"));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::kFailedPrecondition);
    EXPECT_EQ(refused.error().reason, "run.unfinished");
    EXPECT_TRUE(this->store_->find_run(model::RunId("r1")));
  };
  expect_kept();
  this->move_to("r1", model::State::kRunning);
  expect_kept();
  this->move_to("r1", model::State::kFailed);
  // Who chose it while it had ended comes too late: it was reopened, and no engine owns it yet.
  this->move_to("r1", model::State::kRunning);
  expect_kept();
  this->move_to("r1", model::State::kCanceled);
  EXPECT_TRUE(other->remove_run(model::RunId("r1")));
}

TYPED_TEST_P(MetadataStoreContract, TellsWhetherARunHasAnOwner) {
  this->create("r1");
  const std::unique_ptr<MetadataStore> other = this->world_.open();
  EXPECT_FALSE(other->is_owned(model::RunId("r1")).value());
  std::unique_ptr<Lease> lease = this->own("r1");
  EXPECT_TRUE(other->is_owned(model::RunId("r1")).value());
  EXPECT_TRUE(this->store_->is_owned(model::RunId("r1")).value());
  // To look has not fenced off the owner.
  EXPECT_TRUE(this->store_->commit(*lease, this->events_from(1, {"a"})));
  lease.reset();
  EXPECT_FALSE(other->is_owned(model::RunId("r1")).value());
  EXPECT_EQ(other->is_owned(model::RunId("r2")).error().code, Code::kNotFound);
}

TYPED_TEST_P(MetadataStoreContract, KeepsARunWhoseArtifactsAreAnothers) {
  this->create("source");
  this->move_to("source", model::State::kSucceeded);
  this->create("user");
  EXPECT_TRUE(this->store_->uses()->empty());
  std::unique_ptr<Lease> lease = this->own("user");
  Commit commit = this->events_from(1, {"a"});
  commit.uses = {model::RunId("source")};
  ASSERT_TRUE(this->store_->commit(*lease, commit));
  commit = this->events_from(2, {"b"});
  commit.uses = {model::RunId("source"), model::RunId("source")};
  ASSERT_TRUE(this->store_->commit(*lease, commit));
  EXPECT_THAT(*this->store_->uses(),
              ::testing::ElementsAre(RunUse{model::RunId("user"), model::RunId("source")}));

  const Result<void> refused = this->world_.open()->remove_run(model::RunId("source"));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kFailedPrecondition);
  EXPECT_EQ(refused.error().reason, "run.in_use");
  EXPECT_THAT(refused.error().message, ::testing::HasSubstr("user"));

  lease.reset();
  this->move_to("user", model::State::kFailed);
  ASSERT_TRUE(this->store_->remove_run(model::RunId("user")));
  EXPECT_TRUE(this->store_->uses()->empty());
  EXPECT_TRUE(this->store_->remove_run(model::RunId("source")));
}

TYPED_TEST_P(MetadataStoreContract, ARunMayUseArtifactsOfAnotherFromItsBeginning) {
  this->create("source");
  this->move_to("source", model::State::kSucceeded);
  RunDefinition definition{"a.yaml", "spec", Value::make_struct()};
  definition.uses = {model::RunId("source")};
  ASSERT_TRUE(this->store_->create_run(make_run_record("user"), definition));
  EXPECT_THAT(*this->store_->uses(),
              ::testing::ElementsAre(RunUse{model::RunId("user"), model::RunId("source")}));
  EXPECT_EQ(this->store_->remove_run(model::RunId("source")).error().reason, "run.in_use");

  definition.uses = {model::RunId("gone")};
  const Result<void> refused = this->store_->create_run(make_run_record("other"), definition);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kFailedPrecondition);
  EXPECT_EQ(refused.error().reason, "run.source_gone");
  EXPECT_EQ(this->store_->find_run(model::RunId("other")).error().code, Code::kNotFound);
}

TYPED_TEST_P(MetadataStoreContract, RefusesAHitOnARunThatIsGone) {
  this->create("source");
  this->move_to("source", model::State::kSucceeded);
  this->create("user");
  const std::unique_ptr<Lease> lease = this->own("user");
  ASSERT_TRUE(this->world_.open()->remove_run(model::RunId("source")));
  Commit commit = this->events_from(1, {"hit"});
  commit.uses = {model::RunId("source")};
  commit.steps = {make_step(1, "train", "k")};
  const Result<void> refused = this->store_->commit(*lease, commit);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kAborted);
  EXPECT_EQ(refused.error().reason, "run.source_gone");
  EXPECT_TRUE(this->payloads(*this->store_, "user").empty());
  EXPECT_EQ(*this->store_->step(model::RunId("user"), 1), std::nullopt);
  // The lease is good for what comes next.
  EXPECT_TRUE(this->store_->commit(*lease, this->events_from(1, {"ran"})));
}

TYPED_TEST_P(MetadataStoreContract, RemovesNothingWhileRemovalsAreHeld) {
  this->create("r1");
  this->move_to("r1", model::State::kSucceeded);
  const std::unique_ptr<MetadataStore> other = this->world_.open();
  {
    const Result<std::unique_ptr<RemovalHold>> hold = other->hold_removals();
    ASSERT_TRUE(hold) << hold.error().text();
    const Result<void> refused = this->store_->remove_run(model::RunId("r1"));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::kFailedPrecondition);
    EXPECT_EQ(refused.error().reason, "store.held");
    EXPECT_NE(this->own("r1"), nullptr);
    this->create("r2");
  }
  EXPECT_TRUE(this->store_->remove_run(model::RunId("r1")));
}

TYPED_TEST_P(MetadataStoreContract, AWithdrawnStepIsHitNoMore) {
  this->create_with_steps("r1", model::State::kSucceeded,
                          {make_step(1, "a", "k"), make_step(2, "b", "other")});
  ASSERT_TRUE(this->store_->withdraw_step(model::RunId("r1"), 1));
  EXPECT_EQ(this->hit("k"), "");
  EXPECT_EQ(this->hit("other"), "r1/b");
  EXPECT_EQ((*this->store_->step(model::RunId("r1"), 1))->outputs, make_step(1, "a", "k").outputs);
  EXPECT_TRUE(this->store_->withdraw_step(model::RunId("r1"), 7));
  EXPECT_EQ(this->store_->withdraw_step(model::RunId("r2"), 1).error().code, Code::kNotFound);
}

TYPED_TEST_P(MetadataStoreContract, OutlivesItsHandles) {
  this->create("r1");
  std::unique_ptr<Lease> lease = this->own("r1");
  ASSERT_TRUE(this->store_->commit(*lease, this->events_from(1, {"a"})));
  lease.reset();
  this->store_.reset();
  this->store_ = this->world_.open();
  EXPECT_THAT(this->payloads(*this->store_, "r1"), ::testing::ElementsAre("a"));
  EXPECT_NE(this->own("r1"), nullptr);
}

REGISTER_TYPED_TEST_SUITE_P(
    MetadataStoreContract, GivesBackARunAsItWasCreated, RunsOfOneSpecGoOneByOne,
    RefusesASecondRunOfTheSameId, RefusesIdsThatCannotNameAFile, SaysThatAnUnknownRunIsNotFound,
    ListsTheNewestRunFirst, KeepsEventsInOrder, KeepsLargePayloadsOfAnyBytes,
    UpdatesTheRecordWithTheEvents, AnEmptyCommitIsFine, ShowsEachCommitToEveryHandle,
    ChangeCounterMovesWithCommitsOfOthers, ARunHasOneOwnerAtATime, FencesOffAnOwnerThatWasReplaced,
    RemembersSteps, AStepRecordedAgainReplacesTheFirst, FindsReusableStepsOfFinishedRunsOnly,
    FindsTheNewestOfSeveralSteps, ReadsTogetherWhatItReadsAlone, AReopenedRunGivesNoSteps,
    FindsTheStepsOfEarlierRuns, PassesCommandsToTheOwner, CommandIdsAreNotUsedAgain,
    RemovesARunWithAllThatIsKnownOfIt, KeepsARunThatHasAnOwner, KeepsARunThatHasNotEnded,
    TellsWhetherARunHasAnOwner, KeepsARunWhoseArtifactsAreAnothers,
    ARunMayUseArtifactsOfAnotherFromItsBeginning, RefusesAHitOnARunThatIsGone,
    RemovesNothingWhileRemovalsAreHeld, AWithdrawnStepIsHitNoMore, OutlivesItsHandles);

}  // namespace cresset::ports::testing
