#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "cresset/app/retention.h"

// What each verb was asked to do: the command line as values.
namespace cresset::cli {

enum class Format { kText, kJson };

using NamedText = std::pair<std::string, std::string>;

struct RunVerb {
  std::string file;  // "-" = standard input
  std::string function;
  std::vector<NamedText> parameters;
  std::string parameters_file;
  std::string name;
  std::string python;
  std::vector<std::string> env;  // NAME or NAME=VALUE
  std::int64_t jobs = 0;
  std::int64_t log_cap_mib = 1024;
  std::string success_word = "SUCCEEDED";
  bool no_cache = false;
  bool offline = false;
  bool cold = false;
  bool fail_fast = false;
  bool detach = false;
  bool watch = false;
  Format format = Format::kText;
};

struct ValidateVerb {
  std::string file;
  std::string function;
  std::string python;
  Format format = Format::kText;
};
struct LsVerb {
  std::size_t limit = 0;  // 0 = all
  Format format = Format::kText;
};
struct ShowVerb {
  std::string run;
  std::string task;
  bool timeline = false;
  Format format = Format::kText;
};
struct LogsVerb {
  std::string run;
  std::string task;
  bool follow = false;
  bool prefix = false;      // each line with its task's path in front
  bool timestamps = false;  // each chunk's time of arrival in front of its lines
};
struct WaitVerb {
  std::string run;
  Format format = Format::kText;
};
struct ArtifactsVerb {
  std::string run;
  std::string task;
  Format format = Format::kText;
};
struct CancelVerb {
  std::string run;
  bool kill = false;
};
struct ResumeVerb {
  std::string run;
  Format format = Format::kText;
};
struct RetryVerb {
  std::string run;
  Format format = Format::kText;
};
struct RerunVerb {
  std::string run;
  std::string task;
  bool debugger = false;
  bool shell = false;
  std::vector<NamedText> parameters;
  Format format = Format::kText;
};
struct ExplainVerb {
  std::string run;
  std::string task;
  Format format = Format::kText;
};
struct EnvLsVerb {
  Format format = Format::kText;
};
struct EnvRmVerb {
  std::vector<std::string> keys;
  bool all = false;
};
struct RmVerb {
  std::vector<std::string> runs;
};
struct GcVerb {
  app::Retention retention;
  bool dry_run = false;
  Format format = Format::kText;
};
struct DoctorVerb {
  bool deep = false;
  bool repair = false;
  Format format = Format::kText;
};
struct BackupVerb {
  std::string file;
  bool force = false;
  Format format = Format::kText;
};
struct RestoreVerb {
  std::string file;
  Format format = Format::kText;
};
struct DfVerb {
  std::size_t limit = 10;  // of the runs that text shows; 0 = all
  Format format = Format::kText;
};
struct VersionVerb {
  Format format = Format::kText;
};
struct CompletionVerb {
  std::string shell;  // bash, zsh or fish
};
// Internal: the background engine of `run --detach` and `cancel`.
struct DriveVerb {
  std::string run;
};
// Internal: the keeper of a home.
struct KeeperVerb {
  std::string folder;
};

using Request =
    std::variant<RunVerb, ValidateVerb, LsVerb, ShowVerb, LogsVerb, WaitVerb, ArtifactsVerb,
                 CancelVerb, ResumeVerb, RetryVerb, RerunVerb, ExplainVerb, EnvLsVerb, EnvRmVerb,
                 RmVerb, GcVerb, DfVerb, DoctorVerb, BackupVerb, RestoreVerb, VersionVerb,
                 CompletionVerb, DriveVerb, KeeperVerb>;

}  // namespace cresset::cli
