// Disk: the spool's use of the file system besides SQLite: the owner of the file, the free room, a
// reserve for a full disk, and setting a damaged file aside.
//
// Used by StoreKeeper and Salvage. open_disk() makes the real one; the simulation has its own, on
// top of its simulated storage. Thread: the storage thread's, once that runs. Fails with:
// SqliteError or a bool.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "sidecar/base/clock.hpp"

namespace outrider::sidecar {

/// The identity of a named file, and its length.
struct FileMark {
  std::uint64_t id = 0;
  std::uint64_t bytes = 0;
  std::uint64_t device = 0;     ///< ids of two file systems may be the same
  std::int64_t changed_ns = 0;  ///< its attributes or content
  std::uint64_t names = 1;      ///< hard links
};
/// The same file, or twice none.
bool is_same_file(const std::optional<FileMark>& a, const std::optional<FileMark>& b);

class Disk {
 public:
  virtual ~Disk() = default;

  /// The SQLite VFS to open the database with; empty for the system's.
  virtual std::string vfs() const { return {}; }

  /// Makes sure that no other process uses the same spool. First of all. Its folder
  /// must be there.
  virtual void lock(const std::string& path) = 0;

  /// Makes the database's file with mode 0600 if there is none; its name is safe then.
  virtual void prepare(const std::string& path) = 0;

  /// SQLite makes two files beside the database, and does not say why it cannot.
  virtual void check_files_can_be_made(const std::string& path) = 0;

  /// Bytes that this process may still write to the folder of `path`.
  virtual std::uint64_t free_bytes(const std::string& path) = 0;
  /// No file of this process may be longer (`ulimit -f`); UINT64_MAX: no limit.
  virtual std::uint64_t file_bytes_max() = 0;

  /// Makes the reserve at least this long, so that deleting can continue when the disk is full.
  /// False: there is no room; the existing part of it stays.
  virtual bool take_reserve(const std::string& path, std::uint64_t bytes) = 0;
  /// Gives this much of it back, or all that exists. False: it is as long as before, because there
  /// is none or the system refuses. So a caller that repeats this until it is false comes to an
  /// end.
  virtual bool give_back_reserve(const std::string& path, std::uint64_t bytes) = 0;

  /// Nothing: there is no such file.
  virtual std::optional<FileMark> look_at(const std::string& path) = 0;
  /// Writes the file's bytes once more, because the system does not retry failed writes.
  virtual void write_again(const std::string& path) = 0;
  /// Nothing to rename is not an error.
  virtual void rename(const std::string& from, const std::string& to) = 0;
  virtual void remove(const std::string& path) = 0;

  /// As many bytes as there are, `bytes` at most; none of a file that cannot be opened.
  virtual std::string read(const std::string& path, std::uint64_t offset, std::size_t bytes) = 0;
  virtual void write_start(const std::string& path, const std::string& bytes) = 0;
  /// Before the next attempt.
  virtual void wait(Duration duration) = 0;
};

std::unique_ptr<Disk> open_disk();

/// The files beside the database.
std::string lock_path(const std::string& path);
std::string reserve_path(const std::string& path);
std::string wal_path(const std::string& path);
std::string shm_path(const std::string& path);

}  // namespace outrider::sidecar
