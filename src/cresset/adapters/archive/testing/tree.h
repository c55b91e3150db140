#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>

// What the tests of backups put into folders, and find there.
namespace cresset::archive::testing {

inline std::string content_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// With the folders above it.
inline void write(const std::string& path, const std::string& content) {
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  std::ofstream(path, std::ios::binary) << content;
}

// Every entry below a folder: its mode; a file's time and content, a link's text. All that a reader
// of backups makes.
inline std::map<std::string, std::string> tree(const std::string& root) {
  std::map<std::string, std::string> out;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(root)) {
    struct stat info{};
    EXPECT_EQ(::lstat(entry.path().c_str(), &info), 0);
    std::string text = fmt::format("{:o} ", info.st_mode);
    if (S_ISREG(info.st_mode))
      text += fmt::format("{} {}", info.st_mtim.tv_sec, content_of(entry.path()));
    if (S_ISLNK(info.st_mode)) text += std::filesystem::read_symlink(entry.path()).native();
    out.emplace(std::filesystem::relative(entry.path(), root).native(), text);
  }
  return out;
}

}  // namespace cresset::archive::testing
