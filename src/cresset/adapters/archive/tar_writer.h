#pragma once

#include <cstdint>
#include <string>
#include <string_view>

// The bytes of a POSIX tar archive (pax interchange format). libarchive reads them, and every tar;
// its own writer would bring along those of all formats and the libraries behind them.
namespace cresset::archive {

inline constexpr std::size_t kTarBlock = 512;

struct TarEntry {
  std::string name;  // any bytes but zero; a folder's ends in '/'
  char type = '0';   // '0' file, '2' symbolic link, '5' folder
  std::uint32_t mode = 0;
  std::int64_t size = 0;   // of a file; that many bytes follow, then tar_padding()
  std::int64_t mtime = 0;  // seconds since the Unix epoch
  std::string link;        // text of a link
};

// A time as a header keeps it. Pure.
std::int64_t tar_time(std::int64_t mtime);

// What stands in front of an entry's bytes. Pure.
std::string tar_header(const TarEntry& entry);

// How many zero bytes fill the last block of a file.
constexpr std::size_t tar_padding(std::int64_t size) {
  return static_cast<std::size_t>(-size & (std::int64_t{kTarBlock} - 1));
}

// What stands behind the last entry.
inline std::string tar_end() { return std::string(2 * kTarBlock, '\0'); }

}  // namespace cresset::archive
