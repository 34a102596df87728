// The storage twin as SQLite sees it: the tables of functions, file locks and shared memory.
#include <algorithm>
#include <atomic>
#include <cstring>
#include <memory>
#include <string>
#include <thread>

#include <sqlite3.h>

#include "support/storage_handle.hpp"
#include "support/storage_twin.hpp"

namespace outrider::test {

struct StorageVfs {
  explicit StorageVfs(StorageTwin& twin, const char* name);
  ~StorageVfs() { sqlite3_vfs_unregister(&vfs); }
  StorageVfs(const StorageVfs&) = delete;
  StorageVfs& operator=(const StorageVfs&) = delete;

  /// SQLite allocates it, so it is plain data.
  struct File {
    sqlite3_file base;
    StorageTwin* twin;
    StorageHandle* handle;
  };

  static StorageTwin& twin_of(sqlite3_vfs* vfs) {
    return *static_cast<StorageTwin*>(vfs->pAppData);
  }
  static StorageTwin& twin_of(sqlite3_file* file) { return *reinterpret_cast<File*>(file)->twin; }
  static StorageHandle& handle_of(sqlite3_file* file) {
    return *reinterpret_cast<File*>(file)->handle;
  }

  static int open(sqlite3_vfs* vfs, const char* path, sqlite3_file* file, int flags,
                  int* out_flags) {
    File* opening = reinterpret_cast<File*>(file);
    opening->base.pMethods = nullptr;
    std::unique_ptr<StorageHandle> handle;
    const int code = twin_of(vfs).open(path == nullptr ? "" : path, flags, handle);
    if (code != SQLITE_OK) return code;
    opening->twin = &twin_of(vfs);
    opening->handle = handle.release();
    opening->base.pMethods = &methods;
    if (out_flags != nullptr) *out_flags = flags;
    return SQLITE_OK;
  }
  static int close(sqlite3_file* file) {
    const std::unique_ptr<StorageHandle> handle(&handle_of(file));
    twin_of(file).close(*handle);
    return SQLITE_OK;
  }
  static int read(sqlite3_file* file, void* into, int bytes, sqlite3_int64 offset) {
    return twin_of(file).read(handle_of(file), static_cast<char*>(into),
                              static_cast<std::size_t>(bytes), static_cast<std::size_t>(offset));
  }
  static int write(sqlite3_file* file, const void* from, int bytes, sqlite3_int64 offset) {
    return twin_of(file).write(handle_of(file),
                               {static_cast<const char*>(from), static_cast<std::size_t>(bytes)},
                               static_cast<std::size_t>(offset));
  }
  static int truncate(sqlite3_file* file, sqlite3_int64 bytes) {
    return twin_of(file).truncate(handle_of(file), static_cast<std::size_t>(bytes));
  }
  static int sync(sqlite3_file* file, int) { return twin_of(file).sync(handle_of(file)); }
  static int file_size(sqlite3_file* file, sqlite3_int64* bytes) {
    std::size_t size = 0;
    const int code = twin_of(file).size(handle_of(file), size);
    *bytes = static_cast<sqlite3_int64>(size);
    return code;
  }
  static int lock(sqlite3_file* file, int level) {
    return twin_of(file).lock(handle_of(file), level);
  }
  static int unlock(sqlite3_file* file, int level) {
    return twin_of(file).unlock(handle_of(file), level);
  }
  static int check_reserved_lock(sqlite3_file* file, int* out) {
    bool is_reserved = false;
    const int code = twin_of(file).is_reserved(handle_of(file), is_reserved);
    *out = is_reserved ? 1 : 0;
    return code;
  }
  static int file_control(sqlite3_file*, int, void*) { return SQLITE_NOTFOUND; }
  static int sector_size(sqlite3_file*) { return TwinFile::sector_bytes; }
  // What SQLite assumes of disks by default, and what TwinFile keeps: a torn write harms no byte
  // beside it. Atomic, ordered or safe appends are not promised, and not kept.
  static int device_characteristics(sqlite3_file*) { return SQLITE_IOCAP_POWERSAFE_OVERWRITE; }

