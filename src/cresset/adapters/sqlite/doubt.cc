#include "cresset/adapters/sqlite/doubt.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "cresset/adapters/sqlite/database.h"

namespace cresset::sqlite {

namespace {

constexpr std::size_t kBegunAt = 0;
constexpr std::size_t kEndedAt = 8;
constexpr std::size_t kFailedAt = 16;
constexpr std::size_t kBytes = 24;

// SQLite's result. A database that is not set up yet has no log.
int rewrite_log(sqlite3* connection, bool& has_log) {
  sqlite3_file* log = nullptr;
  int rc = sqlite3_file_control(connection, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log);
  has_log = rc == SQLITE_OK && log->pMethods != nullptr;
  if (!has_log) return rc;
  sqlite3_int64 size = 0;
  rc = log->pMethods->xFileSize(log, &size);
  std::vector<char> part(65'536);
  for (sqlite3_int64 at = 0; rc == SQLITE_OK && at < size;) {
    const int count =
        static_cast<int>(std::min(size - at, static_cast<sqlite3_int64>(part.size())));
    rc = log->pMethods->xRead(log, part.data(), count, at);
    if (rc == SQLITE_OK) rc = log->pMethods->xWrite(log, part.data(), count, at);
    at += count;
  }
  return rc == SQLITE_OK ? log->pMethods->xSync(log, SQLITE_SYNC_FULL) : rc;
}

}  // namespace

DoubtFile::DoubtFile(sqlite3* connection, const std::string& database)
    : connection_(connection), path_(database + "-doubt") {}

DoubtFile::~DoubtFile() {
  if (!memory_.empty()) file()->pMethods->xClose(file());
}

sqlite3_vfs* DoubtFile::vfs() const {
  sqlite3_vfs* vfs = nullptr;
  sqlite3_file_control(connection_, "main", SQLITE_FCNTL_VFS_POINTER, &vfs);
  return vfs;
}

Error DoubtFile::failure(int rc) const {
  return sqlite_error(nullptr, rc, path_, vfs()->xGetLastError(vfs(), 0, nullptr));
}

int DoubtFile::open() {
  if (!memory_.empty()) return SQLITE_OK;
  memory_.resize(static_cast<std::size_t>(vfs()->szOsFile) / sizeof(std::max_align_t) + 1);
  // Of the kinds of files that SQLite knows, one that takes over the mode of the database.
  constexpr int kFlags = SQLITE_OPEN_WAL | SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
  int flags = 0;
  int rc = vfs()->xOpen(vfs(), path_.c_str(), file(), kFlags, &flags);
  // Where it may not be made SQLite looks whether it can be read, and tells only of that.
  if (rc == SQLITE_CANTOPEN && vfs()->xGetLastError(vfs(), 0, nullptr) == ENOENT)
    rc = SQLITE_READONLY;
  if (rc != SQLITE_OK) memory_.clear();
  is_read_only_ = (flags & SQLITE_OPEN_READONLY) != 0;
  return rc;
}

Result<DoubtFile::Numbers> DoubtFile::read() {
  if (const int rc = open(); rc != SQLITE_OK) return failure(rc);
  std::array<char, kBytes> bytes{};
  const int rc = file()->pMethods->xRead(file(), bytes.data(), kBytes, 0);
  // What a short file lacks has become zero.
  if (rc != SQLITE_OK && rc != SQLITE_IOERR_SHORT_READ) return failure(rc);
  Numbers numbers;
  std::memcpy(&numbers.begun, bytes.data() + kBegunAt, sizeof numbers.begun);
  std::memcpy(&numbers.ended, bytes.data() + kEndedAt, sizeof numbers.ended);
  std::memcpy(&numbers.failed, bytes.data() + kFailedAt, sizeof numbers.failed);
  return numbers;
}

int DoubtFile::write(std::size_t place, std::uint64_t number) {
  const int rc = open();
  if (rc != SQLITE_OK) return rc;
  if (is_read_only_) return SQLITE_READONLY;
  return file()->pMethods->xWrite(file(), &number, sizeof number,
                                  static_cast<sqlite3_int64>(place));
}

Result<bool> DoubtFile::is_doubtful() {
  if (const int rc = open(); rc != SQLITE_OK) {
    Error error = failure(rc);
    if (error.code == Code::kPermissionDenied || error.reason == kDiskFull) return false;
    return error;
  }
  CR_TRY(const Numbers numbers, read());
  return numbers.doubtful();
}

Result<bool> DoubtFile::begin() {
  under_way_ = 0;
  bool rewritten = false;
  CR_TRY(const Numbers numbers, read());
  if (numbers.doubtful()) {
    if (const int rc = rewrite_log(connection_, rewritten); rc != SQLITE_OK)
      return failure(rc).with("writing the log again after a failed sync");
  }
  const std::uint64_t number = numbers.begun + 1;
  if (const int rc = write(kBegunAt, number); rc != SQLITE_OK) return failure(rc);
  // Only now: a death in between leaves the doubt.
  if (numbers.failed != 0) {
    if (const int rc = write(kFailedAt, 0); rc != SQLITE_OK) return failure(rc);
  }
  under_way_ = number;
  return rewritten;
}

// A failure to write only raises a doubt.
void DoubtFile::end() {
  if (under_way_ != 0 && !is_raised_) static_cast<void>(write(kEndedAt, under_way_));
  under_way_ = 0;
}

// A number of its own: a checkpoint fails while another connection may be writing. Where it cannot
// be written, the transaction that begin() began has not ended all the same.
void DoubtFile::raise() {
  is_raised_ = true;
  static_cast<void>(write(kFailedAt, 1));
}

}  // namespace cresset::sqlite
