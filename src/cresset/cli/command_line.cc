#include "cresset/cli/command_line.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <system_error>

#include "cresset/text/suggest.h"

namespace cresset::cli {

namespace {

constexpr std::string_view kRunHelp = "a run's id, a unique prefix of one, or \"latest\"";
constexpr std::string_view kTaskHelp = "a task's path, or its name where that is unique";

// CLI11 knows one option kind for both: a value that is missing its '=' is a usage error.
NamedText split_assignment(const std::string& option, const std::string& text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0) {
    throw CLI::ValidationError(option, fmt::format("expected name=value, got \"{}\"", text));
  }
  return {text.substr(0, equals), text.substr(equals + 1)};
}

std::size_t count_of(const std::string& option, const std::string& text) {
  auto count = app::parse_count(text);
  if (!count) throw CLI::ValidationError(option, count.error().message);
  return *count;
}

// One command line's worth of options: CLI11 writes into the verbs, `chosen` tells which was meant.
class Parser {
 public:
  Parser() : app_("Cresset runs PyTorch pipelines on this machine", "cresset") {
    app_.require_subcommand(0, 1);
    app_.set_help_flag("-h,--help", "prints this help and exits");
    app_.set_version_flag("--version", "");
    app_.get_option("--version")->group("");
    app_.footer(
        "Exit status: 0 fine; 1 the run failed or was cancelled; 2 wrong use; 3 a fault of "
        "Cresset.\nState lives in $CRESSET_HOME (~/.local/share/cresset).");
    add_run();
    add_validate();
    add_ls();
    add_show();
    add_logs();
    add_wait();
    add_artifacts();
    add_cancel();
    add_resume();
    add_retry();
    add_rerun();
    add_explain();
    add_env();
    add_rm();
    add_gc();
    add_df();
    add_doctor();
    add_backup();
    add_restore();
    add_version();
    add_completion();
    add_internal();
  }

  std::variant<Request, Help, UsageError> parse(std::vector<std::string> words) {
    if (auto wrong = unknown_verb(words)) return *std::move(wrong);
    if (words.empty()) return Help{app_.help()};
    if (words.front() == "--version") words.front() = "version";
    const std::vector<std::string> given = words;
    std::ranges::reverse(words);  // CLI11 takes a vector from its end
    try {
      app_.parse(std::move(words));
    } catch (const CLI::CallForHelp&) {
      return Help{help()};
    } catch (const CLI::ParseError& error) {
      return UsageError{explain(error, given)};
    }
    if (!chosen_) return UsageError{"`cresset env` needs one of: ls, rm"};
    return chosen_();
  }

  std::vector<std::string> flags_of(const std::string& verb) {
    std::vector<std::string> out;
    for (const CLI::Option* option : app_.get_subcommand(verb)->get_options()) {
      for (const std::string& name : option->get_lnames()) out.push_back("--" + name);
      for (const std::string& name : option->get_snames()) out.push_back("-" + name);
    }
    return out;
  }

 private:
  // A verb whose options are those of `V`.
  template <class V>
  CLI::App* add(const std::string& name, const std::string& description, std::shared_ptr<V> verb,
                CLI::App* parent = nullptr) {
    CLI::App* sub = (parent == nullptr ? &app_ : parent)->add_subcommand(name, description);
    sub->set_help_flag("-h,--help", "prints this help and exits");
    sub->callback([this, verb] { chosen_ = [verb] { return Request(*verb); }; });
    return sub;
  }

  template <class V>
  static void add_format(CLI::App* sub, const std::shared_ptr<V>& verb) {
    sub->add_option_function<std::string>(
           "-o,--output",
           [verb](const std::string& text) {
             if (text != "text" && text != "json")
               throw CLI::ValidationError("-o",
                                          fmt::format("expected text or json, got \"{}\"", text));
             verb->format = text == "json" ? Format::kJson : Format::kText;
           },
           "what the result is printed as")
        ->type_name("text|json");
  }

  template <class V>
  static void add_run_name(CLI::App* sub, const std::shared_ptr<V>& verb) {
    sub->add_option("RUN", verb->run, std::string(kRunHelp))->required()->type_name("");
  }

  static void add_task_name(CLI::App* sub, std::string& task, bool required) {
    sub->add_option("TASK", task, std::string(kTaskHelp))->required(required)->type_name("");
  }

  static void add_function(CLI::App* sub, std::string& function) {
    sub->add_option("--function", function, "which pipeline of a .py file that has several")
        ->type_name("NAME");
  }

