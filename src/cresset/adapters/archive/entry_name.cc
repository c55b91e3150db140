#include "cresset/adapters/archive/entry_name.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace cresset::archive {

namespace {

constexpr std::size_t kPartBytesMax = 255;
// A home has other folders as well, with programs that Cresset runs: none of them comes from a
// file.
constexpr std::array<std::string_view, 5> kFolders = {"artifacts", "configmaps", "runs", "secrets",
                                                      "volumes"};

Error bad_name(std::string_view name) {
  return make_error(Code::kDataLoss, "it holds an entry that no backup has: \"{}\"",
                    name.substr(0, 200));
}

bool belongs_into_a_backup(const std::vector<std::string>& parts) {
  if (parts.front() == "cresset.db") return parts.size() == 1;
  return std::ranges::find(kFolders, parts.front()) != kFolders.end();
}

}  // namespace

Result<std::vector<std::string>> split_entry_name(std::string_view name) {
  if (!name.starts_with(kContentPrefix) || name.find('\0') != std::string_view::npos)
    return bad_name(name);
  std::vector<std::string> parts;
  std::string_view rest = name.substr(kContentPrefix.size());
  if (rest.ends_with('/')) rest.remove_suffix(1);  // how tar writes a folder
  while (true) {
    const std::size_t slash = rest.find('/');
    const std::string_view part = rest.substr(0, slash);
    if (part.empty() || part == "." || part == ".." || part.size() > kPartBytesMax ||
        parts.size() == kPartsMax)
      return bad_name(name);
    parts.emplace_back(part);
    if (slash == std::string_view::npos) break;
    rest.remove_prefix(slash + 1);
  }
  if (!belongs_into_a_backup(parts)) return bad_name(name);
  return parts;
}

bool may_be_link(const std::vector<std::string>& parts) {
  const std::string& top = parts.front();
  if (top == "artifacts" || top == "runs") return parts.size() > 3;
  if (top == "volumes" || top == "secrets" || top == "configmaps") return parts.size() > 2;
  return false;
}

std::string escaped_name(std::string_view name) {
  std::string out;
  for (const char c : name) {
    if (c > ' ' && c < '\x7f' && c != '%') {
      out += c;
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned>(static_cast<unsigned char>(c)));
    }
  }
  return out;
}

std::string to_text(const ManifestLine& line, std::int64_t format) {
  std::string out = fmt::format("{} {:04o} {} ", line.type, line.mode, line.size);
  if (format > 1) out += fmt::format("{} ", line.mtime);
  return out + fmt::format("{} {}\n", line.digest, escaped_name(line.name));
}

}  // namespace cresset::archive
