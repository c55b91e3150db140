#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>

#include "cresset/ports/log_store.h"

// What every LogStore keeps. Instantiate with a World:
//   LogStore& store();
//   void append(const model::AttemptId& id, const std::string& bytes, WallTime at);   as an
//   executor would
namespace cresset::ports::testing {

template <class World>
class LogStoreContract : public ::testing::Test {
 protected:
  std::string read(std::uint64_t offset, std::size_t bytes_max) {
    const Result<std::string> bytes = world_.store().read(id_, offset, bytes_max);
    EXPECT_TRUE(bytes) << bytes.error().text();
    return bytes ? *bytes : "";
  }

  World world_;
  model::AttemptId id_{model::RunId("r1"), 3, 2};
};
TYPED_TEST_SUITE_P(LogStoreContract);

TYPED_TEST_P(LogStoreContract, ALogThatDoesNotExistYetIsEmpty) {
  EXPECT_EQ(this->read(0, 100), "");
  const Result<std::vector<LogChunk>> chunks = this->world_.store().chunks(this->id_);
  ASSERT_TRUE(chunks) << chunks.error().text();
  EXPECT_TRUE(chunks->empty());
}

TYPED_TEST_P(LogStoreContract, ReadsAnyPart) {
  this->world_.append(this->id_, "hello\n", WallTime{Duration{1}});
  this->world_.append(this->id_, std::string("w\0\xff", 3), WallTime{Duration{2}});
  EXPECT_EQ(this->read(0, 100), std::string("hello\nw\0\xff", 9));
  EXPECT_EQ(this->read(4, 3), "o\nw");
  EXPECT_EQ(this->read(9, 100), "");
  EXPECT_EQ(this->read(1000, 100), "");
  EXPECT_EQ(this->read(std::numeric_limits<std::uint64_t>::max(), 100), "");
  EXPECT_EQ(this->read(0, 0), "");
}

TYPED_TEST_P(LogStoreContract, GrowsWhileItIsRead) {
  this->world_.append(this->id_, "a", WallTime{Duration{1}});
  EXPECT_EQ(this->read(0, 100), "a");
  this->world_.append(this->id_, "b", WallTime{Duration{2}});
  EXPECT_EQ(this->read(1, 100), "b");
}

TYPED_TEST_P(LogStoreContract, TellsWhenEachPartArrived) {
  this->world_.append(this->id_, "hello\n", WallTime{Duration{1'700'000'000'000'000}});
  this->world_.append(this->id_, "x", WallTime{Duration{5}});
  const Result<std::vector<LogChunk>> chunks = this->world_.store().chunks(this->id_);
  ASSERT_TRUE(chunks) << chunks.error().text();
  ASSERT_EQ(chunks->size(), 2u);
  EXPECT_EQ(chunks->at(0).offset, 0u);
  EXPECT_EQ(chunks->at(0).size, 6u);
  EXPECT_EQ(chunks->at(0).at, WallTime{Duration{1'700'000'000'000'000}});
  EXPECT_EQ(chunks->at(1).offset, 6u);
  EXPECT_EQ(chunks->at(1).size, 1u);
  EXPECT_EQ(chunks->at(1).at, WallTime{Duration{5}});
}

TYPED_TEST_P(LogStoreContract, KeepsAttemptsApart) {
  this->world_.append(this->id_, "mine", WallTime{Duration{1}});
  model::AttemptId other = this->id_;
  other.attempt = 3;
  this->world_.append(other, "other", WallTime{Duration{2}});
  EXPECT_EQ(this->read(0, 100), "mine");
}

REGISTER_TYPED_TEST_SUITE_P(LogStoreContract, ALogThatDoesNotExistYetIsEmpty, ReadsAnyPart,
                            GrowsWhileItIsRead, TellsWhenEachPartArrived, KeepsAttemptsApart);

}  // namespace cresset::ports::testing
