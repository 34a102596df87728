#include "sidecar/spool/salvage.hpp"

#include <array>
#include <map>
#include <memory>

#include "sidecar/base/fault_point.hpp"
#include "sidecar/spool/page_walk.hpp"
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
  for (int i = 2; disk.look_at(damaged) || disk.look_at(damaged + suffixes[0]); ++i) {
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
  /// The kinds of its columns, of the key '.'; null: its rows are not looked for in the pages.
  const char* shape;
  /// Of its columns from `first` on: whether the row is what was written. Null: nothing tells.
  bool (*is_sound)(const Statement& row, int first);
};
constexpr std::array integer_keyed = {
    Table{"destination", "id", nullptr, 6, ".tiiii", nullptr},
    Table{"block", "id", nullptr, 6, ".iiiib",
          [](const Statement& row, int first) {
            const proto::ByteView records = row.bytes(first + 5);
            return checksum(records) == row.number(first + 4) &&
                   is_sound(records, static_cast<std::uint32_t>(row.number(first + 2)));
          }},
    Table{"settled", "block", nullptr, 3, ".bi", nullptr},
    Table{"scheduled", "due_ns", "id", 5, "iiiib",
          [](const Statement& row, int first) {
            const proto::ByteView record = row.bytes(first + 4);
            return checksum(record) == row.number(first + 3) && is_sound(record, 1);
          }},
    Table{"dead", "id", nullptr, 11, ".itttiiiitb",
          [](const Statement& row, int first) { return is_sound(row.bytes(first + 10), 1); }},
    Table{"damaged", "id", nullptr, 4, nullptr, nullptr},
    Table{"returned", "destination", nullptr, 3, nullptr, nullptr},
};
/// Their keys leave no gaps to jump over: they are read up to the first error.
constexpr std::array others = {
    Table{"client", nullptr, nullptr, 4, nullptr, nullptr},
    Table{"schedule", nullptr, nullptr, 2, nullptr, nullptr},
};

/// Of the table's columns from `first` on.
bool is_intact(const Table& table, const Statement& row, int first) {
  for (int i = 0; table.shape != nullptr && i < table.columns; ++i) {
    const char kind = table.shape[i] == '.' ? 'i' : table.shape[i];
    if (row.kind(first + i) != kind) return false;
  }
  return table.is_sound == nullptr || table.is_sound(row, first);
}

class Copier {
 public:
  Copier(Disk& disk, const std::string& path, Database& from, Store& to, Salvaged& salvaged)
      : disk_(disk),
        path_(path),
        from_(from),
        to_(to.database()),
        store_(to),
        salvaged_(salvaged) {}

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
    copy_from_pages();
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

  static std::string more_values(const Table& table) {
    std::string sql;
    for (int i = 1; i < table.columns; ++i) sql += ",?";
    return sql;
  }

  static std::string insert_into(const Table& table) {
    return std::string("INSERT OR IGNORE INTO ") + table.name + " VALUES(?" + more_values(table) +
           ")";
  }

