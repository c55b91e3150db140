#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "cresset/base/result.h"

namespace cresset::ports::testing {

// A file tree in memory, with what can go wrong with one. Paths are absolute. It outlives the
// workers of a test as a disk does its processes. One thread.
class MemoryFiles {
 public:
  enum class Type { kFile, kFolder, kLink, kFifo };
  struct Node {
    Type type = Type::kFile;
    std::string content;  // of a file; text of a link
    bool executable = false;
    bool durable = false;  // survives power_failure()
  };
  using Nodes = std::map<std::string, Node, std::less<>>;

  // These make the folders above, and replace what is there.
  void write(const std::string& path, std::string content, bool executable = false);
  void make_folder(const std::string& path);
  void link(const std::string& path, std::string target);
  void make_fifo(const std::string& path);
  void remove(const std::string& path);

  [[nodiscard]] std::optional<std::string> read(const std::string& path) const;  // through links
  [[nodiscard]] bool exists(const std::string& path) const;  // links not followed

  // Flips a bit in the middle of a file, which must be there and not be empty.
  void corrupt(const std::string& path);
  // Files that nobody has made durable since they were written keep only the first half of their
  // bytes; or what `keep` leaves of them.
  void power_failure();
  void power_failure(
      const std::function<void(const std::string& path, std::string& content)>& keep);
  // What the file or folder at `path` holds is safe from now on.
  void make_durable(const std::string& path);

  // The path without links and dots, or nothing when it leads nowhere.
  [[nodiscard]] std::optional<std::string> resolve(const std::string& path) const;
  [[nodiscard]] const Node* node_at(std::string_view resolved) const;
  // All below a folder, by full path.
  [[nodiscard]] std::map<std::string, Node> below(const std::string& resolved) const;

 private:
  void put(const std::string& path, Node node);

  Nodes nodes_;
};

}  // namespace cresset::ports::testing
