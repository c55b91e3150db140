#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "cresset/base/result.h"

namespace cresset::ports {

// File work that may take long and therefore leaves the engine's thread.

struct ReadFiles {
  std::vector<std::string> paths;
  std::int64_t bytes_max = 64 << 20;  // of one file
};
struct FileContents {
  std::vector<std::optional<std::string>> contents;  // by index; nullopt = no such file
};

// Digests what is at each path (a file, or a folder with all below it) and, with `sync`, makes it
// durable first (fsync of files and folders). Digests are remembered by size, mtime and inode, so
// unchanged bytes are read once; `afresh` reads all of them, and so finds what a disk has lost.
struct DigestPaths {
  std::vector<std::string> paths;
  bool sync = false;
  bool afresh = false;
};
struct Digests {
  std::vector<std::optional<std::string>> digests;  // 64 hex digits; nullopt = nothing there
};

struct ReadTail {
  std::string path;
  std::int64_t bytes_max = 4096;
};
struct Tail {
  std::string text;  // empty when there is no such file; starts at a line's beginning, invalid
                     // UTF-8 replaced
};

struct MakeFolder {
  std::string path;
};
struct RemoveFolder {
  std::string path;  // with all below it; absent is fine
};
// Copies a file or folder; existing target is replaced. Symbolic links that leave the source are
// refused.
struct CopyPath {
  std::string source;
  std::string target;
};
struct Done {};

// What is at each path, links followed.
struct StatPaths {
  std::vector<std::string> paths;
};
struct PathKinds {
  enum class Kind { kNone, kFile, kFolder };
  std::vector<Kind> kinds;
};

// What lies directly in a folder, sorted; nothing when there is no folder there.
struct ListFolder {
  std::string path;
};
struct FolderNames {
  std::vector<std::string> names;
};

// How many bytes the files at each path hold together, links not followed; 0 for what is not there.
// With `on_disk` what they take there instead, folders and links among them and what has several
// names counted once, as du does.
struct MeasurePaths {
  std::vector<std::string> paths;
  bool on_disk = false;
};
struct PathSizes {
  std::vector<std::int64_t> bytes;
};

using FileJob = std::variant<ReadFiles, DigestPaths, ReadTail, MakeFolder, RemoveFolder, CopyPath,
                             StatPaths, ListFolder, MeasurePaths>;
using FileAnswer =
    std::variant<FileContents, Digests, Tail, Done, PathKinds, FolderNames, PathSizes>;

struct FileJobDone {
  std::uint64_t job = 0;
  Result<FileAnswer> answer;  // errors: kNotFound, kPermissionDenied, kResourceExhausted (too
                              // large, disk full), kDataLoss (fsync failed)
};

// Contract (ports/testing/file_worker_contract.h): each submitted job is answered once, in any
// order. One thread calls. Destroying the worker waits for the jobs under way and drops the others.
class FileWorker {
 public:
  virtual ~FileWorker() = default;
  virtual void submit(std::uint64_t job, FileJob work) = 0;
  virtual std::vector<FileJobDone> poll() = 0;
};

}  // namespace cresset::ports
