#include "cresset/dag/lightweight.h"

#include <algorithm>
#include <string_view>

namespace cresset::dag {

namespace {

constexpr std::string_view kRunScript =
    R"sh(program_path=$(mktemp -d) printf "%s" "$0" > "$program_path/ephemeral_component.py" _KFP_RUNTIME=true python3 -m kfp.dsl.executor_main --component_module_path "$program_path/ephemeral_component.py" "$@")sh";
constexpr std::string_view kEnsurePip =
    R"sh(if ! [ -x "$(command -v pip)" ]; then python3 -m ensurepip || python3 -m ensurepip --user || apt-get install python3-pip fi )sh";
constexpr std::string_view kQuietPip = "PIP_DISABLE_PIP_VERSION_CHECK=1 ";
constexpr std::string_view kContinue = R"sh(&& "$0" "$@")sh";

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

// White space runs, and line ends escaped by a backslash, become one blank.
std::string collapse(std::string_view script) {
  std::string out;
  for (std::size_t i = 0; i < script.size(); ++i) {
    const bool continued = script[i] == '\\' && i + 1 < script.size() && script[i + 1] == '\n';
    if (!continued && !is_space(script[i])) {
      out += script[i];
    } else if (!out.empty() && out.back() != ' ') {
      out += ' ';
    }
  }
  while (!out.empty() && out.back() == ' ') out.pop_back();
  return out;
}

bool take_prefix(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

// Words as the shell splits them. The package list is Python's repr of each name, which for the
// names that occur is also a shell word.
std::optional<std::vector<std::string>> split_words(std::string_view text) {
  std::vector<std::string> words;
  std::size_t i = 0;
  while (i < text.size()) {
    if (is_space(text[i])) {
      ++i;
      continue;
    }
    std::string word;
    while (i < text.size() && !is_space(text[i])) {
      if (text[i] != '\'' && text[i] != '"') {
        word += text[i++];
        continue;
      }
      const std::size_t close = text.find(text[i], i + 1);
      if (close == std::string_view::npos) return std::nullopt;
      word += text.substr(i + 1, close - i - 1);
      i = close + 1;
    }
    words.push_back(std::move(word));
  }
  return words;
}

// The name in front of extras, version and markers.
std::string_view requirement_name(std::string_view requirement) {
  return requirement.substr(0, requirement.find_first_of("[<>=!~;@ ("));
}

bool is_kfp_itself(std::string_view requirement) {
  return requirement_name(requirement) == "kfp" && requirement.find('[') == std::string_view::npos;
}

class PreambleReader {
 public:
  explicit PreambleReader(Lightweight& out) : out_(out) {}

  bool read(const std::string& script) {
    const std::string collapsed = collapse(script);
    std::string_view rest = collapsed;
    if (!take_prefix(rest, kEnsurePip) || !take_prefix(rest, kQuietPip) ||
        !rest.ends_with(kContinue))
      return false;
    rest.remove_suffix(kContinue.size());
    auto words = split_words(rest);
    return words && read_commands(*words);
  }

 private:
  // pip commands stand one after another; the variant with a venv has four fixed commands before
  // the last one.
  bool read_commands(const std::vector<std::string>& words) {
    std::size_t i = 0;
    while (i < words.size()) {
      if (words[i] == "&&") {
        ++i;
      } else if (starts(words, i,
                        {"export", "PIP_DISABLE_PIP_VERSION_CHECK=1", "tmp=$(mktemp", "-d)",
                         "python3", "-m", "venv", "$tmp/venv", "--system-site-packages", ".",
                         "$tmp/venv/bin/activate"})) {
        i += 11;
      } else if (starts(words, i, {"python3", "-m", "pip", "install"})) {
        i += 4;
        if (!read_install(words, i)) return false;
      } else {
        return false;
      }
    }
    return true;
  }

  static bool starts(const std::vector<std::string>& words, std::size_t at,
                     std::initializer_list<std::string_view> wanted) {
    return at + wanted.size() <= words.size() &&
           std::equal(wanted.begin(), wanted.end(),
                      words.begin() + static_cast<std::ptrdiff_t>(at));
  }

  bool read_install(const std::vector<std::string>& words, std::size_t& i) {
    std::vector<std::string> requirements;
    bool without_dependencies = false;
    for (; i < words.size() && words[i] != "&&" && words[i] != "export"; ++i) {
      const std::string& word = words[i];
      if (word == "--quiet" || word == "--no-warn-script-location") continue;
      if (word == "--no-deps") {
        without_dependencies = true;
      } else if (word == "--index-url" || word == "--extra-index-url" || word == "--trusted-host") {
        if (++i >= words.size()) return false;
        add_once(word == "--trusted-host" ? out_.trusted_hosts : out_.index_urls, words[i]);
      } else if (word.starts_with("-")) {
        return false;
      } else {
        requirements.push_back(word);
      }
    }
    const bool installs_kfp =
        without_dependencies && std::ranges::any_of(requirements, is_kfp_itself);
    for (std::string& requirement : requirements) {
      if (!installs_kfp && !is_kfp_itself(requirement))
        add_once(out_.requirements, std::move(requirement));
    }
    return true;
  }

  static void add_once(std::vector<std::string>& list, std::string item) {
    if (std::ranges::find(list, item) == list.end()) list.push_back(std::move(item));
  }

  Lightweight& out_;
};

}  // namespace

std::optional<Lightweight> recognise_lightweight(const model::Container& container) {
  const auto& command = container.command;
  const auto& args = container.args;
  if (args.size() != 4 || args[0] != "--executor_input" || args[1] != "{{$}}" ||
      args[2] != "--function_to_execute")
    return std::nullopt;
  const bool with_preamble = command.size() == 7 && command[0] == "sh" && command[1] == "-c";
  if (!with_preamble && command.size() != 4) return std::nullopt;
  const std::size_t run = with_preamble ? 3 : 0;
  if (command[run] != "sh" || command[run + 1] != "-ec" || collapse(command[run + 2]) != kRunScript)
    return std::nullopt;
  Lightweight out;
  out.function = args[3];
  out.source = command[run + 3];
  if (with_preamble && !PreambleReader(out).read(command[2])) return std::nullopt;
  std::ranges::sort(out.requirements);
  return out;
}

}  // namespace cresset::dag
