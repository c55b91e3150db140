#pragma once

#include <functional>
#include <string>

#include "cresset/ports/log_store.h"

namespace cresset::localfs {

// Reads the logs that an executor on this machine writes: raw output in one file an attempt, and
// beside it, with
// ".idx" added to its name, when which part of it arrived (docs/formats/log.md).
class LocalLogStore final : public ports::LogStore {
 public:
  // `path_of` says where an attempt's log is, whether or not it exists yet. Any thread calls it.
  explicit LocalLogStore(std::function<std::string(const model::AttemptId&)> path_of)
      : path_of_(std::move(path_of)) {}

  Result<std::string> read(const model::AttemptId& id, std::uint64_t offset,
                           std::size_t bytes_max) override;
  // An incomplete last record, of a writer that is at it or was killed, is left out.
  Result<std::vector<ports::LogChunk>> chunks(const model::AttemptId& id) override;

 private:
  std::function<std::string(const model::AttemptId&)> path_of_;
};

}  // namespace cresset::localfs
