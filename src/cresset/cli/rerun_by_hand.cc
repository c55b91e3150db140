#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>

#include "cresset/cli/verbs.h"

namespace cresset::cli {

namespace {

constexpr std::string_view kStepProgram = "/cresset_step.py";
constexpr std::string_view kDebugProgram = "/cresset_debug.py";

bool is_plain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("%+,-./:=@_").find(c) != std::string_view::npos;
}

std::string quoted(const std::string& word) {
  if (!word.empty() && std::ranges::all_of(word, is_plain)) return word;
  std::string out = "'";
  for (const char c : word) {
    if (c == '\'') {
      out += "'\\''";
    } else {
      out += c;
    }
  }
  return out + "'";
}

std::string command_line(const std::vector<std::string>& argv) {
  std::string out;
  for (const std::string& word : argv) out += (out.empty() ? "" : " ") + quoted(word);
  return out;
}

Result<void> to_debugger(const RerunVerb& verb, ports::StartSpec& spec) {
  if (spec.argv.size() > 1 && spec.argv[1].ends_with(kStepProgram)) {
    std::string& script = spec.argv[1];
    script.replace(script.size() - kStepProgram.size(), kStepProgram.size(), kDebugProgram);
    return {};
  }
  return make_error(Code::kFailedPrecondition,
                    "\"{}\" is no Python component but a command: `cresset rerun {} {} --shell` "
                    "opens a shell in its place",
                    verb.task, verb.run, verb.task);
}

void to_shell(Session session, ports::StartSpec& spec) {
  session.terminal.err(
      fmt::format("A shell in the step's folder, with its environment; `exit` ends it. The step "
                  "itself is:\n  {}\n",
                  command_line(spec.argv)));
  const std::string shell = session.backend.variable("SHELL").value_or("");
  spec.argv = {shell.empty() ? "/bin/sh" : shell};
}

// What a terminal needs to know of itself, and a step does not.
void add_terminal(Session session, ports::StartSpec& spec) {
  for (const char* name : {"TERM", "COLORTERM", "COLUMNS", "LINES"}) {
    const auto value = session.backend.variable(name);
    const auto has_it = [name](const auto& entry) { return entry.first == name; };
    if (value && std::ranges::none_of(spec.env, has_it)) spec.env.emplace_back(name, *value);
  }
}

Result<int> run_in(const std::string& folder, const RerunVerb& verb, Session session) {
  CR_TRY(const model::RunId run, find_run(verb.run, session));
  CR_TRY(app::RunService* const service, session.backend.service());
  model::ByName<std::string> changes;
  for (const auto& [name, text] : verb.parameters) changes.insert_or_assign(name, text);
  CR_TRY(app::RunRequest request, service->make_rerun(run, verb.task, changes));
  const auto on_notice = [session](std::string_view text) {
    session.terminal.err(fmt::format("note: {}\n", text));
  };
  CR_TRY(ports::StartSpec spec, service->prepare_by_hand(std::move(request), folder, on_notice,
                                                         session.backend.interrupts()));
  if (verb.debugger) {
    CR_TRY_VOID(to_debugger(verb, spec));
  } else {
    to_shell(session, spec);
  }
  add_terminal(session, spec);
  return session.backend.run_on_terminal(spec);
}

}  // namespace

int rerun_by_hand(const RerunVerb& verb, Session session) {
  if (verb.format == Format::kJson) {
    return report(make_error(Code::kInvalidArgument,
                             "with --pdb or --shell there is no run to be printed as JSON"),
                  session);
  }
  // Before anything is made for it.
  if (auto run = find_run(verb.run, session); !run) return report(run.error(), session);
  auto folder = session.backend.make_folder();
  if (!folder) return report(folder.error(), session);
  auto status = run_in(*folder, verb, session);
  auto removed = session.backend.remove_folder(*folder);
  if (!status && status.error().code == Code::kCancelled) session.backend.die_of_interrupt();
  if (!status) return report(status.error(), session);
  if (!removed) return report(removed.error(), session);
  return verb.shell || *status == 0 ? kFine : kRunFailed;
}

}  // namespace cresset::cli
