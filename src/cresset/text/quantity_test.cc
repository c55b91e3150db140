#include "cresset/text/quantity.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace cresset::text {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

struct Amount {
  std::string_view text;
  std::int64_t amount;
};

TEST(ParseBytes, NumbersUnitsAndExponents) {
  const Amount cases[] = {
      {"0", 0},
      {"000", 0},
      {"0Gi", 0},
      {"0e1000", 0},
      {"123", 123},
      {"+123", 123},
      {"00123", 123},
      {"1k", 1'000},
      {"1K", 1'000},
      {"1M", 1'000'000},
      {"15G", 15'000'000'000},
      {"1T", 1'000'000'000'000},
      {"1P", 1'000'000'000'000'000},
      {"9E", 9'000'000'000'000'000'000},
      {"1Ki", 1'024},
      {"1Mi", 1'048'576},
      {"2Gi", 2'147'483'648},
      {"1Ti", 1'099'511'627'776},
      {"1Pi", 1'125'899'906'842'624},
      {"7Ei", 8'070'450'532'247'928'832},
      {"1.5Gi", 1'610'612'736},
      {"0.5Ki", 512},
      {"5.", 5},
      {".5k", 500},
      {"1e3", 1'000},
      {"1E3", 1'000},
      {"1e+3", 1'000},
      {"1.5e3", 1'500},
      {"1000e-3", 1},
      {"12345e-0", 12'345},
      {"1E", 1'000'000'000'000'000'000},
      {"9223372036854775807", INT64_MAX},
      {"9223372036854775806.5", INT64_MAX},
  };
  for (const auto& [text, amount] : cases) {
    const auto bytes = parse_bytes(text);
    ASSERT_TRUE(bytes) << text << ": " << bytes.error().text();
    EXPECT_EQ(*bytes, amount) << text;
  }
}

TEST(ParseBytes, RoundsUp) {
  const Amount cases[] = {
      {"0.1", 1},      {"1.5", 2},
      {"1500m", 2},    {"1m", 1},
      {"1000m", 1},    {"1u", 1},
      {"1n", 1},       {"1e-1000", 1},
      {"0.001Ki", 2},  {"1.0000000000000000001", 2},
      {"2000001u", 3}, {"0.0000n", 0},
      {"2.000", 2},    {"1.9999999999999999999999999999Ki", 2'048},
  };
  for (const auto& [text, amount] : cases) EXPECT_EQ(*parse_bytes(text), amount) << text;
}

TEST(ParseCpuMillis, ThousandthsRoundedUp) {
  const Amount cases[] = {
      {"0", 0},          {"1", 1'000},
      {"500m", 500},     {"1.5", 1'500},
      {"0.1", 100},      {"0.0001", 1},
      {"100u", 1},       {"1n", 1},
      {"2k", 2'000'000}, {"1.0005", 1'001},
      {"1e-3", 1},       {"1Ki", 1'024'000},
      {".25", 250},      {"9223372036854775.807", INT64_MAX},
  };
  for (const auto& [text, amount] : cases) {
    const auto millis = parse_cpu_millis(text);
    ASSERT_TRUE(millis) << text << ": " << millis.error().text();
    EXPECT_EQ(*millis, amount) << text;
  }
}

struct Refusal {
  std::string_view text;
  std::string_view reason;
};

TEST(ParseBytes, RefusesWhatIsNoQuantity) {
  const Refusal cases[] = {
      {"", "write a number with an optional unit, as in 512Mi or 2G"},
      {"+", "write a number"},
      {".", "write a number"},
      {"Gi", "write a number"},
      {"e3", "write a number"},
      {" 1", "write a number"},
      {"1 ", "\" \" is no unit"},
      {"1 Gi", "\" Gi\" is no unit"},
      {"1GiB", "\"GiB\" is no unit"},
      {"1gi", "\"gi\" is no unit"},
      {"1g", "\"g\" is no unit"},
      {"1KI", "\"KI\" is no unit"},
      {"1e", "\"e\" is no unit"},
      {"1e+", "\"e+\" is no unit"},
      {"1e3Ki", "\"e3Ki\" is no unit"},
      {"1e3.5", "\"e3.5\" is no unit"},
      {"1.2.3", "\".3\" is no unit"},
      {"0x10", "\"x10\" is no unit"},
      {"1,5", "\",5\" is no unit"},
      {"--1", "it must not be negative"},
      {"-1", "it must not be negative"},
      {"-0", "it must not be negative"},
      {"+-1", "write a number"},
      {"1\xC3\xA9", "\"\xC3\xA9\" is no unit"},
  };
  for (const auto& [text, reason] : cases) {
    const auto bytes = parse_bytes(text);
    ASSERT_FALSE(bytes) << text;
    EXPECT_EQ(bytes.error().code, Code::kInvalidArgument);
    EXPECT_THAT(bytes.error().message,
                StartsWith("\"" + std::string(text) + "\" is not a quantity: "));
    EXPECT_THAT(bytes.error().message, HasSubstr(reason));
    EXPECT_FALSE(parse_cpu_millis(text)) << text;
  }
}

TEST(ParseBytes, RefusesWhatDoesNotFit) {
  for (const std::string_view text :
       {"9223372036854775808", "9223372036854775807.1", "9223372036854775807001m", "8Ei", "9.3E",
        "1e19", "1e1000", "1e99999999999999999999", "10000000000000000000000"}) {
    const auto bytes = parse_bytes(text);
    ASSERT_FALSE(bytes) << text << " was read as " << *bytes;
    EXPECT_THAT(bytes.error().message, HasSubstr("it is too large")) << text;
  }
  EXPECT_FALSE(parse_cpu_millis("9223372036854776"));
}

TEST(ParseBytes, RefusesALongTextWithoutRepeatingIt) {
  EXPECT_EQ(*parse_bytes(std::string(99, '0') + "1"), 1);
  const auto bytes = parse_bytes(std::string(100'000, '0') + "1");
  ASSERT_FALSE(bytes);
  EXPECT_THAT(bytes.error().message, HasSubstr("it is too long"));
  EXPECT_LT(bytes.error().message.size(), 200u);
}

TEST(ParseCpuMillis, GivesExamplesOfCpus) {
  EXPECT_THAT(parse_cpu_millis("many").error().message, HasSubstr("as in 500m or 1.5"));
}

}  // namespace
}  // namespace cresset::text
