#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <charconv>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <string>

#include "cresset/adapters/archive/archive.h"
#include "cresset/adapters/archive/entry_name.h"
#include "cresset/adapters/archive/tar_writer.h"
#include "cresset/adapters/archive/testing/tree.h"
#include "cresset/base/digest.h"
#include "cresset/ports/testing/temp_folder.h"

// What a reader says of a backup that is not as it was written.
namespace cresset::archive {
namespace {

namespace fs = std::filesystem;
using testing::content_of;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::tree;
using testing::write;

const OnBytes kNobody = [](std::int64_t) { return Result<void>(); };
const Head kHead{"0.1.0", 2, "2026-01-01T00:00:00Z", 3};

class World {
 public:
  // Something of each kind, one name that needs an extended header.
  std::string packed() {
    fs::create_directories(home_ + "/volumes/v");
    write(home_ + "/cresset.db", "database");
    write(home_ + "/volumes/v/\xff" + std::string(100, 'n'), "bytes");
    fs::create_symlink("nowhere", home_ + "/volumes/v/l");
    const auto packed =
        pack(file_, {kHead, false},
             {{"cresset.db", home_ + "/cresset.db"}, {"volumes", home_ + "/volumes"}}, kNobody);
    EXPECT_TRUE(packed);
    return content_of(file_);
  }
  Result<Unpacked> unpack(const std::string& bytes) {
    write(file_, bytes);
    fs::remove_all(target_);
    fs::create_directories(target_);
    return archive::unpack(file_, target_, {kHead.schema}, kNobody);
  }
  [[nodiscard]] auto restored() const { return tree(target_); }
  [[nodiscard]] const std::string& file() const { return file_; }

