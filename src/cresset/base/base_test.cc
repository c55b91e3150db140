#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>

#include "cresset/base/digest.h"
#include "cresset/base/error.h"
#include "cresset/base/id.h"
#include "cresset/base/rare.h"
#include "cresset/base/result.h"
#include "cresset/base/time.h"
#include "cresset/base/value.h"

namespace cresset {
namespace {

TEST(Error, TextPutsTheOutermostContextFirst) {
  Error error =
      make_error(Code::kNotFound, "no run {}", "abc").with("opening {}", "x").with("listing");
  EXPECT_EQ(error.text(), "listing: opening x: no run abc");
}

TEST(Error, EveryCodeHasItsOwnName) {
  std::set<std::string_view> names;
  for (int code = 0; code <= static_cast<int>(Code::kUnauthenticated); ++code)
    names.insert(to_string(static_cast<Code>(code)));
  EXPECT_EQ(names.size(), 17u);
  EXPECT_EQ(to_string(Code::kFailedPrecondition), "FAILED_PRECONDITION");
}

TEST(Error, ErrnoBecomesTheFittingCode) {
  const std::pair<int, Code> cases[] = {
      {ENOENT, Code::kNotFound},          {EEXIST, Code::kAlreadyExists},
      {EACCES, Code::kPermissionDenied},  {EROFS, Code::kPermissionDenied},
      {ENOSPC, Code::kResourceExhausted}, {EMFILE, Code::kResourceExhausted},
      {ELOOP, Code::kInvalidArgument},    {EIO, Code::kDataLoss},
      {ECONNREFUSED, Code::kUnavailable}, {EPIPE, Code::kUnavailable},
      {ENOTEMPTY, Code::kUnknown},
  };
  for (const auto& [number, code] : cases) EXPECT_EQ(errno_error(number, "x").code, code) << number;
  EXPECT_EQ(errno_error(ENOENT, "open /x").text(), "open /x: No such file or directory");
  EXPECT_EQ(errno_error(ENOENT, "x").reason, "");
  EXPECT_EQ(errno_error(EDQUOT, "x").reason, "disk.full");
  EXPECT_EQ(errno_error(EROFS, "x").reason, "disk.read_only");
  EXPECT_EQ(errno_error(EMFILE, "x").reason, "machine.busy");
}

Result<int> half(int n) {
  if (n % 2 != 0) return make_error(Code::kInvalidArgument, "{} is odd", n);
  return n / 2;
}

Result<int> quarter(int n) {
  CR_TRY(const int h, half(n));
  return half(h);
}

TEST(Result, TryReturnsTheFirstError) {
  EXPECT_EQ(*quarter(8), 2);
  EXPECT_EQ(quarter(6).error().message, "3 is odd");
}

Result<void> require_even(int n) {
  CR_TRY_VOID(half(n).transform([](int) { return std::string("even"); }));
  return {};
}

TEST(Result, TryVoidReturnsTheError) {
  EXPECT_TRUE(require_even(2));
  EXPECT_EQ(require_even(3).error().message, "3 is odd");
}

TEST(Result, ChainsStopAtTheFirstError) {
  EXPECT_EQ(*half(8).and_then(half).transform([](int n) { return n + 1; }), 3);
  EXPECT_EQ(half(6).and_then(half).transform([](int n) { return n + 1; }).error().message,
            "3 is odd");
  EXPECT_EQ(half(4).value_or(-1), 2);
  EXPECT_EQ(half(5).value_or(-1), -1);
}

TEST(Result, MovesWhatCannotBeCopied) {
  Result<std::unique_ptr<int>> held(std::make_unique<int>(7));
  EXPECT_EQ(**held, 7);
  const std::unique_ptr<int> taken = *std::move(held);
  EXPECT_EQ(*taken, 7);
}

TEST(ResultDeathTest, TheValueOfAnErrorIsABrokenInvariant) {
  EXPECT_DEATH(static_cast<void>(half(3).value()), "broken invariant.*3 is odd");
  EXPECT_DEATH(static_cast<void>(half(4).error()), "broken invariant");
  EXPECT_DEATH(require_even(3).value(), "broken invariant.*3 is odd");
}

TEST(StrongId, ComparesAndHashesByItsText) {
  using Id = StrongId<struct TestTag>;
  EXPECT_TRUE(Id().empty());
  EXPECT_LT(Id("a"), Id("b"));
  EXPECT_EQ((std::unordered_set<Id>{Id("a"), Id("b"), Id("a")}.size()), 2u);
}

TEST(Time, Rfc3339RoundTrip) {
  const std::string text = "2026-11-24T14:02:03.000451Z";
  ASSERT_TRUE(parse_rfc3339(text));
  EXPECT_EQ(to_rfc3339(*parse_rfc3339(text)), text);
  EXPECT_TRUE(parse_rfc3339("1970-01-01T00:00:00Z"));
  EXPECT_FALSE(parse_rfc3339("2026-13-24T14:02:03Z"));
  EXPECT_FALSE(parse_rfc3339("2026-11-24 14:02:03Z"));
}

TEST(Time, Rfc3339FractionsAndEdges) {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000000Z"},
      {"1969-12-31T23:59:59.5Z", "1969-12-31T23:59:59.500000Z"},
      {"2024-02-29T12:00:00.123456789Z", "2024-02-29T12:00:00.123456Z"},
      {"2026-11-24T14:02:03.1Z", "2026-11-24T14:02:03.100000Z"},
      {"2016-12-31T23:59:60Z", "2017-01-01T00:00:00.000000Z"},
      {"9999-12-31T23:59:59Z", "9999-12-31T23:59:59.000000Z"},
  };
  for (const auto& [text, written] : cases) {
    const auto time = parse_rfc3339(text);
    ASSERT_TRUE(time) << text;
    EXPECT_EQ(to_rfc3339(*time), written);
  }
  EXPECT_EQ(parse_rfc3339("1970-01-01T00:00:01.000002Z")->time_since_epoch(), Duration{1'000'002});
}

TEST(Time, Rfc3339RefusesOtherForms) {
  for (const std::string_view text : {
           "",
           "Z",
           "2026-11-24",
           "2026-11-24T14:02:03",
           "2026-11-24T14:02:03z",
           "2026-11-24T14:02:03+01:00",
           "2026-11-24T14:02:03.Z",
           "2026-11-24T14:02:03,5Z",
           "2026-11-24T14:02:03.1234567890Z",
           "2026-11-24T14:02:03.-12345Z",
           "2026-11-24T14:02:03.12x456Z",
           "2026-11-24T14:02:03 Z",
           "2026-11-24T14:02Z",
           "2026-11-24T24:00:00Z",
           "2026-11-24T14:60:03Z",
           "2026-11-24T14:02:61Z",
           "2026-00-24T14:02:03Z",
           "2026-11-31T14:02:03Z",
           "2025-02-29T14:02:03Z",
           "-026-11-24T14:02:03Z",
           "2026/11/24T14:02:03Z",
           "2026-11-24T14-02-03Z",
           " 2026-11-24T14:02:03Z",
       })
    EXPECT_FALSE(parse_rfc3339(text)) << text;
}

TEST(Time, ShortTextIsCutNotRounded) {
  const std::pair<long, std::string_view> cases[] = {
      {-5, "0ms"},
      {0, "0ms"},
      {999, "0ms"},
      {340'000, "340ms"},
      {999'999, "999ms"},
      {1'000'000, "1.0s"},
      {2'440'000, "2.4s"},
      {2'499'999, "2.4s"},
      {59'999'999, "59.9s"},
      {60'000'000, "1m00s"},
      {185'000'000, "3m05s"},
      {3'599'999'999, "59m59s"},
      {3'600'000'000, "1h00m"},
      {7'620'000'000, "2h07m"},
      {360'000'000'000, "100h00m"},
  };
  for (const auto& [micros, text] : cases) EXPECT_EQ(to_short_text(Duration{micros}), text);
}

TEST(Digest, KnownVectorAndFieldBoundaries) {
  EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  Sha256 first;
  first.update_field("ab");
  first.update_field("c");
  Sha256 second;
  second.update_field("a");
  second.update_field("bc");
  EXPECT_NE(first.finish_hex(), second.finish_hex());
}

TEST(Digest, PiecesGiveTheSameAsTheWhole) {
  EXPECT_EQ(sha256_hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  const std::string million(1'000'000, 'a');
  const std::string known = "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0";
  EXPECT_EQ(sha256_hex(million), known);
  Sha256 hash;
  for (std::size_t start = 0; start < million.size(); start += 999)
    hash.update(std::string_view(million).substr(start, 999));
  Sha256 moved = std::move(hash);
  EXPECT_EQ(moved.finish_hex(), known);
}

TEST(Digest, AFieldIsItsLengthInEightBytesAndItsText) {
  Sha256 field;
  field.update_field("abc");
  EXPECT_EQ(field.finish_hex(), sha256_hex(std::string("\x03\0\0\0\0\0\0\0abc", 11)));
}

TEST(Value, KindsAreToldApart) {
  const std::pair<Value, std::string_view> cases[] = {
      {Value(), "null"},      {Value(nullptr), "null"},         {Value(true), "boolean"},
      {Value(1), "number"},   {Value("x"), "string"},           {Value(Value::List{}), "list"},
      {Value(0.5), "number"}, {Value::make_struct(), "struct"},
  };
  for (const auto& [value, name] : cases) {
    EXPECT_EQ(value.kind_name(), name);
    EXPECT_EQ(value.is_null(), name == "null");
    EXPECT_EQ(value.is_bool(), name == "boolean");
    EXPECT_EQ(value.is_number(), name == "number");
    EXPECT_EQ(value.is_string(), name == "string");
    EXPECT_EQ(value.is_list(), name == "list");
    EXPECT_EQ(value.is_struct(), name == "struct");
    for (const auto& [other, other_name] : cases) {
      if (name != other_name) EXPECT_NE(value, other) << name << " " << other_name;
    }
  }
}

TEST(Value, EqualityLooksInside) {
  EXPECT_EQ(Value(Value::List{1, "x"}), Value(Value::List{1, "x"}));
  EXPECT_NE(Value(Value::List{1, "x"}), Value(Value::List{"x", 1}));
  EXPECT_NE(Value(Value::List{1}), Value(Value::List{1, 1}));
  EXPECT_NE(Value(true), Value(false));
  EXPECT_NE(Value("a"), Value("b"));
  EXPECT_NE(Value::make_struct({{"a", 1}}), Value::make_struct({{"a", 2}}));
  EXPECT_NE(Value::make_struct({{"a", 1}}), Value::make_struct({{"b", 1}}));
  EXPECT_NE(Value::make_struct({{"a", 1}}), Value::make_struct({{"a", 1}, {"b", 1}}));
  EXPECT_EQ(Value::make_struct({{"a", 1}, {"a", 2}}), Value::make_struct({{"a", 2}}));
}

TEST(Value, StructFieldsAreSetReplacedAndErased) {
  Value value;
  value["b"]["c"] = 1;
  value["a"] = 2;
  EXPECT_EQ(value, Value::make_struct({{"b", Value::make_struct({{"c", 1}})}, {"a", 2}}));
  Value::Struct& fields = value.as_struct();
  fields.set("b", 3);
  EXPECT_EQ(fields.begin()->first, "b");
  EXPECT_EQ(fields.begin()->second, Value(3));
  EXPECT_TRUE(fields.erase("b"));
  EXPECT_FALSE(fields.erase("b"));
  EXPECT_EQ(fields.size(), 1u);
  EXPECT_EQ(Value("text").find("a"), nullptr);
}

TEST(ValueDeathTest, AnAccessorRequiresItsKind) {
  EXPECT_DEATH(static_cast<void>(Value("1").as_number()), "broken invariant");
  EXPECT_DEATH(static_cast<void>(Value(0.5).as_integer()), "broken invariant");
  EXPECT_DEATH(static_cast<void>(Value(1)["a"]), "broken invariant");
}

TEST(Value, StructKeepsOrderAndComparesWithoutIt) {
  Value a = Value::make_struct({{"x", 1}, {"y", "two"}});
  Value b = Value::make_struct({{"y", "two"}, {"x", 1}});
  EXPECT_EQ(a, b);
  EXPECT_EQ(a.as_struct().begin()->first, "x");
  a["x"] = nullptr;
  EXPECT_NE(a, b);
  EXPECT_TRUE(a.find("x")->is_null());
  EXPECT_EQ(a.find("z"), nullptr);
}

TEST(Value, IntegersAreExactToTwoToThe53) {
  EXPECT_TRUE(Value(kIntegerMax).is_integer());
  EXPECT_FALSE(Value(9'007'199'254'740'992.0).is_integer());
  EXPECT_FALSE(Value(0.5).is_integer());
  EXPECT_FALSE(Value(std::numeric_limits<double>::infinity()).is_integer());
  EXPECT_FALSE(Value(std::nan("")).is_integer());
  EXPECT_FALSE(Value("1").is_integer());
  EXPECT_EQ(Value(-kIntegerMax).as_integer(), -kIntegerMax);
  EXPECT_EQ(Value(std::uint64_t{5}).as_integer(), 5);
}

TEST(Rare, IsEmptyUntilItIsGivenAValue) {
  Rare<std::string> rare;
  EXPECT_FALSE(rare);
  EXPECT_EQ(rare.get(), nullptr);
  EXPECT_EQ(rare.copy(), std::nullopt);
  rare = "a";
  EXPECT_EQ(*rare, "a");
  rare.make() += "b";
  EXPECT_EQ(rare.copy(), "ab");
  rare.reset();
  EXPECT_FALSE(rare);
  EXPECT_EQ(rare.make(), "");
}

TEST(Rare, ACopyHasAValueOfItsOwn) {
  Rare<std::string> first = std::string("a");
  Rare<std::string> second = first;
  second.make() = "b";
  EXPECT_EQ(*first, "a");
  first = second;
  EXPECT_EQ(*first, "b");
  EXPECT_NE(first.get(), second.get());
  const Rare<std::string> third = std::move(first);
  EXPECT_EQ(*third, "b");
  second = Rare<std::string>();
  EXPECT_FALSE(second);
}

}  // namespace
}  // namespace cresset
