#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cresset/base/digest.h"
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

TEST(Time, Rfc3339RoundTrip) {
  const std::string text = "2026-11-24T14:02:03.000451Z";
  ASSERT_TRUE(parse_rfc3339(text));
  EXPECT_EQ(to_rfc3339(*parse_rfc3339(text)), text);
  EXPECT_TRUE(parse_rfc3339("1970-01-01T00:00:00Z"));
  EXPECT_FALSE(parse_rfc3339("2026-13-24T14:02:03Z"));
  EXPECT_FALSE(parse_rfc3339("2026-11-24 14:02:03Z"));
}

TEST(Time, ShortText) {
  EXPECT_EQ(to_short_text(Duration{340'000}), "340ms");
  EXPECT_EQ(to_short_text(Duration{2'440'000}), "2.4s");
  EXPECT_EQ(to_short_text(Duration{185'000'000}), "3m05s");
  EXPECT_EQ(to_short_text(Duration{7'620'000'000}), "2h07m");
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
}

}  // namespace
}  // namespace cresset
