#include "cresset/adapters/process/machine.h"

#include <fmt/format.h>
#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string_view>

namespace cresset::process {

namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kMillisPerCpu = 1000;

std::string read_line(const fs::path& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

std::optional<std::int64_t> parse_integer(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (ec != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

struct ControlGroup {
  fs::path folder;  // as this process sees it
  bool unified = false;
};

// Where `controller` limits this process. A container often sees its own group as the root of the
// hierarchy.
std::vector<ControlGroup> find_groups(std::string_view controller) {
  std::vector<ControlGroup> groups;
  std::ifstream file("/proc/self/cgroup");
  for (std::string line; std::getline(file, line);) {
    const std::size_t first = line.find(':');
    const std::size_t second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const bool unified = controllers.empty();
    const std::string listed = "," + controllers + ",";
    if (!unified && listed.find("," + std::string(controller) + ",") == std::string::npos) continue;
    const fs::path root =
        unified ? fs::path("/sys/fs/cgroup") : fs::path("/sys/fs/cgroup") / controllers;
    // Limits of the groups above hold as well.
    for (fs::path path = line.substr(second + 1);; path = path.parent_path()) {
      groups.push_back({root / path.relative_path(), unified});
      if (!path.has_relative_path()) break;
    }
  }
  return groups;
}

std::optional<std::int64_t> group_cpu_millis(const ControlGroup& group) {
  if (group.unified) return parse_cpu_max(read_line(group.folder / "cpu.max"));
  return parse_cpu_max(read_line(group.folder / "cpu.cfs_quota_us") + " " +
                       read_line(group.folder / "cpu.cfs_period_us"));
}

std::int64_t probe_cpu_millis() {
  // A fixed cpu_set_t holds 1,024 CPUs; the kernel refuses it on larger machines.
  std::vector<cpu_set_t> sets(16);
  const std::size_t size = sets.size() * sizeof(cpu_set_t);
  const bool known = ::sched_getaffinity(0, size, sets.data()) == 0;
  const std::int64_t cpus =
      known ? CPU_COUNT_S(size, sets.data()) : ::sysconf(_SC_NPROCESSORS_ONLN);
  std::int64_t millis = std::max<std::int64_t>(cpus, 1) * kMillisPerCpu;
  for (const ControlGroup& group : find_groups("cpu")) {
    if (const auto limit = group_cpu_millis(group)) millis = std::min(millis, *limit);
  }
  return millis;
}

std::int64_t probe_memory_bytes() {
  std::int64_t bytes = std::int64_t{::sysconf(_SC_PHYS_PAGES)} * ::sysconf(_SC_PAGESIZE);
  for (const ControlGroup& group : find_groups("memory")) {
    const auto limit = parse_integer(
        read_line(group.folder / (group.unified ? "memory.max" : "memory.limit_in_bytes")));
    if (limit && *limit > 0) bytes = std::min(bytes, *limit);
  }
  return bytes;
}

std::size_t count_gpus() {
  std::error_code ec;
  std::size_t count = 0;
  for (const auto& entry : fs::directory_iterator("/proc/driver/nvidia/gpus", ec))
    count += entry.exists() ? 1 : 0;
  if (count > 0) return count;
  for (const auto& entry : fs::directory_iterator("/dev", ec)) {
    const std::string name = entry.path().filename();
    constexpr std::string_view kPrefix = "nvidia";
    if (name.starts_with(kPrefix) && parse_integer(std::string_view(name).substr(kPrefix.size())))
      ++count;
  }
  return count;
}

std::vector<std::string> probe_gpus(const MachineOptions& options) {
  if (!options.gpus && options.cuda_visible_devices) {
    return count_gpus() > 0 ? parse_visible_devices(*options.cuda_visible_devices)
                            : std::vector<std::string>();
  }
  std::vector<std::string> gpus;
  const std::size_t count = options.gpus ? *options.gpus : count_gpus();
  for (std::size_t i = 0; i < count; ++i) gpus.push_back(std::to_string(i));
  return gpus;
}

std::uint64_t probe_open_files() {
  constexpr rlim_t kUnlimited = 1 << 20;
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return kUnlimited;
  return std::min(limit.rlim_cur, kUnlimited);
}

}  // namespace

// The keeper has a dozen files itself, and some are open for a moment only. Half of what is left
// when engines have their part is for attempts that have four: both ends of a pipe, the log and its
// index. Frugal ones have the pipe's reading end.
FileShares share_open_files(std::uint64_t limit) {
  constexpr std::uint64_t kFilesOfKeeper = 24;
  constexpr std::uint64_t kClientsMax = 1000;
  constexpr std::uint64_t kFilesOfAttempt = 4;
  FileShares shares;
  shares.clients = std::min(kClientsMax, 1 + limit / 8);
  const std::uint64_t others = kFilesOfKeeper + shares.clients;
  const std::uint64_t left = limit > others ? limit - others : 0;
  shares.attempts_roomy = left / 2 / kFilesOfAttempt;
  shares.attempts =
      std::max<std::uint64_t>(left - shares.attempts_roomy * (kFilesOfAttempt - 1), 1);
  return shares;
}

Machine probe_machine(const MachineOptions& options) {
  return Machine{probe_cpu_millis(), probe_memory_bytes(), probe_gpus(options),
                 share_open_files(probe_open_files())};
}

std::optional<std::int64_t> parse_cpu_max(const std::string& text) {
  std::istringstream words(text);
  std::string quota_text;
  std::int64_t period = 0;
  words >> quota_text >> period;
  const auto quota = parse_integer(quota_text);
  if (words.fail() || !quota || *quota <= 0 || period <= 0) return std::nullopt;
  return std::max<std::int64_t>(*quota * kMillisPerCpu / period, 1);
}

std::vector<std::string> parse_visible_devices(const std::string& text) {
  std::vector<std::string> devices;
  std::istringstream items(text);
  for (std::string item; std::getline(items, item, ',');) {
    std::erase_if(item, [](unsigned char c) { return std::isspace(c) != 0; });
    if (item.empty() || item.starts_with('-')) break;
    devices.push_back(item);
  }
  return devices;
}

}  // namespace cresset::process
