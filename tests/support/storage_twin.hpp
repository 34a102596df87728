// A disk in memory that fails on purpose, as an SQLite VFS: the twin of the storage below the
// spool.
//
// Used by the simulation and by tests of what opens SQLite databases. sqlite3_open_v2(path, &db,
// flags, twin.vfs_name().c_str()) opens a database on it; WAL mode works, for shared memory is on
// the heap. Each twin has a VFS name of its own, and none is the default.
//
// Thread: any; one lock guards everything. A busy timeout does not wait in real time: it is over at
// once, in steps.
// Ownership: close every connection before the twin is destroyed, also those a crash has killed.
// Fails with SQLite's result codes, also the functions that SQLite does not call.
//
// Everything that is left to chance comes from the seed. So does SQLite's own random number
// generator, which the newest twin of the process seeds: one seed, and the same calls from one
// thread, give the same bytes.
//
// After a crash the storage is down: everything fails with SQLITE_IOERR until restart(), so that
// nothing of the process that died gets through. Handles from before it stay dead for ever.
//
// What a loss of power leaves of a file is told in twin_file.hpp. Of names (files created, renamed
// and removed since the last sync of a directory) it leaves the first so many, as a journal does;
// all directories are one journal. As SQLite's own VFS for Unix does, the first sync of a new WAL
// or rollback journal syncs the directory, and so does a removal that asks for it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "support/twin_file.hpp"

namespace outrider::test {

/// What is counted and can fail.
enum class StorageOperation : std::uint8_t {
  read,
  write,
  sync,
  truncate,
  open,
  remove,
  rename,
  shm_map,
};
inline constexpr std::size_t storage_operations = 8;

struct StorageFault {
  static constexpr std::uint64_t forever = std::numeric_limits<std::uint64_t>::max();

  StorageOperation operation = StorageOperation::write;
  /// SQLite's: SQLITE_FULL, SQLITE_IOERR_FSYNC ... A read that is SQLITE_IOERR_SHORT_READ gives a
  /// first part of what there is, and zeroes.
  int code = 0;
  std::uint64_t nth = 1;      ///< of the operations that match; 1 is the next one
  std::uint64_t times = 1;    ///< how many fail from there on
  int error = 0;              ///< becomes errno: EDQUOT, EFBIG ...
  bool is_torn = false;       ///< a first part of the write is done before it fails
  std::string path_end = {};  ///< only files whose path ends like this: "-wal"
};

enum class StorageCrash : std::uint8_t {
  process,  ///< as by SIGKILL: what was written stays, what is in memory is gone
  power,    ///< and what was not synced stays, or goes, or is torn
};

struct StorageHandle;
struct StorageVfs;

class StorageTwin {
 public:
  explicit StorageTwin(std::uint64_t seed = 1);
  ~StorageTwin();
  StorageTwin(const StorageTwin&) = delete;
  StorageTwin& operator=(const StorageTwin&) = delete;

  const std::string& vfs_name() const { return vfs_name_; }

  // Faults. Several may be set; the first that matches says the code.
  void fail(const StorageFault& fault);
  void clear_faults();
  /// Syncs say that they succeeded, and do nothing: a disk that lies.
  void ignore_syncs(bool ignore);

  // Counts, from the beginning. Operations that fail are counted too.
  std::uint64_t count(StorageOperation operation) const;
  /// Those that change what is stored: everything but read and shm_map, and every sync.
  std::uint64_t changes() const;

  // Space. A write that does not fit is done as far as it fits, and is SQLITE_FULL; or, if `error`
  // is given (EDQUOT, EFBIG), SQLITE_IOERR_WRITE with this errno, as SQLite has it.
  void set_bytes_max(std::uint64_t bytes_max, int error = 0);
  std::uint64_t free_bytes() const;
  /// No write makes a file longer; the errno is EFBIG then.
  void set_file_bytes_max(std::uint64_t bytes_max);
  std::uint64_t file_bytes_max() const;

  // Crashes.
  void crash_process() { crash(StorageCrash::process); }
  void lose_power() { crash(StorageCrash::power); }
  void crash(StorageCrash crash);
  /// The crash comes in place of the nth change from now on; of a write, a first part is done.
  void crash_at(std::uint64_t nth_change, StorageCrash crash);
  bool is_down() const;
  void restart();
  /// A program that does more than this from now on runs in circles: then the storage is down, as
  /// after a crash of the process, and has_overrun() says why.
  void allow_operations(std::uint64_t operations);
  bool has_overrun() const;

