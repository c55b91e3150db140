#pragma once

#include <string>
#include <vector>

#include "cresset/base/error.h"
#include "cresset/base/value.h"
#include "cresset/cli/backend.h"
#include "cresset/cli/requests.h"
#include "cresset/cli/terminal.h"

// What each verb does, and what its exit status says (docs/reference/cli.md).
namespace cresset::cli {

enum ExitStatus {
  kFine = 0,
  kRunFailed = 1,  // or was cancelled
  kWrongUse = 2,   // nothing was created, stdout is empty
  kOurFault = 3,   // stdout is empty
};

struct Session {
  Backend& backend;
  Terminal& terminal;
};

// Runs the program on the words after its name.
int run_command_line(std::vector<std::string> words, Session session);

// verbs_run.cc
int run(const RunVerb& verb, Session session);
int watch_run(const RunVerb& verb, Session session);  // watch_run.cc
int resume(const ResumeVerb& verb, Session session);
int retry(const RetryVerb& verb, Session session);
int rerun(const RerunVerb& verb, Session session);
int rerun_by_hand(const RerunVerb& verb, Session session);  // rerun_by_hand.cc
int wait(const WaitVerb& verb, Session session);
int drive(const DriveVerb& verb, Session session);
int cancel(const CancelVerb& verb, Session session);

// verbs_show.cc
int validate(const ValidateVerb& verb, Session session);
int ls(const LsVerb& verb, Session session);
int show(const ShowVerb& verb, Session session);
int artifacts(const ArtifactsVerb& verb, Session session);
int explain(const ExplainVerb& verb, Session session);

// verbs_logs.cc
int logs(const LogsVerb& verb, Session session);

// verbs_home.cc
int env_ls(const EnvLsVerb& verb, Session session);
int env_rm(const EnvRmVerb& verb, Session session);
int rm(const RmVerb& verb, Session session);
int gc(const GcVerb& verb, Session session);
int version(const VersionVerb& verb, Session session);
int completion(const CompletionVerb& verb, Session session);

// verbs_care.cc
int df(const DfVerb& verb, Session session);
int doctor(const DoctorVerb& verb, Session session);
int backup(const BackupVerb& verb, Session session);
int restore(const RestoreVerb& verb, Session session);

// print_view.cc
int exit_status(const model::RunView& view);
// Whether print_view() says anything of the tasks: a view without them does otherwise.
bool prints_tasks(Format format, Session session);
// How a run went, at its end or as it is now.
void print_view(const model::RunView& view, Format format, Session session);

// report.cc
// Says what went wrong; the exit status that fits its code.
int report(const Error& error, Session session);
// What -o json prints: one value, and nothing else.
void print_json(Session session, const Value& value);
// The run by any of its names. A home that does not exist holds no runs, and is not made for the
// question.
Result<model::RunId> find_run(const std::string& name, Session session);
// A file, or standard input for "-": at most 64 MiB, never a folder.
Result<std::string> read_file(const std::string& path);

}  // namespace cresset::cli
