#pragma once

#include <string>
#include <vector>

#include "cresset/adapters/process/journal.h"
#include "cresset/adapters/process/protocol.h"

// Values with every field set, for tests of the formats.
namespace cresset::process {

inline model::AttemptId sample_id(std::uint32_t task = 7) { return {model::RunId("run"), task, 2}; }

inline ports::Exit sample_exit() {
  ports::Exit exit;
  exit.kind = ports::Exit::Kind::kSignaled;
  exit.code = 9;
  exit.detail = "killed";
  exit.stopped_by_us = true;
  exit.log_truncated = true;
  exit.peak_memory_bytes = 1 << 20;
  exit.cpu_time = Duration(12345);
  return exit;
}

inline ports::StartSpec sample_spec() {
  ports::StartSpec spec;
  spec.id = sample_id();
  spec.token = 3;
  spec.adopt_only = true;
  spec.argv = {"sh", "-c", std::string("a\0b", 3), ""};
  spec.env = {{"PATH", "/bin"}, {"EMPTY", ""}};
  spec.work_dir = "/w d";
  spec.fresh = {"/w d", "/f1"};
  spec.folders = {"/f1", "/f2"};
  spec.scratch = {{"HOME", "/left in home"}, {"TMPDIR", "/left in tmp"}};
  spec.files = {{"/file", "content \xff"}};
  spec.mounts = {{"/from", "/to", true}, {"/a", "/b", false}};
  spec.warm = {"/zygote", "f", {"numpy", "torch"}, {"TASK"}};
  spec.log_path = "/log";
  spec.log_cap_bytes = 1 << 30;
  spec.slots = {1500, 1 << 28, 2};
  spec.run_cpu_millis_max = 8000;
  return spec;
}

inline ports::AttemptRunning sample_running(std::uint32_t task = 7) {
  return {sample_id(task), WallTime(Duration(1'700'000'000'000'001)), {"notice 1", "notice 2"}};
}

inline ports::AttemptExited sample_exited(std::uint32_t task = 7) {
  return {sample_id(task), WallTime(Duration(1'700'000'000'000'002)), sample_exit()};
}

// One of each kind.
inline std::vector<Message> sample_messages() {
  return {Hello{},
          Start{sample_spec()},
          Stop{sample_id(), Duration(-5)},
          Forget{{sample_id(1), sample_id(2)}},
          Welcome{9},
          sample_running(),
          sample_exited(),
          Trouble{"the disk is full"}};
}

}  // namespace cresset::process
