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
/// The new spool: a copy that is whole, or an empty file.
std::string recovered_path(const std::string& path) {
  return path + ".recovered";
}

void remove_database(Disk& disk, const std::string& path) {
  for (const char* suffix : suffixes) disk.remove(path + suffix);
}

/// Returns where the damaged spool is now.
std::string put_in_place(const std::string& path, Disk& disk, const Now& now) {
  const std::string name = path + ".damaged-" + std::to_string(now.wall_ns() / 1'000'000'000);
  std::string damaged = name;
  for (int i = 2; disk.look_at(damaged) || disk.look_at(damaged + suffixes[0]); ++i) {
    damaged = name + "-" + std::to_string(i);
  }
  // The log before its database: an old log beside the new database would be taken for its own.
  for (const char* suffix : suffixes) {
    disk.rename(path + suffix, damaged + suffix);
    fault_point("quarantine_renaming");
  }
  disk.rename(recovered_path(path), path);
  disk.remove(emptied_path(path));
  return damaged;
}

/// A new spool, at partial_path(). The tables of all begin at the same pages, because they are made
/// in the same order.
void make_fresh(const std::string& path, Disk& disk) {
  const std::string partial = partial_path(path);
  remove_database(disk, partial);
  disk.prepare(partial);
  const Store fresh(Database(partial, OpenMode::create, disk.vfs()));
}

constexpr std::string_view scheduled = "scheduled";

struct Table {
  const char* name;
  const char* key;         ///< a whole number; null: its keys leave no gaps to jump over
  const char* second_key;  ///< likewise; or null
  int columns;
  /// The kinds of its columns, of the key '.'; null: its rows are not looked for in the pages.
  const char* shape;
  /// Of its columns from `first` on: whether the row is as it was written. Null: there is no way to
  /// know.
  bool (*is_sound)(const Statement& row, int first);
};
constexpr std::array tables = {
    Table{"destination", "id", nullptr, 6, ".tiiii", nullptr},
    Table{"block", "id", nullptr, 6, ".iiiib",
          [](const Statement& row, int first) {
            const proto::ByteView records = row.bytes(first + 5);
            return checksum(records) == row.number(first + 4) &&
                   is_sound(records, static_cast<std::uint32_t>(row.number(first + 2)));
          }},
    Table{"settled", "block", nullptr, 3, ".bi", nullptr},
    Table{scheduled.data(), "due_ns", "id", 5, "iiiib",
          [](const Statement& row, int first) {
            const std::int64_t crc = row.number(first + 3);
            return is_scheduled_sound(row.bytes(first + 4), crc) &&
                   written_date(row.number(first), crc).has_value();
          }},
    Table{"dead", "id", nullptr, 11, ".itttiiiitb",
          [](const Statement& row, int first) { return is_sound(row.bytes(first + 10), 1); }},
    Table{"damaged", "id", nullptr, 4, nullptr, nullptr},
    Table{"returned", "destination", nullptr, 3, nullptr, nullptr},
    Table{"client", nullptr, nullptr, 4, nullptr, nullptr},
    Table{"schedule", nullptr, nullptr, 2, nullptr, nullptr},
};

/// Text that is called bytes, and bytes that are called text, are the same bytes.
bool is_of_kind(const Statement& row, int column, char kind) {
  const char found = row.kind(column);
  return found == kind || (found == 't' && kind == 'b') || (found == 'b' && kind == 't');
}

/// Of the table's columns from `first` on.
bool is_intact(const Table& table, const Statement& row, int first) {
  for (int i = 0; table.shape != nullptr && i < table.columns; ++i) {
    if (!is_of_kind(row, first + i, table.shape[i] == '.' ? 'i' : table.shape[i])) return false;
  }
  return table.is_sound == nullptr || table.is_sound(row, first);
}

class Copier {
 public:
  Copier(Disk& disk, const std::string& path, Database& from, Store& to, UnreadPlaces unread,
         Salvaged& salvaged)
      : disk_(disk),
        path_(path),
        from_(from),
        to_(to.database()),
        store_(to),
        fails_unread_(unread == UnreadPlaces::fail),
        salvaged_(salvaged) {}

  void copy() {
    store_.begin(true);
    for (const Table& table : tables) {
      copy_table(table);
      store_.commit();
      store_.begin(true);
      fault_point("quarantine_copying");
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
    for (int i = 0; i < table.columns; ++i) copy_column(row, first + i, write, i + 1, table.shape);
    if (table.name == scheduled) {
      write.bind(1, *written_date(row.number(first), row.number(first + 3)));
    }
    write.run();
    if (++rows_ % commit_rows != 0) return;
    store_.commit();
    store_.begin(true);
    fault_point("quarantine_copying");
  }

  /// With the kind that it was written with, where that is known.
  static void copy_column(const Statement& row, int column, Statement& write, int index,
                          const char* shape) {
    const char kind = shape != nullptr ? shape[index - 1] : '.';
    if (kind == 'b') {
      write.bind(index, row.bytes(column));
    } else if (kind == 't') {
      write.bind(index, row.text(column));
    } else {
      write.bind_column(index, row, column);
    }
  }

  void copy_table(const Table& table) {
    Statement write(to_, insert_into(table));
    if (table.key != nullptr) {
      salvaged_.unreadable +=
          walk_table(from_, {table.name, table.key, table.second_key, fails_unread_}, "*",
                     [&](Statement& row) {
                       copy_row(row, 2, write, table);
                       return true;
                     });
      return;
    }
    // Up to the first error.
    try {
      Statement read(from_, std::string("SELECT * FROM ") + table.name);
      while (read.step()) copy_row(read, 0, write, table);
    } catch (const SqliteError& error) {
      // No room for the copy is another matter than a row that cannot be read.
      if (error.trouble() == StorageTrouble::full) throw;
      if (error.is_read_error() && fails_unread_) throw;
      ++salvaged_.unreadable;
    }
  }

  /// Rows that the trees no longer lead to. Not while the log has newer content than the file: rows
  /// that were settled there would return.
  void copy_from_pages() {
    try {
      if (!from_.empty_log()) return;
    } catch (const SqliteError& error) {
      if (error.trouble() == StorageTrouble::failing && !skips(error)) throw;
      return;
    }
    std::map<std::string, std::unique_ptr<RowCopy>> by_shape;
    for (const Table& table : tables) {
      if (table.shape != nullptr) by_shape[table.shape] = std::make_unique<RowCopy>(to_, table);
    }
    const auto take = [&](const std::vector<StoredValue>& row) {
      std::string shape;
      for (const StoredValue& value : row) shape += value.kind;
      const auto found = by_shape.find(shape);
      if (found == by_shape.end()) return;
      auto& [values, write, table] = *found->second;
      for (std::size_t i = 0; i < row.size(); ++i) bind(values, static_cast<int>(i) + 1, row[i]);
      const StatementReset reset(values);
      if (values.step() && is_intact(table, values, 0)) copy_row(values, 0, write, table);
    };
    walk_pages(disk_, path_, take, fails_unread_);
  }

  bool skips(const SqliteError& error) const { return error.is_read_error() && !fails_unread_; }

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
  const bool fails_unread_;
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

bool may_be_damage(const SqliteError& error, UnreadPlaces unread) {
  return unread == UnreadPlaces::step_over ? error.may_be_damage()
                                           : error.trouble() == StorageTrouble::damaged;
}

/// Where the first page, which says at which pages the tables begin, is damaged, that of a new
/// spool is in its place as good. The second one tells whose file it is.
void mend_first_page(const std::string& path, const std::string& fresh, Disk& disk,
                     UnreadPlaces unread) {
  constexpr std::size_t whose_bytes = 50;
  try {
    Database database(path, OpenMode::read_write, disk.vfs());
    Store::check_kind(database);
    if (has_our_schema(database)) return;
  } catch (const SqliteError& error) {
    if (!may_be_damage(error, unread)) throw;
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
  disk.write_start(path, page);
}

/// Gives in `salvaged` the reason why there is none. A failing disk is passed on: a descriptor that
/// is missing now may be free later, and until then everything stays in place.
void make_copy(const std::string& path, Disk& disk, WithoutCopy without, UnreadPlaces unread,
               Salvaged& salvaged) {
  const std::string partial = partial_path(path);
  try {
    make_fresh(path, disk);
    mend_first_page(path, partial, disk, unread);
    Store to(Database(partial, OpenMode::create, disk.vfs()));
    Database from(path, OpenMode::read_write, disk.vfs());
    if (without == WithoutCopy::fail) Store::check_kind(from);
    // A failure here concerns the copy: an incomplete one must not take the place of the original.
    Copier(disk, path, from, to, unread, salvaged).copy();
    // One file without a log: it takes its place by one renaming.
    to.close_without_log();
    salvaged.has_copy = true;
  } catch (const SqliteError& error) {
    remove_database(disk, partial);
    const StorageTrouble trouble = error.trouble();
    if (trouble == StorageTrouble::failing || trouble == StorageTrouble::busy) throw;
    salvaged.is_without_room = trouble == StorageTrouble::full;
    salvaged.because = error.what();
  }
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
  make_fresh(path, disk);
  disk.prepare(emptied_path(path));
  disk.rename(partial_path(path), path);
}

Salvaged replace_damaged(const std::string& path, Disk& disk, WithoutCopy without,
                         UnreadPlaces unread, const Now& now) {
  Salvaged salvaged;
  make_copy(path, disk, without, unread, salvaged);
  if (salvaged.has_copy) {
    disk.rename(partial_path(path), recovered_path(path));
  } else if (without == WithoutCopy::fail) {
    throw SqliteError::other("it cannot be copied: " + salvaged.because);
  } else {
    // An empty file is a new spool. It says that the replacement has begun: the damaged database
    // must never be used again once its log has another name.
    disk.prepare(recovered_path(path));
  }
  fault_point("quarantine_copied");
  salvaged.damaged_path = put_in_place(path, disk, now);
  return salvaged;
}

std::optional<std::string> finish_replacement(const std::string& path, Disk& disk, const Now& now) {
  remove_database(disk, partial_path(path));
  if (!disk.look_at(recovered_path(path))) return std::nullopt;
  return put_in_place(path, disk, now);
}

}  // namespace outrider::sidecar
