#include "sidecar/inspect/spool_check.hpp"

#include <algorithm>
#include <map>
#include <optional>

#include "sidecar/base/record.hpp"
#include "sidecar/base/text.hpp"
#include "sidecar/inspect/inspection.hpp"
#include "sidecar/inspect/spool_access.hpp"
#include "sidecar/spool/table_walk.hpp"

namespace outrider::sidecar {
namespace {

constexpr const char* cure_file =
    "stop the sidecar and run `outrider spool repair`: it keeps everything that can be read; a "
    "sidecar that finds the damage does the same";
constexpr const char* cure_block =
    "a sidecar sets it aside when its turn comes, and counts its events as dropped with the reason "
    "damaged; `outrider spool repair` does it now";
constexpr const char* cure_dead =
    "remove it with `outrider dead drop ID`, or with `outrider spool repair`";
constexpr const char* cure_count =
    "no event is lost; limits and reports are wrong until `outrider spool repair`";
constexpr const char* cure_settled = "no event is lost; the events of the block are sent again";
constexpr const char* cure_name =
    "no event is lost; a sidecar that has the destination in its configuration repairs it, and so "
    "does `outrider spool repair` if only one bit is wrong";
constexpr const char* cure_ids = "stop the sidecar and run `outrider spool repair`";

constexpr std::size_t problem_bytes_max = 1000;

struct Totals {
  std::int64_t events = 0;
  std::int64_t bytes = 0;
  std::int64_t scheduled_events = 0;
  std::int64_t scheduled_bytes = 0;
  bool is_exact = true;  ///< false: some of it could not be read
};

class Checker {
 public:
  explicit Checker(Database& database) : database_(database) {}

  SpoolCheck run() {
    attempt([this] { check_schema(); });
    attempt([this] { check_file(); });
    attempt([this] { check_destinations(); });
    check_blocks();
    check_scheduled();
    check_dead();
    attempt([this] { check_settled(); });
    // Without all rows there is nothing to compare with.
    if (!is_readable_) return std::move(found_);
    attempt([this] { check_totals(); });
    attempt([this] { check_counters(); });
    return std::move(found_);
  }

 private:
  /// A damaged place may have held anything.
  void note(const std::string& what, const char* cure) {
    if (found_.problems.size() < problems_max) {
      found_.problems.push_back({printable(what, problem_bytes_max), cure});
    } else {
      ++found_.more_problems;
    }
  }

  template <typename Action>
  void attempt(const Action& action) {
    try {
      action();
    } catch (const SqliteError& error) {
      is_readable_ = false;
      note(std::string("the file cannot be read: ") + error.what(), cure_file);
    }
  }

  void walk(const KeyedTable& table, const std::string& columns,
            const std::function<void(Statement&)>& take) {
    const std::uint64_t stretches = walk_table(database_, table, columns, [&](Statement& row) {
      take(row);
      return true;
    });
    if (stretches == 0) return;
    is_readable_ = false;
    note("table " + std::string(table.name) + ": " + std::to_string(stretches) +
             (stretches == 1 ? " place" : " places") + " cannot be read",
         cure_file);
  }

  void check_file() {
    Statement lines(database_, "PRAGMA integrity_check(" + std::to_string(problems_max) + ")");
    while (lines.step()) {
      if (lines.text(0) != "ok") note("the file: " + std::string(lines.text(0)), cure_file);
    }
  }

  void check_schema() {
    if (!has_our_schema(database_))
      note("the file: its tables are not those of a spool", cure_file);
  }

  void check_destinations() {
    known_ = read_destinations(database_);
    std::uint64_t kept_events = 0;
    for (const auto& [id, row] : known_) {
      kept_events += row.totals.events + row.totals.scheduled_events;
      if (is_name_of(row.name, id)) continue;
      note("the name of destination " + row.name + " is damaged", cure_name);
    }
    found_.kept_events = kept_events;
  }

  void check_owner(DestinationId destination, const std::string& what) {
    if (known_.contains(destination)) return;
    note(what + " belongs to no destination", cure_ids);
  }

