#include "cresset/adapters/localfs/digest_memory.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "cresset/adapters/localfs/path_digest.h"
#include "cresset/base/digest.h"
#include "cresset/ports/testing/temp_folder.h"

namespace cresset::localfs {
namespace {

using ports::testing::TempFolder;

void write(const std::string& path, const std::string& content) {
  std::ofstream(path, std::ios::binary) << content;
}

// Remembers everything, however small.
struct DigestMemoryTest : public ::testing::Test {
  std::string digest(const std::string& path) {
    const Result<std::optional<std::string>> digest = digest_path(options, path, false);
    EXPECT_TRUE(digest) << digest.error().text();
    return digest && *digest ? **digest : "nothing there";
  }
  DigestMemory remembered(const std::string& path) {
    return load_digest_memory(options.memory_dir, path);
  }
  // Until what was changed last can be told from what changes next.
  static void let_the_clock_tick() {
    const std::int64_t start = coarse_now_ns();
    while (coarse_now_ns() < start + 30'000'000) {
    }
  }
  // Makes the memory claim another digest for the path: whoever uses the memory gives it.
  void plant(const std::string& path, const std::string& entry) {
    DigestMemory memory = remembered(path);
    ASSERT_TRUE(memory.contains(entry));
    memory[entry].digest = std::string(64, 'a');
    save_digest_memory(options.memory_dir, path, memory);
  }

