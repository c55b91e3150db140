#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace cresset::app {

// A file or folder of the home, with all below it, that belongs into a backup.
struct BackupItem {
  std::string name;         // relative to the home
  bool may_change = false;  // steps or the user may be writing there now
};

struct BackupContents {
  std::vector<BackupItem> items;
  std::size_t runs = 0;
  std::int64_t bytes = 0;
  std::vector<std::string> remarks;  // what the backup will lack, one sentence each
};

}  // namespace cresset::app