  static int shm_map(sqlite3_file* file, int region, int bytes, int extend,
                     volatile void** mapped) {
    return twin_of(file).shm_map(handle_of(file), static_cast<std::size_t>(region),
                                 static_cast<std::size_t>(bytes), extend != 0, mapped);
  }
  static int shm_lock(sqlite3_file* file, int slot, int count, int flags) {
    const unsigned slots = ((1U << count) - 1) << slot;
    return twin_of(file).shm_lock(handle_of(file), slots, (flags & SQLITE_SHM_LOCK) != 0,
                                  (flags & SQLITE_SHM_EXCLUSIVE) != 0);
  }
  static void shm_barrier(sqlite3_file* file) { twin_of(file).shm_barrier(); }
  static int shm_unmap(sqlite3_file* file, int) {
    twin_of(file).shm_unmap(handle_of(file));
    return SQLITE_OK;
  }

  static int remove(sqlite3_vfs* vfs, const char* path, int syncs_directory) {
    return twin_of(vfs).remove(path, syncs_directory != 0);
  }
  static int access(sqlite3_vfs* vfs, const char* path, int, int* out) {
    if (twin_of(vfs).is_down()) return SQLITE_IOERR_ACCESS;
    *out = twin_of(vfs).exists(path) ? 1 : 0;
    return SQLITE_OK;
  }
  static int full_path(sqlite3_vfs*, const char* path, int bytes_max, char* out) {
    const std::size_t bytes = std::strlen(path) + 1;
    if (bytes > static_cast<std::size_t>(bytes_max)) return SQLITE_CANTOPEN;
    std::memcpy(out, path, bytes);
    return SQLITE_OK;
  }
  static int randomness(sqlite3_vfs*, int bytes, char* out) {
    std::memset(out, 0, static_cast<std::size_t>(bytes));
    return bytes;
  }
  static int sleep(sqlite3_vfs*, int microseconds) {
    std::this_thread::yield();
    return microseconds;
  }
  static int last_error(sqlite3_vfs*, int, char*) { return 0; }
  /// Always 2026-01-01, in milliseconds since the epoch of the Julian day.
  static int current_time_ms(sqlite3_vfs*, sqlite3_int64* out) {
    *out = 210866760000000 + 1767225600000;
    return SQLITE_OK;
  }
  static int current_time(sqlite3_vfs* vfs, double* out) {
    sqlite3_int64 milliseconds = 0;
    current_time_ms(vfs, &milliseconds);
    *out = static_cast<double>(milliseconds) / 86400000.0;
    return SQLITE_OK;
  }

  static const sqlite3_io_methods methods;

