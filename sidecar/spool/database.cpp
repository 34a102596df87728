#include "sidecar/spool/database.hpp"

#include <cerrno>
#include <system_error>

#include <sqlite3.h>

#include "sidecar/base/percent.hpp"

namespace outrider::sidecar {
namespace {

/// How long another process, an inspection command, may hold the write lock.
constexpr std::chrono::milliseconds lock_wait = std::chrono::seconds(5);

int flags_of(OpenMode mode) {
  switch (mode) {
    case OpenMode::read_only:
      return SQLITE_OPEN_READONLY;
    case OpenMode::frozen:
      return SQLITE_OPEN_READONLY | SQLITE_OPEN_URI;
    case OpenMode::read_write:
      return SQLITE_OPEN_READWRITE;
    case OpenMode::create:
      break;
  }
  return SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
}

std::string frozen_uri(const std::string& path) {
  std::string uri = "file:";
  append_percent_encoded(
      path, [](char c) { return c != '%' && c != '?' && c != '#'; }, uri);
  return uri + "?immutable=1";
}

/// Of a call before which errno was 0. SQLite keeps the system's error of some calls only.
[[noreturn]] void fail(sqlite3* handle, int code) {
  const int system_error = errno;
  const char* detail = handle != nullptr ? sqlite3_errmsg(handle) : sqlite3_errstr(code);
  throw SqliteError(code, system_error, detail);
}

int note_wal_pages(void* pages, sqlite3*, const char*, int count) {
  *static_cast<int*>(pages) = count;
  return SQLITE_OK;
}

/// Of a read that the system has refused with one of these, SQLite says that the file is damaged.
bool is_read_error(int code, int system_error) {
  const bool is_damage = (code & 0xff) == SQLITE_CORRUPT || (code & 0xff) == SQLITE_NOTADB;
  if (code == SQLITE_IOERR_CORRUPTFS) return true;
  return is_damage && (system_error == EIO || system_error == ENXIO);
}

StorageTrouble trouble_of(int code, int system_error) {
  if (is_read_error(code, system_error)) return StorageTrouble::failing;
  switch (code & 0xff) {
    case SQLITE_FULL:
      return StorageTrouble::full;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return StorageTrouble::busy;
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN: {
      const bool is_no_room =
          system_error == ENOSPC || system_error == EDQUOT || system_error == EFBIG;
      // Of its shared memory SQLite does not say why it cannot grow, and there is one reason.
      return is_no_room || code == SQLITE_IOERR_SHMSIZE ? StorageTrouble::full
                                                        : StorageTrouble::failing;
    }
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_FORMAT:
    case SQLITE_MISMATCH:
    case SQLITE_CONSTRAINT:  // memory that was given out once exists already
      return StorageTrouble::damaged;
    default:
      return StorageTrouble::failing;
  }
}

std::string with_cure(int code, int system_error, const std::string& message) {
  if (is_read_error(code, system_error)) {
    return "the disk cannot be read: " + std::generic_category().message(system_error);
  }
  if (trouble_of(code, system_error) != StorageTrouble::full) return message;
  switch (system_error) {
    case EDQUOT:
      return message + "; the disk quota is used up: make room there";
    case EFBIG:
      return message + "; the limit on the size of files is reached: raise it (`ulimit -f`)";
    default:
      return message + "; the disk is full: make room there";
  }
}

}  // namespace

SqliteError SqliteError::damaged(const std::string& message) {
  // The last place that was read may be the unreadable one.
  return {SQLITE_CORRUPT, errno, message};
}

SqliteError SqliteError::other(const std::string& message) {
  return {SQLITE_ERROR, 0, message};
}

SqliteError SqliteError::system(const std::string& message, const std::string& cure) {
  const int error = errno;
  return {SQLITE_IOERR, error, message + ": " + std::generic_category().message(error) + cure};
}

SqliteError::SqliteError(int code, int system_error, const std::string& message)
    : std::runtime_error(with_cure(code, system_error, message)),
      code_(code),
      system_error_(system_error) {}

StorageTrouble SqliteError::trouble() const {
  return trouble_of(code_, system_error_);
}

bool SqliteError::is_read_error() const {
  return sidecar::is_read_error(code_, system_error_);
}

bool SqliteError::is_file_too_long() const {
  return trouble() == StorageTrouble::full && system_error_ == EFBIG;
}

bool SqliteError::may_leave_gap() const {
  return (code_ & 0xff) != SQLITE_FULL && (code_ & 0xff) != SQLITE_BUSY;
}

Database::Database(const std::string& path, OpenMode mode, const std::string& vfs)
    : wal_pages_(std::make_unique<int>(0)) {
  const std::string name = mode == OpenMode::frozen ? frozen_uri(path) : path;
  sqlite3* handle = nullptr;
  errno = 0;
  const int code = sqlite3_open_v2(name.c_str(), &handle, flags_of(mode) | SQLITE_OPEN_NOMUTEX,
                                   vfs.empty() ? nullptr : vfs.c_str());
  handle_.reset(handle);
  if (code != SQLITE_OK) fail(handle, code);
  sqlite3_extended_result_codes(handle, 1);
  wait_for_locks(lock_wait);
  // The hook replaces automatic checkpoints: they run when no client waits for an answer.
  sqlite3_wal_hook(handle, note_wal_pages, wal_pages_.get());
}

void Database::Close::operator()(sqlite3* handle) const {
  sqlite3_close_v2(handle);
}

void Database::execute(const std::string& sql) {
  errno = 0;
  const int code = sqlite3_exec(handle(), sql.c_str(), nullptr, nullptr, nullptr);
  // There is no such format: it is a bit of the first page.
  const bool is_unknown = std::string_view(sqlite3_errmsg(handle())) == "unsupported file format";
  if (code == SQLITE_ERROR && is_unknown) throw SqliteError::damaged(sqlite3_errmsg(handle()));
  if (code != SQLITE_OK) fail(handle(), code);
}

std::int64_t Database::number(const std::string& sql) {
  Statement statement(*this, sql);
  return statement.step() ? statement.number(0) : 0;
}

std::string Database::text(const std::string& sql) {
  Statement statement(*this, sql);
  return statement.step() ? std::string(statement.text(0)) : std::string();
}

bool Database::is_in_transaction() const {
  return sqlite3_get_autocommit(handle()) == 0;
}

std::int64_t Database::changes() const {
  return sqlite3_changes64(handle());
}

bool Database::move_log(int mode) {
  sqlite3_busy_timeout(handle(), 0);
  errno = 0;
  const int code = sqlite3_wal_checkpoint_v2(handle(), nullptr, mode, nullptr, nullptr);
  wait_for_locks(lock_wait_);
  if ((code & 0xff) == SQLITE_BUSY) return false;
  if (code != SQLITE_OK) fail(handle(), code);
  return true;
}

void Database::checkpoint() {
  move_log(SQLITE_CHECKPOINT_PASSIVE);
  *wal_pages_ = 0;
}

bool Database::restart_log() {
  if (!move_log(SQLITE_CHECKPOINT_RESTART)) return false;
  *wal_pages_ = 0;
  return true;
}

bool Database::empty_log() {
  if (!move_log(SQLITE_CHECKPOINT_TRUNCATE)) return false;
  *wal_pages_ = 0;
  return true;
}

void Database::forget_pages() {
  sqlite3_db_release_memory(handle());
}

void Database::leave_log() {
  sqlite3_db_config(handle(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
}

void Database::wait_for_locks(std::chrono::milliseconds at_most) {
  lock_wait_ = at_most;
  sqlite3_busy_timeout(handle(), static_cast<int>(at_most.count()));
}

Statement::Statement(Database& database, const std::string& sql) : database_(database.handle()) {
  errno = 0;
  const int code = sqlite3_prepare_v3(database_, sql.c_str(), static_cast<int>(sql.size()),
                                      SQLITE_PREPARE_PERSISTENT, &statement_, nullptr);
  // All statements are right for the tables that the store makes: then it is these that are not.
  if (code == SQLITE_ERROR) throw SqliteError::damaged(sqlite3_errmsg(database_));
  if (code != SQLITE_OK) fail(database_, code);
}

Statement::~Statement() {
  sqlite3_finalize(statement_);
}

/// An unbound parameter would be stored as NULL.
void Statement::check_bound(int code) {
  if (code != SQLITE_OK) throw SqliteError(code, 0, sqlite3_errmsg(database_));
}

Statement& Statement::bind(int index, std::int64_t value) {
  check_bound(sqlite3_bind_int64(statement_, index, value));
  return *this;
}

Statement& Statement::bind(int index, std::string_view text) {
  check_bound(sqlite3_bind_text64(statement_, index, text.empty() ? "" : text.data(), text.size(),
                                  SQLITE_STATIC, SQLITE_UTF8));
  return *this;
}

Statement& Statement::bind(int index, proto::ByteView bytes) {
  check_bound(sqlite3_bind_blob64(statement_, index,
                                  bytes.empty() ? "" : static_cast<const void*>(bytes.data()),
                                  bytes.size(), SQLITE_STATIC));
  return *this;
}

Statement& Statement::bind_column(int index, const Statement& from, int column) {
  check_bound(sqlite3_bind_value(statement_, index, sqlite3_column_value(from.statement_, column)));
  return *this;
}

bool Statement::step() {
  errno = 0;
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  const int system_error = errno;
  reset();
  errno = system_error;
  if (code != SQLITE_DONE) fail(database_, code);
  return false;
}

void Statement::run() {
  while (step()) {
  }
}

void Statement::reset() {
  sqlite3_reset(statement_);
}

char Statement::kind(int column) const {
  switch (sqlite3_column_type(statement_, column)) {
    case SQLITE_INTEGER:
      return 'i';
    case SQLITE_TEXT:
      return 't';
    case SQLITE_BLOB:
      return 'b';
    case SQLITE_FLOAT:
      return 'f';
    default:
      return '.';
  }
}

std::int64_t Statement::number(int column) const {
  return sqlite3_column_int64(statement_, column);
}

std::string_view Statement::text(int column) const {
  const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
  if (text == nullptr) return {};
  return {text, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
}

proto::ByteView Statement::bytes(int column) const {
  const auto* bytes = static_cast<const std::uint8_t*>(sqlite3_column_blob(statement_, column));
  return {bytes, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
}

}  // namespace outrider::sidecar
