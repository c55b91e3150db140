#include "cresset/adapters/python/interpreters.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <filesystem>

#include "cresset/adapters/localfs/files.h"
#include "cresset/adapters/posix/system_clock.h"
#include "cresset/adapters/python/json_fields.h"
#include "cresset/adapters/python/program_search.h"
#include "cresset/base/digest.h"
#include "cresset/text/json.h"

namespace cresset::python {

namespace {

namespace fs = std::filesystem;

constexpr Duration kPatience = std::chrono::seconds(30);
constexpr std::int64_t kMemoryBytesMax = 16 << 20;
constexpr int kOldestMinor = 9;  // of Python 3

bool is_distribution(std::string_view name) {
  return name.ends_with(".dist-info") || name.ends_with(".egg-info") || name.ends_with(".egg-link");
}

std::string fingerprint_of(const ports::Interpreter& interpreter, std::string_view implementation,
                           const std::vector<std::string>& distributions) {
  Sha256 hash;
  hash.update_field(interpreter.executable);
  hash.update_field(interpreter.version);
  hash.update_field(implementation);
  for (const std::string& name : distributions) hash.update_field(name);
  return hash.finish_hex();
}

bool is_too_old(std::string_view version) {
  int major = 0;
  int minor = 0;
  const char* end = version.data() + version.size();
  const auto [dot, error] = std::from_chars(version.data(), end, major);
  if (error != std::errc{} || dot == end) return false;
  std::from_chars(dot + 1, end, minor);
  return major < 3 || (major == 3 && minor < kOldestMinor);
}

Error too_old(const std::string& executable, std::string_view version) {
  return make_error(Code::kFailedPrecondition,
                    "{} is Python {}, and steps need 3.{} or later: name another with --python",
                    executable, version, kOldestMinor);
}

// A virtual environment's settings lie one folder above its python.
std::string settings_of(const std::string& executable) {
  return (fs::path(executable).parent_path().parent_path() / "pyvenv.cfg").native();
}

// A folder may change again without another time stamp, for as long as the file system's clock
// stands still.
bool is_settled(const std::vector<std::pair<std::string, std::string>>& folders) {
  const auto now = posix::SystemClock().wall_now().time_since_epoch();
  return std::ranges::none_of(folders, [&](const auto& folder) {
    std::error_code absent;
    const fs::file_time_type changed = fs::last_write_time(folder.first, absent);
    if (absent) return false;
    const auto age = now - std::chrono::duration_cast<Duration>(
                               std::chrono::file_clock::to_sys(changed).time_since_epoch());
    return age < std::chrono::milliseconds(50);
  });
}

std::string working_folder() {
  std::error_code gone;
  return fs::current_path(gone).native();
}

// pyenv's python3 is a script that starts another one; it lies in <root>/shims.
bool is_pyenv_launcher(const std::string& executable) {
  const fs::path folder = fs::path(executable).parent_path();
  std::error_code absent;
  return folder.filename() == "shims" &&
         fs::is_directory(folder.parent_path() / "versions", absent);
}

// A launcher (a version manager's, say) may start another Python tomorrow without being changed.
bool is_its_own(const std::string& asked, const std::string& answered) {
  std::error_code failed;
  const bool same = fs::equivalent(asked, answered, failed);
  return same && !failed;
}

}  // namespace

std::vector<std::string> list_distributions(const std::vector<std::string>& site_dirs) {
  std::vector<std::string> names;
  for (const std::string& folder : site_dirs) {
    std::error_code failed;
    for (fs::directory_iterator at(folder, failed); !failed && at != fs::directory_iterator();
         at.increment(failed)) {
      std::string name = at->path().filename().native();
      if (is_distribution(name)) names.push_back(std::move(name));
    }
  }
  std::ranges::sort(names);
  return names;
}

bool Interpreters::Remembered::is_current(const std::string& path) const {
  return identity == file_identity(path) && std::ranges::all_of(folders, [](const auto& folder) {
           return folder.second == file_identity(folder.first);
         });
}

Result<InterpreterFacts> Interpreters::facts(const std::string& executable) {
  auto path = search_program(executable, options_.path_variable);
  if (!path) {
    Error error = std::move(path).error();
    error.message += ": name a Python 3.9 or later with --python";
    return error;
  }
  if (auto known = recall(*path)) return std::move(known->facts);
  CR_TRY(Remembered found, probe(*path));
  remember(*path, found);
  return std::move(found.facts);
}

std::string Interpreters::memory_path(const std::string& executable) const {
  std::string question = executable;
  if (is_pyenv_launcher(executable)) {
    question += "\n" + working_folder();
    // What pyenv's settings do not name is looked up on PATH.
    for (const auto& [name, value] : options_.tool_env)
      if (name == "PATH" || name.starts_with("PYENV_")) question += "\n" + name + "=" + value;
  }
  return options_.envs_dir + "/.interpreters/" + sha256_hex(question).substr(0, 24) + ".json";
}

// The files that decide what a launcher starts from the working folder; nothing when that is not
// known.
std::optional<std::vector<std::string>> Interpreters::launcher_settings(
    const std::string& executable) const {
  if (!is_pyenv_launcher(executable)) return std::nullopt;
  fs::path root = fs::path(executable).parent_path().parent_path();
  fs::path start = working_folder();
  for (const auto& [name, value] : options_.tool_env) {
    if (name == "PYENV_ROOT" && !value.empty()) root = value;
    if (name == "PYENV_DIR" && !value.empty()) start /= value;
  }
  std::vector<std::string> files = {(root / "version").native()};
  for (fs::path folder = start; !folder.empty(); folder = folder.parent_path()) {
    files.push_back((folder / ".python-version").native());
    if (folder == folder.root_path()) break;
  }
  return files;
}

std::optional<Interpreters::Remembered> Interpreters::recall(const std::string& executable) {
  const std::lock_guard lock(mutex_);
  if (const auto known = memory_.find(executable); known != memory_.end()) {
    if (known->second.is_current(executable)) return known->second;
    memory_.erase(known);
  }
  const auto text = localfs::find_file(memory_path(executable), kMemoryBytesMax);
  if (!text || !*text) return std::nullopt;
  std::optional<Remembered> known = decode(**text);
  if (!known || !known->is_current(executable)) return std::nullopt;
  return memory_.insert_or_assign(executable, *std::move(known)).first->second;
}

void Interpreters::remember(const std::string& executable, const Remembered& found) {
  if (!is_settled(found.folders)) return;
  {
    const std::lock_guard lock(mutex_);
    memory_.insert_or_assign(executable, found);
  }
  if (!is_its_own(executable, found.facts.interpreter.executable) && !launcher_settings(executable))
    return;
  const std::string path = memory_path(executable);
  // A home that cannot be written to costs an interpreter start each time, and nothing else.
  if (localfs::make_folder(fs::path(path).parent_path().native()))
    static_cast<void>(localfs::write_file_atomic(path, encode(executable, found)));
}

std::string Interpreters::encode(const std::string& executable, const Remembered& found) {
  Value folders(Value::List{});
  for (const auto& [path, identity] : found.folders)
    folders.as_list().push_back(Value::make_struct({{"path", path}, {"identity", identity}}));
  return text::to_json_pretty(
      Value::make_struct({{"format", 1},
                          {"asked", executable},
                          {"identity", found.identity},
                          {"folders", std::move(folders)},
                          {"executable", found.facts.interpreter.executable},
                          {"version", found.facts.interpreter.version},
                          {"fingerprint", found.facts.interpreter.fingerprint},
                          {"site_dirs", texts_value(found.facts.site_dirs)},
                          {"distributions", texts_value(found.facts.distributions)}}));
}

std::optional<Interpreters::Remembered> Interpreters::decode(const std::string& text) {
  const auto fields = text::parse_json(text);
  if (!fields || !fields->is_struct()) return std::nullopt;
  const Value* format = fields->find("format");
  const Value* folders = fields->find("folders");
  if (format == nullptr || !(*format == Value(1)) || folders == nullptr || !folders->is_list())
    return std::nullopt;
  Remembered out;
  out.identity = text_of(*fields, "identity");
  for (const Value& folder : folders->as_list())
    out.folders.emplace_back(text_of(folder, "path"), text_of(folder, "identity"));
  out.facts.interpreter = {text_of(*fields, "executable"), text_of(*fields, "version"),
                           text_of(*fields, "fingerprint")};
  out.facts.site_dirs = texts_of(fields->find("site_dirs"));
  out.facts.distributions = texts_of(fields->find("distributions"));
  return out;
}

Result<ChildEnd> Interpreters::ask(const std::string& executable,
                                   std::vector<std::string> arguments) {
  std::string runtime;
  {
    const std::lock_guard lock(mutex_);
    CR_TRY(runtime, options_.runtime_dir());
  }
  ChildSpec spec{{executable, "-I", runtime + "/cresset_env.py"}, options_.tool_env, kPatience};
  spec.argv.insert(spec.argv.end(), std::make_move_iterator(arguments.begin()),
                   std::make_move_iterator(arguments.end()));
  return run_child(spec, stop_);
}

Result<Interpreters::Remembered> Interpreters::probe(const std::string& executable) {
  Remembered found;
  found.identity = file_identity(executable);
  auto answer = ask(executable, {"probe"});
  if (!answer) {
    Error error = std::move(answer).error();
    if (error.code == Code::kInvalidArgument) error.code = Code::kFailedPrecondition;
    return std::move(error).with("asking {} which Python it is", executable);
  }
  const auto fields = text::parse_json(answer->output);
  if (answer->status != 0 || !fields || text_of(*fields, "version").empty())
    return explain_probe(executable, *answer);
  ports::Interpreter& interpreter = found.facts.interpreter;
  interpreter.version = text_of(*fields, "version");
  if (is_too_old(interpreter.version)) return too_old(executable, interpreter.version);
  interpreter.executable = text_of(*fields, "executable");
  if (interpreter.executable.empty()) interpreter.executable = executable;
  found.facts.site_dirs = texts_of(fields->find("site_dirs"));
  std::vector<std::string> watched = found.facts.site_dirs;
  for (std::string& folder : texts_of(fields->find("absent_site_dirs")))
    watched.push_back(std::move(folder));
  for (std::string& file : launcher_settings(executable).value_or(std::vector<std::string>()))
    watched.push_back(std::move(file));
  watched.push_back(settings_of(executable));
  watched.push_back(interpreter.executable);
  for (std::string& path : watched) {
    std::string identity = file_identity(path);
    found.folders.emplace_back(std::move(path), std::move(identity));
  }
  found.facts.distributions = list_distributions(found.facts.site_dirs);
  interpreter.fingerprint =
      fingerprint_of(interpreter, text_of(*fields, "implementation"), found.facts.distributions);
  return found;
}

// The probe does not even parse in an old Python, so that one is asked in words that all know.
Error Interpreters::explain_probe(const std::string& executable, const ChildEnd& end) {
  const ChildSpec question{
      {executable, "-c", "import sys; print('.'.join([str(n) for n in sys.version_info[:3]]))"},
      options_.tool_env,
      kPatience};
  const auto answer = run_child(question, stop_);
  if (answer && answer->status == 0 && is_too_old(answer->output)) {
    return too_old(executable, std::string_view(answer->output)
                                   .substr(0, answer->output.find_first_not_of("0123456789.")));
  }
  return make_error(Code::kFailedPrecondition,
                    "{} is no Python, or a broken one: asked for its version it ended with status "
                    "{}: name a Python 3.{} or later with --python{}",
                    executable, end.status, kOldestMinor, last_lines(end, 5));
}

Result<std::vector<std::string>> Interpreters::missing(const std::string& executable,
                                                       const std::vector<std::string>& requirements,
                                                       bool deep) {
  std::vector<std::string> arguments = {deep ? "check-all" : "check"};
  arguments.insert(arguments.end(), requirements.begin(), requirements.end());
  CR_TRY(const ChildEnd end, ask(executable, std::move(arguments)));
  const auto fields = text::parse_json(end.output);
  if (end.status != 0 || !fields || fields->find("missing") == nullptr) {
    return make_error(Code::kUnavailable, "{} cannot say what it holds (status {}){}", executable,
                      end.status, last_lines(end, 5));
  }
  return texts_of(fields->find("missing"));
}

}  // namespace cresset::python
