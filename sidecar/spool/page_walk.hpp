// walk_pages: the rows in the pages of a database's file, whether its trees lead to them or not.
//
// Used by Salvage: if a page that leads to others is damaged, their rows are still read. It reads
// the pages that are in use according to SQLite's own map, and gives each row that can be parsed;
// the caller checks that the row is what was written. The file format is SQLite's
// (sqlite.org/fileformat2.html), for pages of Store::page_bytes and a database that keeps the map.
//
// Thread: the storage thread's. Fails with: nothing, except with is_read_error_passed_on; rows that
// cannot be parsed are left out. Memory: one row. Rows that are only in the write-ahead log are not
// seen.
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
