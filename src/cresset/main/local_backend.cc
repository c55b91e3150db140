#include "cresset/main/local_backend.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <csignal>
#include <iterator>
#include <utility>

#include "cresset/adapters/localfs/files.h"
#include "cresset/adapters/posix/file_watch.h"
#include "cresset/adapters/posix/folders.h"
#include "cresset/adapters/process/keeper_main.h"
#include "cresset/adapters/python/built_environments.h"
#include "cresset/cli/interpreter.h"
#include "cresset/main/deep_examination.h"
#include "cresset/main/examination.h"
#include "cresset/main/hand_terminal.h"
#include "cresset/main/home_backup.h"
#include "cresset/main/home_path.h"
#include "cresset/main/runtime_folder.h"

namespace cresset::app_main {

namespace {

constexpr mode_t kPrivate = 0700;

Result<process::MachineOptions> machine_options() {
  process::MachineOptions options;
  options.cuda_visible_devices = environment_variable("CUDA_VISIBLE_DEVICES");
  if (const auto text = environment_variable("CRESSET_GPUS")) {
    std::size_t count = 0;
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), count);
    if (error != std::errc{} || end != text->data() + text->size()) {
      return make_error(Code::kInvalidArgument,
                        "CRESSET_GPUS is \"{}\": give the number of GPUs to count with", *text);
    }
    options.gpus = count;
  }
  return options;
}

std::vector<std::pair<std::string, std::string>> whole_environment() {
  std::vector<std::pair<std::string, std::string>> out;
  for (char** entry = ::environ; *entry != nullptr; ++entry) {
    const std::string text = *entry;
    const std::size_t equals = text.find('=');
    if (equals != std::string::npos)
      out.emplace_back(text.substr(0, equals), text.substr(equals + 1));
  }
  return out;
}

std::string search_path() {
  return environment_variable("PATH").value_or("/usr/local/bin:/usr/bin:/bin");
}

Error no_folder(const std::string& path) {
  return make_error(Code::kFailedPrecondition,
                    "{} is no folder, and a home is one: set CRESSET_HOME to a folder, which may "
                    "not exist yet",
                    path);
}

// Logs, secrets and results are their owner's alone.
Result<void> make_private_home(const std::string& home) {
  const std::size_t slash = home.rfind('/');
  struct stat info{};
  if (slash != 0) CR_TRY_VOID(localfs::make_folder(home.substr(0, slash)));
  if (::mkdir(home.c_str(), kPrivate) == 0) return {};
  if (errno == EEXIST)
    return ::stat(home.c_str(), &info) == 0 && S_ISDIR(info.st_mode) ? Result<void>()
                                                                     : no_folder(home);
  return errno_error(errno, home).with("making the home that CRESSET_HOME names");
}

// When its inode was made; nothing where the file system does not say.
std::optional<WallTime> birth_of(const std::string& path) {
  struct statx info{};
  if (::statx(AT_FDCWD, path.c_str(), AT_SYMLINK_NOFOLLOW, STATX_BTIME, &info) != 0 ||
      (info.stx_mask & STATX_BTIME) == 0)
    return std::nullopt;
  return WallTime{
      std::chrono::duration_cast<Duration>(std::chrono::seconds{info.stx_btime.tv_sec} +
                                           std::chrono::nanoseconds{info.stx_btime.tv_nsec})};
}

std::optional<WallTime> change_of(const std::string& path) {
  struct stat info{};
  if (::lstat(path.c_str(), &info) != 0) return std::nullopt;
  return WallTime{std::chrono::duration_cast<Duration>(
      std::chrono::seconds{info.st_mtim.tv_sec} + std::chrono::nanoseconds{info.st_mtim.tv_nsec})};
}

}  // namespace

class LocalBackend::SignalLevel final : public app::Interrupts {
 public:
  explicit SignalLevel(posix::Waker waker) : signals_(std::move(waker)) {}
  int level() override { return signals_.level(); }
  [[nodiscard]] bool hung_up() const { return signals_.hung_up(); }
  [[nodiscard]] int last() const { return signals_.last(); }

 private:
  posix::SignalInterrupts signals_;
};

