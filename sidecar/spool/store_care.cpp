// Maintenance of the database: its size, and its accounts after damage.
#include <algorithm>
#include <bit>

#include "sidecar/base/record.hpp"
#include "sidecar/spool/store.hpp"
#include "sidecar/spool/store_statements.hpp"

namespace outrider::sidecar {
namespace {

/// A spool that is often used keeps some room for its next time.
constexpr std::int64_t unused_pages_min = 16'384;
constexpr int vacuum_pages = 2048;
/// The size of a dead letter besides its record and the answer: its columns, with an id and a topic
/// of a usual length, and its share of the free space in a page.
constexpr std::int64_t dead_row_bytes = 160;

}  // namespace

void Store::stretch_log(std::uint64_t bytes) {
  if (bytes == 0) return;
  // A transaction larger than the cache is written to the log as it grows, and the log keeps its
  // length after a rollback.
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
  vacuum(vacuum_pages);
  return has_many();
}

void Store::vacuum(int pages) {
  database_.execute("PRAGMA incremental_vacuum(" + std::to_string(pages) + ")");
}

void Store::vacuum_in_small_steps() {
  // More than fits into the cache would be written to the log, to be cut off there.
  constexpr int step_pages = 256;
  for (std::int64_t left = database_.number("PRAGMA freelist_count"); left > 0; left -= step_pages)
    vacuum(step_pages);
}

void Store::limit_file(std::uint64_t bytes_max) {
  const std::uint64_t pages_max = std::min<std::uint64_t>(bytes_max / page_bytes, UINT32_MAX - 1);
  database_.execute("PRAGMA max_page_count=" + std::to_string(pages_max));
}

std::uint64_t Store::file_bytes() {
  return static_cast<std::uint64_t>(database_.number("PRAGMA page_count")) * page_bytes;
}

std::uint64_t Store::unused_bytes() {
  return static_cast<std::uint64_t>(database_.number("PRAGMA freelist_count")) * page_bytes;
}

std::uint64_t Store::used_bytes() {
  const std::uint64_t all = file_bytes();
  const std::int64_t dead = counters_.dead_bytes + counters_.dead_events * dead_row_bytes;
  const std::uint64_t others =
      unused_bytes() + static_cast<std::uint64_t>(std::max<std::int64_t>(dead, 0));
  return all - std::min(all, others);
}

std::uint64_t Store::event_bytes_max() {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(
      0, database_.number("SELECT coalesce(sum(2*(bytes+scheduled_bytes)+"
                          "128*(events+scheduled_events)),0) FROM destination")));
}

bool Store::has_wrong_totals() {
  return database_.number(R"(
WITH RECURSIVE owner(id) AS (SELECT min(destination) FROM block UNION ALL
  SELECT (SELECT min(destination) FROM block WHERE destination>owner.id) FROM owner
  WHERE owner.id IS NOT NULL)
SELECT EXISTS(SELECT 1 FROM owner WHERE id NOT IN (SELECT id FROM destination))
  OR EXISTS(SELECT id, name FROM destination NOT INDEXED
    EXCEPT SELECT id, name FROM destination INDEXED BY sqlite_autoindex_destination_1)
  OR EXISTS(SELECT 1 FROM destination d WHERE min(events, bytes, scheduled_events, scheduled_bytes)<0
    OR (events>0)<>EXISTS(SELECT 1 FROM block b WHERE b.destination=d.id)
    OR (events>0)<>(bytes>0) OR (scheduled_events>0)<>(scheduled_bytes>0))
  OR (SELECT coalesce(max(scheduled_events),0)>0 FROM destination)<>EXISTS(SELECT 1 FROM scheduled)
  OR EXISTS(SELECT 1 FROM counters WHERE
    next_block<=(SELECT coalesce(max(id),0) FROM block)
    OR front_block>(SELECT coalesce(min(id),next_block) FROM block)
    OR next_row<=(SELECT coalesce(max(id),0) FROM dead)
    OR (dead_events>0)<>EXISTS(SELECT 1 FROM dead) OR (dead_events>0)<>(dead_bytes>0))
)") != 0;
}

void Store::count_anew() {
  // The other tables have their rows in their index: rebuilt from a damaged page, they would lose
  // intact rows.
  database_.execute("REINDEX destination; REINDEX block_of_destination");
  const std::string state = database_.text("PRAGMA quick_check(1)");
  if (state != "ok") throw SqliteError::damaged(state);
  settle_accounts();
}

