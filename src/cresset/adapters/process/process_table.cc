#include "cresset/adapters/process/process_table.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <charconv>
#include <cstdlib>
#include <memory>
#include <sstream>
#include <string_view>

#include "cresset/adapters/posix/system_clock.h"
#include "cresset/adapters/posix/unique_fd.h"

namespace cresset::process {

namespace {

std::optional<std::string> read_small_file(const std::string& path) {
  const posix::UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return std::nullopt;
  std::string text;
  char buffer[4096];
  for (ssize_t got = 0; (got = ::read(file.get(), buffer, sizeof buffer)) > 0;) {
    text.append(buffer, static_cast<std::size_t>(got));
  }
  return text;
}

std::optional<pid_t> parse_pid(std::string_view text) {
  pid_t pid = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), pid);
  if (ec != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return pid;
}

// For kernels without /proc/<pid>/task/<tid>/children.
std::vector<pid_t> list_children_by_parent() {
  std::vector<pid_t> children;
  for (const pid_t pid : list_processes()) {
    const auto stat = read_stat(pid);
    if (stat && stat->parent == ::getpid()) children.push_back(pid);
  }
  return children;
}

}  // namespace

std::uint64_t ticks_since_boot() {
  static const auto micros_per_tick = Duration(std::chrono::seconds(1)) / ::sysconf(_SC_CLK_TCK);
  return static_cast<std::uint64_t>(posix::time_since_boot() / micros_per_tick);
}

std::string read_boot_id() {
  std::string id = read_small_file("/proc/sys/kernel/random/boot_id").value_or("");
  while (!id.empty() && id.back() == '\n') id.pop_back();
  return id;
}

std::optional<ProcessStat> parse_stat(const std::string& text) {
  // The second field is the program's name in parentheses and may hold anything, further
  // parentheses included.
  const std::size_t name_end = text.rfind(')');
  if (name_end == std::string::npos) return std::nullopt;
  ProcessStat stat;
  const auto pid = parse_pid(std::string_view(text).substr(0, text.find(' ')));
  std::istringstream fields(text.substr(name_end + 1));
  pid_t group = 0;
  fields >> stat.state >> stat.parent >> group >> stat.session;
  constexpr int kFieldsBetweenSessionAndStart = 15;
  std::string skipped;
  for (int i = 0; i < kFieldsBetweenSessionAndStart; ++i) fields >> skipped;
  fields >> stat.start_ticks;
  if (!pid || fields.fail()) return std::nullopt;
  stat.pid = *pid;
  return stat;
}

std::optional<ProcessStat> read_stat(pid_t pid) {
  const auto text = read_small_file(fmt::format("/proc/{}/stat", pid));
  return text ? parse_stat(*text) : std::nullopt;
}

bool is_same_process(const ProcessIdentity& identity) {
  const auto stat = identity.pid > 0 ? read_stat(identity.pid) : std::nullopt;
  return stat && stat->start_ticks >= identity.ticks_from && stat->start_ticks <= identity.ticks_to;
}

std::vector<pid_t> list_processes() {
  std::vector<pid_t> pids;
  const std::unique_ptr<DIR, int (*)(DIR*)> proc(::opendir("/proc"), ::closedir);
  if (!proc) return pids;
  while (const dirent* entry = ::readdir(proc.get())) {
    if (const auto pid = parse_pid(entry->d_name)) pids.push_back(*pid);
  }
  return pids;
}

std::vector<pid_t> list_children() {
  static const std::string path = fmt::format("/proc/self/task/{}/children", ::gettid());
  const auto text = read_small_file(path);
  if (!text) return list_children_by_parent();
  std::vector<pid_t> children;
  std::istringstream words(*text);
  for (pid_t pid = 0; words >> pid;) children.push_back(pid);
  return children;
}

std::optional<std::string> read_environment_variable(pid_t pid, const std::string& name) {
  const auto environment = read_small_file(fmt::format("/proc/{}/environ", pid));
  if (!environment) return std::nullopt;
  const std::string wanted = name + "=";
  for (std::string_view rest = *environment; !rest.empty();) {
    const std::string_view entry = rest.substr(0, rest.find('\0'));
    if (entry.starts_with(wanted)) return std::string(entry.substr(wanted.size()));
    rest.remove_prefix(std::min(entry.size() + 1, rest.size()));
  }
  return std::nullopt;
}

std::optional<std::uint64_t> read_oom_kills() {
  constexpr std::string_view kCounter = "\noom_kill ";
  const auto text = read_small_file("/proc/vmstat");
  const std::size_t at = text ? text->find(kCounter) : std::string::npos;
  if (at == std::string::npos) return std::nullopt;
  return std::strtoull(text->c_str() + at + kCounter.size(), nullptr, 10);
}

}  // namespace cresset::process
