#include "cresset/codec/support.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <string>

namespace cresset::codec {
namespace {

TEST(Support, EveryMessageAndFieldHasOneRule) {
  std::set<std::string_view> messages;
  for (const MessageRule& message : message_rules()) {
    EXPECT_TRUE(messages.insert(message.name).second) << message.name;
    std::set<std::string_view> fields;
    for (const FieldRule& field : message.fields) {
      EXPECT_TRUE(fields.insert(field.name).second) << message.name << "." << field.name;
      EXPECT_EQ(field.why.empty(), field.support == Support::kHonoured)
          << message.name << "." << field.name << ": a reason goes with what is not honoured";
    }
  }
}

TEST(Support, TakesBothSpellingsOfAName) {
  EXPECT_TRUE(is_field_name("componentRef", "componentRef"));
  EXPECT_TRUE(is_field_name("component_ref", "componentRef"));
  EXPECT_TRUE(is_field_name("value_from_oneof", "valueFromOneof"));
  EXPECT_FALSE(is_field_name("component_Ref", "componentRef"));
  EXPECT_FALSE(is_field_name("componentref", "componentRef"));
  EXPECT_FALSE(is_field_name("component_", "componentRef"));
  EXPECT_FALSE(is_field_name("componentRefs", "componentRef"));
  EXPECT_FALSE(is_field_name("component", "componentRef"));
  EXPECT_FALSE(is_field_name("", "componentRef"));
}

// The page is an introduction, and below the mark the tables as they are in the code.
TEST(Support, ThePageHoldsTheTables) {
  const std::filesystem::path page = CR_SOURCE_DIR "/docs/kfp-support.md";
  std::ifstream file(page);
  ASSERT_TRUE(file) << page;
  const std::string text(std::istreambuf_iterator<char>(file), {});
  const std::string mark = "<!-- below: support_tables() of src/cresset/codec/support.cc -->\n\n";
  const std::size_t at = text.find(mark);
  ASSERT_NE(at, std::string::npos) << "the page lacks its mark";
  const std::string expected = text.substr(0, at) + mark + support_tables();
  if (text == expected) return;
  const std::filesystem::path right = std::filesystem::absolute("kfp-support.md");
  std::ofstream(right) << expected;
  FAIL() << page.string() << " is not what the code says; to mend it:\n  cp " << right.string()
         << " " << page.string();
}

}  // namespace
}  // namespace cresset::codec
