#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace cresset::process {

// Which GPUs a step may use, by their names.
inline constexpr const char* kDevicesVariable = "CUDA_VISIBLE_DEVICES";

// What a keeper does with the files that it may have open.
struct FileShares {
  std::size_t clients = 1;
  std::size_t attempts = 1;        // that run at once
  std::size_t attempts_roomy = 0;  // of them, those that need not spare descriptors
};
FileShares share_open_files(std::uint64_t limit);

// What this machine lets its attempts hold at once.
struct Machine {
  std::int64_t cpu_millis = 1000;
  std::int64_t memory_bytes = 0;
  std::vector<std::string> gpus;  // as CUDA_VISIBLE_DEVICES names them
  FileShares files;
};

struct MachineOptions {
  std::optional<std::size_t> gpus;  // CRESSET_GPUS: how many to count with, found or not
  std::optional<std::string>
      cuda_visible_devices;  // of the keeper's own environment: the GPUs that it may hand out
};

// CPUs: what the affinity mask and the control group's quota allow. Memory: MemTotal, or the
// control group's limit.
Machine probe_machine(const MachineOptions& options);

// A control group's CPU limit, in thousandths of a CPU, from cpu.max ("150000 100000", "max
// 100000").
std::optional<std::int64_t> parse_cpu_max(const std::string& text);
// Items of CUDA_VISIBLE_DEVICES; it ends at the first that is empty or negative, as the driver
// reads it.
std::vector<std::string> parse_visible_devices(const std::string& text);

}  // namespace cresset::process
