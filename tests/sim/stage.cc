#include "sim/stage.h"

#include <algorithm>

#include "cresset/base/check.h"

namespace cresset::sim {

Observer::Observer(Stage& stage) : stage_(stage), id_(stage.next_observer++) {
  stage_.store->set_faults({});
  Result<std::unique_ptr<ports::MetadataStore>> opened = stage_.store->open(id_);
  if (!opened) throw Violation("the store cannot be opened: {}", opened.error().text());
  store_ = *std::move(opened);
}

Observer::~Observer() {
  store_.reset();
  stage_.store->kill(id_);
  stage_.store->set_faults(stage_.faults.healed() ? StoreFaults{} : stage_.store_faults);
}

void settle(Stage& stage, RunEntry& entry) {
  if (!entry.uncertain) return;
  const Uncertain uncertain = *entry.uncertain;
  Observer observer(stage);
  const bool is_there = observer.store().find_run(uncertain.record.id).has_value();
  switch (uncertain.kind) {
    case Uncertain::Kind::kCreation:
      if (!is_there) return;
      entry.uncertain.reset();
      stage.ledger.created(entry, uncertain.record, uncertain.uses);
      return;
    case Uncertain::Kind::kRemoval:
      entry.uncertain.reset();
      if (!is_there) stage.ledger.removed(entry.id, false);
      return;
    case Uncertain::Kind::kCommit:
      // An engine that was replaced long ago may come to its end in a commit of what is gone.
      if (!entry.removed) break;
      entry.uncertain.reset();
      return;
  }
  const auto events = observer.store().events(entry.id, entry.seq);
  if (!events) throw Violation("a run cannot be read: {}", events.error().text());
  // A transaction that its process had written and not announced shows when the log is read anew:
  // when nobody has the database open any more. Until the next commit it may still appear.
  if (events->empty()) return;
  if (!std::ranges::equal(*events, uncertain.commit.events,
                          [](const ports::StoredEvent& there, const ports::StoredEvent& written) {
                            return there.seq == written.seq && there.at == written.at &&
                                   there.payload == written.payload;
                          }))
    throw Violation("a commit that failed was written in part, or as another one");
  entry.uncertain.reset();
  stage.ledger.committed(entry.id, uncertain.commit);
}

}  // namespace cresset::sim
