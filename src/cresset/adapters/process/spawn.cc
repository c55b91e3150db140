#include "cresset/adapters/process/spawn.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <string_view>

#include "cresset/adapters/posix/folders.h"
#include "cresset/adapters/posix/unique_fd.h"
#include "cresset/adapters/process/mounts.h"

namespace cresset::process {

namespace {

namespace fs = std::filesystem;

Result<void> make_folder(const std::string& path) {
  // Most folders lie in one that exists, or in one that does: a call or three instead of a walk
  // from the root.
  if (::mkdir(path.c_str(), 0777) == 0) return {};
  if (errno == ENOENT && path.find_last_of('/') != std::string::npos) {
    CR_TRY_VOID(make_folder(path.substr(0, path.find_last_of('/'))));
    if (::mkdir(path.c_str(), 0777) == 0) return {};
  }
  const int reason = errno;
  if (reason == EEXIST && fs::is_directory(path)) return {};
  return errno_error(reason, "making the folder " + path);
}

// The working folder is the first that a start makes: where there is none yet, nothing is left of
// an earlier one. For that to be true also of a start that is cut off, it is the last to go.
Result<void> begin_anew(const ports::StartSpec& spec) {
  if (::mkdir(spec.work_dir.c_str(), 0777) == 0) return {};
  if (errno == EEXIST) {
    const auto remove = [](const std::string& path) -> Result<void> {
      auto removed = posix::remove_tree(path);
      if (!removed) return std::move(removed).error().with("what an earlier start has left");
      return {};
    };
    for (const std::string& path : spec.fresh) {
      if (path != spec.work_dir) CR_TRY_VOID(remove(path));
    }
    if (std::ranges::find(spec.fresh, spec.work_dir) != spec.fresh.end())
      CR_TRY_VOID(remove(spec.work_dir));
  }
  return make_folder(spec.work_dir);
}

// What execve takes in all: a quarter of the stack, at most 6 MiB, at least 128 KiB; each string
// also costs a pointer.
std::size_t kernel_limit_bytes() {
  constexpr rlim_t kMax = 6 << 20;
  rlimit stack{};
  if (::getrlimit(RLIMIT_STACK, &stack) != 0 || stack.rlim_cur == RLIM_INFINITY) return kMax;
  return std::clamp<rlim_t>(stack.rlim_cur / 4, kArgumentBytesMax, kMax);
}

// The strings of argv and environment as execve takes them.
struct ExecStrings {
  std::vector<std::string> entries;  // NAME=VALUE
  std::vector<char*> argv;
  std::vector<char*> env;
  std::size_t bytes = 0;
};

Result<void> check_string(std::string_view text, const std::string& what) {
  if (text.find('\0') != std::string_view::npos) {
    return make_error(Code::kInvalidArgument, "{} holds a zero byte, which no program can be given",
                      what);
  }
  if (text.size() >= kArgumentBytesMax) {
    return make_error(
        Code::kResourceExhausted,
        "{} is too long for the kernel ({} bytes; limit {}): pass it in a file instead", what,
        text.size(), kArgumentBytesMax - 1);
  }
  return {};
}

Result<ExecStrings> make_exec_strings(const SpawnRequest& request) {
  ExecStrings strings;
  const auto add = [&](std::vector<char*>& list, const std::string& text) {
    list.push_back(const_cast<char*>(text.c_str()));  // execve does not write to them
    strings.bytes += text.size() + 1 + sizeof(char*);
  };
  for (std::size_t i = 0; i < request.argv.size(); ++i) {
    CR_TRY_VOID(check_string(request.argv[i], fmt::format("argument {} of the command", i)));
    add(strings.argv, request.argv[i]);
  }
  strings.entries.reserve(request.env.size());
  for (const auto& [name, value] : request.env) {
    const std::string& entry = strings.entries.emplace_back(name + "=" + value);
    CR_TRY_VOID(check_string(entry, "the environment variable " + name));
    add(strings.env, entry);
  }
  strings.argv.push_back(nullptr);
  strings.env.push_back(nullptr);
  return strings;
}

bool is_script_without_interpreter(const std::string& program, std::string& interpreter) {
  const posix::UniqueFd file(::open(program.c_str(), O_RDONLY | O_CLOEXEC));
  char buffer[256];
  const ssize_t got = file ? ::read(file.get(), buffer, sizeof buffer) : -1;
  const std::string_view text(buffer, static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
  if (!text.starts_with("#!")) return false;
  const std::size_t begin = text.find_first_not_of(" \t", 2);
  if (begin == std::string_view::npos) return false;
  interpreter = text.substr(begin, text.find_first_of(" \t\r\n", begin) - begin);
  return ::access(interpreter.c_str(), F_OK) != 0;
}

Error explain_exec(int errno_value, const SpawnRequest& request, std::size_t bytes) {
  const std::string& program = request.program;
  const std::string at = program.starts_with('/') ? program : request.work_dir + "/" + program;
  std::string interpreter;
  switch (errno_value) {
    case E2BIG:
      return make_error(
          Code::kResourceExhausted,
          "the argument list is too long for the kernel ({} bytes with the environment; limit {})",
          bytes, kernel_limit_bytes());
    case ENOENT:
      if (::access(request.work_dir.c_str(), F_OK) != 0) {
        return make_error(Code::kNotFound, "the working folder {} is gone", request.work_dir);
      }
      if (is_script_without_interpreter(at, interpreter)) {
        return make_error(Code::kNotFound, "command not found: {}, which {} names after #!",
                          interpreter, program);
      }
      return make_error(Code::kNotFound, "command not found: {} (or the loader that it needs)",
                        program);
    case EACCES:
      return make_error(Code::kPermissionDenied, "permission denied: {} may not be executed",
                        program);
    case ENOEXEC:
      return make_error(Code::kInvalidArgument,
                        "{} is no program that this machine runs: a script needs #! and its "
                        "interpreter in line 1",
                        program);
    case EAGAIN:
    case ENOMEM: {
      Error error = make_error(Code::kResourceExhausted,
                               "no room for another process ({}): run fewer steps at once (-j)",
                               std::strerror(errno_value));
      error.reason = errno_error(errno_value, "").reason;
      return error;
    }
    default:
      return errno_error(errno_value, "starting " + program);
  }
}

// Whether a regular file has these bytes.
bool holds(const std::string& path, std::string_view content) {
  const posix::UniqueFd file(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW));
  struct stat status{};
  if (!file || ::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode) ||
      status.st_size != std::ssize(content))
    return false;
  std::array<char, 4096> part;  // NOLINT(cppcoreguidelines-pro-type-member-init): filled below
  while (!content.empty()) {
    const ssize_t got = ::read(file.get(), part.data(), std::min(part.size(), content.size()));
    if (got <= 0) return false;
    const std::string_view seen(part.data(), static_cast<std::size_t>(got));
    if (!content.starts_with(seen)) return false;
    content.remove_prefix(seen.size());
  }
  return true;
}

// ThreadSanitizer turns vfork() into fork(), which does not wait until the child is another
// program.
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
extern "C" pid_t __vfork() __attribute__((returns_twice));  // NOLINT(bugprone-reserved-identifier)
#define vfork __vfork
#endif
#endif

// Done by the child in its parent's memory: system calls only. Returns why they failed.
int become_program(const SpawnRequest& request, const ExecStrings& strings) {
  sigset_t none;
  ::sigemptyset(&none);
  if (::setsid() < 0 || ::chdir(request.work_dir.c_str()) != 0 ||
      ::dup2(request.null_fd, STDIN_FILENO) < 0 || ::dup2(request.output_fd, STDOUT_FILENO) < 0 ||
      ::dup2(request.output_fd, STDERR_FILENO) < 0 ||
      (request.open_files && ::setrlimit(RLIMIT_NOFILE, &*request.open_files) != 0) ||
      ::sigprocmask(SIG_SETMASK, &none, nullptr) != 0) {
    return errno;
  }
  ::execve(request.program.c_str(), strings.argv.data(), strings.env.data());
  return errno;
}

// posix_spawn does the same and makes a small step a tenth dearer, mostly by asking for each signal
// how it is handled.
int start_program(const SpawnRequest& request, const ExecStrings& strings, pid_t& pid) {
  volatile int failure = 0;
  const pid_t child = vfork();  // NOLINT(clang-analyzer-security.insecureAPI.vfork)
  if (child == 0) {
    failure = become_program(request, strings);
    ::_exit(127);
  }
  if (child < 0) return errno;
  if (failure != 0) ::waitpid(child, nullptr, 0);
  pid = child;
  return failure;
}

}  // namespace

