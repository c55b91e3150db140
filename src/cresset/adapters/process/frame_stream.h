#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "cresset/adapters/posix/unique_fd.h"
#include "cresset/base/result.h"

namespace cresset::process {

// Frames over a connected, non-blocking stream socket. What cannot be sent yet waits in a buffer
// that grows, so that two sides that both write a lot never wait for each other.
class FrameStream {
 public:
  explicit FrameStream(posix::UniqueFd socket) : socket_(std::move(socket)) {}

  [[nodiscard]] int fd() const { return socket_.get(); }

  // Queues a whole frame (with its length).
  void queue(std::string_view frame) { out_ += frame; }
  // Sends what the socket takes now. kUnavailable: the peer has gone.
  Result<void> flush();
  [[nodiscard]] bool wants_to_write() const { return size_to_write() > 0; }
  [[nodiscard]] std::size_t size_to_write() const { return out_.size() - sent_; }

  // Reads what is there now, up to a bound, so that one peer cannot hold up the others.
  // kUnavailable: the peer has gone; frames that came before stay readable by next().
  Result<void> fill();
  // The next whole frame's payload, valid until the next call of fill(). kInvalidArgument: a frame
  // above the limit.
  Result<std::optional<std::string_view>> next();

 private:
  posix::UniqueFd socket_;
  std::string out_;
  std::size_t sent_ = 0;
  std::string in_;
  std::size_t taken_ = 0;
};

}  // namespace cresset::process
