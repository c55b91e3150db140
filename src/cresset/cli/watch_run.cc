#include <fmt/format.h>

#include <chrono>
#include <memory>
#include <optional>
#include <utility>

#include "cresset/cli/pipeline_file.h"
#include "cresset/cli/prepare_run.h"
#include "cresset/cli/progress.h"
#include "cresset/cli/run_text.h"
#include "cresset/cli/verbs.h"

namespace cresset::cli {

namespace {

// An editor may save in several steps, and several files at once.
constexpr Duration kQuiet = std::chrono::milliseconds(30);
constexpr Duration kQuietMax = std::chrono::seconds(1);

// What the user asks of a run that is being watched: a save cancels it as the first Ctrl-C does.
class WatchInterrupts final : public app::Interrupts {
 public:
  WatchInterrupts(app::Interrupts& user, FileWatch& watch, Progress& progress)
      : user_(user), watch_(watch), progress_(progress) {}

  int level() override {
    if (!saved_ && watch_.poll()) {
      saved_ = true;
      progress_.on_notice("saved: this run is cancelled, and the next one begins");
    }
    return std::max(user_.level(), saved_ ? 1 : 0);
  }
  [[nodiscard]] bool saved() const { return saved_; }

 private:
  app::Interrupts& user_;
  FileWatch& watch_;
  Progress& progress_;
  bool saved_ = false;
};

class Watcher {
 public:
  Watcher(const RunVerb& verb, Session session, FileWatch& watch)
      : verb_(verb), session_(session), watch_(watch), user_(session.backend.interrupts()) {}

  int run() {
    std::vector<std::string> files = {absolute_path(verb_.file)};
    if (auto watched = watch_.watch(files, ""); !watched) return report(watched.error(), session_);
    for (bool is_first = true;; is_first = false) {
      PreparedRun prepared = prepare_run(verb_, session_, true);
      const bool was_read = prepared.request.has_value();
      if (was_read || prepared.files.size() > 1) files = prepared.files;
      // The file that is missing, or broken in a way that hides its name, is one of these folders'.
      const std::string ending = !was_read && is_python_source(verb_.file) ? ".py" : "";
      if (auto watched = watch_.watch(files, ending); !watched)
        return report(watched.error(), session_);
      bool saved = false;
      if (was_read) {
        const std::optional<int> over = run_once(std::move(prepared), is_first, saved);
        if (over) return *over;
      }
      if (!saved && !wait_for_save(files)) session_.backend.die_of_interrupt();
      settle();
    }
  }

 private:
  // The exit status when that was the last run.
  std::optional<int> run_once(PreparedRun prepared, bool is_first, bool& saved) {
    auto service = session_.backend.service();
    if (!service) return report(service.error(), session_);
    auto created = (*service)->create(*std::move(prepared.request));
    if (!created) {
      // A secret that is not there yet, an interpreter that is being installed.
      const int status = report(created.error(), session_);
      return status == kWrongUse ? std::nullopt : std::optional(status);
    }
    if (!is_first) session_.terminal.err(fmt::format("saved: run {}\n", short_id(*created)));
    const std::unique_ptr<Progress> progress = make_progress(session_, false);
    if (is_first) {
      for (const std::string& notice : prepared.notices) progress->on_notice(notice);
    }
    WatchInterrupts interrupts(user_, watch_, *progress);
    auto view = (*service)->drive(*created, *progress, interrupts);
    progress->finish();
    if (!view) return report(view.error(), session_);
    saved = interrupts.saved();
    tell(*view, is_first, saved);
    if (user_.level() > 0) return exit_status(*view);
    return session_.terminal.out_is_good() ? std::nullopt : std::optional<int>(kOurFault);
  }

  void tell(const model::RunView& view, bool is_first, bool saved) {
    if (saved) return;
    const bool is_short = !is_first && view.state == model::State::kSucceeded;
    if (!is_short) return print_view(view, Format::kText, session_);
    const Style style(session_.terminal.out_colour(), session_.terminal.utf8());
    model::Bindings values;
    values.parameters = view.outputs.parameters;
    session_.terminal.out(
        fmt::format("Run {} {}\n{}", short_id(view.id),
                    outcome_text(view, session_.backend.clock().wall_now(), style),
                    bindings_text(values, style)));
  }

  // False when the user wants no more.
  bool wait_for_save(const std::vector<std::string>& files) {
    const std::size_t others = files.size() - 1;
    session_.terminal.err(fmt::format(
        "watching {}{}; Ctrl-C ends it\n", verb_.file,
        others == 0 ? "" : fmt::format(" and {} more {}", others, others == 1 ? "file" : "files")));
    while (!watch_.poll()) {
      if (user_.level() > 0 || session_.backend.hung_up()) return false;
      session_.backend.reactor().wait(std::nullopt);
    }
    return true;
  }

  void settle() {
    ports::Clock& clock = session_.backend.clock();
    const TimePoint latest = clock.now() + kQuietMax;
    TimePoint quiet = clock.now() + kQuiet;
    while (clock.now() < std::min(quiet, latest) && user_.level() == 0) {
      session_.backend.reactor().wait(std::min(quiet, latest));
      if (watch_.poll()) quiet = clock.now() + kQuiet;
    }
  }

  const RunVerb& verb_;
  Session session_;
  FileWatch& watch_;
  app::Interrupts& user_;
};

Result<void> check(const RunVerb& verb) {
  if (verb.file == "-")
    return make_error(Code::kInvalidArgument, "--watch needs a file: nothing is saved at \"-\"");
  if (verb.detach)
    return make_error(Code::kInvalidArgument,
                      "--watch stays in the foreground: leave --detach out");
  if (verb.format == Format::kJson) {
    return make_error(Code::kInvalidArgument,
                      "--watch prints text: `cresset show latest -o json` prints its last run");
  }
  return {};
}

}  // namespace

int watch_run(const RunVerb& verb, Session session) {
  if (auto sound = check(verb); !sound) return report(sound.error(), session);
  // One that is not there, or that may not be read, is more likely a slip than a plan.
  if (auto text = read_file(verb.file); !text) return report(text.error(), session);
  auto watch = session.backend.file_watch();
  if (!watch) return report(watch.error(), session);
  return Watcher(verb, session, **watch).run();
}

}  // namespace cresset::cli
