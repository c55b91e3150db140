#include "cresset/adapters/archive/archive.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>

#include "cresset/adapters/archive/entry_name.h"
#include "cresset/adapters/archive/tar_writer.h"
#include "cresset/adapters/archive/testing/tree.h"
#include "cresset/ports/testing/temp_folder.h"

namespace cresset::archive {
namespace {

namespace fs = std::filesystem;
using ports::testing::TempFolder;
using testing::content_of;
using ::testing::HasSubstr;
using testing::tree;
using testing::write;

const OnBytes kNobody = [](std::int64_t) { return Result<void>(); };
const Head kHead{"0.1.0", 2, "2026-01-01T00:00:00Z", 3};
const UnpackOptions kOptions{kHead.schema};

// A home with something of each kind.
void fill(const std::string& home) {
  write(home + "/cresset.db", std::string(5000, 'd'));
  const std::string made = home + "/artifacts/p/r/t/1.1/";
  write(made + "data", "bytes");
  write(made + "empty", "");
  write(made + "na\xefve \n%/\xff", "not UTF-8");
  write(made + std::string(200, 'n') + "/" + std::string(200, 'm'), "long");
  write(made + "tool", "#!/bin/sh");
  fs::permissions(made + "tool", fs::perms::owner_all);
  fs::create_directories(made + "hollow");
  fs::create_symlink("../data", made + "link");
  fs::create_symlink("/nowhere", made + "away");
  write(made + "fixed/file", "x");
  fs::permissions(made + "fixed", fs::perms::owner_read | fs::perms::owner_exec);
}

std::vector<Item> items_of(const std::string& home) {
  return {{"artifacts", home + "/artifacts"},
          {"volumes/none", home + "/none"},
          {"cresset.db", home + "/cresset.db"}};
}

struct World {
  World() { fill(home); }
  Result<Packed> packed(bool replace = false) {
    return pack(file, {kHead, replace}, items_of(home), kNobody);
  }
  Result<Unpacked> unpacked() {
    fs::remove_all(target);
    fs::create_directories(target);
    return unpack(file, target, kOptions, kNobody);
  }
  TempFolder folder;
  std::string home = folder / "home";
  std::string file = folder / "backup";
  std::string target = folder / "target";
};

TEST(Archive, GivesBackWhatWasPacked) {
  World world;
  std::int64_t seen = 0;
  const auto packed =
      pack(world.file, {kHead, false}, items_of(world.home), [&](std::int64_t n) -> Result<void> {
        seen = n;
        return {};
      });
  ASSERT_TRUE(packed) << packed.error().text();
  EXPECT_EQ(packed->files, 7);
  EXPECT_EQ(packed->bytes, seen);
  EXPECT_THAT(packed->remarks, ::testing::IsEmpty());
  EXPECT_EQ(fs::status(world.file).permissions(), fs::perms::owner_read | fs::perms::owner_write);
  EXPECT_FALSE(fs::exists(beside(world.file, "tmp")));
  const auto unpacked = world.unpacked();
  ASSERT_TRUE(unpacked) << unpacked.error().text();
  EXPECT_EQ(unpacked->files, packed->files);
  EXPECT_EQ(unpacked->bytes, packed->bytes);
  EXPECT_EQ(tree(world.target), tree(world.home));
}

TEST(Archive, ReplacesAFileOnlyWhenAsked) {
  World world;
  write(world.file, "precious");
  EXPECT_EQ(world.packed().error().code, Code::kAlreadyExists);
  EXPECT_EQ(content_of(world.file), "precious");
  write(beside(world.file, "tmp"), "left over");
  write(world.file + ".tmp", "somebody's");
  ASSERT_TRUE(world.packed(true));
  EXPECT_EQ(content_of(world.file + ".tmp"), "somebody's");
  EXPECT_TRUE(world.unpacked());
}

TEST(Archive, LeavesOutWhatIsNoFile) {
  World world;
  ASSERT_EQ(::mkfifo((world.home + "/artifacts/p/fifo").c_str(), 0600), 0);
  const auto packed = world.packed();
  ASSERT_TRUE(packed);
  ASSERT_EQ(packed->remarks.size(), 1u);
  EXPECT_THAT(packed->remarks[0], HasSubstr("artifacts/p/fifo"));
}

struct Deep {
  std::string home;
  // A link at each level from 1 to 8 below each folder, and to what.
  void link_everywhere(const std::string& target) const {
    for (const char* top : {"artifacts", "configmaps", "runs", "secrets", "volumes"}) {
      std::string at = home + "/" + top;
      for (int level = 1; level <= 8; ++level) {
        fs::create_directories(at);
        fs::create_symlink(target, at + "/link");
        at += "/folder";
      }
    }
  }
};

std::vector<Item> whole(const std::string& home) {
  std::vector<Item> items;
  for (const char* top : {"artifacts", "configmaps", "runs", "secrets", "volumes"})
    items.push_back({top, home + "/" + top, true});
  return items;
}

TEST(Archive, WhatWasPackedCanBeUnpackedWhereverLinksAre) {
  for (const char* target :
       {"../../../elsewhere", "elsewhere/file", ".", "..", "link", "nowhere"}) {
    SCOPED_TRACE(target);
    World world;
    write(world.folder / "elsewhere/file", "content");
    fs::create_symlink("/nowhere", world.folder / "elsewhere/away");
    const bool relative = std::string(target) != "../../../elsewhere";
    Deep{world.home}.link_everywhere(relative ? target : world.folder / "elsewhere");
    const auto packed = pack(world.file, {kHead, false}, whole(world.home), kNobody);
    ASSERT_TRUE(packed) << packed.error().text();
    const auto unpacked = world.unpacked();
    ASSERT_TRUE(unpacked) << unpacked.error().text();
    EXPECT_EQ(fs::read_symlink(world.target + "/volumes/folder/link"),
              fs::read_symlink(world.home + "/volumes/folder/link"));
    if (relative) continue;
    EXPECT_EQ(content_of(world.target + "/volumes/link/file"), "content");
    EXPECT_FALSE(fs::is_symlink(world.target + "/secrets/link"));
    EXPECT_THAT(packed->remarks, ::testing::Not(::testing::Contains(HasSubstr("/volumes/"))));
  }
}

TEST(Archive, ALinkThatLeadsNowhereIsTold) {
  World world;
  fs::create_directories(world.home + "/volumes");
  fs::create_symlink("nowhere", world.home + "/volumes/data");
  const auto packed = pack(world.file, {kHead, false}, whole(world.home), kNobody);
  ASSERT_TRUE(packed);
  EXPECT_THAT(packed->remarks, ::testing::ElementsAre(HasSubstr("volumes/data is a link")));
  EXPECT_TRUE(world.unpacked());
}

TEST(Archive, DoesNotGoIntoItself) {
  World world;
  fs::create_directories(world.home + "/volumes");
  fs::create_directory_symlink(world.folder.path(), world.home + "/volumes/all");
  const auto packed = pack(world.file, {kHead, false}, whole(world.home), kNobody);
  ASSERT_TRUE(packed) << packed.error().text();
  EXPECT_THAT(packed->remarks, ::testing::ElementsAre(HasSubstr("is this backup itself")));
  EXPECT_TRUE(world.unpacked());
}

TEST(Archive, WhatLiesTooDeepIsToldAndTheRestIsThere) {
  for (const int levels : {198, 199, 200, 260}) {
    SCOPED_TRACE(levels);
    World world;
    // Too long for one path.
    const fs::path here = fs::current_path();
    fs::create_directories(world.home + "/volumes");
    fs::current_path(world.home + "/volumes");
    for (int i = 1; i < levels; ++i) {
      fs::create_directory("dd");
      fs::current_path("dd");
    }
    write("./file", "deep");
    write("./other", "deep");
    fs::permissions("file", fs::perms::none);
    fs::current_path(here);
    const auto packed = pack(world.file, {kHead, false}, whole(world.home), kNobody);
    ASSERT_TRUE(packed) << packed.error().text();
    EXPECT_EQ(packed->remarks.size(), levels > 199 ? 1u : 0u);
    const auto unpacked = world.unpacked();
    ASSERT_TRUE(unpacked) << unpacked.error().text();
    // The five files of artifacts are there as well.
    EXPECT_EQ(packed->files, levels > 199 ? 6 : 8);
  }
}

TEST(Archive, AnswersAreClearForWhatIsNoBackup) {
  World world;
  EXPECT_EQ(world.unpacked().error().code, Code::kInvalidArgument);
  for (const std::string& text :
       {std::string("short"), std::string(100'000, 'x'), std::string(100'000, '\0'),
        tar_header({"notes.txt", '0', 0644, 512, 0, ""}) + std::string(512, 'x') + tar_end()}) {
    write(world.file, text);
    const Error error = world.unpacked().error();
    EXPECT_EQ(error.code, Code::kDataLoss);
    EXPECT_THAT(error.text(), HasSubstr("no backup of Cresset"));
    EXPECT_TRUE(fs::is_empty(world.target));
  }
}

TEST(Archive, ALaterSchemaIsRefused) {
  World world;
  ASSERT_TRUE(world.packed());
  fs::create_directories(world.target);
  const Error error = unpack(world.file, world.target, {kHead.schema - 1}, kNobody).error();
  EXPECT_EQ(error.code, Code::kFailedPrecondition);
  EXPECT_THAT(error.text(), HasSubstr("newer Cresset"));
  EXPECT_TRUE(fs::is_empty(world.target));
}

// At each moment at which it may: nothing of a backup is left, and nothing goes on.
TEST(Archive, WhoWatchesMayEndIt) {
  World world;
  int calls = 0;
  int calls_max = 0;
  const OnBytes watch = [&](std::int64_t) -> Result<void> {
    if (++calls > calls_max) return make_error(Code::kCancelled, "enough");
    return {};
  };
  for (bool done = false; !done; ++calls_max) {
    calls = 0;
    const auto packed = pack(world.file, {kHead, false}, items_of(world.home), watch);
    done = bool(packed);
    EXPECT_EQ(fs::exists(world.file), done);
    EXPECT_FALSE(fs::exists(beside(world.file, "tmp")));
    if (done) continue;
    EXPECT_EQ(packed.error().code, Code::kCancelled);
    EXPECT_EQ(calls, calls_max + 1);
  }
  EXPECT_GT(calls_max, 15);
  calls_max = 0;
  for (bool done = false; !done; ++calls_max) {
    calls = 0;
    fs::remove_all(world.target);
    fs::create_directories(world.target);
    const auto unpacked = unpack(world.file, world.target, kOptions, watch);
    done = bool(unpacked);
    if (done) continue;
    EXPECT_EQ(unpacked.error().code, Code::kCancelled);
    EXPECT_EQ(calls, calls_max + 1);
  }
  EXPECT_GT(calls_max, 15);
}

// An archive that somebody made with a tar of his own: of format 1, which needs no lengths.
class Forger {
 public:
  explicit Forger(const std::string& file) : file_(file, std::ios::binary) {
    add("cresset-backup.json", '0', R"({"format":1})");
  }
  void add(const std::string& name, char type, const std::string& content) {
    const bool is_file = type == '0';
    const auto size = static_cast<std::int64_t>(is_file ? content.size() : 0);
    file_ << tar_header({name, type, 0700, size, 0, is_file ? "" : content});
    if (is_file) file_ << content << std::string(tar_padding(size), '\0');
  }
  ~Forger() { file_ << tar_end(); }

