#include "cresset/main/hand_terminal.h"

#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>

#include <cerrno>
#include <utility>
#include <vector>

#include "cresset/adapters/localfs/files.h"
#include "cresset/adapters/process/mounts.h"
#include "cresset/adapters/process/spawn.h"
#include "cresset/adapters/python/program_search.h"
#include "cresset/base/check.h"
#include "cresset/main/home_path.h"

namespace cresset::app_main {

namespace {

constexpr int kSignaled = 128;

// Ignores the signals of the keyboard for as long as it lives.
class KeyboardIgnored {
 public:
  KeyboardIgnored() {
    struct sigaction ignored{};
    ignored.sa_handler = SIG_IGN;
    ::sigaction(SIGINT, &ignored, &interrupt_);
    ::sigaction(SIGQUIT, &ignored, &quit_);
  }
  ~KeyboardIgnored() {
    ::sigaction(SIGINT, &interrupt_, nullptr);
    ::sigaction(SIGQUIT, &quit_, nullptr);
  }
  KeyboardIgnored(const KeyboardIgnored&) = delete;
  KeyboardIgnored& operator=(const KeyboardIgnored&) = delete;

 private:
  struct sigaction interrupt_{};
  struct sigaction quit_{};
};

std::string path_of(const ports::StartSpec& spec) {
  for (const auto& [name, value] : spec.env) {
    if (name == "PATH") return value;
  }
  return "/usr/local/bin:/usr/bin:/bin";
}

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
  std::vector<char*> out;
  for (std::string& text : texts) out.push_back(text.data());
  out.push_back(nullptr);
  return out;
}

Result<pid_t> start(const std::string& program, ports::StartSpec& spec) {
  std::vector<std::string> variables;
  for (const auto& [name, value] : spec.env) variables.push_back(name + "=" + value);
  if (!spec.mounts.empty()) {
    const std::vector<char*> argv = pointers_to(spec.argv);
    const std::vector<char*> env = pointers_to(variables);
    CR_TRY(
        const process::ProcessIdentity process,
        process::spawn_with_mounts({program, argv.data(), env.data(), spec.work_dir, spec.mounts}));
    return process.pid;
  }
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  CHECK(::posix_spawn_file_actions_init(&actions) == 0);
  CHECK(::posix_spawnattr_init(&attributes) == 0);
  CHECK(::posix_spawn_file_actions_addchdir_np(&actions, spec.work_dir.c_str()) == 0);
  sigset_t all;
  ::sigfillset(&all);
  CHECK(::posix_spawnattr_setsigdefault(&attributes, &all) == 0);
  CHECK(::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF) == 0);
  pid_t pid = 0;
  const int failed = ::posix_spawn(&pid, program.c_str(), &actions, &attributes,
                                   pointers_to(spec.argv).data(), pointers_to(variables).data());
  ::posix_spawn_file_actions_destroy(&actions);
  ::posix_spawnattr_destroy(&attributes);
  if (failed != 0) return errno_error(failed, "starting " + program);
  return pid;
}

}  // namespace

Result<std::string> make_hand_folder() {
  std::string path = environment_variable("TMPDIR").value_or("");
  if (path.empty()) path = "/tmp";
  path += "/cresset-XXXXXX";
  if (::mkdtemp(path.data()) == nullptr) return errno_error(errno, "making a folder like " + path);
  return path;
}

Result<int> run_on_terminal(ports::StartSpec spec) {
  for (const ports::ScratchFolder& scratch : spec.scratch) {
    spec.folders.push_back(scratch.leftovers);
    spec.env.emplace_back(scratch.variable, scratch.leftovers);
  }
  CR_TRY_VOID(process::prepare_files(spec));
  CR_TRY(const std::string program, python::search_program(spec.argv.front(), path_of(spec)));
  const KeyboardIgnored ignored;
  CR_TRY(const pid_t pid, start(program, spec));
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0) CHECK(errno == EINTR);
  return WIFEXITED(status) ? WEXITSTATUS(status) : kSignaled + WTERMSIG(status);
}

}  // namespace cresset::app_main