Result<void> write_file(const ports::FileToWrite& file) {
  // All steps of a component have the same source. To replace a file makes a file system write the
  // new one to the disk at once, which takes longer than to look.
  if (holds(file.path, file.content)) return {};
  const std::string draft = file.path + ".new";
  const auto open_draft = [&draft] {
    return ::open(draft.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  };
  posix::UniqueFd out(open_draft());
  if (!out && errno == ENOENT) {
    CR_TRY_VOID(make_folder(fs::path(file.path).parent_path().string()));
    out.reset(open_draft());
  }
  if (!out) return errno_error(errno, "writing " + file.path);
  std::string_view rest = file.content;
  while (!rest.empty()) {
    const ssize_t put = ::write(out.get(), rest.data(), rest.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return errno_error(errno, "writing " + file.path);
    rest.remove_prefix(static_cast<std::size_t>(put));
  }
  if (::rename(draft.c_str(), file.path.c_str()) != 0)
    return errno_error(errno, "writing " + file.path);
  return {};
}

Result<void> prepare_files(const ports::StartSpec& spec) {
  CR_TRY_VOID(begin_anew(spec));
  for (const std::string& folder : spec.folders) CR_TRY_VOID(make_folder(folder));
  for (const ports::FileToWrite& file : spec.files) CR_TRY_VOID(write_file(file));
  return {};
}

Result<ProcessIdentity> spawn(const SpawnRequest& request) {
  CR_TRY(ExecStrings strings, make_exec_strings(request));
  if (!request.mounts.empty()) {
    return spawn_with_mounts(MountedSpawn{request.program, strings.argv.data(), strings.env.data(),
                                          request.work_dir, request.mounts, request.null_fd,
                                          request.output_fd, request.open_files});
  }
  ProcessIdentity process;
  process.ticks_from = ticks_since_boot();
  const int failure = start_program(request, strings, process.pid);
  process.ticks_to = ticks_since_boot();
  if (failure != 0) return explain_exec(failure, request, strings.bytes);
  return process;
}

}  // namespace cresset::process
