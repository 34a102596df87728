// Store: the spool's tables, and the changes to them inside one transaction.
//
// Used by StoreKeeper and GroupWriter, and by the inspection commands on a database of their own.
// store.cpp describes the tables and the statements that move an event from one state to the next;
// a movement is always one transaction, so that no crash loses or doubles an event.
//
// Thread: one at a time. Owns: the connection. Fails with: SqliteError; after one, roll_back().
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "sidecar/base/clock.hpp"
#include "sidecar/spool/client_window.hpp"
#include "sidecar/spool/database.hpp"
#include "sidecar/spool/exchange.hpp"

namespace outrider::sidecar {

/// A hash of its name, so that a damaged or lost name, and with it the rows of its events, is
/// recognised by anyone who knows the name. Old spools counted from 1.
using DestinationId = std::int64_t;
DestinationId destination_id(std::string_view name);
/// Its name, or a substitute if damage has left it without one.
bool is_name_of(std::string_view name, DestinationId id);

struct StoredDestination {
  std::string name;
  StoredTotals totals;
};
using StoredDestinations = std::map<DestinationId, StoredDestination>;
/// By the table, for its index may be what is damaged.
StoredDestinations read_destinations(Database& database);

struct DeadLimits {
  std::uint64_t events_max = 0;
  std::uint64_t bytes_max = 0;
  Duration age_max{};
};

/// A scheduled event whose time has come.
struct DueEvent {
  DestinationId destination = 0;
  std::uint64_t bytes = 0;
  Bytes record;
};

/// Ids that were given out: of blocks from `front` up to before `next_block`; of scheduled events
/// and dead letters up to before `next_row`.
struct UsedIds {
  BlockId front_block = 0;
  BlockId next_block = 0;
  std::int64_t next_row = 0;
};

struct ReadBlocks {
  std::vector<Block> blocks;
  std::vector<BlockId> damaged;
  bool is_settled_wrong = false;  ///< of some of them; all their events count as not settled
  bool is_end = false;
};

class Store {
 public:
  static constexpr std::uint64_t page_bytes = 4096;
  static constexpr std::uint32_t block_events_max = 4096;
  static constexpr std::size_t block_bytes_max = 256U << 10U;
  /// The other columns of a row take less than the rest.
  static constexpr std::uint64_t record_bytes_max = Database::row_bytes_max - (2U << 20U);
  /// For a record of this many bytes more.
  static bool has_room(const Block& block, std::size_t record_bytes) {
    return block.events < block_events_max &&
           block.records.size() + record_bytes <= block_bytes_max;
  }
  static constexpr std::int64_t clients_max = 65'536;
  static constexpr Duration client_age_max = std::chrono::hours(7 * 24);
  /// Before that, no client is forgotten in favour of one that came later.
  static constexpr Duration client_silence_min = std::chrono::hours(1);
  /// Of those that came last, forgotten at a time.
  static constexpr std::int64_t clients_pruned_min = clients_max / 256;

  /// Makes the tables if the database has none. Fails with trouble `damaged` if it is not a spool.
  explicit Store(Database database);
  ~Store();

  /// Fails if the database is not a spool of this version.
  static void check_kind(Database& database);

  Database& database() { return database_; }

  // Transactions ----------------------------------------------------------------------------------

  /// `is_synced`: what it commits survives a loss of power.
  void begin(bool is_synced);
  void commit();
  void roll_back();

  /// Moves all of the log into the database. Outside of a transaction. False: another process reads
  /// it; nothing is done.
  bool empty_log();
  /// Does something while no other process writes to the log. Outside of a transaction.
  void while_nobody_writes(const std::function<void()>& action);

  // Destinations ----------------------------------------------------------------------------------

  /// The id of a destination; a new one if it has none yet. Its name is mended. Inside of a
  /// transaction.
  DestinationId destination(const std::string& name);
  StoredDestinations destinations() { return read_destinations(database_); }
  /// From here on destinations() has what the transaction has done so far.
  void write_totals();

