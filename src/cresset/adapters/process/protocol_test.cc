#include "cresset/adapters/process/protocol.h"

#include <gtest/gtest.h>

#include <string>

#include "cresset/adapters/process/testing/samples.h"

namespace cresset::process {
namespace {

std::string payload_of(const Message& message) {
  return encode_frame(message).substr(sizeof(std::uint32_t));
}

TEST(ProtocolTest, EveryKindOfMessageComesBackAsItWas) {
  for (const Message& message : sample_messages()) {
    const std::string payload = payload_of(message);
    const Result<Message> back = decode_payload(payload);
    ASSERT_TRUE(back) << back.error().text();
    EXPECT_EQ(back->index(), message.index());
    EXPECT_EQ(payload_of(*back), payload);
  }
}

TEST(ProtocolTest, FieldsKeepTheirPlaces) {
  const ports::StartSpec sent = sample_spec();
  const Result<Message> message = decode_payload(payload_of(Start{sent}));
  const ports::StartSpec& spec = std::get<Start>(*message).spec;
  EXPECT_EQ(spec.id, sent.id);
  EXPECT_EQ(spec.token, sent.token);
  EXPECT_TRUE(spec.adopt_only);
  EXPECT_EQ(spec.argv, sent.argv);
  EXPECT_EQ(spec.env, sent.env);
  EXPECT_EQ(spec.fresh, sent.fresh);
  EXPECT_EQ(spec.folders, sent.folders);
  EXPECT_EQ(spec.files.at(0).content, sent.files.at(0).content);
  EXPECT_EQ(spec.scratch.at(0).variable, sent.scratch.at(0).variable);
  EXPECT_EQ(spec.scratch.at(1).leftovers, sent.scratch.at(1).leftovers);
  EXPECT_TRUE(spec.mounts.at(0).read_only);
  EXPECT_FALSE(spec.mounts.at(1).read_only);
  EXPECT_EQ(spec.slots.gpus, 2);
  EXPECT_EQ(spec.run_cpu_millis_max, 8000);

  const Result<Message> end = decode_payload(payload_of(sample_exited()));
  const ports::Exit& exit = std::get<ports::AttemptExited>(*end).exit;
  EXPECT_EQ(exit.kind, ports::Exit::Kind::kSignaled);
  EXPECT_TRUE(exit.stopped_by_us);
  EXPECT_FALSE(exit.out_of_memory);
  EXPECT_TRUE(exit.log_truncated);
  EXPECT_EQ(exit.cpu_time, Duration(12345));
}

TEST(ProtocolTest, EveryPrefixAndEveryAdditionIsRefused) {
  for (const Message& message : sample_messages()) {
    const std::string payload = payload_of(message);
    for (std::size_t size = 0; size < payload.size(); ++size) {
      const Result<Message> cut = decode_payload(payload.substr(0, size));
      ASSERT_FALSE(cut) << message.index() << " cut at " << size;
      EXPECT_EQ(cut.error().code, Code::kInvalidArgument);
    }
    EXPECT_FALSE(decode_payload(payload + '\0'));
  }
}

TEST(ProtocolTest, UnknownTypesAndValuesAreRefused) {
  EXPECT_FALSE(decode_payload(std::string(1, '\0')));
  EXPECT_FALSE(decode_payload(std::string(1, '\xff')));
  std::string payload = payload_of(sample_exited());
  const std::size_t kind = 1 + 4 + 3 + 4 + 4 + 8;
  ASSERT_EQ(payload.at(kind), static_cast<char>(ports::Exit::Kind::kSignaled));
  payload[kind] = 4;
  EXPECT_FALSE(decode_payload(payload));
}

TEST(ProtocolTest, ACountThatIsALieEndsWithTheBytes) {
  WireWriter out;
  out.number(std::uint8_t{4});  // Forget
  out.number(std::uint32_t{0xffffffff});
  EXPECT_FALSE(decode_payload(out.take()));
}

}  // namespace
}  // namespace cresset::process
