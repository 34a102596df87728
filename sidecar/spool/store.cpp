// The tables. An event is in exactly one of block, scheduled and dead, once for each destination:
//
//     confirmed, spilled ──> block ──settled──> gone
//     scheduled ──due──> block        │
//                          ^          └──dead──> dead ──dropped, too many, too old──> gone
//                          └──────────put back────┘
//
// block      stored records of one destination, one behind the other; ids ascend in the order of
//            sending. `settled` has the bits of blocks of which some events are done, and their
//            bytes.
// counters   one row; ids are never used twice, for the sidecar remembers how far it has read.
// returned   what an inspection command has put back; the running sidecar takes note and clears it.
// damaged    what could not be read, for people to look at.

#include "sidecar/spool/store.hpp"

#include <algorithm>
#include <bit>

#include <libdeflate.h>

#include "sidecar/base/record.hpp"

namespace outrider::sidecar {
namespace {

constexpr std::int64_t application_id = 0x4f757472;  // "Outr"
constexpr std::int64_t schema_version = 1;
/// Leaves room in front: what a stop puts back gets lower ids.
constexpr std::int64_t first_block = std::int64_t{1} << 40U;
constexpr std::size_t windows_cached_max = 1024;

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
CREATE INDEX client_by_age ON client(seen_ns);
CREATE TABLE schedule(name TEXT PRIMARY KEY, last_ns INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE damaged(id INTEGER PRIMARY KEY, destination INTEGER NOT NULL,
  noted_ns INTEGER NOT NULL, data BLOB NOT NULL);
)";

std::int64_t checksum(proto::ByteView bytes) {
  return libdeflate_crc32(0, bytes.data(), bytes.size());
}

std::int64_t as_number(std::uint64_t value) {
  return static_cast<std::int64_t>(value);
}

/// Every record is whole and they are as many as they should be.
bool is_sound(proto::ByteView records, std::uint32_t events) {
  while (!records.empty()) {
    const std::size_t record_bytes = sound_record_bytes(records);
    if (record_bytes == 0 || events == 0) return false;
    records = records.subspan(record_bytes);
    --events;
  }
  return events == 0;
}

}  // namespace

struct Store::Statements {
  explicit Statements(Database& db)
      : read_counters(db,
                      "SELECT next_block, front_block, next_row, dead_events, dead_bytes, clients "
                      "FROM counters"),
        write_counters(db,
                       "UPDATE counters SET next_block=?, front_block=?, next_row=?, "
                       "dead_events=?, dead_bytes=?, clients=?"),
        add_totals(db,
                   "UPDATE destination SET events=events+?, bytes=bytes+?, "
                   "scheduled_events=scheduled_events+?, scheduled_bytes=scheduled_bytes+? "
                   "WHERE id=?"),
        insert_block(db,
                     "INSERT INTO block(id, destination, events, created_ns, crc, records) "
                     "VALUES(?,?,?,?,?,?)"),
        read_blocks(db,
                    "SELECT b.id, b.events, b.created_ns, b.crc, b.records, s.events FROM block b "
                    "LEFT JOIN settled s ON s.block=b.id "
                    "WHERE b.destination=? AND b.id>? ORDER BY b.id"),
        delete_block(db, "DELETE FROM block WHERE id=?"),
        delete_settled(db, "DELETE FROM settled WHERE block=?"),
        write_settled(db,
                      "INSERT INTO settled(block, events, bytes) SELECT ?1, ?2, ?3 "
                      "WHERE EXISTS(SELECT 1 FROM block WHERE id=?1) "
                      "ON CONFLICT(block) DO UPDATE SET events=?2, bytes=bytes+?3"),
        insert_scheduled(db,
                         "INSERT INTO scheduled(due_ns, id, destination, crc, record) "
                         "VALUES(?,?,?,?,?)"),
        next_due(db, "SELECT min(due_ns) FROM scheduled"),
        read_due(db,
                 "SELECT due_ns, id, destination, crc, record FROM scheduled WHERE due_ns<=? "
                 "ORDER BY due_ns, id LIMIT ?"),
        delete_due(db, "DELETE FROM scheduled WHERE due_ns<? OR (due_ns=? AND id<=?)"),
        read_client(db, "SELECT highest, taken FROM client WHERE id=?"),
        write_client(db,
                     "INSERT OR REPLACE INTO client(id, highest, taken, seen_ns) VALUES(?,?,?,?)"),
        insert_dead(db,
                    "INSERT INTO dead(id, destination, event, topic, reason, status, attempts, "
                    "first_ns, last_ns, answer, record) VALUES(?,?,?,?,?,?,?,?,?,?,?)"),
        oldest_dead(db,
                    "SELECT id, length(record)+length(answer), last_ns FROM dead ORDER BY id "
                    "LIMIT 1"),
        delete_dead(db, "DELETE FROM dead WHERE id=?"),
        read_dead(db, "SELECT destination, record, length(answer) FROM dead WHERE id=?"),
        add_returned(db,
                     "INSERT INTO returned(destination, events, bytes) VALUES(?1,?2,?3) "
                     "ON CONFLICT(destination) DO UPDATE SET events=events+?2, bytes=bytes+?3"),
        read_returned(db, "SELECT destination, events, bytes FROM returned"),
        delete_returned(db, "DELETE FROM returned") {}