  /// `first`: the column of the row that is the table's first.
  void copy_row(const Statement& row, int first, Statement& write, const Table& table) {
    if (!is_intact(table, row, first)) {
      ++salvaged_.unreadable;
      return;
    }
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

  /// What the trees do not lead to any more. Not while the log has what the file has not: rows that
  /// were settled there would come back.
  void copy_from_pages() {
    try {
      if (!from_.empty_log()) return;
    } catch (const SqliteError& error) {
      if (error.trouble() == StorageTrouble::failing) throw;
      return;
    }
    std::map<std::string, std::unique_ptr<RowCopy>> by_shape;
    for (const Table& table : integer_keyed) {
      if (table.shape != nullptr) by_shape[table.shape] = std::make_unique<RowCopy>(to_, table);
    }
    walk_pages(disk_, path_, [&](const std::vector<StoredValue>& row) {
      std::string shape;
      for (const StoredValue& value : row) shape += value.kind;
      const auto found = by_shape.find(shape);
      if (found == by_shape.end()) return;
      auto& [values, write, table] = *found->second;
      for (std::size_t i = 0; i < row.size(); ++i) bind(values, static_cast<int>(i) + 1, row[i]);
      const StatementReset reset(values);
      if (values.step() && is_intact(table, values, 0)) copy_row(values, 0, write, table);
    });
  }

  struct RowCopy {
    RowCopy(Database& to, const Table& of)
        : values(to, "SELECT ?" + more_values(of)), write(to, insert_into(of)), table(of) {}
    Statement values;
    Statement write;
    const Table& table;
  };

  static void bind(Statement& to, int index, const StoredValue& value) {
    if (value.kind == 't') {
      to.bind(index, std::string_view(value.bytes));
    } else if (value.kind == 'b') {
      to.bind(index, proto::as_bytes(value.bytes));
    } else {
      to.bind(index, value.number);
    }
  }

  Disk& disk_;
  const std::string& path_;
  Database& from_;
  Database& to_;
  Store& store_;
  Salvaged& salvaged_;
  int rows_ = 0;
};

/// The tables and indexes, and where they begin: after a VACUUM these are the same pages, each of
/// another table.
std::string schema_of(Database& database) {
  return database.text(
             "SELECT group_concat(type || name || coalesce(sql,'')) FROM "
             "(SELECT * FROM sqlite_schema ORDER BY name)") +
         database.text(
             "SELECT group_concat(rootpage) FROM "
             "(SELECT rootpage FROM sqlite_schema ORDER BY rootpage)");
}

/// The tables of each spool begin at the same pages, for they are made in the same order: where the
/// first page, which says so, is damaged, that of a new spool is in its place as good. The second
/// one tells whose file it is.
void mend_first_page(const std::string& path, const std::string& fresh, Disk& disk) {
  constexpr std::size_t whose_bytes = 50;
  { const Store store(Database(fresh, OpenMode::create, disk.vfs())); }
  try {
    Database database(path, OpenMode::read_write, disk.vfs());
    Store::check_kind(database);
    if (has_our_schema(database)) return;
  } catch (const SqliteError& error) {
    if (error.trouble() != StorageTrouble::damaged) throw;
  }
  const auto start_of = [&disk](const std::string& file) {
    std::string start = disk.read(file, 0, Store::page_bytes + whose_bytes);
    start.resize(Store::page_bytes + whose_bytes);
    return start;
  };
  std::string page = start_of(fresh);
  if (start_of(path).substr(Store::page_bytes) != page.substr(Store::page_bytes)) return;
  page.resize(Store::page_bytes);
  // It belongs to a file of another length; so that SQLite does not believe it, the number of
  // changes is not the one that the length is valid for.
  constexpr std::size_t change_counter_end = 27;
  page[change_counter_end] ^= '\x40';
  if (Status status = disk.write_start(path, page); !status.ok()) {
    throw SqliteError::other(status.error().message);
  }
}

/// Otherwise `because` says why there is none. An error passes: whoever finds no descriptor now may
/// find one later, and until then everything stays where it is.
Status make_copy(const std::string& path, Disk& disk, WithoutCopy without, Salvaged& salvaged,
                 std::string& because) {
  const std::string partial = partial_path(path);
  remove_database(disk, partial);
  try {
    if (Status status = disk.prepare(partial); !status.ok()) return status.error();
    mend_first_page(path, partial, disk);
    Store to(Database(partial, OpenMode::create, disk.vfs()));
    Database from(path, OpenMode::read_write, disk.vfs());
    if (without == WithoutCopy::fail) Store::check_kind(from);
    // What fails here is the copy: an incomplete one must not take the place of the original.
    Copier(disk, path, from, to, salvaged).copy();
    // One file without a log: it takes its place by one renaming.
    to.close_without_log();
  } catch (const SqliteError& error) {
    remove_database(disk, partial);
    if (error.trouble() == StorageTrouble::failing) return Error{error.what()};
    because = error.what();
    return Nothing{};
  }
  salvaged.has_copy = true;
  return Nothing{};
}

}  // namespace

bool has_our_schema(Database& database) {
  Store fresh(Database(":memory:", OpenMode::create));
  return schema_of(database) == schema_of(fresh.database());
}

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

Result<Salvaged> replace_damaged(const std::string& path, Disk& disk, WithoutCopy without,
                                 const Now& now) {
  Salvaged salvaged;
  std::string because;
  const Status copied = make_copy(path, disk, without, salvaged, because);
  if (!copied.ok()) return copied.error();
  if (!salvaged.has_copy && without == WithoutCopy::fail) {
    return Error{"it cannot be copied: " + because};
  }
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
  if (!disk.look_at(recovered_path(path))) return false;
  const auto damaged = put_in_place(path, disk, now);
  if (!damaged.ok()) return damaged.error();
  return true;
}

}  // namespace outrider::sidecar
