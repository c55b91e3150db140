#include "sim/sim_vfs.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>

#include "cresset/base/check.h"

namespace cresset::sim {

namespace {

using Operation = SimDisk::Operation;
using Fault = SimDisk::Fault;
using Process = DiskState::Process;

struct VfsFile {
  sqlite3_file base;
  Process* process;
  OpenFile* file;
};

Process& process_of(sqlite3_vfs* vfs) { return *static_cast<Process*>(vfs->pAppData); }
VfsFile& self(sqlite3_file* file) { return *reinterpret_cast<VfsFile*>(file); }

int fail(Process& process, int rc, int error) {
  process.last_errno = error;
  return rc;
}

// What `body` returns for an operation that is let go; `dead_rc` when its process is dead, by then
// or before.
template <class Body>
int operate(Process& process, Operation operation, int dead_rc, Body&& body) {
  const Verdict verdict = process.disk->begin(process, operation);
  if (verdict.kind == Verdict::Kind::kDead) return fail(process, dead_rc, EIO);
  const int rc = body(verdict);
  process.disk->end(process, verdict);
  return process.dead ? fail(process, dead_rc, EIO) : rc;
}

// --- files ---

int file_close(sqlite3_file* sqlite_file) {
  VfsFile& its = self(sqlite_file);
  DiskState& disk = *its.process->disk;
  disk.close(*its.file);
  if (its.file->delete_on_close && !its.process->dead && !its.file->name.empty())
    disk.remove(its.file->name);
  delete its.file;
  its.file = nullptr;
  return SQLITE_OK;
}

int file_read(sqlite3_file* sqlite_file, void* to, int count, sqlite3_int64 offset) {
  VfsFile& its = self(sqlite_file);
  return operate(*its.process, Operation::kRead, SQLITE_IOERR_READ, [&](const Verdict& verdict) {
    if (verdict.kind == Verdict::Kind::kFail) return fail(*its.process, SQLITE_IOERR_READ, EIO);
    char* bytes = static_cast<char*>(to);
    const std::int64_t got = its.file->inode->now.read(offset, bytes, count);
    if (got == count) return SQLITE_OK;
    std::memset(bytes + got, 0, static_cast<std::size_t>(count - got));
    return SQLITE_IOERR_SHORT_READ;
  });
}

int file_write(sqlite3_file* sqlite_file, const void* from, int count, sqlite3_int64 offset) {
  VfsFile& its = self(sqlite_file);
  DiskState& disk = *its.process->disk;
  return operate(*its.process, Operation::kWrite, SQLITE_IOERR_WRITE, [&](const Verdict& verdict) {
    std::string_view bytes(static_cast<const char*>(from), static_cast<std::size_t>(count));
    if (verdict.kind != Verdict::Kind::kGo)
      bytes = bytes.substr(0, disk.below(static_cast<std::uint64_t>(count)));
    if (!disk.write(*its.file->inode, offset, bytes))
      return fail(*its.process, SQLITE_FULL, ENOSPC);
    if (verdict.kind != Verdict::Kind::kFail) return SQLITE_OK;
    if (verdict.fault == Fault::kNoSpace) return fail(*its.process, SQLITE_FULL, ENOSPC);
    return fail(*its.process, SQLITE_IOERR_WRITE, EIO);
  });
}

int file_truncate(sqlite3_file* sqlite_file, sqlite3_int64 size) {
  VfsFile& its = self(sqlite_file);
  return operate(*its.process, Operation::kTruncate, SQLITE_IOERR_TRUNCATE,
                 [&](const Verdict& verdict) {
                   if (verdict.kind == Verdict::Kind::kFail)
                     return fail(*its.process, SQLITE_IOERR_TRUNCATE, EIO);
                   its.process->disk->truncate(*its.file->inode, size);
                   return SQLITE_OK;
                 });
}

int file_sync(sqlite3_file* sqlite_file, int) {
  VfsFile& its = self(sqlite_file);
  DiskState& disk = *its.process->disk;
  const int rc =
      operate(*its.process, Operation::kSync, SQLITE_IOERR_FSYNC, [&](const Verdict& verdict) {
        if (disk.sync(*its.file, verdict.kind == Verdict::Kind::kFail)) return SQLITE_OK;
        return fail(*its.process, SQLITE_IOERR_FSYNC, EIO);
      });
  if (rc != SQLITE_OK || !its.file->sync_folder) return rc;
  return operate(*its.process, Operation::kSyncFolder, SQLITE_IOERR_FSYNC, [&](const Verdict&) {
    disk.sync_folder();
    its.file->sync_folder = false;
    return SQLITE_OK;
  });
}

int file_size(sqlite3_file* sqlite_file, sqlite3_int64* size) {
  const VfsFile& its = self(sqlite_file);
  if (its.process->dead) return fail(*its.process, SQLITE_IOERR_FSTAT, EIO);
  *size = its.file->inode->now.size();
  return SQLITE_OK;
}

// --- locks of a file ---

bool others_hold(const OpenFile& file, int lock) {
  return std::ranges::any_of(file.inode->open, [&](const OpenFile* other) {
    return other != &file && other->lock >= lock;
  });
}

int take_lock(OpenFile& file, int lock) {
  if (file.lock >= lock) return SQLITE_OK;
  if (lock == SQLITE_LOCK_SHARED) {
    if (others_hold(file, SQLITE_LOCK_PENDING)) return SQLITE_BUSY;
    file.lock = lock;
    return SQLITE_OK;
  }
  if (others_hold(file, SQLITE_LOCK_RESERVED)) return SQLITE_BUSY;
  if (lock == SQLITE_LOCK_EXCLUSIVE && others_hold(file, SQLITE_LOCK_SHARED)) {
    // Nobody may begin to read any more.
    file.lock = SQLITE_LOCK_PENDING;
    return SQLITE_BUSY;
  }
  file.lock = lock;
  return SQLITE_OK;
}

int file_lock(sqlite3_file* sqlite_file, int lock) {
  VfsFile& its = self(sqlite_file);
  return operate(*its.process, Operation::kLock, SQLITE_IOERR_LOCK,
                 [&](const Verdict&) { return take_lock(*its.file, lock); });
}

int file_unlock(sqlite3_file* sqlite_file, int lock) {
  VfsFile& its = self(sqlite_file);
  return operate(*its.process, Operation::kUnlock, SQLITE_IOERR_UNLOCK, [&](const Verdict&) {
    its.file->lock = std::min(its.file->lock, lock);
    return SQLITE_OK;
  });
}

int file_check_reserved(sqlite3_file* sqlite_file, int* reserved) {
  const VfsFile& its = self(sqlite_file);
  if (its.process->dead) return fail(*its.process, SQLITE_IOERR_CHECKRESERVEDLOCK, EIO);
  *reserved = its.file->lock >= SQLITE_LOCK_RESERVED || others_hold(*its.file, SQLITE_LOCK_RESERVED)
                  ? 1
                  : 0;
  return SQLITE_OK;
}

int file_control(sqlite3_file* sqlite_file, int what, void* argument) {
  OpenFile& file = *self(sqlite_file).file;
  if (what != SQLITE_FCNTL_PERSIST_WAL) return SQLITE_NOTFOUND;
  int& wanted = *static_cast<int*>(argument);
  if (wanted < 0) {
    wanted = file.keep_log ? 1 : 0;
  } else {
    file.keep_log = wanted != 0;
  }
  return SQLITE_OK;
}

int file_sector_size(sqlite3_file*) { return 4096; }
int file_characteristics(sqlite3_file*) { return SQLITE_IOCAP_POWERSAFE_OVERWRITE; }

// --- memory shared beside a file ---

bool others_attached(const OpenFile& file) {
  return std::ranges::any_of(
      file.inode->open, [&](const OpenFile* other) { return other != &file && other->attached; });
}

int map_region(Process& process, OpenFile& file, std::size_t region, bool extend, void** address) {
  SharedMemory& memory = *file.inode->shared_memory();
  // What the dead have left behind there says nothing any more.
  if (!file.attached && !others_attached(file)) process.disk->clear_shared(*file.inode);
  file.attached = true;
  *address = nullptr;
  if (region >= memory.regions()) {
    if (!extend) return SQLITE_OK;
    const std::size_t more = region + 1 - memory.regions();
    if (!process.disk->take_space(static_cast<std::int64_t>(more * SharedMemory::kRegionBytes)))
      return fail(process, SQLITE_IOERR_SHMSIZE, ENOSPC);
    memory.grow(region + 1);
  }
  *address = file.mapping.map(memory, region);
  return SQLITE_OK;
}

int shm_map(sqlite3_file* sqlite_file, int region, int bytes, int extend, void volatile** address) {
  VfsFile& its = self(sqlite_file);
  CHECK(bytes == static_cast<int>(SharedMemory::kRegionBytes));
  void* mapped = nullptr;
  const int rc =
      operate(*its.process, Operation::kMapShared, SQLITE_IOERR_SHMMAP, [&](const Verdict&) {
        return map_region(*its.process, *its.file, static_cast<std::size_t>(region), extend != 0,
                          &mapped);
      });
  *address = mapped;
  return rc;
}

int take_shared_locks(OpenFile& file, unsigned mask, bool shared) {
  unsigned others = 0;
  for (const OpenFile* other : file.inode->open) {
    if (other != &file) others |= other->own_locks | (shared ? 0 : other->shared_locks);
  }
  if ((others & mask) != 0) return SQLITE_BUSY;
  (shared ? file.shared_locks : file.own_locks) |= mask;
  return SQLITE_OK;
}

int shm_lock(sqlite3_file* sqlite_file, int first, int count, int flags) {
  VfsFile& its = self(sqlite_file);
  const unsigned mask = ((1U << count) - 1) << first;
  const bool unlock = (flags & SQLITE_SHM_UNLOCK) != 0;
  return operate(*its.process, unlock ? Operation::kUnlockShared : Operation::kLockShared,
                 SQLITE_IOERR_SHMLOCK, [&](const Verdict&) {
                   if (!unlock)
                     return take_shared_locks(*its.file, mask, (flags & SQLITE_SHM_SHARED) != 0);
                   its.file->shared_locks &= ~mask;
                   its.file->own_locks &= ~mask;
                   return SQLITE_OK;
                 });
}

void shm_barrier(sqlite3_file* sqlite_file) {
  operate(*self(sqlite_file).process, Operation::kBarrier, SQLITE_IOERR,
          [](const Verdict&) { return SQLITE_OK; });
}

int shm_unmap(sqlite3_file* sqlite_file, int remove) {
  VfsFile& its = self(sqlite_file);
  const int rc =
      operate(*its.process, Operation::kUnmapShared, SQLITE_IOERR_SHMMAP, [&](const Verdict&) {
        its.file->attached = false;
        its.file->shared_locks = 0;
        its.file->own_locks = 0;
        if (remove != 0 && !others_attached(*its.file))
          its.process->disk->clear_shared(*its.file->inode);
        return SQLITE_OK;
      });
  its.file->mapping.unmap();
  return rc;
}

constexpr sqlite3_io_methods kMethods{
    .iVersion = 2,
    .xClose = file_close,
    .xRead = file_read,
    .xWrite = file_write,
    .xTruncate = file_truncate,
    .xSync = file_sync,
    .xFileSize = file_size,
    .xLock = file_lock,
    .xUnlock = file_unlock,
    .xCheckReservedLock = file_check_reserved,
    .xFileControl = file_control,
    .xSectorSize = file_sector_size,
    .xDeviceCharacteristics = file_characteristics,
    .xShmMap = shm_map,
    .xShmLock = shm_lock,
    .xShmBarrier = shm_barrier,
    .xShmUnmap = shm_unmap,
    .xFetch = nullptr,
    .xUnfetch = nullptr,
};

// --- the file system ---

int vfs_open(sqlite3_vfs* vfs, const char* name, sqlite3_file* sqlite_file, int flags,
             int* flags_out) {
  Process& process = process_of(vfs);
  VfsFile& its = self(sqlite_file);
  its.base.pMethods = nullptr;
  std::unique_ptr<OpenFile> file;
  const int rc = operate(process, Operation::kOpen, SQLITE_CANTOPEN, [&](const Verdict&) {
    file = process.disk->open(process.id, name, flags);
    return file == nullptr ? fail(process, SQLITE_CANTOPEN, ENOENT) : SQLITE_OK;
  });
  if (rc != SQLITE_OK) {
    if (file != nullptr) process.disk->close(*file);
    return rc;
  }
  its.process = &process;
  its.file = file.release();  // until file_close
  its.base.pMethods = &kMethods;
  if (flags_out != nullptr) *flags_out = flags;
  return SQLITE_OK;
}

int vfs_delete(sqlite3_vfs* vfs, const char* name, int sync_folder) {
  Process& process = process_of(vfs);
  const int rc = operate(process, Operation::kDelete, SQLITE_IOERR_DELETE, [&](const Verdict&) {
    if (!process.disk->names.contains(name))
      return fail(process, SQLITE_IOERR_DELETE_NOENT, ENOENT);
    process.disk->remove(name);
    return SQLITE_OK;
  });
  if (rc != SQLITE_OK || sync_folder == 0) return rc;
  return operate(process, Operation::kSyncFolder, SQLITE_IOERR_DIR_FSYNC, [&](const Verdict&) {
    process.disk->sync_folder();
    return SQLITE_OK;
  });
}

int vfs_access(sqlite3_vfs* vfs, const char* name, int what, int* result) {
  Process& process = process_of(vfs);
  if (process.dead) return fail(process, SQLITE_IOERR_ACCESS, EIO);
  const auto found = process.disk->names.find(name);
  const bool there = found != process.disk->names.end();
  // An empty file does not exist for SQLite.
  *result = there && (what != SQLITE_ACCESS_EXISTS || found->second->now.size() > 0) ? 1 : 0;
  return SQLITE_OK;
}

int vfs_full_path(sqlite3_vfs*, const char* name, int size, char* out) {
  const std::size_t length = std::strlen(name);
  if (length >= static_cast<std::size_t>(size)) return SQLITE_CANTOPEN;
  std::memcpy(out, name, length + 1);
  return SQLITE_OK;
}

// SQLite asks its default VFS, and not even that one when it has been seeded.
int vfs_randomness(sqlite3_vfs*, int size, char* out) {
  std::memset(out, 0, static_cast<std::size_t>(size));
  return size;
}

int vfs_sleep(sqlite3_vfs* vfs, int microseconds) {
  ++process_of(vfs).disk->counters.sleeps;
  return microseconds;
}

int vfs_time(sqlite3_vfs*, sqlite3_int64* milliseconds) {
  constexpr sqlite3_int64 kUnixEpoch = 210'866'760'000'000;  // in Julian milliseconds
  *milliseconds = kUnixEpoch;
  return SQLITE_OK;
}

int vfs_days(sqlite3_vfs* vfs, double* days) {
  sqlite3_int64 milliseconds = 0;
  vfs_time(vfs, &milliseconds);
  *days = static_cast<double>(milliseconds) / 86'400'000.0;
  return SQLITE_OK;
}

int vfs_last_error(sqlite3_vfs* vfs, int, char*) { return process_of(vfs).last_errno; }

}  // namespace

void register_vfs(Process& process) {
  sqlite3_vfs& vfs = process.vfs;
  vfs.iVersion = 2;
  vfs.szOsFile = sizeof(VfsFile);
  vfs.mxPathname = 512;
  vfs.zName = process.vfs_name.c_str();
  vfs.pAppData = &process;
  vfs.xOpen = vfs_open;
  vfs.xDelete = vfs_delete;
  vfs.xAccess = vfs_access;
  vfs.xFullPathname = vfs_full_path;
  vfs.xRandomness = vfs_randomness;
  vfs.xSleep = vfs_sleep;
  vfs.xCurrentTime = vfs_days;
  vfs.xGetLastError = vfs_last_error;
  vfs.xCurrentTimeInt64 = vfs_time;
  CHECK(sqlite3_vfs_register(&vfs, 0) == SQLITE_OK);
}

}  // namespace cresset::sim
