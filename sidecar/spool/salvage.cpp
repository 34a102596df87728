#include "sidecar/spool/salvage.hpp"

#include <array>

#include "sidecar/base/fault_point.hpp"
#include "sidecar/spool/store.hpp"
#include "sidecar/spool/table_walk.hpp"

namespace outrider::sidecar {
namespace {

constexpr int commit_rows = 256;
constexpr std::array suffixes = {"-wal", "-shm", ""};

std::string partial_path(const std::string& path) {
  return path + ".partial";
}
/// A copy that is whole.
std::string recovered_path(const std::string& path) {
  return path + ".recovered";
}

void remove_database(Disk& disk, const std::string& path) {
  for (const char* suffix : suffixes) disk.remove(path + suffix);
}

Result<std::string> put_in_place(const std::string& path, Disk& disk, const Now& now) {
  const std::string name = path + ".damaged-" + std::to_string(now.wall_ns() / 1'000'000'000);
  std::string damaged = name;
  for (int i = 2; disk.exists(damaged) || disk.exists(damaged + suffixes[0]); ++i) {
    damaged = name + "-" + std::to_string(i);
  }
  // The log before its database: an old log beside the new database would be taken for its own.
  for (const char* suffix : suffixes) {
    if (Status status = disk.rename(path + suffix, damaged + suffix); !status.ok()) {
      return status.error();
    }
    fault_point("quarantine_renaming");
  }
  if (Status status = disk.rename(recovered_path(path), path); !status.ok()) return status.error();
  disk.remove(emptied_path(path));
  return damaged;
}

struct Table {
  const char* name;
  const char* key;         ///< a whole number
  const char* second_key;  ///< likewise; or null
  int columns;
};
constexpr std::array integer_keyed = {
    Table{"destination", "id", nullptr, 6},
    Table{"block", "id", nullptr, 6},
    Table{"settled", "block", nullptr, 3},
    Table{"scheduled", "due_ns", "id", 5},
    Table{"dead", "id", nullptr, 11},
    Table{"damaged", "id", nullptr, 4},
    Table{"returned", "destination", nullptr, 3},
};
/// Their keys leave no gaps to jump over: they are read up to the first error.
constexpr std::array others = {
    Table{"client", nullptr, nullptr, 4},
    Table{"schedule", nullptr, nullptr, 2},
};

class Copier {
 public:
  Copier(Database& from, Store& to, Salvaged& salvaged)
      : from_(from), to_(to.database()), store_(to), salvaged_(salvaged) {}

  void copy() {
    store_.begin(true);
    for (const Table& table : integer_keyed) {
      copy_by_key(table);
      store_.commit();
      store_.begin(true);
      fault_point("quarantine_copying");
    }
    for (const Table& table : others) {
      attempt([&] {
        Statement read(from_, std::string("SELECT * FROM ") + table.name);
        Statement write(to_, insert_into(table));
        while (read.step()) copy_row(read, 0, write, table);
      });
    }
    store_.commit();
    store_.begin(true);
    store_.settle_accounts();
    store_.commit();
    salvaged_.events = count("SELECT sum(events+scheduled_events) FROM destination");
    salvaged_.dead = count("SELECT count(*) FROM dead");
  }

 private:
  std::uint64_t count(const char* sql) { return static_cast<std::uint64_t>(to_.number(sql)); }

  template <typename Action>
  bool attempt(const Action& action) {
    try {
      action();
      return true;
    } catch (const SqliteError& error) {
      // No room for the copy is another matter than a row that cannot be read.
      if (error.trouble() == StorageTrouble::full) throw;
      ++salvaged_.unreadable;
      return false;
    }
  }

  static std::string insert_into(const Table& table) {
    std::string sql = std::string("INSERT OR IGNORE INTO ") + table.name + " VALUES(?";
    for (int i = 1; i < table.columns; ++i) sql += ",?";
    return sql + ")";
  }

  /// `first`: the column of the row that is the table's first.
  void copy_row(Statement& row, int first, Statement& write, const Table& table) {
    for (int i = 0; i < table.columns; ++i) write.bind_column(i + 1, row, first + i);
    write.run();
    if (++rows_ % commit_rows != 0) return;
    store_.commit();
    store_.begin(true);
    fault_point("quarantine_copying");
  }

  void copy_by_key(const Table& table) {
    Statement write(to_, insert_into(table));
    salvaged_.unreadable +=
        walk_table(from_, {table.name, table.key, table.second_key}, "*", [&](Statement& row) {
          copy_row(row, 2, write, table);
          return true;
        });
  }

  Database& from_;
  Database& to_;
  Store& store_;
  Salvaged& salvaged_;
  int rows_ = 0;
};

/// False: there is no room for one. An error passes: whoever finds no descriptor now may find one
/// later, and until then everything stays where it is.
Result<bool> make_copy(const std::string& path, Disk& disk, Salvaged& salvaged) {
  const std::string partial = partial_path(path);
  remove_database(disk, partial);
  try {
    if (Status status = disk.prepare(partial); !status.ok()) return status.error();
    Store to(Database(partial, OpenMode::create, disk.vfs()));
    Database from(path, OpenMode::read_write, disk.vfs());
    // What fails here is the copy: an incomplete one must not take the place of the original.
    Copier(from, to, salvaged).copy();
    // One file without a log: it takes its place by one renaming.
    to.close_without_log();
  } catch (const SqliteError& error) {
    remove_database(disk, partial);
    if (error.trouble() == StorageTrouble::failing) return Error{error.what()};
    return false;
  }
  return true;
}

}  // namespace

std::string emptied_path(const std::string& path) {
  return path + ".emptied";
}

void give_first_pages(const std::string& path, Disk& disk) {
  const std::string partial = partial_path(path);
  remove_database(disk, partial);
  Status status = disk.prepare(partial);
  // The tables of each spool begin at the same pages, for they are made in the same order.
  if (status.ok()) {
    const Store fresh(Database(partial, OpenMode::create, disk.vfs()));
  }
  if (status.ok()) status = disk.prepare(emptied_path(path));
  if (status.ok()) status = disk.rename(partial, path);
  if (!status.ok()) throw SqliteError::other(status.error().message);
}

Result<Salvaged> replace_damaged(const std::string& path, Disk& disk, const Now& now) {
  Salvaged salvaged;
  const Result<bool> copied = make_copy(path, disk, salvaged);
  if (!copied.ok()) return copied.error();
  salvaged.has_copy = copied.value();
  if (salvaged.has_copy) {
    Status status = disk.rename(partial_path(path), recovered_path(path));
    if (!status.ok()) return status.error();
  }
  fault_point("quarantine_copied");
  const auto damaged = put_in_place(path, disk, now);
  if (!damaged.ok()) return damaged.error();
  salvaged.damaged_path = damaged.value();
  return salvaged;
}

Result<bool> finish_replacement(const std::string& path, Disk& disk, const Now& now) {
  remove_database(disk, partial_path(path));
  if (!disk.exists(recovered_path(path))) return false;
  const auto damaged = put_in_place(path, disk, now);
  if (!damaged.ok()) return damaged.error();
  return true;
}

}  // namespace outrider::sidecar
