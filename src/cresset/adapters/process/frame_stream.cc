#include "cresset/adapters/process/frame_stream.h"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>

#include "cresset/adapters/process/protocol.h"

namespace cresset::process {

namespace {

constexpr std::size_t kReadBytes = 64 << 10;
constexpr int kReadsPerFill = 16;
constexpr std::size_t kIdleBufferBytes = 1 << 20;

// What was used up is dropped once it is most of the buffer, so that each byte is moved a bounded
// number of times.
void drop_front(std::string& buffer, std::size_t& used) {
  if (used == buffer.size()) {
    buffer.clear();
    if (buffer.capacity() > kIdleBufferBytes) buffer.shrink_to_fit();
    used = 0;
  } else if (used > buffer.size() / 2) {
    buffer.erase(0, used);
    used = 0;
  }
}

}  // namespace

Result<void> FrameStream::flush() {
  while (wants_to_write()) {
    const ssize_t sent = ::send(socket_.get(), out_.data() + sent_, out_.size() - sent_,
                                MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && errno == EAGAIN) break;
    if (sent < 0) return make_error(Code::kUnavailable, "sending: {}", std::strerror(errno));
    sent_ += static_cast<std::size_t>(sent);
  }
  drop_front(out_, sent_);
  return {};
}

Result<void> FrameStream::fill() {
  drop_front(in_, taken_);
  std::array<char, kReadBytes>
      part;  // NOLINT(cppcoreguidelines-pro-type-member-init): filled below
  for (int i = 0; i < kReadsPerFill; ++i) {
    const ssize_t got = ::recv(socket_.get(), part.data(), part.size(), MSG_DONTWAIT);
    if (got > 0) in_.append(part.data(), static_cast<std::size_t>(got));
    if (got == 0) return make_error(Code::kUnavailable, "the connection was closed");
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) return {};
    if (got < 0) return make_error(Code::kUnavailable, "receiving: {}", std::strerror(errno));
    if (static_cast<std::size_t>(got) < part.size()) return {};
  }
  return {};
}

Result<std::optional<std::string_view>> FrameStream::next() {
  std::uint32_t size = 0;
  const std::string_view rest = std::string_view(in_).substr(taken_);
  if (rest.size() < sizeof size) return std::optional<std::string_view>();
  std::memcpy(&size, rest.data(), sizeof size);
  if (size > kFrameBytesMax) {
    return make_error(Code::kInvalidArgument, "a frame of {} bytes is above the limit of {}", size,
                      kFrameBytesMax);
  }
  if (rest.size() - sizeof size < size) return std::optional<std::string_view>();
  taken_ += sizeof size + size;
  return std::optional(rest.substr(sizeof size, size));
}

}  // namespace cresset::process