  sqlite3_vfs vfs{};
};

const sqlite3_io_methods StorageVfs::methods = {2,
                                                close,
                                                read,
                                                write,
                                                truncate,
                                                sync,
                                                file_size,
                                                lock,
                                                unlock,
                                                check_reserved_lock,
                                                file_control,
                                                sector_size,
                                                device_characteristics,
                                                shm_map,
                                                shm_lock,
                                                shm_barrier,
                                                shm_unmap,
                                                nullptr,
                                                nullptr};

StorageVfs::StorageVfs(StorageTwin& twin, const char* name) {
  vfs.iVersion = 2;
  vfs.szOsFile = sizeof(File);
  vfs.mxPathname = 512;
  vfs.zName = name;
  vfs.pAppData = &twin;
  vfs.xOpen = open;
  vfs.xDelete = remove;
  vfs.xAccess = access;
  vfs.xFullPathname = full_path;
  vfs.xRandomness = randomness;
  vfs.xSleep = sleep;
  vfs.xCurrentTime = current_time;
  vfs.xGetLastError = last_error;
  vfs.xCurrentTimeInt64 = current_time_ms;
  sqlite3_vfs_register(&vfs, 0);
}

StorageTwin::StorageTwin(std::uint64_t seed) : random_(seed) {
  static std::atomic<int> twins = 0;
  vfs_name_ = "storage-twin-" + std::to_string(++twins);
  vfs_ = std::make_unique<StorageVfs>(*this, vfs_name_.c_str());
  // 0 would mean the operating system's randomness.
  const int sqlite_seed = static_cast<int>(seed % 0x7fffffff) + 1;
  sqlite3_test_control(SQLITE_TESTCTRL_PRNG_SEED, sqlite_seed, static_cast<sqlite3*>(nullptr));
}

StorageTwin::~StorageTwin() = default;

int StorageTwin::highest_lock_beside(const StorageHandle& handle) const {
  int highest = SQLITE_LOCK_NONE;
  for (const StorageHandle* other : handles_) {
    if (other != &handle && other->file == handle.file) {
      highest = std::max(highest, other->lock_level);
    }
  }
  return highest;
}

int StorageTwin::lock(StorageHandle& handle, int level) {
  const std::lock_guard guard(mutex_);
  if (handle.is_dead) return SQLITE_IOERR_LOCK;
  if (level <= handle.lock_level) return SQLITE_OK;
  const int beside = highest_lock_beside(handle);
  if (beside >= (level == SQLITE_LOCK_SHARED ? SQLITE_LOCK_PENDING : SQLITE_LOCK_RESERVED)) {
    return SQLITE_BUSY;
  }
  if (level == SQLITE_LOCK_EXCLUSIVE && beside >= SQLITE_LOCK_SHARED) {
    handle.lock_level = SQLITE_LOCK_PENDING;
    return SQLITE_BUSY;
  }
  handle.lock_level = level;
  return SQLITE_OK;
}

int StorageTwin::unlock(StorageHandle& handle, int level) {
  const std::lock_guard guard(mutex_);
  if (handle.is_dead) return SQLITE_IOERR_UNLOCK;
  handle.lock_level = std::min(handle.lock_level, level);
  return SQLITE_OK;
}

int StorageTwin::is_reserved(StorageHandle& handle, bool& reserved) {
  const std::lock_guard guard(mutex_);
  if (handle.is_dead) return SQLITE_IOERR_CHECKRESERVEDLOCK;
  reserved = std::max(handle.lock_level, highest_lock_beside(handle)) >= SQLITE_LOCK_RESERVED;
  return SQLITE_OK;
}

int StorageTwin::shm_map(StorageHandle& handle, std::size_t region, std::size_t bytes, bool extend,
                         volatile void** mapped) {
  const std::lock_guard guard(mutex_);
  *mapped = nullptr;
  if (handle.is_dead) return SQLITE_IOERR_SHMMAP;
  const int code = pass(StorageOperation::shm_map, handle.path);
  if (code != SQLITE_OK) return code;
  for (const StorageHandle* other : handles_) {
    if (!handle.shm && other->file == handle.file) handle.shm = other->shm;
  }
  if (!handle.shm) handle.shm = std::make_shared<StorageShm>();
  auto& regions = handle.shm->regions;
  while (extend && regions.size() <= region) regions.push_back(std::make_unique<char[]>(bytes));
  if (region < regions.size()) *mapped = regions[region].get();
  return SQLITE_OK;
}

int StorageTwin::shm_lock(StorageHandle& handle, unsigned slots, bool is_lock, bool is_exclusive) {
  const std::lock_guard guard(mutex_);
  if (handle.is_dead) return SQLITE_IOERR_SHMLOCK;
  if (!is_lock) {
    handle.shm_shared &= ~slots;
    handle.shm_exclusive &= ~slots;
    return SQLITE_OK;
  }
  for (const StorageHandle* other : handles_) {
    if (other == &handle || other->shm != handle.shm) continue;
    const unsigned taken = other->shm_exclusive | (is_exclusive ? other->shm_shared : 0);
    if ((taken & slots) != 0) return SQLITE_BUSY;
  }
  (is_exclusive ? handle.shm_exclusive : handle.shm_shared) |= slots;
  return SQLITE_OK;
}

void StorageTwin::shm_barrier() {
  // Of two threads that pass, the second one sees what the first one wrote.
  const std::lock_guard guard(mutex_);
}

void StorageTwin::shm_unmap(StorageHandle& handle) {
  const std::lock_guard guard(mutex_);
  handle.shm.reset();
  handle.shm_shared = 0;
  handle.shm_exclusive = 0;
}

}  // namespace outrider::test
