#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "cresset/base/result.h"

namespace cresset::archive {

inline constexpr std::string_view kHeadName = "cresset-backup.json";
inline constexpr std::string_view kManifestName = "cresset-manifest.txt";
inline constexpr std::string_view kContentPrefix = "home/";

inline constexpr std::size_t kPartsMax = 200;

// The parts of an entry's name below "home/": relative, none of them empty, "." or "..", none
// longer than a file system takes, at most kPartsMax of them, and the first of what backups hold
// (docs/formats/backup.md). kDataLoss otherwise. Pure.
Result<std::vector<std::string>> split_entry_name(std::string_view name);

// A link may stand where steps make things, never in the folders that Cresset itself walks through
// (artifacts/PIPELINE/RUN, runs/RUN/…). Pure.
bool may_be_link(const std::vector<std::string>& parts);

// With bytes that are not printable ASCII, spaces and '%' as %XX. Pure.
std::string escaped_name(std::string_view name);

struct ManifestLine {
  char type = 'f';  // 'h' the head, 'f' file, 'd' folder, 'l' link
  std::uint32_t mode = 0;
  std::int64_t size = 0;
  std::int64_t mtime = 0;  // as the archive has it
  std::string digest = "-";
  std::string_view name;
};

// As a manifest of that format has it. Pure.
std::string to_text(const ManifestLine& line, std::int64_t format);

}  // namespace cresset::archive
