#include "cresset/adapters/process/step_log.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <limits>
#include <utility>

namespace cresset::process {

namespace {

int open_log(const std::string& path) {
  return ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
}

}  // namespace

Result<StepLog> StepLog::open(const std::string& path, std::int64_t cap_bytes) {
  posix::UniqueFd log(open_log(path));
  if (!log && errno == ENOENT) {
    std::error_code ec;
    std::filesystem::create_directories(std::filesystem::path(path).parent_path(), ec);
    log.reset(open_log(path));
  }
  if (!log) return errno_error(errno, "opening the log " + path);
  const off_t end = ::lseek(log.get(), 0, SEEK_END);
  if (end < 0) return errno_error(errno, "opening the log " + path);
  return StepLog(path, std::move(log), static_cast<std::uint64_t>(end), cap_bytes);
}

void StepLog::append(std::string_view bytes, WallTime at) {
  std::string_view kept = bytes;
  if (cap_bytes_ > 0) {
    const auto cap = static_cast<std::uint64_t>(cap_bytes_);
    kept = bytes.substr(0, std::min<std::uint64_t>(bytes.size(), cap - std::min(size_, cap)));
  }
  if (truncated()) kept = {};
  if (!kept.empty()) kept = kept.substr(0, write(kept, at, 0));
  const bool first_loss = !truncated() && kept.size() < bytes.size();
  dropped_bytes_ += bytes.size() - kept.size();
  if (first_loss && trouble_.empty()) {
    write_notice(
        fmt::format("the log's limit of {} bytes is reached: later output is not kept", cap_bytes_),
        at);
  }
}

void StepLog::rest() {
  index_.reset();
  log_.reset();
}

void StepLog::close(WallTime at) {
  if (!trouble_.empty())
    write_notice(fmt::format("{} bytes of output are missing: {}", dropped_bytes_, trouble_), at);
  rest();
}

// How much was written; trouble_ says why when that is not all.
std::size_t StepLog::write(std::string_view bytes, WallTime at, std::uint32_t flags) {
  if (!open_again()) return 0;
  std::size_t written = 0;
  while (written < bytes.size()) {
    const ssize_t put = ::write(log_.get(), bytes.data() + written, bytes.size() - written);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) {
      trouble_ = fmt::format("writing {}: {}", path_, std::strerror(errno));
      break;
    }
    written += static_cast<std::size_t>(put);
  }
  if (written > 0) {
    note_chunk(written, at, flags);
    at_line_start_ = bytes[written - 1] == '\n';
  }
  return written;
}

bool StepLog::open_again() {
  if (log_) return true;
  log_.reset(open_log(path_));
  if (!log_) trouble_ = fmt::format("opening {}: {}", path_, std::strerror(errno));
  return static_cast<bool>(log_);
}

void StepLog::note_chunk(std::size_t size, WallTime at, std::uint32_t flags) {
  const std::int64_t micros = at.time_since_epoch().count();
  const bool grows = has_chunk_ && flags == chunk_.flags && micros >= chunk_.at_micros &&
                     micros - chunk_.at_micros <= kChunkSpan.count() &&
                     size <= std::numeric_limits<std::uint32_t>::max() - chunk_.size;
  if (grows) {
    chunk_.size += static_cast<std::uint32_t>(size);
  } else {
    if (has_chunk_) chunk_at_ += sizeof chunk_;
    chunk_ = {size_, micros, static_cast<std::uint32_t>(size), flags};
    has_chunk_ = true;
  }
  size_ += size;
  // The index is a convenience: output without a time is better than no output.
  if (!open_index()) return;
  [[maybe_unused]] const ssize_t ignored =
      ::pwrite(index_.get(), &chunk_, sizeof chunk_, static_cast<off_t>(chunk_at_));
}

bool StepLog::open_index() {
  if (index_) return true;
  index_.reset(::open((path_ + ".idx").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666));
  if (!index_) return false;
  if (std::exchange(knows_index_, true)) return true;
  struct stat status{};
  if (::fstat(index_.get(), &status) == 0) {
    const auto records = static_cast<std::uint64_t>(status.st_size) / sizeof chunk_;
    chunk_at_ = records * sizeof chunk_;
  }
  return true;
}

void StepLog::write_notice(std::string_view text, WallTime at) {
  write(fmt::format("{}cresset: {}\n", at_line_start_ ? "" : "\n", text), at, kChunkIsNotice);
}

}  // namespace cresset::process
