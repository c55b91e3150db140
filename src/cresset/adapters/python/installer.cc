#include "cresset/adapters/python/installer.h"

#include <algorithm>
#include <filesystem>
#include <set>
#include <string_view>

#include "cresset/adapters/localfs/files.h"
#include "cresset/adapters/posix/folders.h"
#include "cresset/adapters/python/json_fields.h"
#include "cresset/adapters/python/program_search.h"
#include "cresset/text/json.h"

namespace cresset::python {

namespace {

namespace fs = std::filesystem;

// Settings that would send packages elsewhere than into the environment.
constexpr std::string_view kMisleading[] = {"PIP_USER",
                                            "PIP_TARGET",
                                            "PIP_PREFIX",
                                            "PIP_ROOT",
                                            "PIP_DRY_RUN",
                                            "UV_SYSTEM_PYTHON",
                                            "UV_TARGET",
                                            "UV_PREFIX",
                                            "PYTHONPATH",
                                            "PYTHONHOME",
                                            "PYTHONDONTWRITEBYTECODE"};

constexpr int kRoundsMax = 8;

bool is_name_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '_' || c == '.';
}

// As packages are compared: Foo.bar_baz and foo-bar-baz are one (PEP 503).
std::string normal_name(std::string_view name) {
  std::string out;
  for (const char c : name) {
    if (c != '-' && c != '_' && c != '.') {
      out += (c >= 'A' && c <= 'Z') ? static_cast<char>(c - 'A' + 'a') : c;
    } else if (!out.ends_with('-')) {
      out += '-';
    }
  }
  return out;
}

// The name in front of extras, version and marker; empty for a URL or a path, whose name only its
// content tells.
std::string name_of(std::string_view requirement) {
  const std::size_t end = static_cast<std::size_t>(
      std::ranges::find_if_not(requirement, is_name_char) - requirement.begin());
  const std::size_t next = requirement.find_first_not_of(' ', end);
  const bool ends_well =
      next == std::string_view::npos ||
      std::string_view("[(<>=!~;@").find(requirement[next]) != std::string_view::npos;
  const std::string_view name = requirement.substr(0, end);
  if (!ends_well || name.ends_with(".whl") || name.starts_with('.')) return {};
  return normal_name(name);
}

// "numpy-2.4.6.dist-info" -> "numpy"
std::string name_of_distribution(std::string_view entry) {
  return normal_name(entry.substr(0, std::min(entry.find('-'), entry.rfind('.'))));
}

bool holds(const InterpreterFacts& facts, std::string_view name) {
  return std::ranges::any_of(facts.distributions, [&](const std::string& entry) {
    return name_of_distribution(entry) == name;
  });
}

// uv sees only the environment's own packages: it is told not to want what the base holds, unless
// it is asked for by name. One that has no name yet may be anything, so then nothing is left out.
std::string overrides(const InterpreterFacts& base, const std::vector<std::string>& wanted) {
  std::set<std::string> named;
  for (const std::string& requirement : wanted) {
    std::string name = name_of(requirement);
    if (name.empty()) return {};
    named.insert(std::move(name));
  }
  std::set<std::string> left_out;
  for (const std::string& entry : base.distributions) {
    std::string name = name_of_distribution(entry);
    if (!name.empty() && !named.contains(name)) left_out.insert(std::move(name));
  }
  std::string lines;
  for (const std::string& name : left_out) lines += name + " ; python_version < '0'\n";
  return lines;
}

void add_indexes(const ports::EnvironmentSpec& spec, const std::string& host_flag,
                 std::vector<std::string>& argv) {
  for (std::size_t i = 0; i < spec.index_urls.size(); ++i) {
    argv.emplace_back(i == 0 ? "--index-url" : "--extra-index-url");
    argv.push_back(spec.index_urls[i]);
  }
  for (const std::string& host : spec.trusted_hosts) {
    argv.push_back(host_flag);
    argv.push_back(host);
  }
}

std::string joined(const std::vector<std::string>& texts) {
  std::string out;
  for (const std::string& text : texts) out += (out.empty() ? "" : ", ") + text;
  return out;
}

// Packages of the base come after the environment's own. addsitedir also reads the base's own .pth
// files, and the base may itself be a virtual environment, which --system-site-packages would pass
// over.
Result<void> layer(const std::string& folder, const InterpreterFacts& base) {
  const std::string site_packages = site_packages_of(folder);
  if (site_packages.empty()) {
    return make_error(Code::kUnavailable, "{} made no site-packages in {}",
                      base.interpreter.executable, folder);
  }
  std::string lines;
  for (const std::string& site_dir : base.site_dirs)
    lines += fmt::format("import site; site.addsitedir({})\n", text::to_json(Value(site_dir)));
  return localfs::write_file_atomic(site_packages + "/_cresset_base.pth", lines);
}

}  // namespace

std::string site_packages_of(const std::string& folder) {
  std::error_code failed;
  for (fs::directory_iterator at(folder + "/lib", failed);
       !failed && at != fs::directory_iterator(); at.increment(failed)) {
    const fs::path candidate = at->path() / "site-packages";
    std::error_code absent;
    if (fs::is_directory(candidate, absent)) return candidate.native();
  }
  return {};
}

Result<std::string> Installer::install(const std::string& folder,
                                       const ports::EnvironmentSpec& spec,
                                       const InterpreterFacts& base,
                                       const std::vector<std::string>& missing) {
  if (const std::string uv = find_uv(base); !uv.empty()) {
    CR_TRY_VOID(install_with_uv(uv, folder, spec, base, missing));
    return std::string("uv");
  }
  CR_TRY_VOID(install_with_pip(folder, spec, base));
  return std::string("pip");
}

