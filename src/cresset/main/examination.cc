#include "cresset/main/examination.h"

#include <fmt/format.h>
#include <sched.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <optional>
#include <system_error>

#include "cresset/cli/style.h"
#include "cresset/main/home_path.h"

namespace cresset::app_main {

namespace {

using cli::Check;
using Verdict = cli::Check::Verdict;

constexpr std::int64_t kSpaceWanted = std::int64_t{2} << 30;
constexpr Duration kAnswerWithin = std::chrono::seconds(30);
constexpr std::int64_t kMillis = 1000;

std::string search_path() {
  return environment_variable("PATH").value_or("/usr/local/bin:/usr/bin:/bin");
}

// Whether a process may make a mount namespace of its own, asked of one that does nothing else.
bool may_make_namespaces() {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(::unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0 ? 0 : 1);
  int status = 1;
  return child > 0 && ::waitpid(child, &status, 0) == child && status == 0;
}

}  // namespace

std::vector<Check> Examination::run(const Error* open_error, ports::Environments* environments) {
  std::vector<Check> out = {check_home(open_error), check_space(), check_machine(),
                            check_namespaces()};
  if (environments == nullptr) return out;
  out.push_back(check_python(*environments));
  out.push_back(check_torch(*environments));
  out.push_back(check_compiler(*environments));
  return out;
}

Check Examination::check_home(const Error* open_error) const {
  if (open_error == nullptr && ::access(home.root().c_str(), W_OK | X_OK) == 0)
    return {"home", Verdict::kGood, home.root(), ""};
  if (open_error == nullptr) {
    return {"home", Verdict::kWarning,
            fmt::format("{} cannot be written: {}", home.root(),
                        std::generic_category().message(errno)),
            "its runs can be looked at; for new ones set CRESSET_HOME to a folder of your own"};
  }
  // Most errors say themselves what to do; none but these is mended by another home.
  const bool is_not_ours =
      open_error->code == Code::kPermissionDenied || open_error->code == Code::kNotFound;
  return {"home", Verdict::kBad, open_error->text(),
          is_not_ours ? "set CRESSET_HOME to a folder of your own" : ""};
}

Check Examination::check_absent_home() const {
  const std::string folder = nearest_folder();
  if (::access(folder.c_str(), W_OK | X_OK) == 0) {
    return {"home", Verdict::kGood,
            home.root() + " does not exist yet: the first `cresset run` makes it", ""};
  }
  return {"home", Verdict::kBad,
          fmt::format("{} does not exist, and cannot be made: {}: {}", home.root(), folder,
                      std::generic_category().message(errno)),
          "set CRESSET_HOME to a folder of your own"};
}

// That exists: the home, or where it will be.
std::string Examination::nearest_folder() const {
  std::string folder = home.root();
  while (::access(folder.c_str(), F_OK) != 0 && folder.size() > 1)
    folder.resize(std::max(folder.rfind('/'), std::size_t{1}));
  return folder;
}

Check Examination::check_space() const {
  struct statvfs info{};
  const std::string folder = nearest_folder();
  if (::statvfs(folder.c_str(), &info) != 0)
    return {"disk", Verdict::kWarning, "the free space cannot be read", ""};
  const auto free = static_cast<std::int64_t>(info.f_bavail * info.f_frsize);
  Check check{"disk", Verdict::kGood, fmt::format("{} free", cli::bytes_text(free)), ""};
  if (free < kSpaceWanted) {
    check.verdict = Verdict::kWarning;
    check.help = "`cresset gc` and `cresset rm` free some";
  }
  return check;
}

Check Examination::check_machine() const {
  const process::Machine machine = process::probe_machine(machine_options);
  return {"machine", Verdict::kGood,
          fmt::format("{:g} CPUs, {}, {} GPUs", static_cast<double>(machine.cpu_millis) / kMillis,
                      cli::bytes_text(machine.memory_bytes), machine.gpus.size()),
          ""};
}

Check Examination::check_namespaces() const {
  if (::geteuid() == 0 || may_make_namespaces())
    return {"mounts", Verdict::kGood, "steps can have secrets and volumes mounted", ""};
  return {"mounts", Verdict::kWarning, "user namespaces are not allowed here",
          "steps that mount secrets or volumes will fail; the rest works"};
}

Check Examination::check_python(ports::Environments& environments) const {
  auto found = environments.inspect(interpreter);
  if (!found) {
    return {"python", Verdict::kBad, found.error().text(),
            "name one with --python or CRESSET_PYTHON"};
  }
  return {"python", Verdict::kGood, fmt::format("{} ({})", found->executable, found->version), ""};
}

Check Examination::check_torch(ports::Environments& environments) const {
  auto found = environments.inspect(interpreter);
  if (!found) return {"torch", Verdict::kWarning, "there is no Python to look in", ""};
  ports::EnvironmentSpec spec;
  spec.base = *std::move(found);
  spec.requirements = {"torch"};
  spec.offline = true;
  environments.prepare(1, std::move(spec));
  const TimePoint deadline = clock.now() + kAnswerWithin;
  while (clock.now() < deadline) {
    for (const ports::EnvironmentReady& ready : environments.poll()) {
      if (ready.answer) return {"torch", Verdict::kGood, "installed", ""};
      return {"torch", Verdict::kWarning, "not installed in that Python",
              "steps that train need it: pip install torch, or packages_to_install"};
    }
    reactor.wait(deadline);
  }
  return {"torch", Verdict::kWarning, "the interpreter did not answer in time", ""};
}

Check Examination::check_compiler(ports::Environments& environments) const {
  for (const char* name : {"g++", "clang++"}) {
    if (auto found = environments.find_program(name, search_path()))
      return {"compiler", Verdict::kGood, found->path, ""};
  }
  return {"compiler", Verdict::kWarning, "no C++ compiler on PATH",
          "AOTInductor packages cannot be exported without one"};
}

}  // namespace cresset::app_main