// For what a terminal that goes away ends as well.
class LocalBackend::AnySignal final : public app::Interrupts {
 public:
  explicit AnySignal(LocalBackend& backend) : backend_(backend) {}
  int level() override {
    const int level = backend_.interrupts().level();
    return level == 0 && backend_.hung_up() ? 1 : level;
  }

 private:
  LocalBackend& backend_;
};

class LocalBackend::Watch final : public cli::FileWatch {
 public:
  Watch(posix::FileWatch watch, posix::PollReactor& reactor)
      : watch_(std::move(watch)), reactor_(reactor) {
    reactor_.add(watch_.fd());
  }
  ~Watch() override { reactor_.remove(watch_.fd()); }
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

  Result<void> watch(const std::vector<std::string>& files, const std::string& ending) override {
    return watch_.watch(files, ending);
  }
  bool poll() override { return watch_.poll(); }

 private:
  posix::FileWatch watch_;
  posix::PollReactor& reactor_;
};

struct LocalBackend::Engine {
  Engine(std::unique_ptr<sqlite::SqliteStore> opened, const app::Home& home,
         const std::string& program, python::LocalEnvironmentsOptions environment_options,
         posix::SystemClock& clock, posix::PollReactor& reactor)
      : database(home.database()),
        store(std::move(opened)),
        executor({home.keeper_dir(), {program, "keeper", home.keeper_dir()}}, clock),
        files({.memory_dir = home.digests_dir()}, [waker = reactor.waker()] { waker.wake(); }),
        environments(std::move(environment_options), [waker = reactor.waker()] { waker.wake(); }),
        runtime_dir(home.runtime_dir()),
        service(home, ports(clock, reactor, *store)) {}

  app::RunService::Ports ports(posix::SystemClock& clock, posix::PollReactor& reactor,
                               ports::MetadataStore& of) {
    return {clock,
            random,
            reactor,
            of,
            executor,
            files,
            environments,
            [this] { return unpack_runtime(runtime_dir); },
            [this](const std::string& path) { return predates_database(path); }};
  }

  // A database that is younger than what it does not know was made or put back after it.
  [[nodiscard]] bool predates_database(const std::string& path) const {
    const auto made = birth_of(database);
    const auto changed = change_of(path);
    return made && changed && *changed < *made;
  }

  std::string database;
  posix::SystemRandom random;
  std::unique_ptr<sqlite::SqliteStore> store;
  process::ProcessExecutor executor;
  localfs::LocalFileWorker files;
  python::LocalEnvironments environments;
  std::string runtime_dir;
  app::RunService service;
};

LocalBackend::LocalBackend(std::string home, std::string program)
    : home_(std::move(home)),
      program_(std::move(program)),
      reactor_(clock_),
      logs_([this](const model::AttemptId& id) { return home_.log_path(id); }) {}

LocalBackend::~LocalBackend() {
  if (engine_) reactor_.remove(engine_->executor.fd());
}

std::optional<std::string> LocalBackend::variable(const std::string& name) const {
  return environment_variable(name);
}

bool LocalBackend::home_exists() const {
  struct stat info{};
  if (::lstat(home_.root().c_str(), &info) != 0) return errno != ENOENT;
  // What is no folder, may not be looked at or has lost its database is told when it is opened.
  if (::stat(home_.root().c_str(), &info) != 0 || !S_ISDIR(info.st_mode)) return true;
  for (const std::string& path : {home_.database(), home_.database() + "-wal",
                                  home_.root() + "/runs", home_.artifacts_dir()}) {
    if (::lstat(path.c_str(), &info) == 0 || errno != ENOENT) return true;
  }
  return false;
}

python::LocalEnvironmentsOptions LocalBackend::environment_options() const {
  python::LocalEnvironmentsOptions options;
  options.envs_dir = home_.envs_dir();
  options.runtime_dir = [folder = home_.runtime_dir()] { return unpack_runtime(folder); };
  options.path_variable = search_path();
  options.tool_env = whole_environment();
  return options;
}