std::string Installer::find_uv(const InterpreterFacts& base) const {
  const std::string beside = (fs::path(base.interpreter.executable).parent_path() / "uv").native();
  for (const std::string& name : {std::string("uv"), beside}) {
    if (auto found = search_program(name, options_.path_variable)) return std::move(found).value();
  }
  return {};
}

Result<void> Installer::install_with_uv(const std::string& uv, const std::string& folder,
                                        const ports::EnvironmentSpec& spec,
                                        const InterpreterFacts& base,
                                        const std::vector<std::string>& missing) {
  CR_TRY(const Variables settings, uv_settings(base));
  CR_TRY_VOID(
      run_tool({uv, "venv", "--no-project", "--python", base.interpreter.executable, folder},
               settings, "uv could not make a virtual environment"));
  CR_TRY_VOID(layer(folder, base));
  const std::string python = folder + "/bin/python";
  const std::string overrides_path = folder + "/overrides.txt";
  std::vector<std::string> unmet;
  std::vector<std::string> named = spec.requirements;
  std::erase_if(named, [](const std::string& text) { return name_of(text).empty(); });
  std::vector<std::string> wanted = missing;
  // Each round asks by name for what the packages of the round before need in another version than
  // the base has.
  for (int round = 0; round < kRoundsMax; ++round) {
    CR_TRY_VOID(localfs::write_file_atomic(overrides_path, overrides(base, wanted)));
    std::vector<std::string> argv = {uv, "pip", "install", "--python", python};
    argv.insert(argv.end(), {"--compile-bytecode", "--index-strategy", "unsafe-best-match"});
    argv.insert(argv.end(), {"--overrides", overrides_path});
    add_indexes(spec, "--allow-insecure-host", argv);
    argv.emplace_back("--");
    argv.insert(argv.end(), wanted.begin(), wanted.end());
    CR_TRY_VOID(run_tool(std::move(argv), settings, "uv could not install " + joined(wanted)));
    CR_TRY(unmet, interpreters_.missing(python, named, true));
    if (unmet.empty()) return posix::remove_tree(overrides_path);
    for (std::string& requirement : unmet) {
      if (std::ranges::find(wanted, requirement) == wanted.end()) wanted.push_back(requirement);
    }
  }
  return make_error(Code::kUnavailable, "uv installed {}, which need {} and do not find it",
                    joined(spec.requirements), joined(unmet));
}

Result<void> Installer::install_with_pip(const std::string& folder,
                                         const ports::EnvironmentSpec& spec,
                                         const InterpreterFacts& base) {
  std::vector<std::string> venv = {base.interpreter.executable, "-I", "-m", "venv", folder};
  // Through the layer the base's pip serves the environment; to unpack another takes seconds.
  if (holds(base, "pip")) venv.insert(venv.end() - 1, "--without-pip");
  CR_TRY_VOID(run_tool(std::move(venv), {},
                       base.interpreter.executable +
                           " could not make a virtual environment (Debian has it in "
                           "python3-venv)"));
  CR_TRY_VOID(layer(folder, base));
  std::vector<std::string> argv = {folder + "/bin/python",
                                   "-I",
                                   "-m",
                                   "pip",
                                   "install",
                                   "--disable-pip-version-check",
                                   "--no-input",
                                   "--progress-bar=off",
                                   "--no-warn-script-location"};
  add_indexes(spec, "--trusted-host", argv);
  argv.emplace_back("--");
  argv.insert(argv.end(), spec.requirements.begin(), spec.requirements.end());
  return run_tool(std::move(argv), {{"PIP_USER", "0"}},
                  "pip could not install " + joined(spec.requirements));
}

// uv does not read pip's settings: without them it would look elsewhere than the user's pip does.
Result<Variables> Installer::uv_settings(const InterpreterFacts& base) {
  Variables settings;
  if (!holds(base, "pip")) return settings;
  CR_TRY(const ChildEnd end, interpreters_.ask(base.interpreter.executable, {"uv-settings"}));
  const auto fields = text::parse_json(end.output);
  if (end.status != 0 || !fields || !fields->is_struct()) {
    return make_error(Code::kUnavailable, "{} cannot say what pip's settings are{}",
                      base.interpreter.executable, last_lines(end, 5));
  }
  for (const auto& [name, value] : fields->as_struct()) {
    const bool is_set = std::ranges::any_of(
        options_.tool_env, [&](const auto& variable) { return variable.first == name; });
    if (value.is_string() && !is_set) settings.emplace_back(name, value.as_string());
  }
  return settings;
}

Result<void> Installer::run_tool(std::vector<std::string> argv, const Variables& more_env,
                                 const std::string& what) {
  ChildSpec spec{std::move(argv), options_.tool_env, std::nullopt, lock_fd_};
  std::erase_if(spec.env, [](const auto& variable) {
    return std::ranges::find(kMisleading, variable.first) != std::end(kMisleading);
  });
  spec.env.insert(spec.env.end(), more_env.begin(), more_env.end());
  auto end = run_child(spec, stop_);
  if (!end) {
    if (end.error().code == Code::kCancelled) return std::move(end).error();
    return make_error(Code::kUnavailable, "{}: {}", what, end.error().text());
  }
  if (end->status == 0) return {};
  return make_error(Code::kUnavailable, "{} (exit status {}):{}", what, end->status,
                    last_lines(*end));
}

}  // namespace cresset::python
