#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "cresset/adapters/posix/unique_fd.h"
#include "cresset/adapters/process/process_table.h"
#include "cresset/base/result.h"
#include "cresset/ports/executor.h"

namespace cresset::process {

// What the keeper knows of an attempt that took a slot or was refused for good.
struct Record {
  std::uint64_t token = 0;
  ProcessIdentity process;  // pid 0: about to be started, or it never was
  std::optional<ports::AttemptRunning> running;
  std::optional<ports::AttemptExited> exited;
  bool this_boot = true;  // false: the machine has been started anew since
};
using Records = std::map<model::AttemptId, Record>;

// The keeper's memory beyond its own death (docs/formats/keeper-journal.md): a file of checksummed
// records, written before what they announce is done. It needs to survive kill -9, not a power cut:
// after one the processes are gone as well.
class Journal {
 public:
  struct Opened;
  // Reads `journal` in `dir`, cuts off a record that was torn by a crash, and goes on behind it
  // with the next flush().
  static Result<Opened> open(const posix::UniqueFd& dir);

  // These gather; flush() writes. What a failed flush could not write is tried again by the next.
  void starting(const model::AttemptId& id, std::uint64_t token);
  void started(const model::AttemptId& id, const Record& record);  // process and running are set
  void ended(const model::AttemptId& id, const Record& record);    // exited is set
  void forgotten(const std::vector<model::AttemptId>& ids);
  Result<void> flush();

  // Replaces the file by one that holds just these, so that it does not grow for ever.
  Result<void> rewrite(const Records& records);
  [[nodiscard]] std::size_t size() const { return size_ + pending_.size(); }

 private:
  Journal(int dir, posix::UniqueFd file, std::size_t size)
      : dir_(dir), file_(std::move(file)), size_(size) {}
  static std::string encode(const Records& records);
  Result<void> write_at_end(const std::string& bytes);

  int dir_;
  posix::UniqueFd file_;
  std::size_t size_;  // of what is whole in the file
  std::string pending_;
};

struct Journal::Opened {
  Journal journal;
  Records records;
  std::string remark;  // what was wrong with the file; empty when nothing was
};

// The records that these bytes hold, and how many of the bytes are whole: for open() and tests.
struct JournalText {
  Records records;
  std::size_t whole_bytes = 0;
};
JournalText read_journal(std::string_view bytes, const std::string& boot_id);

}  // namespace cresset::process
