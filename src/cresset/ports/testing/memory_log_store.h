#pragma once

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "cresset/ports/log_store.h"

namespace cresset::ports::testing {

// Logs in memory; a fake executor appends to them. One thread.
class MemoryLogStore final : public LogStore {
 public:
  void append(const model::AttemptId& id, const std::string& bytes, WallTime at) {
    Log& log = logs_[id];
    log.chunks.push_back({log.bytes.size(), at, bytes.size()});
    log.bytes += bytes;
  }

  Result<std::string> read(const model::AttemptId& id, std::uint64_t offset,
                           std::size_t bytes_max) override {
    const std::string& bytes = logs_[id].bytes;
    return bytes.substr(std::min<std::uint64_t>(offset, bytes.size()), bytes_max);
  }
  Result<std::vector<LogChunk>> chunks(const model::AttemptId& id) override {
    return logs_[id].chunks;
  }

 private:
  struct Log {
    std::string bytes;
    std::vector<LogChunk> chunks;
  };
  std::map<model::AttemptId, Log> logs_;
};

}  // namespace cresset::ports::testing
