// The tables. An event is in exactly one of block, scheduled and dead, once for each destination:
//
//     confirmed, spilled ──> block ──settled──> gone
//     scheduled ──due──> block        │
//                          ^          └──dead──> dead ──dropped, too many, too old──> gone
//                          └──────────put back────┘
//
// block      stored records of one destination, back to back; ids ascend in the order of sending.
//            `settled` has the bits of blocks with some settled events, and their bytes.
// counters   one row; ids are never used twice, because the sidecar remembers how far it has read.
// returned   events that an inspection command has put back; the running sidecar notes and clears
//            them.
// damaged    unreadable rows, for people to inspect.
//
// A row's key has no checksum, and the row is found and removed by it. So code that takes rows by
// their order removes each by its own key, and a key that removes nothing is damage: in a copy the
// row is in its right place again.

#include "sidecar/spool/store.hpp"

#include <algorithm>
#include <bit>

#include <libdeflate.h>

#include "sidecar/base/fault_point.hpp"
#include "sidecar/base/record.hpp"
#include "sidecar/spool/salvage.hpp"
#include "sidecar/spool/store_statements.hpp"

namespace outrider::sidecar {
namespace {

constexpr std::int64_t our_application_id = 0x4f757472;  // "Outr"
constexpr std::int64_t schema_version = 1;
constexpr std::int64_t version_max = 255;
/// Leaves room in front: events that a stop puts back get lower ids.
constexpr std::int64_t first_block = std::int64_t{1} << 40U;
constexpr std::size_t windows_cached_max = 1024;
constexpr std::size_t newest_clients_max = 16'384;
/// To look for silent clients takes a walk through all.
constexpr Duration silence_look_interval = std::chrono::minutes(1);

constexpr const char* tables = R"(
CREATE TABLE counters(next_block INTEGER, front_block INTEGER, next_row INTEGER,
  dead_events INTEGER, dead_bytes INTEGER, clients INTEGER);
CREATE TABLE destination(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE,
  events INTEGER NOT NULL DEFAULT 0, bytes INTEGER NOT NULL DEFAULT 0,
  scheduled_events INTEGER NOT NULL DEFAULT 0, scheduled_bytes INTEGER NOT NULL DEFAULT 0);
CREATE TABLE block(id INTEGER PRIMARY KEY, destination INTEGER NOT NULL, events INTEGER NOT NULL,
  created_ns INTEGER NOT NULL, crc INTEGER NOT NULL, records BLOB NOT NULL);
CREATE INDEX block_of_destination ON block(destination);
CREATE TABLE settled(block INTEGER PRIMARY KEY, events BLOB NOT NULL, bytes INTEGER NOT NULL);
CREATE TABLE scheduled(due_ns INTEGER NOT NULL, id INTEGER NOT NULL, destination INTEGER NOT NULL,
  crc INTEGER NOT NULL, record BLOB NOT NULL, PRIMARY KEY(due_ns, id)) WITHOUT ROWID;
CREATE TABLE dead(id INTEGER PRIMARY KEY, destination INTEGER NOT NULL, event TEXT NOT NULL,
  topic TEXT NOT NULL, reason TEXT NOT NULL, status INTEGER NOT NULL, attempts INTEGER NOT NULL,
  first_ns INTEGER NOT NULL, last_ns INTEGER NOT NULL, answer TEXT NOT NULL,
  record BLOB NOT NULL);
CREATE TABLE returned(destination INTEGER PRIMARY KEY, events INTEGER NOT NULL,
  bytes INTEGER NOT NULL);
CREATE TABLE client(id BLOB PRIMARY KEY, highest INTEGER NOT NULL, taken BLOB NOT NULL,
  seen_ns INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE schedule(name TEXT PRIMARY KEY, last_ns INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE damaged(id INTEGER PRIMARY KEY, destination INTEGER NOT NULL,
  noted_ns INTEGER NOT NULL, data BLOB NOT NULL);
)";

bool is_bit_flipped(std::int64_t number, std::int64_t was) {
  return std::popcount(static_cast<std::uint32_t>(number ^ was)) == 1;
}

}  // namespace

Store::Store(Database database) : database_(std::move(database)) {
  make_tables();
  statements_ = std::unique_ptr<Statements>(new Statements{database_});
}

Store::~Store() = default;

void Store::make_tables() {
  // Kept small: data is read only once, and the system has its own page cache. Writing zeroes over
  // deleted data, as Debian's library does, would take as much of the log as storing.
  database_.execute(
      "PRAGMA cache_size=-4096; PRAGMA temp_store=MEMORY; PRAGMA trusted_schema=OFF; "
      "PRAGMA secure_delete=FAST;");
  const bool is_empty = database_.number("SELECT count(*) FROM sqlite_schema") == 0;
  if (is_empty) {
    database_.execute("PRAGMA page_size=" + std::to_string(page_bytes) +
                      "; PRAGMA auto_vacuum=INCREMENTAL; "
                      "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; BEGIN IMMEDIATE;");
    // Another process may have been faster.
    if (database_.number("SELECT count(*) FROM sqlite_schema") == 0) {
      database_.execute(tables);
      database_.execute("INSERT INTO counters VALUES(" + std::to_string(first_block) + "," +
                        std::to_string(first_block) + ",1,0,0,0);");
      database_.execute("PRAGMA application_id=" + std::to_string(our_application_id) +
                        "; PRAGMA user_version=" + std::to_string(schema_version) + ";");
    }
    database_.execute("COMMIT");
    return;
  }
  check_kind(database_);
  database_.execute("PRAGMA synchronous=FULL");
  // A copy that took the place of a damaged spool has no log, and may have kept none until now.
  if (database_.text("PRAGMA journal_mode=WAL") != "wal") {
    throw SqliteError::other("it cannot use a write-ahead log");
  }
}

void Store::check_kind(Database& database) {
  const std::int64_t application_id = database.number("PRAGMA application_id");
  const std::int64_t version = database.number("PRAGMA user_version");
  const auto wrong_bits = static_cast<std::uint32_t>(application_id ^ our_application_id);
  const bool is_other =
      is_bit_flipped(application_id, our_application_id) && version == schema_version;
  // Both are written in one transaction, and versions are counted from 1. Another version has other
  // tables.
  const bool is_no_version =
      wrong_bits == 0 && version != schema_version &&
      (version <= 0 || version > version_max ||
       (is_bit_flipped(version, schema_version) && has_our_schema(database)));
  if (is_other || is_no_version) {
    throw SqliteError::damaged("its first page is damaged");
  }
  if (application_id != our_application_id) {
    throw SqliteError::other("it is a database of another program; use another path");
  }
  if (version != schema_version) {
    throw SqliteError::other("the spool has version " + std::to_string(version) +
                             ", this program knows version " + std::to_string(schema_version) +
                             "; use the program that created it, or another path");
  }
}

// Transactions ------------------------------------------------------------------------------------

void Store::begin(bool is_synced) {
  // The level can be changed between transactions only.
  if (is_synced != is_synced_) {
    database_.execute(is_synced ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL");
    is_synced_ = is_synced;
  }
  database_.execute("BEGIN IMMEDIATE");
  Statement& read = statements_->read_counters;
  const StatementReset reset(read);
  if (!read.step()) throw SqliteError::damaged("the spool has no counters");
  counters_ = {read.number(0), read.number(1), read.number(2),
               read.number(3), read.number(4), read.number(5)};
  counters_on_disk_ = counters_;
  is_dead_counted_ = dead_counted_ == counters_.dead();
}

void Store::commit() {
  write_totals();
  if (counters_ != counters_on_disk_) {
    statements_->write_counters.bind(1, counters_.next_block)
        .bind(2, counters_.front_block)
        .bind(3, counters_.next_row)
        .bind(4, counters_.dead_events)
        .bind(5, counters_.dead_bytes)
        .bind(6, counters_.clients)
        .run();
  }
  database_.execute("COMMIT");
  if (is_dead_counted_) dead_counted_ = counters_.dead();
}

void Store::roll_back() {
  deltas_.clear();
  windows_.clear();
  if (!database_.is_in_transaction()) return;
  try {
    database_.execute("ROLLBACK");
  } catch (const SqliteError&) {
    // SQLite has rolled back by itself, or the file is beyond help; the next use will tell.
  }
}

bool Store::empty_log() {
  if (!database_.empty_log()) return false;
  // That it is empty is safe with the next commit that changes something: an old log that came back
  // would cover pages of the database that are newer.
  begin(true);
  ++counters_.next_row;
  commit();
  return true;
}

void Store::while_nobody_writes(const std::function<void()>& action) {
  begin(true);
  action();
  roll_back();
}

void Store::write_totals() {
  for (const auto& [destination, delta] : deltas_) {
    statements_->add_totals.bind(1, delta.events)
        .bind(2, delta.bytes)
        .bind(3, delta.scheduled_events)
        .bind(4, delta.scheduled_bytes)
        .bind(5, destination)
        .run();
  }
  deltas_.clear();
}

// Events ------------------------------------------------------------------------------------------

void Store::insert_block_as(BlockId id, DestinationId destination, const Block& block,
                            std::uint64_t created_ns) {
  statements_->insert_block.bind(1, id)
      .bind(2, destination)
      .bind(3, std::int64_t{block.events})
      .bind(4, as_number(created_ns))
      .bind(5, checksum(block.records))
      .bind(6, proto::ByteView(block.records))
      .run();
  deltas_[destination].events += block.events;
  deltas_[destination].bytes += static_cast<std::int64_t>(block.records.size());
}

BlockId Store::insert_block(DestinationId destination, const Block& block) {
  const BlockId id = counters_.next_block++;
  insert_block_as(id, destination, block, block.created_ns);
  return id;
}

void Store::insert_front(DestinationId destination, const std::vector<const Block*>& blocks,
                         const Now& now) {
  for (auto block = blocks.rbegin(); block != blocks.rend(); ++block) {
    // It was on disk before, perhaps.
    const std::uint64_t created_ns = (*block)->created_ns;
    insert_block_as(--counters_.front_block, destination, **block,
                    created_ns != 0 ? created_ns : now.wall_ns());
  }
}

bool Store::settle(DestinationId destination, const Settlement& settlement) {
  if (settlement.is_whole) {
    statements_->delete_settled.bind(1, settlement.block).run();
    statements_->delete_block.bind(1, settlement.block).run();
  } else {
    statements_->write_settled.bind(1, settlement.block)
        .bind(2, proto::ByteView(settlement.settled))
        .bind(3, as_number(settlement.bytes))
        .run();
  }
  // It may be gone: with a damaged database.
  if (database_.changes() == 0) return false;
  deltas_[destination].events -= settlement.events;
  deltas_[destination].bytes -= as_number(settlement.bytes);
  return true;
}

bool Store::hold(DestinationId destination, const Block& held) {
  Statement find(database_,
                 "SELECT b.records, s.events FROM block b LEFT JOIN settled s ON s.block=b.id "
                 "WHERE b.id=?");
  find.bind(1, held.id);
  Bytes records = held.records;
  Bytes settled = held.settled;
  SettledPart before;
  if (find.step()) {
    records.assign(find.bytes(0).begin(), find.bytes(0).end());
    const proto::ByteView known = find.bytes(1);
    before = settled_part(records, known);
    settled.resize(std::max(settled.size(), known.size()));
    for (std::size_t i = 0; i < known.size(); ++i) settled[i] |= known[i];
  } else if (records.empty()) {
    return false;
  } else {
    insert_block_as(held.id, destination, held, held.created_ns);
  }
  const SettledPart after = settled_part(records, settled);
  if (after.events == before.events) return true;
  settle(destination, {held.id, held.lane, static_cast<std::uint32_t>(after.events - before.events),
                       static_cast<std::uint64_t>(after.bytes - before.bytes), false, settled});
  return true;
}

ReadBlocks Store::read(DestinationId destination, const ReadRequest& request) {
  ReadBlocks result;
  Statement& read = statements_->read_blocks;
  // Events that an inspection command has put back since are read once they have been noted.
  read.bind(1, destination).bind(2, request.after).bind(3, counters_.next_block);
  const StatementReset reset(read);
  std::uint64_t bytes = 0;
  while (bytes < request.bytes_max) {
    if (!read.step()) {
      result.is_end = true;
      return result;
    }
    Block block;
    block.id = read.number(0);
    block.lane = request.lane;
    block.events = static_cast<std::uint32_t>(read.number(1));
    block.created_ns = static_cast<std::uint64_t>(read.number(2));
    const proto::ByteView records = read.bytes(4);
    if (checksum(records) != read.number(3) || !is_sound(records, block.events)) {
      result.damaged.push_back(block.id);
      continue;
    }
    block.records.assign(records.begin(), records.end());
    const proto::ByteView settled = read.bytes(5);
    if (is_settled_sound(records, settled, read.number(6))) {
      block.settled.assign(settled.begin(), settled.end());
    } else {
      result.is_settled_wrong = true;
    }
    bytes += block.records.size();
    result.blocks.push_back(std::move(block));
  }
  return result;
}

Amount Store::quarantine(DestinationId destination, BlockId id, const Now& now) {
  Statement find(database_,
                 "SELECT b.events, b.records, s.events, s.bytes FROM block b "
                 "LEFT JOIN settled s ON s.block=b.id WHERE b.id=?");
  find.bind(1, id);
  if (!find.step()) throw SqliteError::damaged("a block cannot be found by its number");
  const std::int64_t events = find.number(0) - count_bits(find.bytes(2));
  const proto::ByteView records = find.bytes(1);
  const std::int64_t bytes = static_cast<std::int64_t>(records.size()) - find.number(3);
  note_damaged(destination, records, now);
  statements_->delete_block.bind(1, id).run();
  statements_->delete_settled.bind(1, id).run();
  deltas_[destination].events -= events;
  deltas_[destination].bytes -= bytes;
  return {static_cast<std::uint64_t>(std::max<std::int64_t>(events, 0)),
          static_cast<std::uint64_t>(std::max<std::int64_t>(bytes, 0))};
}

void Store::note_damaged(DestinationId destination, proto::ByteView data, const Now& now) {
  Statement note(database_, "INSERT INTO damaged(destination, noted_ns, data) VALUES(?,?,?)");
  note.bind(1, destination).bind(2, as_number(now.wall_ns())).bind(3, data).run();
}

// Clients -----------------------------------------------------------------------------------------

FrameAnswer Store::take_frame(const ConfirmedFrame& frame, const Now& now) {
  if (frame.mark) {
    mark(*frame.mark);
    return {proto::Refusal::none, true, {}};
  }
  if (windows_.size() >= windows_cached_max) windows_.clear();
  auto found = windows_.find(frame.client);
  if (found == windows_.end()) {
    Statement& read = statements_->read_client;
    read.bind(1, proto::ByteView(frame.client));
    const StatementReset reset(read);
    ClientWindow window(now.wall_ns());
    if (read.step()) {
      window = ClientWindow(static_cast<std::uint64_t>(read.number(0)), read.bytes(1));
    } else {
      if (++counters_.clients > clients_max) {
        // Nobody is forgotten because of a counter that is wrong.
        counters_.clients = database_.number("SELECT count(*) FROM client") + 1;
        if (counters_.clients > clients_max) prune_clients(now);
      }
      note_new_client(frame.client);
    }
    found = windows_.emplace(frame.client, window).first;
  }
  ClientWindow& window = found->second;
  FrameAnswer answer{proto::Refusal::none, false, frame.refused};
  switch (window.look_up(frame.sequence)) {
    case ClientWindow::Sequence::taken:
      put_left_out(window.left_out(frame.sequence), answer.refused);
      return answer;
    case ClientWindow::Sequence::forgotten:
      answer.status = proto::Refusal::frame_sequence_old;
      return answer;
    case ClientWindow::Sequence::unseen:
      break;
  }
  answer.is_new = true;
  window.take(frame.sequence, left_out_of(frame.refused));
  const Bytes bytes = window.bytes();
  statements_->write_client.bind(1, proto::ByteView(frame.client))
      .bind(2, as_number(window.highest()))
      .bind(3, proto::ByteView(bytes))
      .bind(4, as_number(now.wall_ns()))
      .run();
  return answer;
}

void Store::note_new_client(const ClientId& client) {
  if (newest_clients_.size() >= newest_clients_max) {
    newest_clients_.erase(newest_clients_.begin(),
                          newest_clients_.begin() + newest_clients_max / 2);
  }
  newest_clients_.push_back(client);
}

/// Clients that have been silent for long. If there are none, the newest: a flood of new clients
/// displaces itself, and no earlier client.
void Store::prune_clients(const Now& now) {
  std::int64_t removed = 0;
  if (now.mono >= next_silence_look_) {
    next_silence_look_ = now.mono + silence_look_interval;
    removed = forget_silent_clients(now);
  }
  if (removed == 0) removed = forget_newest_clients();
  counters_.clients -= removed;
  windows_.clear();
}

std::int64_t Store::forget_silent_clients(const Now& now) {
  const std::int64_t now_ns = as_number(now.wall_ns());
  Statement old(database_, "DELETE FROM client WHERE seen_ns<?");
  old.bind(1, now_ns - client_age_max.count()).run();
  const std::int64_t removed = database_.changes();
  if (removed >= clients_max / 16) return removed;
  Statement silent(database_,
                   "DELETE FROM client WHERE id IN "
                   "(SELECT id FROM client WHERE seen_ns<? ORDER BY seen_ns LIMIT ?)");
  silent.bind(1, now_ns - client_silence_min.count()).bind(2, clients_max / 16 - removed).run();
  return removed + database_.changes();
}

std::int64_t Store::forget_newest_clients() {
  std::int64_t removed = 0;
  Statement forget(database_, "DELETE FROM client WHERE id=?");
  for (; removed < clients_pruned_min && !newest_clients_.empty(); newest_clients_.pop_back()) {
    forget.bind(1, proto::ByteView(newest_clients_.back())).run();
    removed += database_.changes();
  }
  if (removed > 0) return removed;
  // All came in earlier runs: a walk through the table finds those that came last.
  Statement newest(database_,
                   "DELETE FROM client WHERE id IN (SELECT id FROM client "
                   "ORDER BY substr(taken, ?, 8) DESC, seen_ns DESC LIMIT ?)");
  newest.bind(1, static_cast<std::int64_t>(ClientWindow::first_seen_offset) + 1)
      .bind(2, clients_pruned_min)
      .run();
  return database_.changes();
}

// Recurring events --------------------------------------------------------------------------------

void Store::mark(const ScheduleMark& mark) {
  if (mark.last_ns == 0) {
    Statement remove(database_, "DELETE FROM schedule WHERE name=?");
    remove.bind(1, std::string_view(mark.name)).run();
    return;
  }
  Statement write(database_, "INSERT OR REPLACE INTO schedule(name, last_ns) VALUES(?,?)");
  write.bind(1, std::string_view(mark.name)).bind(2, as_number(mark.last_ns)).run();
}

std::vector<ScheduleMark> Store::marks() {
  std::vector<ScheduleMark> found;
  Statement all(database_, "SELECT name, last_ns FROM schedule");
  while (all.step()) {
    found.push_back({std::string(all.text(0)), static_cast<std::uint64_t>(all.number(1))});
  }
  return found;
}

std::int64_t checksum(proto::ByteView bytes) {
  return libdeflate_crc32(0, bytes.data(), bytes.size());
}

bool is_sound(proto::ByteView records, std::uint32_t events) {
  while (!records.empty()) {
    const std::size_t record_bytes = sound_record_bytes(records);
    if (record_bytes == 0 || events == 0) return false;
    records = records.subspan(record_bytes);
    --events;
  }
  return events == 0;
}

SettledPart settled_part(proto::ByteView records, proto::ByteView settled) {
  SettledPart part;
  for (std::uint32_t i = 0; !settled.empty() && !records.empty(); ++i) {
    const std::size_t record_bytes = sound_record_bytes(records);
    if (record_bytes == 0) break;
    if (has_bit(settled, i)) {
      part.events += 1;
      part.bytes += static_cast<std::int64_t>(record_bytes);
    }
    records = records.subspan(record_bytes);
  }
  return part;
}

bool is_settled_sound(proto::ByteView records, proto::ByteView settled, std::int64_t bytes) {
  const SettledPart part = settled_part(records, settled);
  return part.bytes == bytes && part.events == count_bits(settled);
}

std::uint32_t count_bits(proto::ByteView bits) {
  std::uint32_t count = 0;
  for (const std::uint8_t byte : bits) count += static_cast<std::uint32_t>(std::popcount(byte));
  return count;
}

bool has_bit(proto::ByteView bits, std::uint32_t index) {
  return index / 8 < bits.size() && (bits[index / 8] >> (index % 8) & 1U) != 0;
}

}  // namespace outrider::sidecar