Result<app::RunService*> LocalBackend::service() {
  if (engine_) return &engine_->service;
  // The keeper, which reads it, has nobody to tell.
  if (auto options = machine_options(); !options) return std::move(options).error();
  CR_TRY_VOID(make_private_home(home_.root()));
  sqlite::StoreOptions options{.database = home_.database(), .locks_dir = home_.locks_dir()};
  options.filled_after = {home_.root() + "/runs", home_.artifacts_dir()};
  CR_TRY(auto store, sqlite::SqliteStore::open(std::move(options)));
  engine_ = std::make_unique<Engine>(std::move(store), home_, program_, environment_options(),
                                     clock_, reactor_);
  reactor_.add(engine_->executor.fd());
  return &engine_->service;
}

app::Interrupts& LocalBackend::interrupts() {
  if (!signals_) signals_ = std::make_unique<SignalLevel>(reactor_.waker());
  return *signals_;
}

Result<cli::FileWatch*> LocalBackend::file_watch() {
  if (!watch_) {
    CR_TRY(posix::FileWatch watch, posix::FileWatch::make());
    watch_ = std::make_unique<Watch>(std::move(watch), reactor_);
  }
  return watch_.get();
}

bool LocalBackend::hung_up() const { return signals_ && signals_->hung_up(); }

void LocalBackend::die_of_interrupt() {
  const int came = signals_ ? signals_->last() : 0;
  const int signal = came == 0 ? SIGINT : came;
  signals_.reset();
  ::signal(signal, SIG_DFL);
  ::raise(signal);
  ::_exit(128 + signal);
}

Result<void> LocalBackend::start_engine(const model::RunId& run) {
  CR_TRY_VOID(localfs::make_folder(home_.run_dir(run)));
  const std::string log = home_.run_dir(run) + "/engine.log";
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawnattr_init(&attributes);
  ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  ::posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, log.c_str(),
                                     O_WRONLY | O_CREAT | O_APPEND, 0600);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID);
  std::string program = program_;
  std::string verb = "drive";
  std::string id = run.str();
  char* argv[] = {program.data(), verb.data(), id.data(), nullptr};
  std::vector<std::string> variables = {"CRESSET_HOME=" + home_.root()};
  for (const auto& [name, value] : whole_environment()) {
    if (name != "CRESSET_HOME") variables.push_back(name + "=" + value);
  }
  std::vector<char*> env;
  for (std::string& text : variables) env.push_back(text.data());
  env.push_back(nullptr);
  pid_t pid = 0;
  const int failed = ::posix_spawn(&pid, program.c_str(), &actions, &attributes, argv, env.data());
  ::posix_spawn_file_actions_destroy(&actions);
  ::posix_spawnattr_destroy(&attributes);
  if (failed == 0) return {};
  return errno_error(failed, program_).with("starting the engine of run {}", run.str());
}

int LocalBackend::run_keeper(const std::string& folder) {
  auto options = machine_options();
  return options ? process::run_keeper({folder, *std::move(options)}) : 1;
}

Result<std::string> LocalBackend::make_folder() { return make_hand_folder(); }

Result<void> LocalBackend::remove_folder(const std::string& folder) {
  return posix::remove_tree(folder);
}

Result<int> LocalBackend::run_on_terminal(const ports::StartSpec& spec) {
  return app_main::run_on_terminal(spec);
}

Result<cli::CompiledScript> LocalBackend::compile(const cli::PipelineScript& script) {
  if (!compiler_) {
    python::PipelineCompilerOptions options;
    options.helper = embedded_text("cresset_compile.py");
    options.path_variable = search_path();
    options.env = whole_environment();
    compiler_ = std::make_unique<python::PipelineCompiler>(std::move(options));
  }
  app::Interrupts& asked = interrupts();
  auto compiled = compiler_->compile({script.python, script.path, script.function},
                                     [&asked] { return asked.level() > 0; });
  if (!script.more_follow) compiler_.reset();
  if (!compiled) return std::move(compiled).error();
  return cli::CompiledScript{std::move(compiled->text), std::move(compiled->problem),
                             std::move(compiled->files)};
}

