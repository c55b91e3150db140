#include "cresset/cli/completion.h"

#include <fmt/format.h>

#include "cresset/cli/command_line.h"

namespace cresset::cli {

namespace {

constexpr std::string_view kRunVerbs =
    "show logs wait artifacts cancel resume retry rerun explain rm";

constexpr std::string_view kBash =
    R"sh(# bash completion of cresset: source <(cresset completion bash)
_cresset() {
  local word=${COMP_WORDS[COMP_CWORD]} verb=${COMP_WORDS[1]} flags=
  if ((COMP_CWORD == 1)); then
    COMPREPLY=($(compgen -W "@VERBS@" -- "$word"))
    return
  fi
  case $verb in
@FLAGS@  esac
  if [[ $word == -* ]]; then
    COMPREPLY=($(compgen -W "$flags" -- "$word"))
  elif [[ " @RUN_VERBS@ " == *" $verb "* ]]; then
    COMPREPLY=($(compgen -W "latest $(cresset ls 2>/dev/null | cut -d' ' -f1)" -- "$word"))
  elif [[ $verb == env ]]; then
    COMPREPLY=($(compgen -W "ls rm" -- "$word"))
  elif [[ $verb == completion ]]; then
    COMPREPLY=($(compgen -W "bash zsh fish" -- "$word"))
  else
    COMPREPLY=($(compgen -f -- "$word"))
  fi
}
complete -o filenames -F _cresset cresset
)sh";

constexpr std::string_view kZshHead =
    R"sh(# zsh completion of cresset: source <(cresset completion zsh)
autoload -U +X bashcompinit && bashcompinit
)sh";

constexpr std::string_view kFish =
    R"sh(# fish completion of cresset: cresset completion fish | source
complete -c cresset -n __fish_use_subcommand -f -a "@VERBS@"
complete -c cresset -n "__fish_seen_subcommand_from @RUN_VERBS@" -f -a "latest (cresset ls 2>/dev/null | string split -f1 ' ')"
complete -c cresset -n "__fish_seen_subcommand_from env" -f -a "ls rm"
complete -c cresset -n "__fish_seen_subcommand_from completion" -f -a "bash zsh fish"
@FLAGS@)sh";

std::string fill(std::string_view script, std::string_view flags) {
  const std::pair<std::string_view, std::string> values[] = {
      {"@VERBS@", fmt::format("{}", fmt::join(verb_names(), " "))},
      {"@RUN_VERBS@", std::string(kRunVerbs)},
      {"@FLAGS@", std::string(flags)}};
  std::string out(script);
  for (const auto& [mark, value] : values) {
    for (std::size_t at = out.find(mark); at != std::string::npos; at = out.find(mark))
      out.replace(at, mark.size(), value);
  }
  return out;
}

std::string bash_flags() {
  std::string out;
  for (const std::string& verb : verb_names())
    out += fmt::format("    {}) flags=\"{}\" ;;\n", verb, fmt::join(flags_of(verb), " "));
  return out;
}

std::string fish_flags() {
  std::string out;
  for (const std::string& verb : verb_names()) {
    for (const std::string& flag : flags_of(verb)) {
      const bool is_long = flag.starts_with("--");
      out += fmt::format("complete -c cresset -n \"__fish_seen_subcommand_from {}\" {} {}\n", verb,
                         is_long ? "-l" : "-s", flag.substr(is_long ? 2 : 1));
    }
  }
  return out;
}

}  // namespace

std::string completion_script(std::string_view shell) {
  if (shell == "bash") return fill(kBash, bash_flags());
  if (shell == "zsh") return std::string(kZshHead) + fill(kBash, bash_flags());
  if (shell == "fish") return fill(kFish, fish_flags());
  return {};
}

}  // namespace cresset::cli