 private:
  ports::testing::TempFolder folder_{"/dev/shm"};  // each backup that is taken is made durable
  std::string home_ = folder_ / "home";
  std::string file_ = folder_ / "backup";
  std::string target_ = folder_ / "target";
};

struct Layout {
  std::set<std::size_t> unused;  // bytes that no reader looks at
  std::set<std::size_t> sums;    // where those of headers begin, with a zero
  std::size_t entries = 0;       // extended headers count
};

Layout layout_of(const std::string& archive) {
  Layout out;
  std::size_t at = 0;
  while (archive[at] != '\0') {
    ++out.entries;
    out.sums.insert(at + 148);
    std::size_t size = 0;
    std::from_chars(&archive[at + 124], &archive[at + 135], size, 8);
    // A header's sum ends in a zero and a space, for readers that want them.
    out.unused.insert({at + 154, at + 155});
    at += kTarBlock + size;
    for (; at % kTarBlock != 0; ++at) out.unused.insert(at);
  }
  for (; at < archive.size(); ++at) out.unused.insert(at);
  return out;
}

TEST(ChangedArchive, EveryChangedBitIsRefusedOrOfAByteThatNobodyReads) {
  World world;
  const std::string whole = world.packed();
  ASSERT_TRUE(world.unpack(whole));
  const auto expected = world.restored();
  const Layout layout = layout_of(whole);
  ASSERT_EQ(layout.entries, 8u);
  for (std::size_t at = 0; at < whole.size(); ++at) {
    const bool is_unused = layout.unused.contains(at);
    for (unsigned bit = 0; bit < 8; ++bit) {
      if (is_unused && bit != at % 8) continue;
      SCOPED_TRACE(fmt::format("bit {} of byte {}", bit, at));
      std::string changed = whole;
      changed[at] = static_cast<char>(changed[at] ^ (1 << bit));
      const auto unpacked = world.unpack(changed);
      if (unpacked) {
        // A space in front of a number is as good as a zero.
        ASSERT_TRUE(is_unused || (layout.sums.contains(at) && changed[at] == ' '));
        ASSERT_EQ(world.restored(), expected);
      } else {
        const Code code = unpacked.error().code;
        ASSERT_TRUE(code == Code::kDataLoss || code == Code::kFailedPrecondition)
            << unpacked.error().text();
        ASSERT_THAT(unpacked.error().text(), HasSubstr(world.file()));
      }
    }
  }
}

// What the sums of tar do not see.
TEST(ChangedArchive, AnotherHeadOrTimeIsRefused) {
  World world;
  const std::string whole = world.packed();
  for (const auto& [from, to] :
       std::map<std::string, std::string>{{R"("runs":3)", R"("runs":4)"},
                                          {R"("schema":2)", R"("schema":1)"},
                                          {R"("cresset":"0.1.0")", R"("cresset":"0.1.1")"},
                                          {R"("created_at":"2026)", R"("created_at":"2025)"},
                                          {R"("format":2)", R"("format":1)"},
                                          {R"(,"bytes")", R"( ,"bytes")"}}) {
    SCOPED_TRACE(from);
    std::string changed = whole;
    changed.replace(changed.find(from), from.size(), to);
    if (to.size() > from.size()) changed.erase(changed.find('}') + 1, 1);
    EXPECT_EQ(world.unpack(changed).error().code, Code::kDataLoss);
  }
  std::string changed = whole;
  const std::size_t time = changed.find("home/cresset.db") + 136;
  std::size_t at = time;
  while (changed[at] == changed[at + 1]) ++at;
  ASSERT_LT(at + 1, time + 11);
  std::swap(changed[at], changed[at + 1]);
  EXPECT_THAT(world.unpack(changed).error().text(), HasSubstr("not as it was written: cresset.db"));
}

TEST(ChangedArchive, EveryCutIsToldAsACut) {
  World world;
  const std::string whole = world.packed();
  for (std::size_t size = 0; size < whole.size(); ++size) {
    SCOPED_TRACE(size);
    const Error error = world.unpack(whole.substr(0, size)).error();
    ASSERT_EQ(error.code, Code::kDataLoss);
    ASSERT_THAT(error.text(), HasSubstr("it was cut off; make it or copy it anew"));
    ASSERT_THAT(error.text(), Not(HasSubstr("damaged")));
    std::string how_far = "bytes, inside entry cresset-backup.json)";
    if (size < kTarBlock) how_far = "bytes, before its first entry)";
    if (size >= 2 * kTarBlock) how_far = fmt::format("of {} bytes)", whole.size());
    ASSERT_THAT(error.text(), HasSubstr(fmt::format("ends early ({} {}", size, how_far)));
    ASSERT_TRUE(world.restored().empty());
  }
  // Some media fill up what they keep.
  EXPECT_TRUE(world.unpack(whole + std::string(4096, '\0')));
}

// As format 1 had it.
std::string old_archive() {
  std::string out;
  const auto add = [&](const std::string& name, const std::string& content) {
    const auto size = static_cast<std::int64_t>(content.size());
    out +=
        tar_header({name, '0', 0600, size, 0, ""}) + content + std::string(tar_padding(size), '\0');
  };
  add("cresset-backup.json", R"({"format":1,"cresset":"0.1.0","schema":2})");
  add("home/cresset.db", std::string(600, 'd'));
  add("home/volumes/v/a b", "bytes");
  add("cresset-manifest.txt", fmt::format("f 0600 600 {} cresset.db\nf 0600 5 {} volumes/v/a%20b\n",
                                          sha256_hex(std::string(600, 'd')), sha256_hex("bytes")));
  return out + tar_end();
}

TEST(ChangedArchive, WhatTheFirstFormatHasIsRead) {
  World world;
  ASSERT_TRUE(world.unpack(old_archive()));
  EXPECT_EQ(world.restored().size(), 4u);
}

TEST(ChangedArchive, ACutOfTheFirstFormatTellsWhere) {
  World world;
  const std::string whole = old_archive();
  const std::size_t manifest = whole.find("cresset-manifest.txt");
  const std::size_t end = whole.find("a%20b\n") + 6;
  for (std::size_t size = 0; size < whole.size(); ++size) {
    SCOPED_TRACE(size);
    const auto unpacked = world.unpack(whole.substr(0, size));
    // What follows is padding, and its length is not known.
    if (size >= end && unpacked) continue;
    ASSERT_FALSE(unpacked);
    ASSERT_EQ(unpacked.error().code, Code::kDataLoss);
    ASSERT_THAT(unpacked.error().text(), HasSubstr(fmt::format("ends early ({} bytes, ", size)));
  }
  const auto told = [&](std::size_t size) { return world.unpack(whole.substr(0, size)).error(); };
  EXPECT_THAT(told(1800).text(), HasSubstr("1800 bytes, inside entry home/cresset.db)"));
  EXPECT_THAT(told(manifest).text(), HasSubstr("after entry home/volumes/v/a%20b)"));
  EXPECT_THAT(told(manifest + 600).text(), HasSubstr("inside entry cresset-manifest.txt)"));
}

}  // namespace
}  // namespace cresset::archive
