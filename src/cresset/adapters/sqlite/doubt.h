#pragma once

#include <sqlite3.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "cresset/base/result.h"

// Whether what is read from the database may be missing on its disk: after a sync that failed, and
// after a process that died and told nobody how its last sync ended.
namespace cresset::sqlite {

// The file `<database>-doubt` (docs/formats/database.md): the number of the write transaction that
// began last, that of the one that ended last, and whether a sync has failed. The numbers differ
// while a transaction is under way, and from then on when it does not end well. The file has to
// outlive the process and nothing else, so it is never synced: after a power cut the disk itself
// tells what is on it. A doubt without a cause costs time and does no harm.
class DoubtFile {
 public:
  // `connection` must live as long.
  DoubtFile(sqlite3* connection, const std::string& database);
  ~DoubtFile();
  DoubtFile(const DoubtFile&) = delete;
  DoubtFile& operator=(const DoubtFile&) = delete;

  // Whether there is doubt, or another process is writing. No: also where the file may not be made,
  // since this process cannot write to the database there either.
  Result<bool> is_doubtful();
  // The connection holds the write lock. Where there is doubt, writes the log once more over itself
  // first, so that what is seen is on the disk before anything is built on it, and answers true:
  // what a failed commit has left behind what is seen is there as well. After a failure there is as
  // much doubt as before.
  Result<bool> begin();
  // Of what begin() began, if anything; the write lock may be another connection's by now. Does
  // nothing after raise().
  void end();
  // A sync of this connection failed.
  void raise();

 private:
  struct Numbers {
    std::uint64_t begun = 0;
    std::uint64_t ended = 0;
    std::uint64_t failed = 0;
    [[nodiscard]] bool doubtful() const { return begun != ended || failed != 0; }
  };
  [[nodiscard]] sqlite3_vfs* vfs() const;
  [[nodiscard]] Error failure(int rc) const;
  // SQLite's result.
  int open();
  Result<Numbers> read();
  int write(std::size_t place, std::uint64_t number);
  [[nodiscard]] sqlite3_file* file() { return reinterpret_cast<sqlite3_file*>(memory_.data()); }

  sqlite3* connection_;
  std::string path_;
  std::vector<std::max_align_t> memory_;  // of SQLite's file; empty: not open
  std::uint64_t under_way_ = 0;           // 0: nothing
  bool is_raised_ = false;
  bool is_read_only_ = false;  // as SQLite opens what may not be written
};

}  // namespace cresset::sqlite
