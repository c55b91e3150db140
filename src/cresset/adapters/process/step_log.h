#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "cresset/adapters/posix/unique_fd.h"
#include "cresset/base/result.h"
#include "cresset/base/time.h"

namespace cresset::process {

// Writes one attempt's log and the index of its chunks' times (docs/formats/log.md). Output
// past the cap, or that the disk does not take, is dropped and said so once in the log: a step
// never waits for its log and never fails by it.
class StepLog {
 public:
  // Makes the log file, and its folder when absent. `cap_bytes` 0 = no cap.
  static Result<StepLog> open(const std::string& path, std::int64_t cap_bytes);

  void append(std::string_view bytes, WallTime at);
  // Closes its files until the next append(): to have few descriptors open.
  void rest();
  // Writes what is left to say. No append() may follow.
  void close(WallTime at);

  [[nodiscard]] bool truncated() const { return dropped_bytes_ > 0; }
  // Why the log is incomplete beyond the cap; empty when it is not.
  [[nodiscard]] const std::string& trouble() const { return trouble_; }

 private:
  struct Chunk {
    std::uint64_t offset = 0;
    std::int64_t at_micros = 0;
    std::uint32_t size = 0;
    std::uint32_t flags = 0;
  };
  static_assert(sizeof(Chunk) == 24);

  StepLog(std::string path, posix::UniqueFd log, std::uint64_t size, std::int64_t cap_bytes)
      : path_(std::move(path)), log_(std::move(log)), cap_bytes_(cap_bytes), size_(size) {}

  std::size_t write(std::string_view bytes, WallTime at, std::uint32_t flags);
  void note_chunk(std::size_t size, WallTime at, std::uint32_t flags);
  void write_notice(std::string_view text, WallTime at);
  bool open_again();
  bool open_index();

  std::string path_;
  posix::UniqueFd log_;
  posix::UniqueFd index_;  // opened with the first output: many steps print nothing
  std::int64_t cap_bytes_;
  std::uint64_t size_;  // of the file, an earlier part included
  std::uint64_t dropped_bytes_ = 0;
  bool at_line_start_ = true;
  std::string trouble_;
  Chunk chunk_;  // the last one; grows while output comes in quick succession
  std::uint64_t chunk_at_ = 0;
  bool has_chunk_ = false;
  bool knows_index_ = false;  // where it ended before the first chunk
};

// Flags of a chunk.
inline constexpr std::uint32_t kChunkIsNotice = 1;  // written by Cresset, not by the step
// Output that follows within this time of a chunk's start belongs to it.
inline constexpr Duration kChunkSpan = std::chrono::milliseconds(10);

}  // namespace cresset::process