  void check_blocks() {
    walk({"block", "id", nullptr}, "destination, events, crc, records", [this](Statement& row) {
      const BlockId id = row.number(0);
      const DestinationId destination = row.number(2);
      const std::int64_t events = row.number(3);
      const proto::ByteView records = row.bytes(5);
      const std::string what = "block " + std::to_string(id) + " of " +
                               name_of(known_, destination) + " (" + std::to_string(events) +
                               " events)";
      ++found_.blocks;
      first_block_ = std::min(first_block_, id);
      last_block_ = std::max(last_block_, id);
      check_owner(destination, what);
      Totals& totals = totals_[destination];
      const bool is_whole = is_sound(records, static_cast<std::uint32_t>(events));
      if (checksum(records) != row.number(4)) {
        note(what + " is damaged: its checksum is wrong", cure_block);
      } else if (!is_whole) {
        note(what + " is not made of whole events", cure_block);
      }
      const SettledPart part = settled_part(records, settled_of(id, what, records));
      if (!is_whole) totals.is_exact = false;
      totals.events += events - part.events;
      totals.bytes += static_cast<std::int64_t>(records.size()) - part.bytes;
      found_.events += static_cast<std::uint64_t>(std::max<std::int64_t>(events - part.events, 0));
    });
  }

  Bytes settled_of(BlockId id, const std::string& what, proto::ByteView records) {
    Bytes settled;
    attempt([&] {
      Statement find(database_, "SELECT events, bytes FROM settled WHERE block=?");
      find.bind(1, id);
      const StatementReset reset(find);
      if (!find.step()) return;
      const proto::ByteView bits = find.bytes(0);
      if (is_settled_sound(records, bits, find.number(1))) {
        settled.assign(bits.begin(), bits.end());
      } else {
        note("cannot tell which events of " + what + " are settled", cure_settled);
      }
    });
    return settled;
  }

  void check_scheduled() {
    walk({"scheduled", "due_ns", "id"}, "destination, crc, record", [this](Statement& row) {
      const DestinationId destination = row.number(2);
      const proto::ByteView record = row.bytes(4);
      const std::string what = "scheduled event " + std::to_string(row.number(1)) + " of " +
                               name_of(known_, destination);
      ++found_.scheduled;
      last_row_ = std::max(last_row_, row.number(1));
      check_owner(destination, what);
      if (!is_scheduled_sound(record, row.number(3))) {
        note(what + " is damaged: its checksum is wrong", cure_block);
      }
      if (written_date(row.number(0), row.number(3)) != row.number(0)) {
        note("the date of " + what + " is damaged", cure_file);
      }
      Totals& totals = totals_[destination];
      totals.scheduled_events += 1;
      totals.scheduled_bytes += static_cast<std::int64_t>(record.size());
    });
  }

  void check_dead() {
    walk({"dead", "id", nullptr}, "destination, record, " + byte_length("answer"),
         [this](Statement& row) {
           const proto::ByteView record = row.bytes(3);
           const std::string what = "dead letter " + std::to_string(row.number(0));
           ++found_.dead;
           last_row_ = std::max(last_row_, row.number(0));
           dead_bytes_ += static_cast<std::int64_t>(record.size()) + row.number(4);
           check_owner(row.number(2), what);
           if (!is_sound(record, 1)) note(what + " is not a whole event", cure_dead);
         });
  }

  void check_settled() {
    const std::int64_t orphans =
        database_.number("SELECT count(*) FROM settled WHERE block NOT IN (SELECT id FROM block)");
    if (orphans == 0) return;
    note("table settled: " + std::to_string(orphans) + " rows of blocks that do not exist",
         cure_count);
  }

  void compare(const std::string& what, std::int64_t kept, std::int64_t counted, const char* cure) {
    if (kept == counted) return;
    note(what + " is recorded as " + std::to_string(kept) + ", but there are " +
             std::to_string(counted),
         cure);
  }

