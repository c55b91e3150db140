#include "cresset/main/local_backend.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/stat.h>
#include <unistd.h>

#include <charconv>
#include <csignal>
#include <utility>

#include "cresset/adapters/localfs/files.h"
#include "cresset/adapters/process/keeper_main.h"
#include "cresset/adapters/python/built_environments.h"
#include "cresset/cli/interpreter.h"
#include "cresset/main/examination.h"
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

// Logs, secrets and results are their owner's alone.
Result<void> make_private_home(const std::string& home) {
  const std::size_t slash = home.rfind('/');
  if (slash != 0) CR_TRY_VOID(localfs::make_folder(home.substr(0, slash)));
  if (::mkdir(home.c_str(), kPrivate) == 0 || errno == EEXIST) return {};
  return errno_error(errno, home).with("making the home that CRESSET_HOME names");
}

}  // namespace

class LocalBackend::SignalLevel final : public app::Interrupts {
 public:
  explicit SignalLevel(posix::Waker waker) : signals_(std::move(waker)) {}
  int level() override { return signals_.level(); }
  [[nodiscard]] bool hung_up() const { return signals_.hung_up(); }

 private:
  posix::SignalInterrupts signals_;
};

struct LocalBackend::Engine {
  Engine(std::unique_ptr<sqlite::SqliteStore> opened, const app::Home& home,
         const std::string& program, python::LocalEnvironmentsOptions environment_options,
         posix::SystemClock& clock, posix::PollReactor& reactor)
      : store(std::move(opened)),
        executor({home.keeper_dir(), {program, "keeper", home.keeper_dir()}}, clock),
        files({.memory_dir = home.digests_dir()}, [waker = reactor.waker()] { waker.wake(); }),
        environments(std::move(environment_options), [waker = reactor.waker()] { waker.wake(); }),
        service(home, {clock, random, reactor, *store, executor, files, environments,
                       [folder = home.runtime_dir()] { return unpack_runtime(folder); }}) {}

  posix::SystemRandom random;
  std::unique_ptr<sqlite::SqliteStore> store;
  process::ProcessExecutor executor;
  localfs::LocalFileWorker files;
  python::LocalEnvironments environments;
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
  if (::stat(home_.database().c_str(), &info) == 0) return true;
  // What may not be looked at is told when it is opened.
  return errno != ENOENT && errno != ENOTDIR;
}

python::LocalEnvironmentsOptions LocalBackend::environment_options() const {
  python::LocalEnvironmentsOptions options;
  options.envs_dir = home_.envs_dir();
  options.runtime_dir = [folder = home_.runtime_dir()] { return unpack_runtime(folder); };
  options.path_variable = variable("PATH").value_or("/usr/local/bin:/usr/bin:/bin");
  options.tool_env = whole_environment();
  return options;
}

Result<app::RunService*> LocalBackend::service() {
  if (engine_) return &engine_->service;
  // The keeper, which reads it, has nobody to tell.
  if (auto options = machine_options(); !options) return std::move(options).error();
  CR_TRY_VOID(make_private_home(home_.root()));
  CR_TRY(auto store, sqlite::SqliteStore::open({home_.database(), home_.locks_dir()}));
  engine_ = std::make_unique<Engine>(std::move(store), home_, program_, environment_options(),
                                     clock_, reactor_);
  reactor_.add(engine_->executor.fd());
  return &engine_->service;
}

app::Interrupts& LocalBackend::interrupts() {
  if (!signals_) signals_ = std::make_unique<SignalLevel>(reactor_.waker());
  return *signals_;
}

bool LocalBackend::hung_up() const { return signals_ && signals_->hung_up(); }

void LocalBackend::die_of_interrupt() {
  signals_.reset();
  ::signal(SIGINT, SIG_DFL);
  ::raise(SIGINT);
  ::_exit(128 + SIGINT);
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

std::vector<cli::Check> LocalBackend::examine() {
  auto opened = service();
  Examination examination{home_, reactor_, clock_,
                          machine_options().value_or(process::MachineOptions{}),
                          cli::default_interpreter(*this)};
  return examination.run(opened ? nullptr : &opened.error(),
                         opened ? &engine_->environments : nullptr);
}

std::string LocalBackend::version() const { return CRESSET_VERSION; }

}  // namespace cresset::app_main