  static void add_parameters(CLI::App* sub, std::vector<NamedText>& parameters,
                             const std::string& description) {
    sub->add_option_function<std::vector<std::string>>(
           "-p,--param",
           [&parameters](const std::vector<std::string>& texts) {
             for (const std::string& text : texts)
               parameters.push_back(split_assignment("-p", text));
           },
           description)
        ->type_name("NAME=VALUE")
        ->expected(1)
        ->take_all()
        ->trigger_on_parse(false);
  }

  void add_run() {
    auto verb = std::make_shared<RunVerb>();
    CLI::App* sub = add("run", "runs a pipeline and follows it to its end", verb);
    sub->add_option("FILE", verb->file,
                    "pipeline: Python source, or compiled to YAML or JSON; - reads standard input")
        ->required()
        ->type_name("");
    add_function(sub, verb->function);
    add_parameters(sub, verb->parameters,
                   "a parameter: the text itself for a STRING, JSON for every other type");
    sub->add_option("--params", verb->parameters_file, "parameters from a YAML or JSON map")
        ->type_name("FILE");
    sub->add_option("--name", verb->name, "name of the run; the pipeline's by default")
        ->type_name("TEXT");
    sub->add_option("-j,--jobs", verb->jobs, "CPUs that the run may use; all by default")
        ->check(CLI::Range(std::int64_t{1}, std::int64_t{4096}).description(""))
        ->type_name("N");
    sub->add_option("--python", verb->python,
                    "interpreter of steps and of FILE; else $CRESSET_PYTHON, $VIRTUAL_ENV, python3")
        ->type_name("PATH");
    sub->add_option("--env", verb->env, "a variable for every step; a bare NAME takes it from here")
        ->type_name("NAME[=VALUE]")
        ->expected(1)
        ->take_all();
    sub->add_flag("--no-cache", verb->no_cache, "runs every step, whatever the cache holds");
    sub->add_flag("--cold", verb->cold, "a new Python for each step: no warm workers");
    sub->add_flag("--offline", verb->offline, "never builds an environment; a missing one fails");
    sub->add_flag("--fail-fast", verb->fail_fast, "starts nothing more once a task has failed");
    sub->add_flag("-d,--detach", verb->detach, "runs in the background and returns at once");
    sub->add_flag("-w,--watch", verb->watch, "runs again whenever FILE is saved, until Ctrl-C");
    sub->add_option("--log-cap", verb->log_cap_mib, "cap of one step's log, in MiB (1024)")
        ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 20).description(""))
        ->type_name("MIB");
    sub->add_option("--success-word", verb->success_word,
                    "what a final status calls success; COMPLETE for older pipelines")
        ->check(CLI::IsMember({"SUCCEEDED", "COMPLETE"}).description(""))
        ->type_name("SUCCEEDED|COMPLETE");
    add_format(sub, verb);
  }

  void add_validate() {
    auto verb = std::make_shared<ValidateVerb>();
    CLI::App* sub = add("validate", "checks a pipeline without running it", verb);
    sub->add_option("FILE", verb->file,
                    "pipeline: Python source, or compiled to YAML or JSON; - reads standard input")
        ->required()
        ->type_name("");
    add_function(sub, verb->function);
    sub->add_option("--python", verb->python,
                    "interpreter that compiles FILE; else $CRESSET_PYTHON, $VIRTUAL_ENV, python3")
        ->type_name("PATH");
    add_format(sub, verb);
  }

  void add_ls() {
    auto verb = std::make_shared<LsVerb>();
    CLI::App* sub = add("ls", "lists runs, newest first", verb);
    add_text(sub, "-n,--limit", "N", "at most so many; 0 shows all",
             [verb](const std::string& text) { verb->limit = count_of("-n", text); });
    add_format(sub, verb);
  }

  void add_show() {
    auto verb = std::make_shared<ShowVerb>();
    CLI::App* sub = add("show", "shows a run, or one task of it", verb);
    add_run_name(sub, verb);
    add_task_name(sub, verb->task, false);
    sub->add_flag("--timeline", verb->timeline, "draws where the time went, and the critical path");
    add_format(sub, verb);
  }

  void add_logs() {
    auto verb = std::make_shared<LogsVerb>();
    CLI::App* sub = add("logs", "prints what steps have printed", verb);
    add_run_name(sub, verb);
    add_task_name(sub, verb->task, false);
    sub->add_flag("-f,--follow", verb->follow, "goes on until the run has ended");
    sub->add_flag("--prefix", verb->prefix, "the task's path in front of each line");
    sub->add_flag("-t,--timestamps", verb->timestamps, "the time of arrival in front of each line");
  }

  void add_wait() {
    auto verb = std::make_shared<WaitVerb>();
    CLI::App* sub = add("wait", "waits for the end of a run", verb);
    add_run_name(sub, verb);
    add_format(sub, verb);
  }

  void add_artifacts() {
    auto verb = std::make_shared<ArtifactsVerb>();
    CLI::App* sub = add("artifacts", "lists what a run, or one task of it, has made", verb);
    add_run_name(sub, verb);
    add_task_name(sub, verb->task, false);
    add_format(sub, verb);
  }

  void add_cancel() {
    auto verb = std::make_shared<CancelVerb>();
    CLI::App* sub = add("cancel", "stops a run; its exit handlers still run", verb);
    add_run_name(sub, verb);
    sub->add_flag("--kill", verb->kill, "stops its exit handlers too");
  }

  void add_resume() {
    auto verb = std::make_shared<ResumeVerb>();
    CLI::App* sub = add("resume", "goes on with a run, or follows a live one", verb);
    add_run_name(sub, verb);
    add_format(sub, verb);
  }

  void add_retry() {
    auto verb = std::make_shared<RetryVerb>();
    CLI::App* sub = add("retry", "does again what failed; keeps what succeeded", verb);
    add_run_name(sub, verb);
    add_format(sub, verb);
  }

  void add_rerun() {
    auto verb = std::make_shared<RerunVerb>();
    CLI::App* sub = add("rerun", "runs one step again with its real inputs", verb);
    add_run_name(sub, verb);
    add_task_name(sub, verb->task, true);
    add_parameters(sub, verb->parameters, "another value for one of the step's parameters");
    CLI::Option* debugger =
        sub->add_flag("--pdb", verb->debugger, "in Python's debugger, and not as a run");
    sub->add_flag("--shell", verb->shell, "a shell in its place, and not as a run")
        ->excludes(debugger);
    add_format(sub, verb);
  }

  void add_explain() {
    auto verb = std::make_shared<ExplainVerb>();
    CLI::App* sub = add("explain", "says why a task was or was not cached", verb);
    add_run_name(sub, verb);
    add_task_name(sub, verb->task, true);
    add_format(sub, verb);
  }

  void add_env() {
    CLI::App* env = app_.add_subcommand("env", "environments built for packages_to_install");
    env->set_help_flag("-h,--help", "prints this help and exits");
    env->require_subcommand(0, 1);
    auto ls = std::make_shared<EnvLsVerb>();
    add_format(add("ls", "lists them", ls, env), ls);
    auto rm = std::make_shared<EnvRmVerb>();
    CLI::App* sub = add("rm", "removes some, or all", rm, env);
    sub->add_option("KEY", rm->keys, "keys as `env ls` shows them, or unique prefixes")
        ->type_name("");
    sub->add_flag("--all", rm->all, "removes all of them");
  }

  void add_rm() {
    auto verb = std::make_shared<RmVerb>();
    CLI::App* sub = add("rm", "removes finished runs with their files", verb);
    sub->add_option("RUN", verb->runs, std::string(kRunHelp))->required()->type_name("");
  }

  void add_gc() {
    auto verb = std::make_shared<GcVerb>();
    CLI::App* sub = add("gc", "frees what no run needs any more", verb);
    app::Retention& retention = verb->retention;
    add_text(sub, "--older-than", "AGE", "removes finished runs that ended before that: 30d, 12h",
             [&retention](const std::string& text) {
               auto age = app::parse_age(text);
               if (!age) throw CLI::ValidationError("--older-than", age.error().message);
               retention.older_than = *age;
             });
    add_text(sub, "--keep-last", "N", "keeps the newest N runs of each pipeline, removes others",
             [&retention](const std::string& text) {
               retention.keep_last = count_of("--keep-last", text);
             });
    add_text(sub, "--max-size", "SIZE", "removes the oldest runs until the others take no more",
             [&retention](const std::string& text) {
               auto bytes = app::parse_size(text);
               if (!bytes) throw CLI::ValidationError("--max-size", bytes.error().message);
               retention.bytes_max = *bytes;
             });
    add_text(sub, "--pipeline", "NAME", "removes runs of this pipeline alone",
             [&retention](const std::string& text) {
               if (text.empty())
                 throw CLI::ValidationError("--pipeline", "\"\" is no pipeline: name one");
               retention.pipeline = text;
             });
    sub->add_flag("-n,--dry-run", verb->dry_run, "says what would go, and removes nothing");
    add_format(sub, verb);
  }

  static void add_text(CLI::App* sub, const std::string& name, const std::string& type,
                       const std::string& description,
                       const std::function<void(const std::string&)>& take) {
    sub->add_option_function<std::string>(name, take, description)->type_name(type);
  }

  void add_df() {
    auto verb = std::make_shared<DfVerb>();
    CLI::App* sub = add("df", "shows what takes space in the home", verb);
    add_text(sub, "-n,--limit", "N", "shows the largest N runs (10); 0 shows all",
             [verb](const std::string& text) { verb->limit = count_of("-n", text); });
    add_format(sub, verb);
  }

  void add_backup() {
    auto verb = std::make_shared<BackupVerb>();
    CLI::App* sub = add("backup", "writes the home to one file, while runs go on", verb);
    sub->add_option("FILE", verb->file, "the file to make")->required()->type_name("");
    sub->add_flag("-f,--force", verb->force, "replaces FILE when it is there");
    add_format(sub, verb);
  }

  void add_restore() {
    auto verb = std::make_shared<RestoreVerb>();
    CLI::App* sub = add("restore", "makes a home, which must be empty, of a backup", verb);
    sub->add_option("FILE", verb->file, "what `cresset backup` has made")
        ->required()
        ->type_name("");
    add_format(sub, verb);
  }

  void add_doctor() {
    auto verb = std::make_shared<DoctorVerb>();
    CLI::App* sub = add("doctor", "checks this machine and this home", verb);
    sub->add_flag("--deep", verb->deep, "reads all that is stored: database, artifacts, leftovers");
    sub->add_flag("--repair", verb->repair, "puts right what can be without loss; with --deep");
    add_format(sub, verb);
  }

  void add_version() {
    auto verb = std::make_shared<VersionVerb>();
    add_format(add("version", "prints the version", verb), verb);
  }

  void add_completion() {
    auto verb = std::make_shared<CompletionVerb>();
    CLI::App* sub = add("completion", "prints a completion script for a shell", verb);
    sub->add_option("SHELL", verb->shell, "bash, zsh or fish")
        ->required()
        ->check(CLI::IsMember({"bash", "zsh", "fish"}).description(""))
        ->type_name("");
  }

  void add_internal() {
    auto drive = std::make_shared<DriveVerb>();
    CLI::App* sub = add("drive", "", drive);
    sub->group("");
    add_run_name(sub, drive);
    auto keeper = std::make_shared<KeeperVerb>();
    sub = add("keeper", "", keeper);
    sub->group("");
    sub->add_option("FOLDER", keeper->folder)->required();
  }

  [[nodiscard]] std::string help() const {
    const CLI::App* at = &app_;
    while (!at->get_subcommands().empty()) at = at->get_subcommands().front();
    return at->help(at == &app_ ? "" : prefix_of(*at));
  }

  static std::string prefix_of(const CLI::App& sub) {
    std::string out;
    for (const CLI::App* at = sub.get_parent(); at != nullptr; at = at->get_parent()) {
      out = at->get_name() + (out.empty() ? "" : " " + out);
    }
    return out;
  }

  static std::optional<UsageError> unknown_verb(const std::vector<std::string>& words) {
    if (words.empty() || words.front().starts_with("-")) return std::nullopt;
    const std::string& verb = words.front();
    if (verb == "drive" || verb == "keeper") return std::nullopt;
    if (std::ranges::find(verb_names(), verb) != verb_names().end()) return std::nullopt;
    if (verb == "help") return std::nullopt;
    return UsageError{fmt::format("there is no verb \"{}\"{}", verb,
                                  text::did_you_mean_suffix(verb, verb_names()))};
  }

  std::string explain(const CLI::ParseError& error, const std::vector<std::string>& words) {
    std::string message = error.what();
    if (dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr && words.size() > 1) {
      for (const std::string& word : words) {
        if (!word.starts_with("-") || word == "-") continue;
        const std::string flag = word.substr(0, word.find('='));
        const std::vector<std::string> known = flags_of(words.front());
        if (std::ranges::find(known, flag) != known.end()) continue;
        return fmt::format("`cresset {}` has no option {}{}", words.front(), flag,
                           text::did_you_mean_suffix(flag, known));
      }
    }
    std::ranges::replace(message, '\n', ' ');
    return message;
  }

  CLI::App app_;
  std::function<Request()> chosen_;
};

}  // namespace

std::variant<Request, Help, UsageError> parse_command_line(std::vector<std::string> words) {
  if (!words.empty() && words.front() == "help") {
    words.erase(words.begin());
    words.emplace_back("--help");
  }
  return Parser().parse(std::move(words));
}

const std::vector<std::string>& verb_names() {
  static const std::vector<std::string> kNames = {
      "run",    "validate", "ls",     "show",   "logs",    "wait",    "artifacts",
      "cancel", "resume",   "retry",  "rerun",  "explain", "env",     "rm",
      "gc",     "df",       "doctor", "backup", "restore", "version", "completion"};
  return kNames;
}

std::vector<std::string> flags_of(const std::string& verb) { return Parser().flags_of(verb); }

}  // namespace cresset::cli
