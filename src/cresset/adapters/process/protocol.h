#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "cresset/adapters/process/wire.h"
#include "cresset/base/result.h"
#include "cresset/ports/executor.h"

// What an engine and the keeper say to each other (docs/formats/keeper-protocol.md). A frame is a
// 32-bit length and that many bytes: a type and its fields.
namespace cresset::process {

// Both sides must speak the same version: an engine that meets a keeper of another waits for it to
// leave.
inline constexpr std::uint32_t kProtocolVersion = 4;
inline constexpr std::size_t kFrameBytesMax = std::size_t{64} << 20;

// Engine to keeper.
struct Hello {
  std::uint32_t version = kProtocolVersion;
};
struct Start {
  ports::StartSpec spec;
};
struct Stop {
  model::AttemptId id;
  Duration grace{0};
};
struct Forget {
  std::vector<model::AttemptId> ids;
};

// Keeper to engine; AttemptRunning and AttemptExited travel as they are.
struct Welcome {
  std::uint32_t version = kProtocolVersion;
};
// No step can be started as things are, and none of them is to blame: a full disk. What waits goes
// on waiting.
struct Trouble {
  std::string what;  // for the user
};

using Message = std::variant<Hello, Start, Stop, Forget, Welcome, ports::AttemptRunning,
                             ports::AttemptExited, Trouble>;

// A whole frame, its length included.
std::string encode_frame(const Message& message);
// `payload`: a frame without its length. kInvalidArgument for anything that encode_frame does not
// make.
Result<Message> decode_payload(std::string_view payload);

// Parts that the journal stores too.
void write_id(WireWriter& out, const model::AttemptId& id);
model::AttemptId read_id(WireReader& in);
void write_exit(WireWriter& out, const ports::Exit& exit);
ports::Exit read_exit(WireReader& in);
void write_texts(WireWriter& out, const std::vector<std::string>& texts);
std::vector<std::string> read_texts(WireReader& in);
void write_time(WireWriter& out, WallTime time);
WallTime read_time(WireReader& in);

}  // namespace cresset::process