 private:
  std::ofstream file_;
};

TEST(Archive, NothingIsMadeOutside) {
  const struct {
    const char* name;
    char type;
    const char* content;
  } hostile[] = {
      {"home/../escaped", '0', "x"},
      {"/escaped", '0', "x"},
      {"escaped", '0', "x"},
      {"home//escaped", '0', "x"},
      {"home/.", '5', ""},
      {"home/artifacts", '2', "/tmp"},
      {"home/runs/r/logs", '2', "/tmp"},
      {"home/cresset.db", '2', "/etc/passwd"},
      {"home/artifacts/p/r/t", '2', "../../../../outside"},
      {"home/artifacts/fifo", '6', ""},
  };
  for (const auto& entry : hostile) {
    SCOPED_TRACE(entry.name);
    World world;
    fs::create_directories(world.folder / "outside");
    {
      Forger forger(world.file);
      forger.add(entry.name, entry.type, entry.content);
      forger.add("home/artifacts/p/r/t/escaped", '0', "x");
    }
    const auto unpacked = world.unpacked();
    ASSERT_FALSE(unpacked);
    EXPECT_EQ(unpacked.error().code, Code::kDataLoss) << unpacked.error().text();
    EXPECT_FALSE(fs::exists(world.folder / "escaped"));
    EXPECT_TRUE(fs::is_empty(world.folder / "outside"));
  }
}

TEST(Archive, TakesNothingThatNoBackupHolds) {
  World world;
  {
    Forger forger(world.file);
    forger.add("home/cresset.db", '0', "x");
    forger.add("home/envs/0123456789abcdef/bin/python", '0', "#!/bin/sh");
  }
  EXPECT_EQ(world.unpacked().error().code, Code::kDataLoss);
  EXPECT_FALSE(fs::exists(world.target + "/envs"));
}

TEST(Archive, RefusesHardLinksAndNamesThatComeTwice) {
  World world;
  {
    Forger(world.file).add("home/volumes/x", '1', "/etc/passwd");
  }
  EXPECT_THAT(world.unpacked().error().text(), HasSubstr("hard link"));
  {
    Forger forger(world.file);
    forger.add("home/volumes/x", '0', "1");
    forger.add("home/volumes/x", '0', "2");
  }
  EXPECT_THAT(world.unpacked().error().text(), HasSubstr("one name"));
}

// What any tar can list.
TEST(TarWriter, NamesAndSizesOfAnyLength) {
  const std::string plain = tar_header({"home/a", '0', 0644, 5, 1'700'000'000, ""});
  EXPECT_EQ(plain.size(), kTarBlock);
  EXPECT_EQ(plain.substr(257, 5), "ustar");
  const std::string big = tar_header({std::string(99, 'n') + "\xff", '0', 0644, 1LL << 40, 0, ""});
  EXPECT_EQ(big.size(), 3 * kTarBlock);
  EXPECT_THAT(big, HasSubstr("22 size=1099511627776\n"));
  EXPECT_THAT(big, HasSubstr("21 hdrcharset=BINARY\n"));
  EXPECT_THAT(big, HasSubstr("110 path=" + std::string(99, 'n') + "\xff\n"));
  EXPECT_EQ(tar_padding(0), 0u);
  EXPECT_EQ(tar_padding(1), 511u);
  EXPECT_EQ(tar_padding(512), 0u);
}

TEST(EntryName, IsSplitOrRefused) {
  EXPECT_THAT(*split_entry_name("home/runs/b c/"), ::testing::ElementsAre("runs", "b c"));
  for (const std::string& bad :
       {std::string(""), std::string("home/"), std::string("runs/b"), std::string("home/runs//b"),
        std::string("home/runs/../b"), std::string("home/./runs"), std::string("home/runs/\0b", 12),
        "home/runs/" + std::string(256, 'x'), std::string("home") + std::string(500, '/')}) {
    EXPECT_FALSE(split_entry_name(bad)) << bad;
  }
  std::string deep = "home/runs";
  for (int i = 0; i < 199; ++i) deep += "/d";
  EXPECT_TRUE(split_entry_name(deep));
  EXPECT_FALSE(split_entry_name(deep + "/d"));
}

TEST(EntryName, IsOfWhatABackupHolds) {
  for (const char* good :
       {"cresset.db", "artifacts/p/r", "configmaps/c", "runs", "secrets/s/k", "volumes/cresset.db"})
    EXPECT_TRUE(split_entry_name(std::string("home/") + good)) << good;
  for (const char* bad : {"cresset.db/x", "cresset.db-wal", "cresset.db-doubt", "digests/x",
                          "envs/0123456789abcdef/bin/python", "keeper/journal", "locks/.removals",
                          "models/x", "runtime/0123456789abcdef/x", "mine"})
    EXPECT_FALSE(split_entry_name(std::string("home/") + bad)) << bad;
}

}  // namespace
}  // namespace cresset::archive
