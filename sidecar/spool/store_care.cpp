// What keeps the database in shape: its size, and its accounts after damage.
#include <algorithm>

#include "sidecar/base/record.hpp"
#include "sidecar/spool/store.hpp"
#include "sidecar/spool/store_statements.hpp"

namespace outrider::sidecar {
namespace {

/// A spool that is often used keeps some room for its next time.
constexpr std::int64_t unused_pages_min = 16'384;
constexpr std::int64_t vacuum_pages = 2048;

}  // namespace

void Store::stretch_log(std::uint64_t bytes) {
  if (bytes == 0) return;
  // A transaction larger than the cache is written to the log as it goes, and leaves its length
  // behind when it is rolled back.
  try {
    database_.execute(
        "BEGIN IMMEDIATE; CREATE TABLE stretch(data); INSERT INTO stretch VALUES("
        "zeroblob(" +
        std::to_string(bytes) + ")); ROLLBACK");
  } catch (const SqliteError&) {
    // No room: then it grows when it must.
    roll_back();
  }
}

bool Store::give_back_pages() {
  const auto has_many = [this] {
    const std::int64_t unused = database_.number("PRAGMA freelist_count");
    return unused > unused_pages_min && unused > database_.number("PRAGMA page_count") / 2;
  };
  if (!has_many()) return false;
  database_.execute("PRAGMA incremental_vacuum(" + std::to_string(vacuum_pages) + ")");
  return has_many();
}

std::uint64_t Store::unused_bytes() {
  return static_cast<std::uint64_t>(database_.number("PRAGMA freelist_count")) * page_bytes;
}

std::uint64_t Store::used_bytes() {
  const auto pages = static_cast<std::uint64_t>(database_.number("PRAGMA page_count"));
  const std::uint64_t others =
      unused_bytes() + static_cast<std::uint64_t>(std::max<std::int64_t>(counters_.dead_bytes, 0));
  return pages * page_bytes - std::min(pages * page_bytes, others);
}

void Store::settle_accounts() {
  deltas_.clear();
  database_.execute(R"(
DELETE FROM settled WHERE block NOT IN (SELECT id FROM block);
INSERT OR IGNORE INTO destination(id, name) SELECT destination, 'recovered-' || destination FROM
  (SELECT destination FROM block UNION SELECT destination FROM scheduled
   UNION SELECT destination FROM dead);
UPDATE destination SET
  events=(SELECT coalesce(sum(b.events),0) FROM block b WHERE b.destination=destination.id),
  bytes=(SELECT coalesce(sum(length(b.records)),0) FROM block b
         WHERE b.destination=destination.id),
  scheduled_events=(SELECT count(*) FROM scheduled s WHERE s.destination=destination.id),
  scheduled_bytes=(SELECT coalesce(sum(length(s.record)),0) FROM scheduled s
                   WHERE s.destination=destination.id);
)");
  Statement partly(database_,
                   "SELECT b.destination, s.events, s.bytes FROM settled s "
                   "JOIN block b ON b.id=s.block");
  while (partly.step()) {
    Delta& delta = deltas_[partly.number(0)];
    delta.events -= count_bits(partly.bytes(1));
    delta.bytes -= partly.number(2);
  }
  const auto number = [this](const char* sql) { return database_.number(sql); };
  counters_.next_block =
      std::max(counters_.next_block, number("SELECT coalesce(max(id),0)+1 FROM block"));
  counters_.front_block = std::min(
      counters_.front_block, number("SELECT coalesce(min(id),4611686018427387904) FROM block"));
  counters_.next_row = std::max({counters_.next_row, number("SELECT max(id)+1 FROM dead"),
                                 number("SELECT max(id)+1 FROM scheduled")});
  counters_.dead_events = number("SELECT count(*) FROM dead");
  counters_.dead_bytes =
      number("SELECT coalesce(sum(length(record)+length(CAST(answer AS BLOB))),0) FROM dead");
  counters_.clients = number("SELECT count(*) FROM client");
}

void Store::use_ids_beyond(const BlockIds& used) {
  counters_.front_block = std::min(counters_.front_block, used.front);
  counters_.next_block = std::max(counters_.next_block, used.next);
}

void Store::close_without_log() {
  statements_.reset();
  database_.execute("PRAGMA wal_checkpoint(TRUNCATE)");
  database_.execute("PRAGMA journal_mode=DELETE");
}

}  // namespace outrider::sidecar
