#include <fmt/format.h>

#include <chrono>
#include <memory>
#include <optional>
#include <utility>

#include "cresset/cli/log_reader.h"
#include "cresset/cli/prepare_run.h"
#include "cresset/cli/progress.h"
#include "cresset/cli/run_text.h"
#include "cresset/cli/verbs.h"

namespace cresset::cli {

namespace {

constexpr Duration kEngineExpected = std::chrono::seconds(2);

int finish(Result<model::RunView> view, Format format, Session session) {
  if (!view) return report(view.error(), session);
  print_view(*view, format, session);
  return session.terminal.out_is_good() ? exit_status(*view) : kOurFault;
}

int drive_and_print(app::RunService& service, const model::RunId& run, Format format,
                    Session session, const std::vector<std::string>& notices = {}) {
  std::unique_ptr<Progress> progress = make_progress(session, format == Format::kJson);
  for (const std::string& notice : notices) progress->on_notice(notice);
  auto plan = service.drive_plan(run, *progress, session.backend.interrupts());
  progress->finish();
  if (!plan && plan.error().code != Code::kAborted && plan.error().reason != "run.damaged") {
    session.terminal.err(
        fmt::format("cresset: the run is not lost: `cresset resume {}` goes on\n", short_id(run)));
  }
  if (!plan) return report(plan.error(), session);
  return finish(prints_tasks(format, session) ? (*plan)->view() : (*plan)->summary(), format,
                session);
}

// What the step prints is what the user wants to see.
class RerunObserver final : public app::RunObserver {
 public:
  RerunObserver(Session session, bool quiet)
      : session_(session),
        reader_(session.backend.logs(), session.terminal, "", {}),
        quiet_(quiet) {}

  void on_changes(const dag::Plan& plan, const std::vector<dag::TaskBrief>&) override {
    copy(plan);
  }
  void on_notice(std::string_view text) override {
    session_.terminal.err(fmt::format("note: {}\n", text));
  }
  void on_tick(const dag::Plan& plan) override {
    if (session_.backend.hung_up()) session_.terminal.mute();
    copy(plan);
  }

 private:
  void copy(const dag::Plan& plan) {
    if (quiet_) return;
    if (auto read = reader_.read(plan); !read) on_notice(read.error().text());
  }

  Session session_;
  LogReader reader_;
  bool quiet_;
};

// Nobody is there to see or to ask.
class NoObserver final : public app::RunObserver {
  void on_changes(const dag::Plan&, const std::vector<dag::TaskBrief>&) override {}
  void on_notice(std::string_view) override {}
  void on_tick(const dag::Plan&) override {}
};

// Tells the waiting user when nothing drives the run.
class WaitObserver final : public app::RunObserver {
 public:
  WaitObserver(Session session, app::RunService& service, model::RunId run,
               std::unique_ptr<Progress> progress)
      : session_(session),
        service_(service),
        run_(std::move(run)),
        progress_(std::move(progress)),
        check_at_(session.backend.clock().now() + kEngineExpected) {}

  void on_attached(const dag::Plan& plan) override { progress_->on_attached(plan); }
  void on_changes(const dag::Plan& plan, const std::vector<dag::TaskBrief>& changes) override {
    progress_->on_changes(plan, changes);
  }
  void on_notice(std::string_view text) override { progress_->on_notice(text); }
  void on_tick(const dag::Plan& plan) override {
    progress_->on_tick(plan);
    if (session_.backend.clock().now() < check_at_) return;
    check_at_ = session_.backend.clock().now() + kEngineExpected;
    auto live = service_.has_live_engine(run_);
    const bool is_dead = live && !*live;
    // Once is no proof: the engine may have ended with the run just now.
    if (is_dead && was_dead_) {
      progress_->on_notice(fmt::format(
          "no process drives this run at the moment: `cresset resume {}` goes on with it",
          short_id(run_)));
    }
    was_dead_ = is_dead;
  }
  void finish() { progress_->finish(); }

