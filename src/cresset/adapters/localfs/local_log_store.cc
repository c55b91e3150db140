#include "cresset/adapters/localfs/local_log_store.h"

#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <limits>

#include "cresset/adapters/localfs/files.h"
#include "cresset/adapters/localfs/posix_file.h"

namespace cresset::localfs {

namespace {

// offset u64, arrival i64 (µs since the epoch), size u32, flags u32; little-endian.
constexpr std::size_t kRecordSize = 24;
constexpr std::int64_t kIndexBytesMax = 1 << 30;

template <class Number>
Number take(const char*& at) {
  static_assert(std::endian::native == std::endian::little);
  Number number{};
  std::memcpy(&number, at, sizeof number);
  at += sizeof number;
  return number;
}

ports::LogChunk decode(const char* at) {
  ports::LogChunk chunk;
  chunk.offset = take<std::uint64_t>(at);
  chunk.at = WallTime{Duration{take<std::int64_t>(at)}};
  chunk.size = take<std::uint32_t>(at);
  return chunk;
}

}  // namespace

Result<std::string> LocalLogStore::read(const model::AttemptId& id, std::uint64_t offset,
                                        std::size_t bytes_max) {
  const std::string path = path_of_(id);
  CR_TRY(const std::optional<UniqueFd> file, open_file(path));
  if (!file || offset > static_cast<std::uint64_t>(std::numeric_limits<off_t>::max()))
    return std::string();
  const off_t end = ::lseek(file->get(), 0, SEEK_END);
  if (end < 0) return errno_error(errno, path);
  if (offset >= static_cast<std::uint64_t>(end)) return std::string();
  if (::lseek(file->get(), static_cast<off_t>(offset), SEEK_SET) < 0)
    return errno_error(errno, path);
  std::string bytes(std::min<std::uint64_t>(bytes_max, static_cast<std::uint64_t>(end) - offset),
                    '\0');
  CR_TRY(const std::size_t got, read_some(file->get(), bytes.data(), bytes.size(), path));
  bytes.resize(got);
  return bytes;
}

Result<std::vector<ports::LogChunk>> LocalLogStore::chunks(const model::AttemptId& id) {
  CR_TRY(const std::optional<std::string> index, find_file(path_of_(id) + ".idx", kIndexBytesMax));
  std::vector<ports::LogChunk> chunks;
  if (!index) return chunks;
  chunks.reserve(index->size() / kRecordSize);
  for (std::size_t at = 0; at + kRecordSize <= index->size(); at += kRecordSize)
    chunks.push_back(decode(index->data() + at));
  return chunks;
}

}  // namespace cresset::localfs