  // What a program does with files beside SQLite.
  bool exists(const std::string& path) const;  ///< answers while the storage is down, too
  int rename(const std::string& from, const std::string& to);
  int remove(const std::string& path);
  int sync_directory();
  /// Its bytes, in the place of the same ones; synced.
  int write_again(const std::string& path);
  /// An empty file, if there is none of this name; its name is safe then.
  int make(const std::string& path);
  /// In the place of its first bytes; synced. Of a torn one a first part is written.
  int write_start(const std::string& path, std::string_view bytes);
  /// Of the file that has this name now; 0 if none has.
  std::uint64_t file_id(const std::string& path) const;
  std::uint64_t file_bytes(const std::string& path) const;

  // The test's own hand: it works while the storage is down, is not counted and never fails. What
  // it changes is safe at once, and with it everything else that was written to that file.
  std::vector<std::string> list() const;
  /// Empty if there is no such file.
  std::string content(const std::string& path) const;
  void put(const std::string& path, std::string_view bytes);
  /// Zeroes that are allocated or given back, as posix_fallocate and truncate do it; synced.
  void resize(const std::string& path, std::uint64_t bytes);
  void overwrite(const std::string& path, std::size_t offset, std::string_view bytes);
  void flip_bit(const std::string& path, std::size_t offset, unsigned bit);

 private:
  friend struct StorageVfs;
  using FilePtr = std::shared_ptr<TwinFile>;
  using Names = std::map<std::string, FilePtr>;
  struct ActiveFault {
    StorageFault fault;
    std::uint64_t seen = 0;
  };
  struct Verdict {
    int code = 0;
    bool is_torn = false;
    bool is_crash = false;
  };

  // What the VFS calls.
  int open(const std::string& path, int flags, std::unique_ptr<StorageHandle>& opened);
  void close(StorageHandle& handle);
  int read(StorageHandle& handle, char* into, std::size_t bytes, std::size_t offset);
  int write(StorageHandle& handle, std::string_view bytes, std::size_t offset);
  int truncate(StorageHandle& handle, std::size_t bytes);
  int sync(StorageHandle& handle);
  int size(StorageHandle& handle, std::size_t& bytes);
  int remove(const std::string& path, bool syncs_directory);
  int lock(StorageHandle& handle, int level);
  int unlock(StorageHandle& handle, int level);
  int is_reserved(StorageHandle& handle, bool& reserved);
  int shm_map(StorageHandle& handle, std::size_t region, std::size_t bytes, bool extend,
              volatile void** mapped);
  int shm_lock(StorageHandle& handle, unsigned slots, bool is_lock, bool is_exclusive);
  void shm_barrier();
  void shm_unmap(StorageHandle& handle);

  // Under the lock.
  Verdict judge(StorageOperation operation, const std::string& path);
  int end(const Verdict& verdict);
  int sync_file(TwinFile& file, const std::string& path);
  int pass(StorageOperation operation, const std::string& path);
  void crash_now(StorageCrash crash);
  void rename_now(const Names& change);
  void sync_names();
  std::uint64_t free_now() const;
  int highest_lock_beside(const StorageHandle& handle) const;
  TwinFile& file_for_test(const std::string& path);

  mutable std::mutex mutex_;
  TwinRandom random_;
  std::string vfs_name_;
  std::unique_ptr<StorageVfs> vfs_;

  Names names_;
  Names durable_names_;
  std::vector<Names> unsynced_names_;    ///< what each change left: path and file, or no file
  std::vector<StorageHandle*> handles_;  ///< those alive

  std::vector<ActiveFault> faults_;
  std::array<std::uint64_t, storage_operations> counts_{};
  std::uint64_t changes_ = 0;
  std::uint64_t bytes_max_ = std::numeric_limits<std::uint64_t>::max();
  int no_room_error_ = 0;
  std::uint64_t file_bytes_max_ = std::numeric_limits<std::uint64_t>::max();
  bool ignores_syncs_ = false;
  bool is_down_ = false;
  std::uint64_t crash_change_ = 0;  ///< the count at which it crashes; 0 is never
  StorageCrash crash_kind_ = StorageCrash::process;
  std::uint64_t operations_left_ = std::numeric_limits<std::uint64_t>::max();
  bool has_overrun_ = false;
};

}  // namespace outrider::test