  /// The raw numbers: negative ones must be seen.
  void check_totals() {
    Statement kept(database_,
                   "SELECT id, name, events, bytes, scheduled_events, scheduled_bytes "
                   "FROM destination");
    while (kept.step()) {
      const Totals& counted = totals_[kept.number(0)];
      const std::string whose = "destination " + std::string(kept.text(1)) + ": the number of ";
      compare(whose + "spooled events", kept.number(2), counted.events, cure_count);
      if (counted.is_exact) {
        compare(whose + "spooled bytes", kept.number(3), counted.bytes, cure_count);
      }
      compare(whose + "scheduled events", kept.number(4), counted.scheduled_events, cure_count);
      compare(whose + "scheduled bytes", kept.number(5), counted.scheduled_bytes, cure_count);
    }
  }

  void check_counters() {
    Statement kept(database_,
                   "SELECT next_block, front_block, next_row, dead_events, dead_bytes, clients "
                   "FROM counters");
    const StatementReset reset(kept);
    if (!kept.step()) {
      note("table counters has no row", cure_ids);
      return;
    }
    if (kept.number(0) <= last_block_ || kept.number(1) > first_block_) {
      note("the ids of the blocks are outside the assigned range", cure_ids);
    }
    if (kept.number(2) <= last_row_) {
      note("the ids of scheduled events and dead letters are outside the assigned range", cure_ids);
    }
    compare("the number of dead letters", kept.number(3), static_cast<std::int64_t>(found_.dead),
            cure_count);
    compare("the number of bytes of dead letters", kept.number(4), dead_bytes_, cure_count);
    compare("the number of clients", kept.number(5),
            database_.number("SELECT count(*) FROM client"), cure_count);
  }

  Database& database_;
  SpoolCheck found_;
  StoredDestinations known_;
  std::map<DestinationId, Totals> totals_;
  std::int64_t dead_bytes_ = 0;
  BlockId first_block_ = INT64_MAX;
  BlockId last_block_ = INT64_MIN;
  std::int64_t last_row_ = INT64_MIN;
  bool is_readable_ = true;
};

}  // namespace

SpoolCheck check_spool(Database& database) {
  return Checker(database).run();
}

std::uint64_t SpoolRepair::lost_events() const {
  // Where everything could be read, it is the totals that were wrong.
  if (!replaced || !before.kept_events) return 0;
  const std::uint64_t there = after.events + after.scheduled;
  return *before.kept_events - std::min(*before.kept_events, there);
}

namespace {

SpoolCheck check_file(const std::string& path, Disk& disk) {
  try {
    Database database(path, OpenMode::read_write, disk.vfs());
    Store::check_kind(database);
    const ReadTransaction moment(database);
    return check_spool(database);
  } catch (const SqliteError& error) {
    if (!error.may_be_damage()) throw;
    SpoolCheck check;
    check.problems.push_back({std::string("the file cannot be read: ") + error.what(), cure_file});
    return check;
  }
}

void count_anew(const std::string& path, Disk& disk) {
  try {
    Store store(Database(path, OpenMode::read_write, disk.vfs()));
    store.begin(true);
    store.count_anew();
    store.commit();
  } catch (const SqliteError& error) {
    if (!error.may_be_damage()) throw;
  }
}

}  // namespace

Result<SpoolRepair> repair_spool(const std::string& path, Disk& disk, const Now& now) {
  try {
    finish_replacement(path, disk, now);
    SpoolRepair repair;
    repair.before = check_file(path, disk);
    repair.after = repair.before;
    if (repair.before.problems.empty()) return repair;
    count_anew(path, disk);
    repair.after = check_file(path, disk);
    if (repair.after.problems.empty()) return repair;
    repair.replaced = replace_damaged(path, disk, WithoutCopy::fail, UnreadPlaces::step_over, now);
    repair.after = check_file(path, disk);
    return repair;
  } catch (const SqliteError& error) {
    return Error{error.what()};
  }
}

}  // namespace outrider::sidecar
