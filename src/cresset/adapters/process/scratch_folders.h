#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "cresset/base/result.h"
#include "cresset/base/time.h"
#include "cresset/ports/clock.h"

namespace cresset::process {

// Empty folders that attempts have to themselves while they run (HOME, TMPDIR). Most steps leave
// them empty, and then they are lent again: making one costs as much as a quarter of what else a
// small step costs the keeper. Their paths are short, because sockets are made below TMPDIR and the
// kernel takes 107 bytes for the path of one.
class ScratchFolders {
 public:
  // `dir` is this object's alone, and on one file system with all leftovers. `remark` is told what
  // a user should know of: leftovers that could not be moved.
  ScratchFolders(std::string dir, std::function<void(const Error&)> remark, ports::Clock& clock);
  // Removes what is empty.
  ~ScratchFolders();
  ScratchFolders(const ScratchFolders&) = delete;
  ScratchFolders& operator=(const ScratchFolders&) = delete;

  // Before the first take(), when no process of an earlier keeper's attempts lives any more:
  // removes what that keeper left when it was killed. What cannot be removed stays and is not lent.
  void sweep();
  // One that is lent. What stands behind its path tells whether it has been touched.
  struct Folder {
    std::string path;
    mode_t mode = 0;
    WallTime changed{};    // its ctime when it was empty
    bool was_old = false;  // when it was lent, that was long enough ago for a change to show
  };

  // An empty folder that nobody else has.
  Result<Folder> take();
  // The attempt that had it has ended. What it left is moved to `leftovers`, which must not exist;
  // when that fails it stays where it is, and the folder is not lent again.
  void give_back(Folder folder, std::string leftovers);
  // No process of an ended attempt lives any more: what was given back until now may be lent again.
  // What such a process has still written is moved to the leftovers.
  void settle();

 private:
  struct Returned {
    Folder folder;
    std::string leftovers;
  };

  Result<Folder> make();
  // Whether a change from now on gets another ctime.
  [[nodiscard]] bool is_old(const Folder& folder) const;
  // False: what was left in it has been moved, and it with it.
  bool is_clean_or_moved(Returned& returned);
  void move_leftovers(const Returned& returned);

  std::string dir_;
  std::function<void(const Error&)> remark_;
  ports::Clock& clock_;
  std::string prefix_;  // of the names: no other keeper's
  std::uint64_t next_ = 1;
  std::vector<Folder> free_;
  std::vector<Returned> returned_;  // until settle()
};

}  // namespace cresset::process
