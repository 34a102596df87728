// Store: the spool's tables, and what is done to them inside of one transaction.
//
// Used by StoreKeeper and GroupWriter, and by the inspection commands on a database of their own.
// What stands where, and which statements move an event from one state to the next, is told in
// store.cpp; a movement is always one transaction, so that no crash loses or doubles an event.
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

/// A hash of its name, so that a name which is damaged or lost is told by whoever knows it, and
/// with it the rows of its events. Spools of old counted from 1.
using DestinationId = std::int64_t;
DestinationId destination_id(std::string_view name);
/// It may be; of one that damage has left without a name: what stands for that.
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
  /// What a row has besides takes less than the rest.
  static constexpr std::uint64_t record_bytes_max = Database::row_bytes_max - (2U << 20U);
  /// For a record of so many bytes more.
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

  /// Makes the tables if the database has none. Fails with trouble `damaged` if it is something
  /// else than a spool.
  explicit Store(Database database);
  ~Store();

  /// Fails if the database is something else than a spool of this version.
  static void check_kind(Database& database);

  Database& database() { return database_; }

  // Transactions ----------------------------------------------------------------------------------

  /// `is_synced`: what it commits survives a loss of power.
  void begin(bool is_synced);
  void commit();
  void roll_back();

  /// What was committed without a sync, or before a sync failed, is safe from here on: all of the
  /// log is in the database. Outside of a transaction. False: somebody reads it; nothing is done.
  bool empty_log();
  /// A transaction that changes something, which makes what was written before it safe as well.
  void commit_mark(const std::function<void()>& action);

  // Destinations ----------------------------------------------------------------------------------

  /// The id of a destination; a new one if it has none yet. Its name is mended. Inside of a
  /// transaction.
  DestinationId destination(const std::string& name);
  StoredDestinations destinations() { return read_destinations(database_); }

  // Events ----------------------------------------------------------------------------------------

  BlockId insert_block(DestinationId destination, const Block& block);
  /// Before all others, in this order.
  void insert_front(DestinationId destination, const std::vector<const Block*>& blocks,
                    const Now& now);
  void insert_scheduled(DestinationId destination, std::uint64_t due_ns, proto::ByteView record);
  /// False: the block is not there.
  bool settle(DestinationId destination, const Settlement& settlement);
  /// A block that somebody holds is there, and what he has settled of it is settled. False: it is
  /// not there, and he does not have its records any more.
  bool hold(DestinationId destination, const Block& held);
  ReadBlocks read(DestinationId destination, const ReadRequest& request);
  /// Moves a block that cannot be read out of the way, and returns what is gone with it. Fails with
  /// trouble `damaged` if its number does not lead to it.
  Amount quarantine(DestinationId destination, BlockId block, const Now& now);

  /// Fails with trouble `damaged` if it is not there.
  void remove_scheduled(DestinationId destination, std::int64_t due_ns, std::int64_t id);

  /// When the next scheduled event is due. Fails with trouble `damaged` if that cannot be told.
  std::optional<std::uint64_t> next_due_ns();
  /// Removes what is due and returns it, oldest first. A record that cannot be read is moved out of
  /// the way, and is returned empty. A date that cannot be right is trouble `damaged`.
  std::vector<DueEvent> take_due(const Now& now, std::uint64_t events_max, std::uint64_t bytes_max);

  // Clients ---------------------------------------------------------------------------------------

  /// Whether the frame is to be taken; if so, it counts as taken from now on. If it was taken
  /// before, the answer's refused events are those of then.
  FrameAnswer take_frame(const ConfirmedFrame& frame, const Now& now);

  // Recurring events ------------------------------------------------------------------------------

  void mark(const ScheduleMark& mark);
  std::vector<ScheduleMark> marks();

  /// Makes the write-ahead log's file as large as it will become: a sync then has no new length of
  /// the file to write, and takes half the time.
  void stretch_log(std::uint64_t bytes);
  /// Gives pages back to the file system, some at a time, while more than half are not needed.
  /// True: there are more. Not inside of a transaction.
  bool give_back_pages();
  /// Some of them, however many there are.
  void vacuum();
  /// All of them, with as little of the log as it takes.
  void vacuum_in_small_steps();
  /// In pages of the database that nothing uses.
  std::uint64_t unused_bytes();
  /// In all pages of the database.
  std::uint64_t database_bytes();
  /// In all others, without the dead letters, which have limits of their own.
  std::uint64_t used_bytes();

  // Repair ----------------------------------------------------------------------------------------

  /// What shows without counting: totals and counters are not those of what there is.
  bool has_wrong_totals();
  /// Makes all indexes anew, and then settle_accounts(). Throws `damaged` if that is not all that
  /// is wrong: only a copy keeps what is whole then. Inside of a transaction.
  void count_anew();
  /// Works out all totals and counters from what there is; finds an owner for each row, and removes
  /// what says wrongly which events are done: those are sent again. Inside of a transaction.
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
  /// Removes what was moved out of the way so long ago, and returns how many rows that were.
  std::uint64_t trim_damaged(Duration age_max, const Now& now);
  /// Moves the dead letter back among its destination's events. False: it is not there any more.
  bool put_back_dead(std::int64_t id, const Now& now);
  bool remove_dead(std::int64_t id);
  /// As the counters have it.
  Amount dead() const;
  /// What put_back_dead() has moved since this was last asked.
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
  void write_totals();
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

/// As it stands beside each block.
std::int64_t checksum(proto::ByteView bytes);

/// As it stands beside each scheduled event: of its record and its date.
std::int64_t scheduled_checksum(std::int64_t due_ns, proto::ByteView record);
/// The record is as it was written; whatever the date is.
bool is_scheduled_sound(proto::ByteView record, std::int64_t crc);
/// The date as it was written, if no more than one bit of it is wrong. Of an old row it is the one
/// that stands there.
std::optional<std::int64_t> written_date(std::int64_t due_ns, std::int64_t crc);

/// Every record is whole and they are as many as they should be.
bool is_sound(proto::ByteView records, std::uint32_t events);

/// The settled events of a block, as far as its records can be told apart.
struct SettledPart {
  std::int64_t events = 0;
  std::int64_t bytes = 0;
};
SettledPart settled_part(proto::ByteView records, proto::ByteView settled);
/// What stands beside the bits is their checksum: the bytes of the records that they name.
bool is_settled_sound(proto::ByteView records, proto::ByteView settled, std::int64_t bytes);

/// Bits of a bitmap that are set.
std::uint32_t count_bits(proto::ByteView bits);
bool has_bit(proto::ByteView bits, std::uint32_t index);

}  // namespace outrider::sidecar