 private:
  Session session_;
  app::RunService& service_;
  model::RunId run_;
  std::unique_ptr<Progress> progress_;
  TimePoint check_at_;
  bool was_dead_ = false;
};

}  // namespace

int run(const RunVerb& verb, Session session) {
  if (verb.watch) return watch_run(verb, session);
  PreparedRun prepared = prepare_run(verb, session, false);
  if (prepared.status != kFine) return prepared.status;
  auto service = session.backend.service();
  if (!service) return report(service.error(), session);
  auto created = (*service)->create(*std::move(prepared.request));
  if (!created) return report(created.error(), session);
  if (!verb.detach)
    return drive_and_print(**service, *created, verb.format, session, prepared.notices);

  for (const std::string& notice : prepared.notices) session.terminal.err("note: " + notice + "\n");
  if (auto started = session.backend.start_engine(*created); !started)
    return report(started.error(), session);
  auto view = (*service)->view(*created);
  if (!view) return report(view.error(), session);
  print_view(*view, verb.format, session);
  return kFine;
}

int resume(const ResumeVerb& verb, Session session) {
  auto run = find_run(verb.run, session);
  if (!run) return report(run.error(), session);
  auto service = session.backend.service();
  if (!service) return report(service.error(), session);
  return drive_and_print(**service, *run, verb.format, session);
}

int retry(const RetryVerb& verb, Session session) {
  auto run = find_run(verb.run, session);
  if (!run) return report(run.error(), session);
  auto service = session.backend.service();
  if (!service) return report(service.error(), session);
  if (auto reopened = (*service)->reopen(*run); !reopened) return report(reopened.error(), session);
  return drive_and_print(**service, *run, verb.format, session);
}

int rerun(const RerunVerb& verb, Session session) {
  if (verb.debugger || verb.shell) return rerun_by_hand(verb, session);
  auto run = find_run(verb.run, session);
  if (!run) return report(run.error(), session);
  auto service = session.backend.service();
  if (!service) return report(service.error(), session);
  model::ByName<std::string> changes;
  for (const auto& [name, text] : verb.parameters) changes.insert_or_assign(name, text);
  auto request = (*service)->make_rerun(*run, verb.task, changes);
  if (!request) return report(request.error(), session);
  auto created = (*service)->create(*std::move(request));
  if (!created) return report(created.error(), session);
  RerunObserver observer(session, verb.format == Format::kJson);
  return finish((*service)->drive(*created, observer, session.backend.interrupts()), verb.format,
                session);
}

int wait(const WaitVerb& verb, Session session) {
  auto run = find_run(verb.run, session);
  if (!run) return report(run.error(), session);
  auto service = session.backend.service();
  if (!service) return report(service.error(), session);
  WaitObserver observer(session, **service, *run,
                        make_progress(session, verb.format == Format::kJson));
  auto view = (*service)->follow(*run, observer, session.backend.interrupts());
  observer.finish();
  if (view && !is_final(view->state)) session.backend.die_of_interrupt();
  return finish(std::move(view), verb.format, session);
}

int drive(const DriveVerb& verb, Session session) {
  auto service = session.backend.service();
  if (!service) return report(service.error(), session);
  NoObserver observer;
  auto plan =
      (*service)->drive_plan(model::RunId(verb.run), observer, session.backend.interrupts());
  if (!plan) return report(plan.error(), session);
  return exit_status((*plan)->summary());
}

int cancel(const CancelVerb& verb, Session session) {
  auto run = find_run(verb.run, session);
  if (!run) return report(run.error(), session);
  auto service = session.backend.service();
  if (!service) return report(service.error(), session);
  if (auto asked = (*service)->cancel(*run, verb.kill); !asked)
    return report(asked.error(), session);
  auto live = (*service)->has_live_engine(*run);
  if (!live) return report(live.error(), session);
  if (!*live) {
    // Its exit handlers are still owed, and its steps may be running.
    if (auto started = session.backend.start_engine(*run); !started)
      return report(started.error(), session);
  }
  session.terminal.out(fmt::format("Run {} is being {}; `cresset wait {}` waits for its end\n",
                                   short_id(*run), verb.kill ? "killed" : "cancelled",
                                   short_id(*run)));
  return kFine;
}

}  // namespace cresset::cli