void Store::settle_accounts() {
  deltas_.clear();
  database_.execute("DELETE FROM settled WHERE block NOT IN (SELECT id FROM block)");
  mend_names();
  adopt_strays();
  database_.execute(std::string(R"(
INSERT OR IGNORE INTO destination(id, name) SELECT destination, 'recovered-' || destination FROM
  (SELECT destination FROM block UNION SELECT destination FROM scheduled
   UNION SELECT destination FROM dead);
UPDATE destination SET
  events=(SELECT coalesce(sum(b.events),0) FROM block b WHERE b.destination=destination.id),
  bytes=(SELECT coalesce(sum()") +
                    byte_length("b.records") + R"(),0) FROM block b
         WHERE b.destination=destination.id),
  scheduled_events=(SELECT count(*) FROM scheduled s WHERE s.destination=destination.id),
  scheduled_bytes=(SELECT coalesce(sum()" +
                    byte_length("s.record") + R"(),0) FROM scheduled s
                   WHERE s.destination=destination.id);
DELETE FROM destination WHERE name='recovered-' || id AND events+scheduled_events=0
  AND id NOT IN (SELECT destination FROM dead);
)");
  settle_parts();
  const auto number = [this](const char* sql) { return database_.number(sql); };
  counters_.next_block =
      std::max(counters_.next_block, number("SELECT coalesce(max(id),0)+1 FROM block"));
  counters_.front_block = std::min(
      counters_.front_block, number("SELECT coalesce(min(id),4611686018427387904) FROM block"));
  counters_.next_row = std::max({counters_.next_row, number("SELECT max(id)+1 FROM dead"),
                                 number("SELECT max(id)+1 FROM scheduled")});
  count_dead();
  counters_.clients = number("SELECT count(*) FROM client");
}

/// A name with one wrong bit can be recognised; one with more errors counts as lost.
void Store::mend_names() {
  for (const auto& [id, destination] : destinations()) {
    if (is_name_of(destination.name, id)) continue;
    std::string name = destination.name;
    bool is_found = false;
    for (std::size_t bit = 0; bit < 8 * name.size() && !is_found; ++bit) {
      const auto flipped = static_cast<char>(1U << bit % 8);
      name[bit / 8] ^= flipped;
      is_found = destination_id(name) == id;
      if (!is_found) name[bit / 8] ^= flipped;
    }
    Statement rename(database_, "UPDATE OR IGNORE destination SET name=? WHERE id=?");
    if (!is_found) name = "recovered-" + std::to_string(id);
    rename.bind(1, std::string_view(name)).bind(2, id).run();
  }
}

/// Rows without an owner belong to the destination whose id differs in one bit.
void Store::adopt_strays() {
  std::vector<std::pair<DestinationId, DestinationId>> found;
  const auto known = destinations();
  Statement strays(database_,
                   "SELECT destination FROM block UNION SELECT destination FROM scheduled "
                   "UNION SELECT destination FROM dead EXCEPT SELECT id FROM destination");
  while (strays.step()) {
    for (const auto& [id, destination] : known) {
      const bool is_near = std::popcount(static_cast<std::uint64_t>(id ^ strays.number(0))) == 1;
      if (is_near && id == destination_id(destination.name))
        found.push_back({strays.number(0), id});
    }
  }
  for (const auto& [stray, id] : found) {
    for (const char* table : {"block", "scheduled", "dead"}) {
      Statement adopt(database_,
                      std::string("UPDATE ") + table + " SET destination=? WHERE destination=?");
      adopt.bind(1, id).bind(2, stray).run();
    }
  }
}

/// The totals do not include settled events. Either it is known which these are, or none of the
/// block is settled.
void Store::settle_parts() {
  std::vector<BlockId> wrong;
  Statement partly(database_,
                   "SELECT b.id, b.destination, b.records, s.events, s.bytes FROM settled s "
                   "JOIN block b ON b.id=s.block");
  while (partly.step()) {
    if (!is_settled_sound(partly.bytes(2), partly.bytes(3), partly.number(4))) {
      wrong.push_back(partly.number(0));
      continue;
    }
    Delta& delta = deltas_[partly.number(1)];
    delta.events -= count_bits(partly.bytes(3));
    delta.bytes -= partly.number(4);
  }
  for (const BlockId block : wrong) statements_->delete_settled.bind(1, block).run();
}

void Store::use_ids_beyond(const UsedIds& used) {
  counters_.front_block = std::min(counters_.front_block, used.front_block);
  counters_.next_block = std::max(counters_.next_block, used.next_block);
  counters_.next_row = std::max(counters_.next_row, used.next_row);
}

void Store::close_without_log() {
  statements_.reset();
  database_.execute("PRAGMA wal_checkpoint(TRUNCATE)");
  database_.execute("PRAGMA journal_mode=DELETE");
}

}  // namespace outrider::sidecar