Result<std::vector<cli::BuiltEnvironment>> LocalBackend::environments() {
  CR_TRY(const std::vector<python::BuiltEnvironment> built,
         python::list_environments(home_.envs_dir()));
  std::vector<cli::BuiltEnvironment> out;
  for (const python::BuiltEnvironment& environment : built) {
    out.push_back(
        {environment.key, environment.python, environment.base_executable, environment.requirements,
         python::environment_bytes(home_.envs_dir(), environment.key), environment.created});
  }
  return out;
}

Result<void> LocalBackend::remove_environment(const std::string& key) {
  return python::remove_environment(home_.envs_dir(), key);
}

Result<int> LocalBackend::remove_unfinished_environments() {
  return python::remove_unfinished_environments(home_.envs_dir());
}

// The machine alone, from a folder of its own: a look makes no home.
std::vector<cli::Check> LocalBackend::examine_without_home() {
  std::string place = variable("TMPDIR").value_or("/tmp") + "/cresset-doctor-XXXXXX";
  const bool has_place = ::mkdtemp(place.data()) != nullptr;
  Examination examination{home_, reactor_, clock_,
                          machine_options().value_or(process::MachineOptions{}),
                          cli::default_interpreter(*this)};
  std::vector<cli::Check> out;
  {
    std::optional<python::LocalEnvironments> environments;
    if (has_place) {
      const app::Home scratch(place);
      python::LocalEnvironmentsOptions options = environment_options();
      options.envs_dir = scratch.envs_dir();
      options.runtime_dir = [folder = scratch.runtime_dir()] { return unpack_runtime(folder); };
      environments.emplace(std::move(options), [waker = reactor_.waker()] { waker.wake(); });
    }
    out = examination.run(nullptr, environments ? &*environments : nullptr);
  }
  out.front() = examination.check_absent_home();
  // What stays of a folder for temporary files hurts nobody.
  if (has_place) static_cast<void>(posix::remove_tree(place));
  return out;
}

std::vector<cli::Check> LocalBackend::examine() {
  if (!home_exists()) return examine_without_home();
  auto opened = service();
  Examination examination{home_, reactor_, clock_,
                          machine_options().value_or(process::MachineOptions{}),
                          cli::default_interpreter(*this)};
  return examination.run(opened ? nullptr : &opened.error(),
                         opened ? &engine_->environments : nullptr);
}

Result<std::vector<cli::Check>> LocalBackend::examine_deep(bool repair,
                                                           const cli::OnProgress& on_progress) {
  CR_TRY(app::RunService* const runs, service());
  std::vector<cli::Check> out = examine_database(*engine_->store);
  std::ranges::move(examine_keeper(home_), std::back_inserter(out));
  auto found = runs->examine(repair, [&](std::size_t done, std::size_t total) {
    on_progress(static_cast<std::int64_t>(done), static_cast<std::int64_t>(total));
  });
  if (found) {
    std::ranges::move(*found, std::back_inserter(out));
  } else {
    out.push_back({"runs", cli::Check::Verdict::kBad, found.error().text(), ""});
  }
  CR_TRY(std::vector<cli::Check> temporaries,
         examine_temporaries(home_, clock_.wall_now(), repair));
  std::ranges::move(temporaries, std::back_inserter(out));
  return out;
}

Result<cli::BackupSummary> LocalBackend::backup(const std::string& file, bool replace,
                                                const cli::OnProgress& on_progress) {
  CR_TRY_VOID(service());
  const auto contents = [this](sqlite::SqliteStore& snapshot, app::Interrupts& interrupts) {
    return app::RunService(home_, engine_->ports(clock_, reactor_, snapshot))
        .backup_contents(interrupts);
  };
  AnySignal signals(*this);
  return write_backup(*engine_->store,
                      {home_, file, replace, version(), clock_.wall_now(), contents, signals},
                      on_progress);
}

Result<cli::BackupSummary> LocalBackend::restore(const std::string& file,
                                                 const cli::OnProgress& on_progress) {
  AnySignal signals(*this);
  return read_backup(file, home_, signals, on_progress);
}

std::string LocalBackend::version() const { return CRESSET_VERSION; }

}  // namespace cresset::app_main
