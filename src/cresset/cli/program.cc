#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "cresset/cli/command_line.h"
#include "cresset/cli/verbs.h"

namespace cresset::cli {

namespace {

template <class... F>
struct Overloaded : F... {
  using F::operator()...;
};

int carry_out(const Request& request, Session session) {
  return std::visit(
      Overloaded{
          [&](const RunVerb& verb) { return run(verb, session); },
          [&](const ValidateVerb& verb) { return validate(verb, session); },
          [&](const LsVerb& verb) { return ls(verb, session); },
          [&](const ShowVerb& verb) { return show(verb, session); },
          [&](const LogsVerb& verb) { return logs(verb, session); },
          [&](const WaitVerb& verb) { return wait(verb, session); },
          [&](const ArtifactsVerb& verb) { return artifacts(verb, session); },
          [&](const CancelVerb& verb) { return cancel(verb, session); },
          [&](const ResumeVerb& verb) { return resume(verb, session); },
          [&](const RetryVerb& verb) { return retry(verb, session); },
          [&](const RerunVerb& verb) { return rerun(verb, session); },
          [&](const ExplainVerb& verb) { return explain(verb, session); },
          [&](const EnvLsVerb& verb) { return env_ls(verb, session); },
          [&](const EnvRmVerb& verb) { return env_rm(verb, session); },
          [&](const RmVerb& verb) { return rm(verb, session); },
          [&](const GcVerb& verb) { return gc(verb, session); },
          [&](const DfVerb& verb) { return df(verb, session); },
          [&](const DoctorVerb& verb) { return doctor(verb, session); },
          [&](const BackupVerb& verb) { return backup(verb, session); },
          [&](const RestoreVerb& verb) { return restore(verb, session); },
          [&](const VersionVerb& verb) { return version(verb, session); },
          [&](const CompletionVerb& verb) { return completion(verb, session); },
          [&](const DriveVerb& verb) { return drive(verb, session); },
          [&](const KeeperVerb& verb) { return session.backend.run_keeper(verb.folder); },
      },
      request);
}

}  // namespace

int run_command_line(std::vector<std::string> words, Session session) {
  const bool has_verb =
      !words.empty() && std::ranges::find(verb_names(), words.front()) != verb_names().end();
  const std::string verb = has_verb ? words.front() + " " : "";
  const auto parsed = parse_command_line(std::move(words));
  if (const auto* help = std::get_if<Help>(&parsed)) {
    session.terminal.out(help->text);
    return kFine;
  }
  if (const auto* wrong = std::get_if<UsageError>(&parsed)) {
    session.terminal.err(
        fmt::format("cresset: {}; `cresset {}--help` shows what there is\n", wrong->message, verb));
    return kWrongUse;
  }
  const int status = carry_out(std::get<Request>(parsed), session);
  if (session.terminal.out_is_good()) return status;
  session.terminal.err("cresset: what was to be printed could not be written: is the disk full?\n");
  return kOurFault;
}

}  // namespace cresset::cli
