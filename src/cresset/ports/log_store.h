#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cresset/base/result.h"
#include "cresset/base/time.h"
#include "cresset/model/run.h"

namespace cresset::ports {

struct LogChunk {
  std::uint64_t offset = 0;  // in the attempt's log
  WallTime at{};             // when it arrived
  std::uint64_t size = 0;
};

// Reads what steps printed; the executor writes. Any thread. A log that does not exist yet is
// empty.
class LogStore {
 public:
  virtual ~LogStore() = default;
  virtual Result<std::string> read(const model::AttemptId& id, std::uint64_t offset,
                                   std::size_t bytes_max) = 0;
  virtual Result<std::vector<LogChunk>> chunks(const model::AttemptId& id) = 0;
};

}  // namespace cresset::ports