  TempFolder folder;
  DigestOptions options{.memory_dir = folder / "memory", .remember_from_bytes = 0};
};

TEST_F(DigestMemoryTest, UnchangedBytesAreNotReadAgain) {
  const std::string path = folder / "file";
  write(path, "content");
  let_the_clock_tick();
  EXPECT_EQ(digest(path), sha256_hex("content"));
  plant(path, "");
  EXPECT_EQ(digest(path), std::string(64, 'a')) << "it comes from memory";
}

TEST_F(DigestMemoryTest, AChangeWithinTheSameTickIsSeen) {
  const std::string path = folder / "file";
  for (int i = 0; i < 200; ++i) {
    const std::string content = "content " + std::to_string(i % 10);  // of one size
    write(path, content);
    ASSERT_EQ(digest(path), sha256_hex(content)) << i;
  }
}

TEST_F(DigestMemoryTest, WhatHasJustChangedIsNotRemembered) {
  const std::string path = folder / "file";
  write(path, "content");
  digest(path);
  const bool had_settled = !remembered(path).empty();
  let_the_clock_tick();
  digest(path);
  EXPECT_FALSE(remembered(path).empty());
  if (had_settled) GTEST_SKIP() << "this machine was too slow to digest it within a tick";
}

TEST_F(DigestMemoryTest, AChangeThatPutsSizeAndTimeBackIsSeen) {
  const std::string path = folder / "file";
  write(path, "content");
  struct stat status{};
  ASSERT_EQ(::stat(path.c_str(), &status), 0);
  let_the_clock_tick();
  digest(path);
  write(path, "CONTENT");
  const timespec times[] = {status.st_atim, status.st_mtim};
  ASSERT_EQ(::utimensat(AT_FDCWD, path.c_str(), times, 0), 0);
  EXPECT_EQ(digest(path), sha256_hex("CONTENT"));
}

TEST_F(DigestMemoryTest, AnotherFileAtThePathIsSeen) {
  const std::string path = folder / "file";
  write(path, "content");
  write(folder / "other", "CONTENT");
  let_the_clock_tick();
  digest(path);
  std::filesystem::rename(folder / "other", path);
  EXPECT_EQ(digest(path), sha256_hex("CONTENT"));
}

TEST_F(DigestMemoryTest, OfAFolderOnlyTheChangedFileIsReadAgain) {
  const std::string path = folder / "dir";
  std::filesystem::create_directories(path + "/sub");
  write(path + "/a", "one");
  write(path + "/sub/b", "two");
  let_the_clock_tick();
  const std::string first = digest(path);
  EXPECT_EQ(remembered(path).size(), 2u);
  EXPECT_EQ(digest(path), first);
  plant(path, "a");
  write(path + "/sub/b", "TWO");
  const std::string second = digest(path);
  EXPECT_NE(second, first);
  EXPECT_EQ(remembered(path)["a"].digest, std::string(64, 'a')) << "it was read again";
  std::filesystem::remove(path + "/a");
  let_the_clock_tick();
  digest(path);
  EXPECT_EQ(remembered(path).size(), 1u) << "what is gone is forgotten";
}

TEST_F(DigestMemoryTest, SmallPathsAreNotRemembered) {
  options.remember_from_bytes = 100;
  write(folder / "small", "content");
  write(folder / "large", std::string(100, 'x'));
  let_the_clock_tick();
  digest(folder / "small");
  digest(folder / "large");
  EXPECT_TRUE(remembered(folder / "small").empty());
  EXPECT_FALSE(remembered(folder / "large").empty());
}

TEST_F(DigestMemoryTest, AMemoryThatCannotBeMadeCostsTimeOnly) {
  write(folder / "memory", "a file in its place");
  write(folder / "file", "content");
  let_the_clock_tick();
  EXPECT_EQ(digest(folder / "file"), sha256_hex("content"));
}

TEST_F(DigestMemoryTest, RefusesWhatIsTooMuch) {
  std::string path = folder / "dir";
  for (int i = 0; i < 5; ++i) path += "/d";
  std::filesystem::create_directories(path);
  options.depth_max = 5;
  EXPECT_EQ(digest_path(options, folder / "dir", false).error().code, Code::kResourceExhausted);
  options.depth_max = 6;
  EXPECT_TRUE(digest_path(options, folder / "dir", true));
  options.entries_max = 4;
  EXPECT_EQ(digest_path(options, folder / "dir", false).error().code, Code::kResourceExhausted);
}

DigestMemory some_memory() {
  DigestMemory memory;
  memory[""] = {{1, 2, 3, -4, 5}, std::string(64, '0')};
  memory["a b\n/c"] = {{~std::uint64_t{0}, 2, 3, 4, 5}, std::string(64, 'f')};
  return memory;
}

TEST(DigestMemoryCodec, GivesBackWhatItWrote) {
  for (const DigestMemory& memory : {DigestMemory{}, some_memory()})
    EXPECT_EQ(decode_digest_memory(encode_digest_memory(memory)), memory);
}

TEST(DigestMemoryCodec, RefusesEveryPrefixAndEveryChangedByte) {
  const std::string whole = encode_digest_memory(some_memory());
  for (std::size_t size = 0; size < whole.size(); ++size)
    EXPECT_FALSE(decode_digest_memory(whole.substr(0, size))) << size;
  EXPECT_FALSE(decode_digest_memory(whole + "x"));
  for (std::size_t at = 0; at < whole.size(); ++at) {
    std::string changed = whole;
    changed[at] = static_cast<char>(changed[at] ^ 1);
    EXPECT_FALSE(decode_digest_memory(changed)) << at;
  }
}

// Sealed by somebody who knows how, and still no memory.
TEST(DigestMemoryCodec, RefusesSealedNonsense) {
  const std::string digest(64, '0');
  for (const std::string& body :
       {std::string("x\n"), digest + "\n", digest + " 1 2 3 4 5\n", digest + " 1 2 3 4 5 9 a\n",
        digest + " 1 2 3 4 5 99999999999999999999 a\n", digest + " -1 2 3 4 5 1 a\n",
        digest + " 1 2 3 4 5 1 a\n" + digest + " 1 2 3 4 5 1 a\n"}) {
    std::string text = "cresset digests 1\n" + body;
    text += sha256_hex(text) + "\n";
    EXPECT_FALSE(decode_digest_memory(text)) << body;
  }
}

}  // namespace
}  // namespace cresset::localfs
