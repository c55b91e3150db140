#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "cresset/base/result.h"

namespace cresset::localfs {

struct DigestOptions {
  std::string memory_dir;  // where digests are remembered; made when first needed; may be removed
                           // at any time
  std::int64_t remember_from_bytes = 256 << 10;  // less is read again sooner than looked up
  std::size_t entries_max = 1'000'000;           // of one folder, at all levels
  int depth_max = 100;
  bool afresh = false;  // what is remembered does not count, and is remembered anew
};

// 64 hex digits for what a reader finds at `path` (docs/formats/artifact-digest.md): of a file its
// SHA-256; of a folder a digest over names, types, sizes, executable bits and contents of all below
// it. Links below it count by their text and are not followed; `path` itself may be a link. Nothing
// when there is nothing. With `sync`, all of it is durable on return. Unchanged bytes that have
// been digested before are not read. Any thread. kFailedPrecondition for sockets, fifos and
// devices; kResourceExhausted beyond the limits; kDataLoss when an fsync fails.
Result<std::optional<std::string>> digest_path(const DigestOptions& options,
                                               const std::string& path, bool sync);

}  // namespace cresset::localfs