  Statement read_counters;
  Statement write_counters;
  Statement add_totals;
  Statement insert_block;
  Statement read_blocks;
  Statement delete_block;
  Statement delete_settled;
  Statement write_settled;
  Statement insert_scheduled;
  Statement next_due;
  Statement read_due;
  Statement delete_due;
  Statement read_client;
  Statement write_client;
  Statement insert_dead;
  Statement oldest_dead;
  Statement delete_dead;
  Statement read_dead;
  Statement add_returned;
  Statement read_returned;
  Statement delete_returned;
};

Store::Store(Database database) : database_(std::move(database)) {
  make_tables();
  statements_ = std::make_unique<Statements>(database_);
}

Store::~Store() = default;

void Store::make_tables() {
  // Kept small: what is read is read once, and the page cache of the system is behind it.
  database_.execute(
      "PRAGMA cache_size=-4096; PRAGMA temp_store=MEMORY; PRAGMA trusted_schema=OFF;");
  const bool is_empty = database_.number("SELECT count(*) FROM sqlite_schema") == 0;
  if (is_empty) {
    database_.execute(
        "PRAGMA page_size=4096; PRAGMA auto_vacuum=INCREMENTAL; "
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; BEGIN IMMEDIATE;");
    // Another process may have been faster.
    if (database_.number("SELECT count(*) FROM sqlite_schema") == 0) {
      database_.execute(tables);
      database_.execute("INSERT INTO counters VALUES(" + std::to_string(first_block) + "," +
                        std::to_string(first_block) + ",1,0,0,0);");
      database_.execute("PRAGMA application_id=" + std::to_string(application_id) +
                        "; PRAGMA user_version=" + std::to_string(schema_version) + ";");
    }
    database_.execute("COMMIT");
    return;
  }
  if (database_.number("PRAGMA application_id") != application_id) {
    throw SqliteError::other("it is a database of another program; use another path");
  }
  const std::int64_t version = database_.number("PRAGMA user_version");
  if (version != schema_version) {
    throw SqliteError::other("the spool has version " + std::to_string(version) +
                             ", this program knows version " + std::to_string(schema_version) +
                             "; use the program that made it, or another path");
  }
  database_.execute("PRAGMA synchronous=FULL");
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

void Store::make_log_safe() {
  database_.empty_log();
  // That it is empty is safe with the next commit that changes something: an old log that came back
  // would cover pages of the database that are newer.
  begin(true);
  ++counters_.next_row;
  commit();
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

// Destinations ------------------------------------------------------------------------------------

DestinationId Store::destination(const std::string& name) {
  Statement find(database_, "SELECT id FROM destination WHERE name=?");
  find.bind(1, std::string_view(name));
  {
    const StatementReset reset(find);
    if (find.step()) return find.number(0);
  }
  Statement insert(database_, "INSERT INTO destination(name) VALUES(?)");
  insert.bind(1, std::string_view(name)).run();
  return database_.number("SELECT last_insert_rowid()");
}

std::map<std::string, std::pair<DestinationId, StoredTotals>> Store::destinations() {
  std::map<std::string, std::pair<DestinationId, StoredTotals>> found;
  Statement all(database_,
                "SELECT name, id, events, bytes, scheduled_events, scheduled_bytes "
                "FROM destination");
  const auto count = [&all](int column) {
    return static_cast<std::uint64_t>(std::max<std::int64_t>(all.number(column), 0));
  };
  while (all.step()) {
    found[std::string(all.text(0))] = {all.number(1), {count(2), count(3), count(4), count(5)}};
  }
  return found;
}

// Events ------------------------------------------------------------------------------------------

void Store::insert_block_as(BlockId id, DestinationId destination, const Block& block) {
  statements_->insert_block.bind(1, id)
      .bind(2, destination)
      .bind(3, std::int64_t{block.events})
      .bind(4, as_number(block.created_ns))
      .bind(5, checksum(block.records))
      .bind(6, proto::ByteView(block.records))
      .run();
  deltas_[destination].events += block.events;
  deltas_[destination].bytes += static_cast<std::int64_t>(block.records.size());
}

BlockId Store::insert_block(DestinationId destination, const Block& block) {
  const BlockId id = counters_.next_block++;
  insert_block_as(id, destination, block);
  return id;
}

void Store::insert_front(DestinationId destination, std::vector<Block*> blocks) {
  for (auto block = blocks.rbegin(); block != blocks.rend(); ++block) {
    insert_block_as(--counters_.front_block, destination, **block);
  }
}

void Store::insert_scheduled(DestinationId destination, std::uint64_t due_ns,
                             proto::ByteView record) {
  // A date that is beyond all numbers would wrap around and be due now.
  statements_->insert_scheduled.bind(1, as_number(std::min<std::uint64_t>(due_ns, INT64_MAX)))
      .bind(2, counters_.next_row++)
      .bind(3, destination)
      .bind(4, checksum(record))
      .bind(5, record)
      .run();
  deltas_[destination].scheduled_events += 1;
  deltas_[destination].scheduled_bytes += static_cast<std::int64_t>(record.size());
}

void Store::settle(DestinationId destination, const Settlement& settlement) {
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
  if (database_.changes() == 0) return;
  deltas_[destination].events -= settlement.events;
  deltas_[destination].bytes -= as_number(settlement.bytes);
}

ReadBlocks Store::read(DestinationId destination, const ReadRequest& request) {
  ReadBlocks result;
  Statement& read = statements_->read_blocks;
  read.bind(1, destination).bind(2, request.after);
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
    block.settled.assign(settled.begin(), settled.end());
    bytes += block.records.size();
    result.blocks.push_back(std::move(block));
  }
  return result;
}

std::uint64_t Store::quarantine(DestinationId destination, BlockId id, const Now& now) {
  Statement find(database_,
                 "SELECT b.events, b.records, s.events, s.bytes FROM block b "
                 "LEFT JOIN settled s ON s.block=b.id WHERE b.id=?");
  find.bind(1, id);
  std::int64_t events = 0;
  std::int64_t bytes = 0;
  {
    const StatementReset reset(find);
    if (!find.step()) return 0;
    events = find.number(0) - count_bits(find.bytes(2));
    const proto::ByteView records = find.bytes(1);
    bytes = static_cast<std::int64_t>(records.size()) - find.number(3);
    note_damaged(destination, records, now);
  }
  statements_->delete_block.bind(1, id).run();
  statements_->delete_settled.bind(1, id).run();
  deltas_[destination].events -= events;
  deltas_[destination].bytes -= bytes;
  return static_cast<std::uint64_t>(std::max<std::int64_t>(events, 0));
}

std::optional<std::uint64_t> Store::next_due_ns() {
  Statement& next = statements_->next_due;
  const StatementReset reset(next);
  if (!next.step() || next.text(0).empty()) return std::nullopt;
  return static_cast<std::uint64_t>(next.number(0));
}

std::vector<DueEvent> Store::take_due(const Now& now, std::uint64_t events_max,
                                      std::uint64_t bytes_max) {
  std::vector<DueEvent> due;
  std::int64_t last_due_ns = 0;
  std::int64_t last_id = 0;
  {
    Statement& read = statements_->read_due;
    read.bind(1, as_number(now.wall_ns())).bind(2, as_number(events_max));
    const StatementReset reset(read);
    std::uint64_t bytes = 0;
    while (bytes < bytes_max && read.step()) {
      last_due_ns = read.number(0);
      last_id = read.number(1);
      const proto::ByteView record = read.bytes(4);
      DueEvent event{read.number(2), record.size(), {}};
      deltas_[event.destination].scheduled_events -= 1;
      deltas_[event.destination].scheduled_bytes -= static_cast<std::int64_t>(record.size());
      bytes += record.size();
      if (checksum(record) == read.number(3) && sound_record_bytes(record) == record.size()) {
        event.record.assign(record.begin(), record.end());
      } else {
        note_damaged(event.destination, record, now);
      }
      due.push_back(std::move(event));
    }
  }
  if (due.empty()) return due;
  statements_->delete_due.bind(1, last_due_ns).bind(2, last_due_ns).bind(3, last_id).run();
  return due;
}

void Store::note_damaged(DestinationId destination, proto::ByteView data, const Now& now) {
  Statement note(database_, "INSERT INTO damaged(destination, noted_ns, data) VALUES(?,?,?)");
  note.bind(1, destination).bind(2, as_number(now.wall_ns())).bind(3, data).run();
}

// Clients -----------------------------------------------------------------------------------------

ClientWindow::Sequence Store::take_frame(const ConfirmedFrame& frame, const Now& now) {
  if (windows_.size() >= windows_cached_max) windows_.clear();
  auto found = windows_.find(frame.client);
  if (found == windows_.end()) {
    Statement& read = statements_->read_client;
    read.bind(1, proto::ByteView(frame.client));
    const StatementReset reset(read);
    ClientWindow window;
    if (read.step()) {
      window = ClientWindow(static_cast<std::uint64_t>(read.number(0)), read.bytes(1));
    } else {
      if (++counters_.clients > clients_max) prune_clients(now);
    }
    found = windows_.emplace(frame.client, window).first;
  }
  ClientWindow& window = found->second;
  const ClientWindow::Sequence seen = window.look_up(frame.sequence);
  if (seen != ClientWindow::Sequence::unseen) return seen;
  window.take(frame.sequence);
  statements_->write_client.bind(1, proto::ByteView(frame.client))
      .bind(2, as_number(window.highest()))
      .bind(3, window.bits())
      .bind(4, as_number(now.wall_ns()))
      .run();
  return seen;
}

/// Those that were silent for long; if there are none, the most silent ones.
void Store::prune_clients(const Now& now) {
  Statement old(database_, "DELETE FROM client WHERE seen_ns<?");
  old.bind(1, as_number(now.wall_ns()) - client_age_max.count()).run();
  std::int64_t removed = database_.changes();
  if (removed == 0) {
    Statement oldest(database_,
                     "DELETE FROM client WHERE id IN "
                     "(SELECT id FROM client ORDER BY seen_ns LIMIT ?)");
    oldest.bind(1, clients_max / 16).run();
    removed = database_.changes();
  }
  counters_.clients -= removed;
  windows_.clear();
}

// Recurring events --------------------------------------------------------------------------------

void Store::mark(const ScheduleMark& mark) {
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

void Store::give_back_pages() {
  database_.execute("PRAGMA incremental_vacuum(4096)");
}

// Repair ------------------------------------------------------------------------------------------

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
  counters_.dead_bytes = number("SELECT coalesce(sum(length(record)+length(answer)),0) FROM dead");
  counters_.clients = number("SELECT count(*) FROM client");
}

void Store::use_ids_from(BlockId next_block) {
  counters_.next_block = std::max(counters_.next_block, next_block);
}

void Store::close_without_log() {
  statements_.reset();
  database_.execute("PRAGMA wal_checkpoint(TRUNCATE)");
  database_.execute("PRAGMA journal_mode=DELETE");
}

// Dead letters ------------------------------------------------------------------------------------

void Store::insert_dead(DestinationId destination, const DeadLetter& letter) {
  const RecordView record = read_record(letter.record.data());
  IdSpace space;
  const std::string_view reason = dead_reasons[static_cast<std::size_t>(letter.reason)].name;
  statements_->insert_dead.bind(1, counters_.next_row++)
      .bind(2, destination)
      .bind(3, id_text(record, space))
      .bind(4, record.topic)
      .bind(5, reason)
      .bind(6, std::int64_t{letter.status})
      .bind(7, std::int64_t{letter.attempts})
      .bind(8, as_number(letter.first_ns))
      .bind(9, as_number(letter.last_ns))
      .bind(10, std::string_view(letter.answer))
      .bind(11, proto::ByteView(letter.record))
      .run();
  counters_.dead_events += 1;
  counters_.dead_bytes += static_cast<std::int64_t>(letter.record.size() + letter.answer.size());
}

std::uint64_t Store::trim_dead(const DeadLimits& limits, const Now& now) {
  std::uint64_t removed = 0;
  const std::int64_t oldest_ns = as_number(now.wall_ns()) - limits.age_max.count();
  for (;;) {
    std::int64_t id = 0;
    std::int64_t bytes = 0;
    {
      Statement& oldest = statements_->oldest_dead;
      const StatementReset reset(oldest);
      if (!oldest.step()) return removed;
      const bool is_over = counters_.dead_events > as_number(limits.events_max) ||
                           counters_.dead_bytes > as_number(limits.bytes_max) ||
                           oldest.number(2) < oldest_ns;
      if (!is_over) return removed;
      id = oldest.number(0);
      bytes = oldest.number(1);
    }
    statements_->delete_dead.bind(1, id).run();
    counters_.dead_events -= 1;
    counters_.dead_bytes -= bytes;
    ++removed;
  }
}

void Store::put_back_dead(std::int64_t id, const Now& now) {
  DestinationId destination = 0;
  Block block;
  std::int64_t answer_bytes = 0;
  {
    Statement& read = statements_->read_dead;
    read.bind(1, id);
    const StatementReset reset(read);
    if (!read.step()) return;
    destination = read.number(0);
    const proto::ByteView record = read.bytes(1);
    block.records.assign(record.begin(), record.end());
    answer_bytes = read.number(2);
  }
  block.events = 1;
  block.created_ns = now.wall_ns();
  insert_block(destination, block);
  const auto bytes = static_cast<std::int64_t>(block.records.size());
  statements_->add_returned.bind(1, destination).bind(2, std::int64_t{1}).bind(3, bytes).run();
  statements_->delete_dead.bind(1, id).run();
  counters_.dead_events -= 1;
  counters_.dead_bytes -= bytes + answer_bytes;
}

void Store::remove_dead(std::int64_t id) {
  std::int64_t bytes = 0;
  {
    Statement& read = statements_->read_dead;
    read.bind(1, id);
    const StatementReset reset(read);
    if (!read.step()) return;
    bytes = static_cast<std::int64_t>(read.bytes(1).size()) + read.number(2);
  }
  statements_->delete_dead.bind(1, id).run();
  counters_.dead_events -= 1;
  counters_.dead_bytes -= bytes;
}

std::vector<std::pair<DestinationId, Moved>> Store::take_returned() {
  std::vector<std::pair<DestinationId, Moved>> returned;
  Statement& read = statements_->read_returned;
  while (read.step()) {
    returned.push_back({read.number(0),
                        {0, static_cast<std::uint64_t>(read.number(1)),
                         static_cast<std::uint64_t>(read.number(2))}});
  }
  if (!returned.empty()) statements_->delete_returned.run();
  return returned;
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
