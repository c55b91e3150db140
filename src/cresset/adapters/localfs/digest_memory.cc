#include "cresset/adapters/localfs/digest_memory.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <ctime>

#include "cresset/adapters/localfs/files.h"
#include "cresset/adapters/localfs/posix_file.h"
#include "cresset/base/digest.h"

namespace cresset::localfs {

namespace {

constexpr std::string_view kHeader = "cresset digests 1\n";
constexpr std::int64_t kFileBytesMax = 512 << 20;

// The longest tick of a kernel clock (100 Hz), and the coarsest times of a file system without
// nanoseconds (FAT).
constexpr std::int64_t kTickNs = 10'000'000;
constexpr std::int64_t kCoarseTickNs = 2'000'000'000;
constexpr std::int64_t kSecondNs = 1'000'000'000;

std::int64_t to_ns(const timespec& time) {
  return std::int64_t{time.tv_sec} * kSecondNs + time.tv_nsec;
}

std::string memory_path(const std::string& dir, const std::string& path) {
  return dir + "/" + sha256_hex(path);
}

bool is_hex_digest(std::string_view text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

// Takes "<number> " off the front.
template <class Number>
bool take_number(std::string_view& text, Number& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end == text.data() + text.size() || *end != ' ') return false;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()) + 1);
  return true;
}

// "<digest> <device> <inode> <size> <mtime> <ctime> <length of the path> <path>\n"
bool take_entry(std::string_view& text, DigestMemory& memory) {
  if (text.size() < 65 || !is_hex_digest(text.substr(0, 64)) || text[64] != ' ') return false;
  RememberedDigest entry{.identity = {}, .digest = std::string(text.substr(0, 64))};
  text.remove_prefix(65);
  FileIdentity& id = entry.identity;
  std::size_t length = 0;
  if (!take_number(text, id.device) || !take_number(text, id.inode) ||
      !take_number(text, id.size) || !take_number(text, id.mtime_ns) ||
      !take_number(text, id.ctime_ns) || !take_number(text, length)) {
    return false;
  }
  if (text.size() <= length || text[length] != '\n') return false;
  const bool fresh = memory.emplace(text.substr(0, length), std::move(entry)).second;
  text.remove_prefix(length + 1);
  return fresh;
}

}  // namespace

FileIdentity identity_of(const struct stat& status) {
  return {status.st_dev, status.st_ino, status.st_size, to_ns(status.st_mtim),
          to_ns(status.st_ctim)};
}

bool is_settled(const FileIdentity& identity, std::int64_t coarse_now) {
  const std::int64_t changed = std::max(identity.mtime_ns, identity.ctime_ns);
  const std::int64_t tick = identity.ctime_ns % kSecondNs == 0 ? kCoarseTickNs : kTickNs;
  return changed + tick < coarse_now;
}

std::int64_t coarse_now_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME_COARSE, &now);  // the clock that file systems stamp with
  return to_ns(now);
}

std::string encode_digest_memory(const DigestMemory& memory) {
  fmt::memory_buffer out;
  out.append(kHeader);
  for (const auto& [path, entry] : memory) {
    const FileIdentity& id = entry.identity;
    fmt::format_to(std::back_inserter(out), "{} {} {} {} {} {} {} {}\n", entry.digest, id.device,
                   id.inode, id.size, id.mtime_ns, id.ctime_ns, path.size(), path);
  }
  const std::string digest = sha256_hex({out.data(), out.size()});
  out.append(digest);
  out.push_back('\n');
  return fmt::to_string(out);
}

std::optional<DigestMemory> decode_digest_memory(std::string_view text) {
  constexpr std::size_t kSealSize = 65;
  if (text.size() < kHeader.size() + kSealSize || !text.starts_with(kHeader) ||
      !text.ends_with('\n'))
    return std::nullopt;
  const std::string_view seal = text.substr(text.size() - kSealSize, 64);
  text.remove_suffix(kSealSize);
  if (sha256_hex(text) != seal) return std::nullopt;
  text.remove_prefix(kHeader.size());
  DigestMemory memory;
  while (!text.empty()) {
    if (!take_entry(text, memory)) return std::nullopt;
  }
  return memory;
}

DigestMemory load_digest_memory(const std::string& dir, const std::string& path) {
  Result<std::optional<std::string>> content = find_file(memory_path(dir, path), kFileBytesMax);
  if (!content || !*content) return {};
  return decode_digest_memory(**content).value_or(DigestMemory{});
}

void save_digest_memory(const std::string& dir, const std::string& path,
                        const DigestMemory& memory) {
  if (!make_folder(dir)) return;
  const std::string target = memory_path(dir, path);
  const std::string made = temporary_sibling(target);
  // No fsync: the seal at its end tells a file that a power failure left torn.
  const UniqueFd file(::open(made.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!file) return;
  if (!write_all(file.get(), encode_digest_memory(memory), made) ||
      ::rename(made.c_str(), target.c_str()) != 0) {
    ::unlink(made.c_str());
  }
}

}  // namespace cresset::localfs
