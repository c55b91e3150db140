#include <cerrno>

#include "cresset/adapters/sqlite/database.h"

namespace cresset::sqlite {

namespace {

Error disk_full(std::string_view path) {
  Error error = make_error(
      Code::kResourceExhausted,
      "the disk or quota of {} is full: nothing was written; free some space, then resume the run",
      path);
  error.reason = kDiskFull;
  return error;
}

Error not_writable(std::string_view path) {
  return make_error(Code::kPermissionDenied,
                    "{} or its folder cannot be written: check its owner, or set CRESSET_HOME to a "
                    "folder of yours",
                    path);
}

Error damaged(std::string_view path, std::string_view detail) {
  return make_error(Code::kDataLoss,
                    "{} is damaged or is no SQLite database ({}): put a copy back, or move it away "
                    "together with its -wal and -shm files to begin anew",
                    path, detail);
}

// Not "nothing was written", even when it is for want of space: nobody can tell.
Error failed_sync(int system_errno, std::string_view path) {
  return make_error(Code::kDataLoss,
                    "the system could not bring {} to the disk{}: whether the last change is kept "
                    "shows when it is opened again; look at the disk's health and space, then "
                    "resume the run",
                    path, system_errno == 0 ? "" : fmt::format(" (errno {})", system_errno));
}

Error a_folder(std::string_view path) {
  return make_error(Code::kFailedPrecondition,
                    "{} is a folder, where the database has to be: move it away", path);
}

// A failed read or write, where the operating system knows more than SQLite.
Error io_error(int system_errno, std::string_view path, std::string_view detail) {
  switch (system_errno) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
      return disk_full(path);
    case EACCES:
    case EPERM:
    case EROFS:
      return not_writable(path);
    case EISDIR:
      return a_folder(path);
    case ENOENT:
    case EMFILE:
    case ENFILE:
      return errno_error(system_errno, path);
    default:
      return make_error(Code::kDataLoss,
                        "{} cannot be read or written ({}, errno {}): look at the disk's health "
                        "with dmesg",
                        path, detail, system_errno);
  }
}

}  // namespace

bool is_failed_sync(int rc) { return rc == SQLITE_IOERR_FSYNC || rc == SQLITE_IOERR_DIR_FSYNC; }

Error sqlite_error(sqlite3* connection, int rc, std::string_view path, int system_errno) {
  const std::string_view detail =
      connection == nullptr ? sqlite3_errstr(rc) : sqlite3_errmsg(connection);
  if (connection != nullptr) system_errno = sqlite3_system_errno(connection);
  if (is_failed_sync(rc)) return failed_sync(system_errno, path);
  switch (rc & 0xff) {
    case SQLITE_FULL:
      return disk_full(path);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return damaged(path, detail);
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
      return not_writable(path);
    case SQLITE_CANTOPEN:
    case SQLITE_IOERR:
      if (rc == SQLITE_CANTOPEN_ISDIR) return a_folder(path);
      return io_error(system_errno, path, detail);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return make_error(Code::kUnavailable,
                        "{} is held by another process for too long: try again, or look for a "
                        "stopped process that has it open",
                        path);
    case SQLITE_NOMEM:
      return make_error(Code::kResourceExhausted, "no memory left for {}", path);
    case SQLITE_TOOBIG:
      return make_error(Code::kResourceExhausted,
                        "a single value for {} is larger than the 1 GB that SQLite takes: "
                        "pass it as an artifact",
                        path);
    // What Cresset asks for fits the tables that it makes, and what it writes their constraints.
    case SQLITE_ERROR:
    case SQLITE_CONSTRAINT:
    case SQLITE_MISMATCH:
      return damaged(path, detail);
    default:
      return make_error(Code::kInternal, "{}: {} (SQLite result {})", path, detail, rc);
  }
}

}  // namespace cresset::sqlite
