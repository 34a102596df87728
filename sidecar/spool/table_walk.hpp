// walk_table: every readable row of a table, even of a damaged one.
//
// Used by Salvage and the inspection commands. Reads rows_at_once rows at a time and then starts a
// new query, so that a reader delays the write-ahead log only briefly, unless the caller has begun
// a transaction around it all. It reads from the first row up to an unreadable place, then from the
// last row down to it, and in between in steps that double, so that it always ends and one damaged
// page costs only its own rows.
//
// A read that the system fails is tried again at once, read_attempts times in total.
//
// Thread: the database's. Fails with: no read error, except with is_read_error_passed_on;
// exceptions of `take` are passed on.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "sidecar/spool/database.hpp"

namespace outrider::sidecar {

struct KeyedTable {
  const char* name;
  const char* key;         ///< a whole number
  const char* second_key;  ///< likewise; or null
  /// A read that the system fails may succeed later: it is passed on instead of skipped.
  bool is_read_error_passed_on = false;
};

inline constexpr int rows_at_once = 16;
inline constexpr int read_attempts = 4;

/// Calls `take` with each row: its key, its second key or 0, then `columns`; ascending by key as
/// long as everything can be read, and until it returns false. Returns how many stretches could not
/// be read. Calls `between` when some were taken and nothing is held.
std::uint64_t walk_table(
    Database& database, const KeyedTable& table, const std::string& columns,
    const std::function<bool(Statement& row)>& take, const std::function<void()>& between = [] {});

}  // namespace outrider::sidecar
