#include "sidecar/inspect/spool_access.hpp"

#include <cerrno>
#include <chrono>
#include <filesystem>
#include <system_error>
#include <thread>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sidecar/base/text.hpp"
#include "sidecar/spool/disk.hpp"

namespace outrider::sidecar {
namespace {

namespace fs = std::filesystem;

constexpr const char* read_only_cure =
    "; mount it writable; if it was writable before, the kernel's log (dmesg) says why that "
    "changed";

/// access() does not see that the kernel has made a file system read-only. Nothing is left on disk,
/// and the database itself is not opened, because closing it would end the locks that SQLite has on
/// it.
bool is_read_only(const std::string& folder) {
  const int fd = ::open(folder.c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
  if (fd < 0) return errno == EROFS;
  ::close(fd);
  return false;
}

/// So that SQLite may make its files beside the database, and take them away again.
bool is_writable(const std::string& path) {
  const std::string folder = folder_of(path);
  return ::access(path.c_str(), W_OK) == 0 && ::access(folder.c_str(), W_OK) == 0 &&
         !is_read_only(folder);
}

/// SQLite would wait for the writer of a pipe, and follow a link to other people's files.
Status check_files_beside(const std::string& path) {
  for (const char* suffix : {"-journal", "-wal", "-shm"}) {
    std::error_code error;
    const fs::file_status status = fs::symlink_status(path + suffix, error);
    if (fs::status_known(status) && fs::exists(status) && !fs::is_regular_file(status)) {
      return Error{path + suffix + " is not a regular file; remove it"};
    }
  }
  return Nothing{};
}

Status check_file(const std::string& path, int access) {
  const bool may = ::access(path.c_str(), access) == 0;
  if (may && (access & W_OK) != 0 && is_read_only(folder_of(path))) {
    errno = EROFS;
  } else if (may) {
    std::error_code error;
    if (fs::is_regular_file(path, error)) return check_files_beside(path);
    return Error{"the spool " + path + " is not a file"};
  }
  if (errno == ENOENT || errno == ENOTDIR) {
    return Error{"no spool at " + path + "; a sidecar creates it when it starts"};
  }
  return Error{
      std::string("the spool ") + path + " cannot be " +
      ((access & W_OK) != 0 ? "written" : "read") + ": " + std::generic_category().message(errno) +
      (errno == EROFS ? read_only_cure
                      : "; run the command as the user that the sidecar runs as, or as root")};
}

/// Of an empty file, which SQLite would take for a new database, whose log it deletes.
Status check_content(const std::string& path) {
  if (file_bytes(path) > 0) return Nothing{};
  if (file_bytes(wal_path(path)) == 0) {
    return Error{"the spool " + path +
                 " is empty; a sidecar creates a new one there when it starts"};
  }
  return Error{"the spool " + path +
               " is empty, but its write-ahead log is not; keep the log and start the sidecar "
               "again: it continues with the content of the log"};
}

Error as_error(const std::string& path, const SqliteError& error) {
  const std::string message = "the spool " + path + ": " + error.what();
  if (error.trouble() != StorageTrouble::damaged) return {message};
  return {message +
          "; `outrider spool export` prints everything that can be read, and `outrider spool "
          "repair`, or a sidecar that finds the damage, continues with it"};
}

/// A running sidecar and we must see each other's writes through the same file, which is the one
/// that it has open: SQLite locks a byte of it for that time. No one in this process has the spool
/// open: closing a file ends all locks on it.
bool shares_memory(const std::string& path) {
  constexpr off_t sqlite_dms_byte = 128;
  const int fd = ::open(shm_path(path).c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (fd < 0) return false;
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  lock.l_start = sqlite_dms_byte;
  lock.l_len = 1;
  const bool is_known = ::fcntl(fd, F_GETLK, &lock) == 0;
  ::close(fd);
  return is_known && lock.l_type != F_UNLCK;
}

Database open_database(const std::string& path) {
  std::error_code error;
  const bool has_log = fs::exists(wal_path(path), error);
  if (!has_log && is_writable(path)) {
    // A reader leaves its empty log on disk; a connection that can write removes it.
    Database database(path, OpenMode::read_write);
    database.execute("PRAGMA query_only=ON");
    return database;
  }
  const bool is_frozen = file_bytes(wal_path(path)) == 0 && !is_writable(path) && !is_in_use(path);
  return {path, is_frozen ? OpenMode::frozen : OpenMode::read_only};
}

}  // namespace

std::uint64_t file_bytes(const std::string& path) {
  std::error_code error;
  const auto bytes = fs::file_size(path, error);
  return error ? 0 : bytes;
}

Status guarded(const std::string& path, const std::function<void()>& action) {
  try {
    action();
    return Nothing{};
  } catch (const SqliteError& error) {
    return as_error(path, error);
  }
}

Result<Database> open_to_read(const std::string& path) {
  if (Status status = check_file(path, R_OK); !status.ok()) return status.error();
  if (Status status = check_content(path); !status.ok()) return status.error();
  const auto checked = [](Database database) {
    database.execute("PRAGMA cache_size=-4096; PRAGMA trusted_schema=OFF");
    Store::check_kind(database);
    return database;
  };
  try {
    try {
      return checked(open_database(path));
    } catch (const SqliteError& error) {
      // No room for SQLite's own files, and no other process has them open.
      const bool is_whole = file_bytes(wal_path(path)) == 0 && !is_in_use(path);
      if (error.trouble() != StorageTrouble::full || !is_whole) throw;
      return checked({path, OpenMode::frozen});
    }
  } catch (const SqliteError& error) {
    if (error.trouble() == StorageTrouble::failing && !is_writable(path) &&
        file_bytes(wal_path(path)) > 0) {
      return Error{"the spool " + path + " has a write-ahead log, which cannot be read " +
                   "without write access (" + error.what() +
                   "); copy both files to another folder"};
    }
    return as_error(path, error);
  }
}

Status check_first_page(const std::string& path, bool& is_damaged) {
  // A database that was made and never checkpointed is still only in the write-ahead log.
  if (file_bytes(path) == 0 || file_bytes(wal_path(path)) > 0) return Nothing{};
  try {
    Database database(path, OpenMode::frozen);
    // Without tables: a sidecar stopped right after it had made the file.
    if (database.number("SELECT count(*) FROM sqlite_schema") > 0) Store::check_kind(database);
  } catch (const SqliteError& error) {
    is_damaged = error.trouble() == StorageTrouble::damaged;
    if (!is_damaged) return Error{error.what()};
  }
  return Nothing{};
}

Status check_writable(const std::string& path) {
  Status status = check_file(path, R_OK | W_OK);
  return status.ok() ? check_content(path) : status;
}

Result<std::unique_ptr<Store>> open_to_write(const std::string& path) {
  if (Status status = check_writable(path); !status.ok()) return status.error();
  try {
    Database database(path, OpenMode::read_write);
    Store::check_kind(database);
    return std::make_unique<Store>(std::move(database));
  } catch (const SqliteError& error) {
    return as_error(path, error);
  }
}

void touch_spool(const std::string& path) {
  ::utimensat(AT_FDCWD, lock_path(path).c_str(), nullptr, 0);
}

Status wait_for_shared_memory(const std::string& path) {
  constexpr int looks_max = 30;
  for (int looks = 1; is_in_use(path) && !shares_memory(path); ++looks) {
    if (looks == looks_max) {
      return Error{"the sidecar does not have " + shm_path(path) +
                   " open: it starts or repairs the spool, or the file was deleted; try again, and "
                   "restart the sidecar if that does not help"};
    }
    touch_spool(path);
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  return Nothing{};
}

bool is_in_use(const std::string& path) {
  const int fd = ::open(lock_path(path).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (fd < 0) return false;
  const bool is_locked = ::flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
  ::close(fd);
  return is_locked;
}

Result<std::unique_ptr<SpoolLock>> SpoolLock::take(const std::string& path) {
  const std::string name = lock_path(path);
  const int fd =
      ::open(name.c_str(), O_RDONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
  if (fd < 0) {
    return Error{"cannot open " + name + ": " + std::generic_category().message(errno) +
                 (errno == EROFS ? read_only_cure : "")};
  }
  std::unique_ptr<SpoolLock> lock(new SpoolLock(fd));
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    return Error{"a sidecar uses the spool " + path + "; stop it first"};
  }
  // If root has just made it, it must not keep the sidecar out.
  struct stat owner {};
  const bool is_known = ::stat(path.c_str(), &owner) == 0;
  if (is_known && ::fchown(fd, owner.st_uid, owner.st_gid) != 0 && errno == EPERM) {
    return Error{"cannot change the owner of " + name + " to the owner of the spool"};
  }
  return lock;
}

SpoolLock::~SpoolLock() {
  ::close(fd_);
}

ReadTransaction::ReadTransaction(Database& database) : database_(database) {
  database_.execute("BEGIN");
  // From the first read on, the transaction sees one moment. This read succeeds whatever else is
  // damaged.
  database_.number("SELECT count(*) FROM sqlite_schema");
}

ReadTransaction::~ReadTransaction() {
  try {
    database_.execute("ROLLBACK");
  } catch (const SqliteError&) {
    // It ends with the connection at the latest.
  }
}

}  // namespace outrider::sidecar
