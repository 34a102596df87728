// walk_pages: the rows that stand in the pages of a database's file, whatever its trees lead to.
//
// Used by Salvage: where a page that leads to others is damaged, what they hold is read none the
// less. Looks at the pages that are in use, by SQLite's own map of them, and gives each row that
// can be taken apart; whoever takes it checks that it is what was written. The file format is
// SQLite's (sqlite.org/fileformat2.html), for pages of Store::page_bytes and a database that keeps
// the map.
//
// Thread: the storage thread's. Fails with: nothing, but for is_read_error_passed_on; what cannot
// be taken apart is left out. Memory: one row. What is in the write-ahead log only is not seen.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "sidecar/spool/disk.hpp"

namespace outrider::sidecar {

struct StoredValue {
  char kind = '.';          ///< i: number, t: text, b: bytes; '.': none, or the row's key
  std::int64_t number = 0;  ///< i, and the row's key
  std::string bytes{};      ///< t, b
};

/// Gets the values of a row in the order of its table's columns.
using TakeRow = std::function<void(const std::vector<StoredValue>& row)>;
void walk_pages(Disk& disk, const std::string& path, const TakeRow& take,
                bool is_read_error_passed_on = false);

}  // namespace outrider::sidecar
