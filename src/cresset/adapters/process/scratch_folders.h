#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "cresset/base/result.h"

namespace cresset::process {

// Empty folders that attempts have to themselves while they run (HOME, TMPDIR). Most steps leave
// them empty, and then they are lent again: making one costs as much as a quarter of what else a
// small step costs the keeper. Their paths are short, because sockets are made below TMPDIR and the
// kernel takes 107 bytes for the path of one.
class ScratchFolders {
 public:
  // `dir` is this object's alone, and on one file system with all leftovers. `remark` is told what
  // a user should know of: leftovers that could not be moved.
  ScratchFolders(std::string dir, std::function<void(const Error&)> remark);
  // Removes what is empty.
  ~ScratchFolders();
  ScratchFolders(const ScratchFolders&) = delete;
  ScratchFolders& operator=(const ScratchFolders&) = delete;

  // Before the first take(), when no process of an earlier keeper's attempts lives any more:
  // removes what that keeper left when it was killed. What cannot be removed stays and is not lent.
  void sweep();
  // The path of an empty folder that nobody else has.
  Result<std::string> take();
  // The attempt that had it has ended. What it left is moved to `leftovers`, which must not exist;
  // when that fails it stays where it is, and the folder is not lent again.
  void give_back(std::string folder, std::string leftovers);
  // No process of an ended attempt lives any more: what was given back until now may be lent again.
  // What such a process has still written is moved to the leftovers.
  void settle();

 private:
  struct Returned {
    std::string folder;
    std::string leftovers;
  };

  Result<std::string> make();
  // It is there, as it was made; is_untouched() also looks inside.
  [[nodiscard]] bool is_in_order(const std::string& folder) const;
  [[nodiscard]] bool is_untouched(const std::string& folder) const;
  void move_leftovers(const Returned& returned);

  std::string dir_;
  std::function<void(const Error&)> remark_;
  std::string prefix_;  // of the names: no other keeper's
  std::uint64_t next_ = 1;
  mode_t mode_ = 0;  // of a folder that was just made
  std::vector<std::string> free_;
  std::vector<Returned> returned_;  // until settle()
};

}  // namespace cresset::process
