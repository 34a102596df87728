// walk_table: every row of a table that can be read, of a damaged one too.
//
// Used by Salvage and the inspection commands. Reads rows_at_once at a time, each time anew from
// where it was: a reader holds up the write-ahead log only so long, unless the caller has begun a
// transaction around it all. From the first row up to what cannot be read, then
// from the last row down to it, and in between in steps that double, so that it ends in any case
// and one damaged page costs only its own rows.
//
// What the system cannot read is tried again at once, read_attempts times in all.
//
// Thread: the database's. Fails with: nothing that reading does, but for is_read_error_passed_on;
// what `take` throws is passed on.
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
  /// What the system cannot read may be read later: that is passed on, and not stepped over.
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
