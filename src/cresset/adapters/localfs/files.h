#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cresset/base/result.h"

// Small files and whole folders, at once, in the caller's thread. Paths are taken as they are:
// relative ones are relative to the process.
namespace cresset::localfs {

// The bytes of a regular file, through links; nothing when there is none. kResourceExhausted when
// it holds more than `bytes_max`; kFailedPrecondition when it is a folder, fifo, device …, which is
// not opened.
Result<std::optional<std::string>> find_file(const std::string& path, std::int64_t bytes_max);
// The same; kNotFound when there is none.
Result<std::string> read_file(const std::string& path, std::int64_t bytes_max);

// Replaces `path` by a file with this content: whoever looks, now or after a power failure, finds
// the old or the new content whole. The folder must exist. Links at `path` are replaced, not
// followed.
Result<void> write_file_atomic(const std::string& path, std::string_view content);

// The last `bytes_max` bytes of a text, from a line's beginning where there is one, with U+FFFD for
// what is not UTF-8 (which may make it longer). Empty when there is no file.
Result<std::string> read_tail(const std::string& path, std::int64_t bytes_max);

// With all folders above it. Fine when it is there.
Result<void> make_folder(const std::string& path);

// What lies directly in a folder, sorted; nothing when there is no such folder.
Result<std::vector<std::string>> list_folder(const std::string& path);

// Bytes of the files below, links not followed; 0 when there is nothing. What vanishes meanwhile
// does not count.
Result<std::int64_t> measure_tree(const std::string& path);
// What all below takes on the disk, folders and links among it; a file with several names counts
// once for each `seen`.
using SeenFiles = std::set<std::pair<std::uint64_t, std::uint64_t>>;  // device and inode
Result<std::int64_t> measure_disk(const std::string& path, SeenFiles& seen);

// A file, or a folder with all below it, replaces `target` in one step; its parent folder is made.
// Modes are kept, times and owners are not. kNotFound when there is no source; kFailedPrecondition
// for special files and for links that are absolute or lead out of the source. `source` itself may
// be a link. On failure `target` is as it was.
Result<void> copy_tree(const std::string& source, const std::string& target);

}  // namespace cresset::localfs