  // Events ----------------------------------------------------------------------------------------

  BlockId insert_block(DestinationId destination, const Block& block);
  /// Before all others, in this order.
  void insert_front(DestinationId destination, const std::vector<const Block*>& blocks,
                    const Now& now);
  void insert_scheduled(DestinationId destination, std::uint64_t due_ns, proto::ByteView record);
  /// False: the block is not there.
  bool settle(DestinationId destination, const Settlement& settlement);
  /// Makes sure that a block held by a lane is there, with the lane's settlements. False: it is not
  /// there, and the lane no longer has its records.
  bool hold(DestinationId destination, const Block& held);
  ReadBlocks read(DestinationId destination, const ReadRequest& request);
  /// Moves an unreadable block out of the way, and returns the amount lost with it. Fails with
  /// trouble `damaged` if its number does not lead to it.
  Amount quarantine(DestinationId destination, BlockId block, const Now& now);

  /// Fails with trouble `damaged` if it is not there.
  void remove_scheduled(DestinationId destination, std::int64_t due_ns, std::int64_t id);

  /// When the next scheduled event is due. Fails with trouble `damaged` if that is unknown.
  std::optional<std::uint64_t> next_due_ns();
  /// Removes the due events and returns them, oldest first. A record that cannot be read is moved
  /// out of the way, and is returned empty. A date that cannot be right is trouble `damaged`.
  std::vector<DueEvent> take_due(const Now& now, std::uint64_t events_max, std::uint64_t bytes_max);

  // Clients ---------------------------------------------------------------------------------------

  /// Whether the frame is to be taken; if so, it counts as taken from now on. If it was taken
  /// before, the answer's refused events are those of then.
  FrameAnswer take_frame(const ConfirmedFrame& frame, const Now& now);

  // Recurring events ------------------------------------------------------------------------------

  void mark(const ScheduleMark& mark);
  std::vector<ScheduleMark> marks();

  /// Makes the write-ahead log's file as large as it will become: a sync then need not write a new
  /// length of the file, and takes half the time.
  void stretch_log(std::uint64_t bytes);
  /// Gives pages back to the file system, some at a time, while more than half are not needed.
  /// True: there are more. Not inside of a transaction.
  bool give_back_pages();
  /// So many of them.
  void vacuum(int pages);
  /// All of them, with as little of the log as it takes.
  void vacuum_in_small_steps();
  /// Whatever would make the database longer than that is trouble `full`.
  void limit_file(std::uint64_t bytes_max);
  /// The length of the database when all of the log has left it for the file.
  std::uint64_t file_bytes();
  /// In pages of the database that nothing uses.
  std::uint64_t unused_bytes();
  /// In all others, without the dead letters, which have limits of their own.
  std::uint64_t used_bytes();
  /// The most that events take, without dead letters: a row may leave half of its page empty.
  std::uint64_t event_bytes_max();

  // Repair ----------------------------------------------------------------------------------------

  /// Visible without counting: totals and counters do not match the content.
  bool has_wrong_totals();
  /// Rebuilds all indexes, and then calls settle_accounts(). Throws `damaged` if something else is
  /// wrong: only a copy keeps the intact rows then. Inside of a transaction.
  void count_anew();
  /// Computes all totals and counters from the content; finds an owner for each row, and removes
  /// wrong settlement bits: their events are sent again. Inside of a transaction.
  void settle_accounts();
  UsedIds used_ids() const {
    return {counters_.front_block, counters_.next_block, counters_.next_row};
  }
  /// These are not given out again. Inside of a transaction.
  void use_ids_beyond(const UsedIds& used);
  /// The end: everything into the database's one file.
  void close_without_log();

  // Dead letters ----------------------------------------------------------------------------------

