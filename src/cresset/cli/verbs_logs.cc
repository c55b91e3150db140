#include <fmt/format.h>

#include <memory>
#include <optional>

#include "cresset/cli/log_reader.h"
#include "cresset/cli/run_text.h"
#include "cresset/cli/verbs.h"

namespace cresset::cli {

namespace {

// Nobody asks for anything: the signals act as they do by default.
class NoInterrupts final : public app::Interrupts {
 public:
  explicit NoInterrupts(const Terminal& terminal) : terminal_(terminal) {}
  // A reader that has left ends the following.
  int level() override { return terminal_.out_is_closed() ? 1 : 0; }

 private:
  const Terminal& terminal_;
};

class LogObserver final : public app::RunObserver {
 public:
  explicit LogObserver(LogReader& reader) : reader_(reader) {}
  void on_changes(const dag::Plan&, const std::vector<dag::TaskBrief>&) override {}
  void on_notice(std::string_view) override {}
  void on_tick(const dag::Plan& plan) override {
    if (auto read = reader_.read(plan); !read && !error_) error_ = std::move(read).error();
  }
  [[nodiscard]] const std::optional<Error>& error() const { return error_; }

 private:
  LogReader& reader_;
  std::optional<Error> error_;
};

// An empty answer would say that the step said nothing.
Result<void> tell_of_lost_logs(app::RunService& service, const model::RunId& run,
                               const LogReader& reader, Session session) {
  CR_TRY(const std::vector<model::AttemptId> lost, service.lost_logs(run));
  if (lost.empty()) return {};
  CR_TRY(const std::unique_ptr<dag::Plan> plan, service.plan(run));
  for (const model::AttemptId& id : lost) {
    const std::string path = plan->brief(id.task).path;
    if (!reader.in_scope(path)) continue;
    session.terminal.err(
        fmt::format("note: the log of {}, attempt {}, is gone\n", path, id.attempt));
  }
  return {};
}

// What comes from the cache has printed nothing here.
Result<void> tell_of_cached(app::RunService& service, const dag::Plan& plan,
                            const LogReader& reader, const LogsVerb& verb, Session session) {
  if (plan.counts().cached == 0) return {};
  const model::RunId& run = plan.context().id;
  std::vector<std::string> cached;
  for (const model::TaskView& task : plan.view().tasks) {
    if (task.cached && reader.in_scope(task.path)) cached.push_back(task.path);
  }
  if (cached.empty()) return {};
  if (verb.task.empty() || cached.size() > 1) {
    session.terminal.err(
        fmt::format("note: {} of the steps came from the cache and printed nothing here: `cresset "
                    "logs {} TASK` "
                    "says where each did\n",
                    cached.size(), short_id(run)));
    return {};
  }
  CR_TRY(const app::Explanation told, service.explain(run, cached.front()));
  if (told.compared_with) {
    const std::string source = short_id(*told.compared_with);
    session.terminal.err(
        fmt::format("note: {} was taken from run {}, and printed there: `cresset logs {} {}`\n",
                    cached.front(), source, source, cached.front()));
  } else {
    session.terminal.err(fmt::format("note: {}: {}\n", cached.front(), told.verdict));
  }
  return {};
}

}  // namespace

int logs(const LogsVerb& verb, Session session) {
  auto run = find_run(verb.run, session);
  if (!run) return report(run.error(), session);
  auto service = session.backend.service();
  if (!service) return report(service.error(), session);
  auto plan = (*service)->plan(*run);
  if (!plan) return report(plan.error(), session);
  const bool waits = verb.follow && !is_final((*plan)->state());
  if (!verb.task.empty()) {
    auto task = app::RunService::find_task(**plan, verb.task);
    // A step inside a group shows up when the group is entered.
    if (!task && !(waits && task.error().code == Code::kNotFound))
      return report(task.error(), session);
  }
  const bool many = verb.task.empty() && (*plan)->attempts().size() > 1;
  LogReader reader(session.backend.logs(), session.terminal, verb.task,
                   {verb.prefix || (many && session.terminal.out_is_terminal()), verb.timestamps});
  if (auto read = reader.read(**plan); !read) return report(read.error(), session);
  if (waits) {
    LogObserver observer(reader);
    NoInterrupts interrupts(session.terminal);
    auto followed = (*service)->follow(*run, observer, interrupts);
    if (!followed) return report(followed.error(), session);
    if (observer.error()) return report(*observer.error(), session);
    auto ended = (*service)->plan(*run);
    if (!ended) return report(ended.error(), session);
    if (auto read = reader.read(**ended); !read) return report(read.error(), session);
    plan = std::move(ended);
  }
  reader.flush();
  if (auto told = tell_of_lost_logs(**service, *run, reader, session); !told)
    return report(told.error(), session);
  if (auto told = tell_of_cached(**service, **plan, reader, verb, session); !told)
    return report(told.error(), session);
  return kFine;
}

}  // namespace cresset::cli
