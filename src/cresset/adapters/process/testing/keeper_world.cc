#include "cresset/adapters/process/testing/keeper_world.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "cresset/adapters/process/machine.h"
#include "cresset/adapters/process/process_table.h"

namespace cresset::process {

namespace {

namespace fs = std::filesystem;

constexpr int kPatienceMillis = 30'000;
constexpr int kWaitMillis = 20;

constexpr const char* kScript = R"sh(
echo >> "$DIR/starts"
[ -z "$IGNORES" ] || trap '' TERM
printf '%s' "$PRINTS"
[ -z "$WAITS" ] || read line < "$DIR/gate"
if [ -n "$LEAVES" ]; then
  [ -d "$SCRATCH" ] && [ -z "$(ls -A "$SCRATCH")" ] || exit 99
  printf '%s' "$LEAVES" > "$SCRATCH/left"
fi
[ "$SIGNAL" = 0 ] || kill -"$SIGNAL" $$
exit "$CODE"
)sh";

}  // namespace

bool is_gone(pid_t pid) {
  const posix::UniqueFd process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!process) return errno == ESRCH;
  pollfd waiting{process.get(), POLLIN, 0};
  return ::poll(&waiting, 1, kPatienceMillis) == 1;
}

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  // Not by iterators: they throw when a process goes while its file in /proc is read.
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

KeeperWorld::KeeperWorld(std::optional<std::size_t> gpus) : gpus_(gpus) {}

KeeperWorld::~KeeperWorld() {
  while (const pid_t pid = keeper()) {
    ::kill(pid, SIGTERM);
    if (!is_gone(pid)) ::kill(pid, SIGKILL);
  }
}

ProcessExecutorOptions KeeperWorld::options() const {
  ProcessExecutorOptions options;
  options.keeper_dir = keeper_dir();
  options.keeper_command = {fs::read_symlink("/proc/self/exe"), "--keeper", keeper_dir()};
  if (gpus_) options.keeper_command.push_back(std::to_string(*gpus_));
  return options;
}

std::string KeeperWorld::step_dir(const model::AttemptId& id) const {
  return folder_ / model::to_string(id);
}

ports::StartSpec KeeperWorld::shell(const model::AttemptId& id, const std::string& script) {
  ports::StartSpec spec;
  spec.id = id;
  spec.argv = {"sh", "-c", script};
  spec.work_dir = step_dir(id);
  spec.env = {{"PATH", "/usr/local/bin:/usr/bin:/bin"}, {"DIR", spec.work_dir}};
  spec.log_path = spec.work_dir + "/logs/log";
  fs::create_directories(spec.work_dir);
  const std::string gate = spec.work_dir + "/gate";
  if (::mkfifo(gate.c_str(), 0600) == 0)
    gates_[id].reset(::open(gate.c_str(), O_RDWR | O_CLOEXEC | O_NONBLOCK));
  return spec;
}

ports::StartSpec KeeperWorld::spec(const model::AttemptId& id, const ports::testing::Step& step) {
  ports::StartSpec spec = shell(id, kScript);
  if (step.missing_program) spec.argv = {"no-such-program"};
  spec.env.emplace_back("PRINTS", step.prints);
  spec.env.emplace_back("WAITS", step.waits ? "1" : "");
  spec.env.emplace_back("IGNORES", step.ignores_terminate ? "1" : "");
  spec.env.emplace_back("SIGNAL", std::to_string(step.signal));
  spec.env.emplace_back("LEAVES", step.leaves);
  spec.env.emplace_back("CODE", std::to_string(step.exit_code));
  return spec;
}

void KeeperWorld::wait(ports::Executor& executor) {
  pollfd waiting{static_cast<ProcessExecutor&>(executor).fd(), POLLIN, 0};
  ::poll(&waiting, 1, kWaitMillis);
}

void KeeperWorld::release(const model::AttemptId& id) {
  ASSERT_EQ(::write(gates_.at(id).get(), "\n", 1), 1);
}

int KeeperWorld::starts(const model::AttemptId& id) const {
  return static_cast<int>(read_file(step_dir(id) + "/starts").size());
}

std::optional<std::string> KeeperWorld::read(const std::string& path) const {
  return fs::exists(path) ? std::optional(read_file(path)) : std::nullopt;
}

std::int64_t KeeperWorld::cpu_millis() const { return probe_machine({}).cpu_millis; }

void KeeperWorld::lose_all_running() {
  const pid_t pid = keeper();
  ASSERT_GT(pid, 0);
  ASSERT_EQ(::kill(pid, SIGKILL), 0);
  ASSERT_TRUE(is_gone(pid));
}

pid_t KeeperWorld::keeper() const {
  const std::string wanted = std::string("--keeper") + '\0' + keeper_dir() + '\0';
  for (const pid_t pid : list_processes()) {
    const std::string command = read_file("/proc/" + std::to_string(pid) + "/cmdline");
    if (command.find(wanted) == std::string::npos) continue;
    const auto stat = read_stat(pid);
    if (stat && stat->state != 'Z' && stat->state != 'X') return pid;
  }
  return 0;
}

}  // namespace cresset::process
