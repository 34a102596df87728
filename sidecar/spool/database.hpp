// Database and Statement: the spool's wrapper of SQLite. Only its source file includes sqlite3.h.
//
// Used by Store, Salvage and the inspection commands. Thread: a Database and its statements belong
// to one thread at a time. Owns: the connection. Fails with: SqliteError, which does not leave this
// module.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

#include "proto/bytes.hpp"

struct sqlite3;
struct sqlite3_stmt;

namespace outrider::sidecar {

/// The kind of trouble decides the reaction.
enum class StorageTrouble : std::uint8_t {
  failing,   ///< the disk cannot be read or written just now
  full,      ///< there is no space left, whatever limit that is: the disk, a quota, a size of files
  damaged,   ///< the file differs from what was written to it
  busy,      ///< another program has locked it
  at_limit,  ///< the spool takes as much of the disk as it may
};

class SqliteError : public std::runtime_error {
 public:
  /// `system_error`: the system's errno, if it is relevant. If there is no room, the text after
  /// `message` names that: SQLite itself may report only an I/O error.
  SqliteError(int code, int system_error, const std::string& message);
  /// Damage that SQLite itself does not see.
  static SqliteError damaged(const std::string& message);
  static SqliteError other(const std::string& message);
  /// A failed system call; errno has the reason.
  static SqliteError system(const std::string& message, const std::string& cure = {});

  StorageTrouble trouble() const;
  /// The system could not read, which SQLite reports as damage. Trouble `failing`: a place that can
  /// be read a moment later is not damaged, and one that cannot be read for long counts as damaged.
  bool is_read_error() const;
  /// Damaged, or as good as that.
  bool may_be_damage() const { return trouble() == StorageTrouble::damaged || is_read_error(); }
  /// The limit on the size of files is reached, and there may be room on the disk.
  bool is_file_too_long() const;
  /// Earlier writes may never become safe.
  bool may_leave_gap() const;

 private:
  int code_;
  int system_error_;
};

/// SQL: the number of bytes in a column. One wrong bit in the head of a row makes text of bytes, of
/// which length() counts the characters. As length() does, it reads no bytes that are not text.
inline std::string byte_length(const std::string& column) {
  return "CASE typeof(" + column + ") WHEN 'blob' THEN length(" + column + ") ELSE length(CAST(" +
         column + " AS BLOB)) END";
}

enum class OpenMode : std::uint8_t {
  read_only,
  frozen,  ///< to read, without locks and without its log: no other process writes to it
  read_write,
  create,
};

class Database {
 public:
  /// `vfs`: the name of a registered SQLite VFS, or empty for the system's.
  Database(const std::string& path, OpenMode mode, const std::string& vfs = {});

  /// One or more statements without values.
  void execute(const std::string& sql);
  /// A statement that gives one number; 0 if it gives none.
  std::int64_t number(const std::string& sql);
  std::string text(const std::string& sql);

  bool is_in_transaction() const;
  /// Rows that the last statement has changed.
  std::int64_t changes() const;
  /// Pages in the write-ahead log after the last commit.
  int wal_pages() const { return *wal_pages_; }
  /// Moves the write-ahead log into the database, as far as readers allow, without waiting.
  void checkpoint();
  /// Moves all of it, without waiting, so that the next transaction writes at its beginning; the
  /// file keeps its length. False: another process reads it.
  bool restart_log();
  /// Moves all of it and empties it, without waiting. False: another process reads it.
  bool empty_log();
  /// Reads its cached pages from the file again.
  void forget_pages();
  /// Closes without moving the log: of a connection that does not know all of it.
  void leave_log();
  /// How long to wait for another program's lock from now on.
  void wait_for_locks(std::chrono::milliseconds at_most);

  /// A row has fewer bytes.
  static constexpr std::uint64_t row_bytes_max = 1'000'000'000;

  sqlite3* handle() const { return handle_.get(); }

 private:
  struct Close {
    void operator()(sqlite3* handle) const;
  };
  /// False: another program has locked it.
  bool move_log(int mode);

  std::unique_ptr<int> wal_pages_;  ///< on the heap: SQLite's hook points to it
  std::unique_ptr<sqlite3, Close> handle_;
  std::chrono::milliseconds lock_wait_{};
};

/// A prepared statement; bind, step while it gives rows, and then it can be bound again.
class Statement {
 public:
  Statement(Database& database, const std::string& sql);
  ~Statement();
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  /// Bytes and text must stay valid until the statement was run.
  Statement& bind(int index, std::int64_t value);
  Statement& bind(int index, std::string_view text);
  Statement& bind(int index, proto::ByteView bytes);
  /// A value of the row that another statement is at, whatever its type.
  Statement& bind_column(int index, const Statement& from, int column);

  /// True: there is a row, whose columns may be read. False: done, and reset.
  bool step();
  /// Runs a statement that gives no rows.
  void run();
  void reset();

  /// i: number, t: text, b: bytes, f: fraction; '.': nothing
  char kind(int column) const;
  std::int64_t number(int column) const;
  std::string_view text(int column) const;  ///< valid until the next step
  proto::ByteView bytes(int column) const;  ///< valid until the next step

 private:
  void check_bound(int code);

  sqlite3* database_;
  sqlite3_stmt* statement_ = nullptr;
};

/// Resets a statement that is left before its last row.
class StatementReset {
 public:
  explicit StatementReset(Statement& statement) : statement_(statement) {}
  ~StatementReset() { statement_.reset(); }
  StatementReset(const StatementReset&) = delete;
  StatementReset& operator=(const StatementReset&) = delete;

 private:
  Statement& statement_;
};

}  // namespace outrider::sidecar
