#include "cresset/adapters/process/frame_stream.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "cresset/adapters/process/protocol.h"
#include "cresset/adapters/process/testing/samples.h"

namespace cresset::process {
namespace {

struct Pair {
  Pair() {
    int ends[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 0);
    raw.reset(ends[0]);
    stream.emplace(posix::UniqueFd(ends[1]));
  }
  void send(std::string_view bytes) const {
    ASSERT_EQ(::send(raw.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes.size()));
  }
  // All whole frames that have come.
  std::vector<std::string> take() {
    std::vector<std::string> frames;
    while (true) {
      const auto frame = stream->next();
      EXPECT_TRUE(frame);
      if (!frame || !*frame) return frames;
      frames.emplace_back(**frame);
    }
  }
  posix::UniqueFd raw;
  std::optional<FrameStream> stream;
};

std::string sample_bytes() {
  std::string bytes;
  for (const Message& message : sample_messages()) bytes += encode_frame(message);
  return bytes;
}

TEST(FrameStreamTest, FramesComeWholeHoweverTheBytesAreSplit) {
  const std::string bytes = sample_bytes();
  std::vector<std::string> wanted;
  for (const Message& message : sample_messages())
    wanted.push_back(encode_frame(message).substr(4));
  for (std::size_t split = 0; split <= bytes.size(); ++split) {
    Pair pair;
    std::vector<std::string> got;
    for (const std::string& part : {bytes.substr(0, split), bytes.substr(split)}) {
      if (!part.empty()) pair.send(part);
      ASSERT_TRUE(pair.stream->fill());
      for (std::string& frame : pair.take()) got.push_back(std::move(frame));
    }
    ASSERT_EQ(got, wanted) << "split at " << split;
  }
}

TEST(FrameStreamTest, FramesComeWholeByteByByte) {
  Pair pair;
  std::size_t got = 0;
  for (const char byte : sample_bytes()) {
    pair.send({&byte, 1});
    ASSERT_TRUE(pair.stream->fill());
    got += pair.take().size();
  }
  EXPECT_EQ(got, sample_messages().size());
}

TEST(FrameStreamTest, AnEmptyFrameIsAFrame) {
  Pair pair;
  pair.send(std::string(4, '\0'));
  ASSERT_TRUE(pair.stream->fill());
  EXPECT_EQ(pair.take(), std::vector<std::string>{""});
}

TEST(FrameStreamTest, WhatCameBeforeTheEndStaysReadable) {
  Pair pair;
  const std::string frame = encode_frame(Hello{});
  pair.send(frame + frame.substr(0, 3));
  pair.raw.reset();
  while (pair.stream->fill()) {
  }
  EXPECT_EQ(pair.take().size(), 1u);
  EXPECT_EQ(pair.stream->fill().error().code, Code::kUnavailable);
}

TEST(FrameStreamTest, AFrameAboveTheLimitIsRefusedBeforeItsBytesCome) {
  Pair pair;
  pair.send("\xff\xff\xff\xff");
  ASSERT_TRUE(pair.stream->fill());
  EXPECT_EQ(pair.stream->next().error().code, Code::kInvalidArgument);
}

TEST(FrameStreamTest, WhatTheSocketDoesNotTakeWaits) {
  Pair writer;
  FrameStream reader(std::move(writer.raw));
  constexpr std::size_t kBytes = 5 << 20;
  std::string frame(kBytes, 'x');
  const auto size = static_cast<std::uint32_t>(kBytes - 4);
  std::memcpy(frame.data(), &size, sizeof size);
  writer.stream->queue(frame);
  writer.stream->queue(encode_frame(Hello{}));
  ASSERT_TRUE(writer.stream->flush());
  EXPECT_TRUE(writer.stream->wants_to_write());
  std::vector<std::size_t> sizes;
  while (sizes.size() < 2) {
    ASSERT_TRUE(reader.fill());
    while (true) {
      const auto got = reader.next();
      ASSERT_TRUE(got);
      if (!*got) break;
      sizes.push_back((*got)->size());
    }
    ASSERT_TRUE(writer.stream->flush());
  }
  EXPECT_EQ(sizes.at(0), size);
  EXPECT_FALSE(writer.stream->wants_to_write());
}

TEST(FrameStreamTest, SendingToOneWhoHasGoneIsAnError) {
  Pair pair;
  pair.raw.reset();
  pair.stream->queue(encode_frame(Hello{}));
  EXPECT_EQ(pair.stream->flush().error().code, Code::kUnavailable);
}

}  // namespace
}  // namespace cresset::process
