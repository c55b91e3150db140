#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "cresset/adapters/archive/backup_head.h"
#include "cresset/base/result.h"

// Backups as files: plain tar archives (docs/formats/backup.md), whole or not at all.
namespace cresset::archive {

// How many bytes of file contents have been read or written so far. Called often, and for each
// entry; an error ends all.
using OnBytes = std::function<Result<void>(std::int64_t bytes)>;

// A file, link or folder with all below it.
struct Item {
  std::string name;  // in the archive, relative: "artifacts/p/r"
  std::string path;  // where it is now
  // Somebody may be writing there: what vanishes is left out, what shrinks or grows is cut or
  // filled up to the size that it had, and told. Otherwise that is an error.
  bool may_change = false;
};

struct Packed {
  std::int64_t files = 0;
  std::int64_t bytes = 0;            // of their contents
  std::vector<std::string> remarks;  // what is not as it was found: one sentence each
};

struct PackOptions {
  Head head;
  bool replace = false;
};

// A name in the folder of `file` for what is there while it is written, and that nobody else gives
// to anything: ".NAME.cresset-backup.WHAT".
std::string beside(const std::string& file, std::string_view what);

// Writes the archive `file`: first as beside(file, "tmp"), which takes the place of one that was
// left over, then synced and renamed. Mode 0600. Items that do not exist are left out. Sockets,
// fifos, devices and what lies too deep for the reader are left out with a remark; links where it
// takes none are followed. kAlreadyExists when there is a `file` and it is not to be replaced;
// kDataLoss when something that must not change did. On failure `file` is as it was.
Result<Packed> pack(const std::string& file, const PackOptions& options,
                    const std::vector<Item>& items, const OnBytes& on_bytes);

struct UnpackOptions {
  std::int64_t schema_max = 0;  // of the database, that the program knows
  std::size_t entries_max = 100'000'000;
};
struct Unpacked {
  std::int64_t files = 0;
  std::int64_t bytes = 0;
};

// Makes what the archive `file` holds below `folder`, an existing empty folder of the caller alone,
// and compares all of it with the digests that the archive ends with. Whatever the archive says,
// nothing is made elsewhere. kDataLoss: it is damaged, cut off or no such archive.
// kFailedPrecondition: a newer program made it; nothing is made then, nor of what its head shows to
// be cut off. Durable on return. On failure the folder holds some of it.
Result<Unpacked> unpack(const std::string& file, const std::string& folder,
                        const UnpackOptions& options, const OnBytes& on_bytes);

}  // namespace cresset::archive
