// What a spool's file says, read behind the sidecar's back.
//
// Used by tests with real processes. Opens the file, asks and closes it again, so that it may be
// used beside a running sidecar. Fails with std::runtime_error. Link SQLite::SQLite3.
#pragma once

#include <stdexcept>
#include <string>
#include <vector>

#include <sqlite3.h>

namespace outrider::test {

/// The first column of every row, blobs as they are; NULL is "".
inline std::vector<std::string> query(const std::string& path, const std::string& sql) {
  sqlite3* database = nullptr;
  sqlite3_stmt* statement = nullptr;
  std::vector<std::string> values;
  int code = sqlite3_open_v2(path.c_str(), &database, SQLITE_OPEN_READWRITE, nullptr);
  if (code == SQLITE_OK) {
    sqlite3_busy_timeout(database, 10'000);
    code = sqlite3_prepare_v2(database, sql.c_str(), -1, &statement, nullptr);
  }
  if (code == SQLITE_OK) {
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
      const auto* bytes = static_cast<const char*>(sqlite3_column_blob(statement, 0));
      const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement, 0));
      values.emplace_back(bytes == nullptr ? "" : bytes, size);
    }
  }
  const std::string message = sqlite3_errmsg(database);
  sqlite3_finalize(statement);
  sqlite3_close(database);
  if (code != SQLITE_DONE && code != SQLITE_OK) throw std::runtime_error(path + ": " + message);
  return values;
}

inline long query_number(const std::string& path, const std::string& sql) {
  const std::vector<std::string> values = query(path, sql);
  return values.empty() || values[0].empty() ? 0 : std::stol(values[0]);
}

}  // namespace outrider::test
