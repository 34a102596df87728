// An SQLite connection on a storage twin, with one table of rows, for the twin's own tests.
#pragma once

#include <cstdint>
#include <set>
#include <string>

#include <sqlite3.h>

#include "support/storage_twin.hpp"

namespace outrider::test {

class TwinDatabase {
 public:
  static constexpr const char* path = "/spool/outrider.db";

  explicit TwinDatabase(StorageTwin& twin, const std::string& sync = "FULL") {
    code_ = sqlite3_open_v2(path, &db_, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
                            twin.vfs_name().c_str());
    sqlite3_extended_result_codes(db_, 1);
    if (code_ != SQLITE_OK) return;
    code_ = run("PRAGMA journal_mode = WAL; PRAGMA synchronous = " + sync +
                "; PRAGMA wal_autocheckpoint = 20;"
                "CREATE TABLE IF NOT EXISTS row (id INTEGER PRIMARY KEY, body TEXT)");
  }
  ~TwinDatabase() { sqlite3_close(db_); }
  TwinDatabase(const TwinDatabase&) = delete;
  TwinDatabase& operator=(const TwinDatabase&) = delete;

  /// How opening went.
  int code() const { return code_; }

  int run(const std::string& sql) {
    return sqlite3_exec(db_, sql.c_str(), nullptr, nullptr, nullptr);
  }

  /// The last column of the last row as text, or the error's.
  std::string text(const std::string& sql) {
    std::string last;
    const auto keep = [](void* into, int columns, char** values, char**) {
      const char* value = values[columns - 1];
      *static_cast<std::string*>(into) = value == nullptr ? "NULL" : value;
      return 0;
    };
    const int code = sqlite3_exec(db_, sql.c_str(), keep, &last, nullptr);
    return code == SQLITE_OK ? last : sqlite3_errmsg(db_);
  }

  int insert(std::int64_t id) {
    return run("INSERT INTO row VALUES (" + std::to_string(id) + ", " + body(std::to_string(id)) +
               ")");
  }
  int remove(std::int64_t id) { return run("DELETE FROM row WHERE id = " + std::to_string(id)); }
  std::string rows() { return text("SELECT count(*) FROM row"); }

  std::set<std::int64_t> ids() {
    std::set<std::int64_t> found;
    const auto keep = [](void* into, int, char** values, char**) {
      static_cast<std::set<std::int64_t>*>(into)->insert(std::stoll(values[0]));
      return 0;
    };
    sqlite3_exec(db_, "SELECT id FROM row", keep, &found, nullptr);
    return found;
  }

  /// "ok" if the structure is sound and each row has the body that was written.
  std::string check() {
    const std::string wrong = text("SELECT count(*) FROM row WHERE body != " + body("id"));
    return wrong == "0" ? text("PRAGMA integrity_check") : wrong + " wrong bodies";
  }

 private:
  /// From 300 to 1500 bytes, so that a row is often on two pages and a commit several frames.
  static std::string body(const std::string& id) {
    return "printf('%.*c', 300 + " + id + " % 5 * 300, char(97 + " + id + " % 26))";
  }

  sqlite3* db_ = nullptr;
  int code_ = SQLITE_OK;
};

}  // namespace outrider::test