  void insert_dead(DestinationId destination, const DeadLetter& letter);
  struct Trimmed {
    std::uint64_t removed = 0;
    bool is_recounted = false;  ///< the counters were wrong
  };
  /// Removes the oldest beyond the limits; by the counters only if these are right.
  Trimmed trim_dead(const DeadLimits& limits, const Now& now);
  /// Removes blocks that were moved out of the way this long ago, and returns their number.
  std::uint64_t trim_damaged(Duration age_max, const Now& now);
  /// Moves the dead letter back among its destination's events. False: it is not there any more.
  bool put_back_dead(std::int64_t id, const Now& now);
  bool remove_dead(std::int64_t id);
  /// By the counters.
  Amount dead() const;
  /// The amount that put_back_dead() has moved since the last call.
  std::vector<std::pair<DestinationId, Amount>> take_returned();

 private:
  using ClientId = std::array<std::uint8_t, proto::client_id_bytes>;
  struct Statements;
  struct Counters {
    std::int64_t next_block = 0;
    std::int64_t front_block = 0;
    std::int64_t next_row = 0;
    std::int64_t dead_events = 0;
    std::int64_t dead_bytes = 0;
    std::int64_t clients = 0;
    bool operator==(const Counters&) const = default;
    std::pair<std::int64_t, std::int64_t> dead() const { return {dead_events, dead_bytes}; }
  };
  struct Delta {
    std::int64_t events = 0;
    std::int64_t bytes = 0;
    std::int64_t scheduled_events = 0;
    std::int64_t scheduled_bytes = 0;
  };

  void mend_names();
  void adopt_strays();
  void settle_parts();
  void make_tables();
  void note_new_client(const ClientId& client);
  void prune_clients(const Now& now);
  std::int64_t forget_silent_clients(const Now& now);
  std::int64_t forget_newest_clients();
  std::optional<std::pair<DestinationId, Bytes>> take_dead(std::int64_t id);
  void count_dead();
  void note_damaged(DestinationId destination, proto::ByteView data, const Now& now);
  void insert_block_as(BlockId id, DestinationId destination, const Block& block,
                       std::uint64_t created_ns);

  Database database_;
  std::unique_ptr<Statements> statements_;
  Counters counters_;
  Counters counters_on_disk_;
  bool is_dead_counted_ = false;  ///< those of dead letters are right
  /// As the last commit left them, when they were right.
  std::optional<std::pair<std::int64_t, std::int64_t>> dead_counted_;
  std::map<DestinationId, Delta> deltas_;
  std::map<ClientId, ClientWindow> windows_;  ///< cached
  std::vector<ClientId> newest_clients_;      ///< of this run, in the order in which they came
  MonoTime next_silence_look_{};
  bool is_synced_ = true;
};

/// As it is stored with each block.
std::int64_t checksum(proto::ByteView bytes);

/// As it is stored with each scheduled event: of its record and its date.
std::int64_t scheduled_checksum(std::int64_t due_ns, proto::ByteView record);
/// The record is as it was written; whatever the date is.
bool is_scheduled_sound(proto::ByteView record, std::int64_t crc);
/// The date as it was written, if no more than one bit of it is wrong. Of an old row it is the
/// stored one.
std::optional<std::int64_t> written_date(std::int64_t due_ns, std::int64_t crc);

/// Every record is whole and they are as many as they should be.
bool is_sound(proto::ByteView records, std::uint32_t events);

/// The settled events of a block, as far as its records can be told apart.
struct SettledPart {
  std::int64_t events = 0;
  std::int64_t bytes = 0;
};
SettledPart settled_part(proto::ByteView records, proto::ByteView settled);
/// The checksum stored with the bits: the bytes of the records that they name.
bool is_settled_sound(proto::ByteView records, proto::ByteView settled, std::int64_t bytes);

/// Bits of a bitmap that are set.
std::uint32_t count_bits(proto::ByteView bits);
bool has_bit(proto::ByteView bits, std::uint32_t index);

}  // namespace outrider::sidecar
