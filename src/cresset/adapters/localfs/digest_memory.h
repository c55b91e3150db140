#pragma once

#include <sys/stat.h>

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace cresset::localfs {

// What tells a file that has not changed from one that has. The kernel sets ctime at each change of
// content or of mtime, and no program can set it back.
struct FileIdentity {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::int64_t size = 0;
  std::int64_t mtime_ns = 0;
  std::int64_t ctime_ns = 0;
  bool operator==(const FileIdentity&) const = default;
};
FileIdentity identity_of(const struct stat& status);

// False while a later change could leave the same times, because the file system's clock has not
// moved on since the last one. `coarse_now_ns` is that clock, read before the content was.
bool is_settled(const FileIdentity& identity, std::int64_t coarse_now_ns);
std::int64_t coarse_now_ns();

struct RememberedDigest {
  FileIdentity identity;
  std::string digest;
  bool operator==(const RememberedDigest&) const = default;
};

// Digests of the files below one path, by their paths relative to it ("" is the path itself).
using DigestMemory = std::map<std::string, RememberedDigest, std::less<>>;

// One file a path below `dir` (docs/formats/artifact-digest.md). What cannot be read, or is not
// whole, is empty: the digests are then worked out again. Saving is best effort for the same
// reason, and replaces the file in one step.
DigestMemory load_digest_memory(const std::string& dir, const std::string& path);
void save_digest_memory(const std::string& dir, const std::string& path,
                        const DigestMemory& memory);

// For tests of every-prefix and hostile content.
std::string encode_digest_memory(const DigestMemory& memory);
std::optional<DigestMemory> decode_digest_memory(std::string_view text);

}  // namespace cresset::localfs
