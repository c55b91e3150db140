#include "cresset/adapters/archive/tar_writer.h"

#include <fmt/format.h>

#include <algorithm>

namespace cresset::archive {

namespace {

constexpr std::size_t kNameMax = 100;
constexpr std::int64_t kSizeMax = 077777777777;  // of eleven octal digits

bool is_ascii(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return static_cast<signed char>(c) > 0; });
}

// "LENGTH KEY=VALUE\n", the length counting itself.
std::string pax_record(std::string_view key, std::string_view value) {
  const std::size_t rest = key.size() + value.size() + 3;
  std::size_t length = rest + 1;
  while (fmt::formatted_size("{}", length) + rest != length)
    length = fmt::formatted_size("{}", length) + rest;
  return fmt::format("{} {}={}\n", length, key, value);
}

void put(std::string& block, std::size_t at, std::string_view text, std::size_t size_max) {
  block.replace(at, std::min(text.size(), size_max), text.substr(0, size_max));
}

std::string ustar_block(const TarEntry& entry) {
  std::string block(kTarBlock, '\0');
  put(block, 0, entry.name, kNameMax);
  put(block, 100, fmt::format("{:07o}", entry.mode), 8);
  put(block, 108, "0000000", 8);  // the reader's own user and group
  put(block, 116, "0000000", 8);
  put(block, 124, fmt::format("{:011o}", std::min(entry.size, kSizeMax)), 12);
  put(block, 136, fmt::format("{:011o}", tar_time(entry.mtime)), 12);
  put(block, 148, "        ", 8);  // the checksum's own bytes count as spaces
  put(block, 156, {&entry.type, 1}, 1);
  put(block, 157, entry.link, kNameMax);
  put(block, 257, std::string_view("ustar\00000", 8), 8);
  unsigned sum = 0;
  for (const char c : block) sum += static_cast<unsigned char>(c);
  put(block, 148, fmt::format("{:06o}", sum) + std::string("\0 ", 2), 8);
  return block;
}

}  // namespace

std::int64_t tar_time(std::int64_t mtime) { return std::clamp(mtime, std::int64_t{0}, kSizeMax); }

std::string tar_header(const TarEntry& entry) {
  std::string records;
  const bool plain = is_ascii(entry.name) && is_ascii(entry.link);
  // Names are bytes: no character set is right for all of them.
  if (!plain) records += pax_record("hdrcharset", "BINARY");
  if (!plain || entry.name.size() > kNameMax) records += pax_record("path", entry.name);
  if (!entry.link.empty() && (!plain || entry.link.size() > kNameMax))
    records += pax_record("linkpath", entry.link);
  if (entry.size > kSizeMax) records += pax_record("size", fmt::to_string(entry.size));
  std::string out;
  if (!records.empty()) {
    TarEntry extended{"PaxHeader", 'x', 0600, static_cast<std::int64_t>(records.size()), 0, ""};
    out = ustar_block(extended) + records + std::string(tar_padding(extended.size), '\0');
  }
  return out + ustar_block(entry);
}

}  // namespace cresset::archive
